from odoo import fields, models

MEASURES = [
    ('balance', "In the company's currency"),
    ('amount', "In the currency of the cards"),
    ('count', "Number of cards"),
]
# By column, the movements that it adds up; each changes what is owed, from the beginning to the
# end.
COLUMNS = {
    'stated': ('opening',),
    'sold': ('sold',),
    'redeemed': ('redeemed',),
    'given_back': ('given_back',),
    'returned': ('returned',),
    'released': ('released',),
    'brought_back': ('brought_back',),
    'moved': ('moved_in', 'moved_out'),
}


class RefillCardRollForwardLine(models.TransientModel):
    """What was owed for the cards of a series, and what changed that."""

    _name = 'refill.card.roll.forward.line'
    _description = "Owed for the Cards of a Series"
    _order = 'id'

    roll_forward_id = fields.Many2one(
        comodel_name='refill.card.roll.forward', required=True, index=True, ondelete='cascade'
    )
    measure = fields.Selection(selection=MEASURES, required=True)
    kind = fields.Selection(
        selection=[('series', "Series"), ('subtotal', "Subtotal"), ('total', "Total")],
        required=True,
    )
    name = fields.Char(string="Series or Sum", required=True)
    series_id = fields.Many2one(comodel_name='refill.card.series', ondelete='cascade')
    currency_id = fields.Many2one(comodel_name='res.currency')
    beginning = fields.Float()
    stated = fields.Float(string="Sold before")
    sold = fields.Float()
    redeemed = fields.Float()
    given_back = fields.Float(string="Given back")
    returned = fields.Float()
    released = fields.Float()
    brought_back = fields.Float(string="Brought back")
    moved = fields.Float()
    end = fields.Float()

    def action_open(self):
        """Open the movements of the series in the period.

        :rtype: dict
        """
        self.ensure_one()
        self.check_access('read')
        window = self.roll_forward_id
        domain = [
            ('movement', '!=', False),
            ('accounting_date', '>=', window.date_from),
            ('accounting_date', '<=', window.date_to),
            ('series_id', '=', self.series_id.id),
        ]
        return window._prepare_action(self.series_id.name, 'refill.card.event', domain)


class RefillCardRollForwardReason(models.TransientModel):
    """Why the ledger says another figure than the cards."""

    _name = 'refill.card.roll.forward.reason'
    _description = "Difference between Refill Cards and Ledger"
    _order = 'id'

    roll_forward_id = fields.Many2one(
        comodel_name='refill.card.roll.forward', required=True, index=True, ondelete='cascade'
    )
    kind = fields.Selection(
        selection=[('total', "Total"), ('reason', "Reason"), ('unexplained', "Not Explained")],
        required=True,
    )
    name = fields.Char(required=True)
    currency_id = fields.Many2one(related='roll_forward_id.currency_id')
    beginning = fields.Monetary()
    end = fields.Monetary()
    model = fields.Char()
    domain = fields.Json()

    def action_open(self):
        """Open what makes the figure.

        :rtype: dict
        """
        self.ensure_one()
        self.check_access('read')
        return self.roll_forward_id._prepare_action(self.name, self.model, self.domain)


class RefillCardRollForwardDebtor(models.TransientModel):
    """What a debtor owes for cards that were used."""

    _name = 'refill.card.roll.forward.debtor'
    _description = "Owed by a Debtor for Refill Cards"
    _order = 'id'

    roll_forward_id = fields.Many2one(
        comodel_name='refill.card.roll.forward', required=True, index=True, ondelete='cascade'
    )
    partner_id = fields.Many2one(comodel_name='res.partner', string="Owes", ondelete='cascade')
    currency_id = fields.Many2one(related='roll_forward_id.currency_id')
    beginning = fields.Monetary()
    redeemed = fields.Monetary()
    given_back = fields.Monetary(string="Given back")
    billed = fields.Monetary()
    others = fields.Monetary(string="By Hand")
    end = fields.Monetary()
    recent = fields.Monetary(string="Up to 30 Days")
    month = fields.Monetary(string="31 to 60")
    quarter = fields.Monetary(string="61 to 90")
    older = fields.Monetary()

    def action_open(self):
        """Open the journal items of the debtor.

        :rtype: dict
        """
        self.ensure_one()
        self.check_access('read')
        window = self.roll_forward_id
        debtor = self.partner_id
        domain = [
            *window._get_account_domain(window.company_id.refill_card_settlement_account_id),
            '|',
            ('refill_card_debtor_id', '=', debtor.id),
            '&',
            ('refill_card_debtor_id', '=', False),
            ('partner_id.commercial_partner_id', '=', debtor.id),
        ]
        return window._prepare_action(debtor.display_name, 'account.move.line', domain)
