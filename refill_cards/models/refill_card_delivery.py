from odoo import api, fields, models
from odoo.fields import Command


class RefillCardDelivery(models.Model):
    """The note that goes with cards to a reseller: which ones, and what they are worth."""

    _name = 'refill.card.delivery'
    _description = "Refill Card Delivery Note"
    _order = 'id desc'

    name = fields.Char(string="Operation", required=True, readonly=True)
    company_id = fields.Many2one(
        comodel_name='res.company', string="Issued by", required=True, readonly=True, index=True
    )
    partner_id = fields.Many2one(
        comodel_name='res.partner',
        string="Reseller",
        required=True,
        readonly=True,
        index=True,
        ondelete='restrict',
    )
    date = fields.Date(required=True, readonly=True)
    line_ids = fields.One2many(
        comodel_name='refill.card.delivery.line', inverse_name='delivery_id', readonly=True
    )
    card_count = fields.Integer(string="Cards", compute='_compute_card_count')

    @api.depends('line_ids.card_count')
    def _compute_card_count(self):
        for delivery in self:
            delivery.card_count = sum(delivery.line_ids.mapped('card_count'))

    @api.model
    def _note(self, ranges, partner, reference):
        """Write a note for each company that issued cards among these.

        :param list[tuple] ranges: of the cards, see ``refill.card._get_ranges``, as superuser.
        :param res.partner partner: the reseller.
        :param str reference: of the operation, in the audit log.
        :return: as the user sees them.
        :rtype: refill.card.delivery
        """
        lines = {}
        for series, first, last, count in ranges:
            values = {
                'series_id': series.id,
                'first_serial': first,
                'last_serial': last,
                'card_count': count,
                'price': series.price,
                'currency_id': series.currency_id.id,
            }
            lines.setdefault(series.company_id, []).append(Command.create(values))
        # sudo: nobody writes notes by hand
        notes_sudo = self.sudo().create(
            [
                {
                    'name': reference,
                    'company_id': company.id,
                    'partner_id': partner.id,
                    'date': company._get_refill_card_day(),
                    'line_ids': commands,
                }
                for company, commands in lines.items()
            ]
        )
        return notes_sudo.with_env(self.env)

    def _get_totals(self):
        """Return what the cards are worth, by currency.

        :rtype: dict[res.currency, float]
        """
        totals = {}
        for line in self.line_ids:
            totals[line.currency_id] = totals.get(line.currency_id, 0) + line.amount
        return totals


class RefillCardDeliveryLine(models.Model):
    """Cards of a series whose serial numbers follow each other without a gap."""

    _name = 'refill.card.delivery.line'
    _description = "Refill Card Delivery Note Line"

    delivery_id = fields.Many2one(
        comodel_name='refill.card.delivery', required=True, index=True, ondelete='cascade'
    )
    series_id = fields.Many2one(comodel_name='refill.card.series', ondelete='set null')
    first_serial = fields.Char(string="From", required=True)
    last_serial = fields.Char(string="To", required=True)
    card_count = fields.Integer(string="Cards", required=True)
    price = fields.Monetary(string="Face Value", required=True)
    currency_id = fields.Many2one(comodel_name='res.currency', required=True)
    amount = fields.Monetary(string="Value", compute='_compute_amount')

    @api.depends('card_count', 'price')
    def _compute_amount(self):
        for line in self:
            line.amount = line.card_count * line.price
