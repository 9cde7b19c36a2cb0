from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain


class RefillCardAgreement(models.Model):
    """What a company and a reseller of its cards have agreed on."""

    _name = 'refill.card.agreement'
    _description = "Agreement with a Reseller of Refill Cards"
    _rec_name = 'partner_id'
    _order = 'company_id, partner_id, id'
    _check_company_auto = True

    company_id = fields.Many2one(
        comodel_name='res.company',
        required=True,
        index=True,
        default=lambda self: self.env.company.root_id,
        domain="[('parent_id', '=', False)]",
        help="Whose cards are sold; its branches follow the same agreement.",
    )
    partner_id = fields.Many2one(
        comodel_name='res.partner',
        string="Reseller",
        required=True,
        index=True,
        ondelete='cascade',
        check_company=True,
    )
    kind = fields.Selection(
        selection=[('discount', "Discount"), ('commission', "Commission")],
        required=True,
        default='discount',
        help="With a discount the reseller buys the cards for less and sells them on their own"
        " account. With a commission they sell as an agent: they owe the face value, and bill you"
        " for their work.",
    )
    percent = fields.Float(digits=(5, 2), help="Of the face value.")
    settled_by = fields.Selection(
        selection=[
            ('series', "Activation where cards need it, else use"),
            ('use', "Use"),
            ('activation', "Activation"),
        ],
        string="Owed from",
        required=True,
        default='series',
        help="Of cards on consignment: whether the reseller owes a card once a customer has"
        " redeemed it, or once the reseller has activated it.",
    )
    period = fields.Selection(
        selection=[('week', "Week"), ('month', "Month"), ('quarter', "Quarter")],
        string="Settled Every",
        required=True,
        default='month',
    )
    commission_tax_ids = fields.Many2many(
        comodel_name='account.tax',
        string="Taxes on the Commission",
        domain="[('type_tax_use', '=', 'purchase')]",
        check_company=True,
        help="Of the reseller's bill for the commission.",
    )
    stock_minimum = fields.Integer(
        string="Low Stock",
        help="When the reseller has fewer cards of a face value left, the salesperson gets an"
        " activity. 0 for none.",
    )

    _partner_unique = models.UniqueIndex(
        '(company_id, partner_id)', "With each reseller a company has one agreement."
    )

    @api.constrains('percent', 'stock_minimum')
    def _check_numbers(self):
        """:raise ValidationError: when a number makes no sense."""
        for agreement in self:
            if not 0 <= agreement.percent <= 100:
                raise ValidationError(
                    self.env._("A reseller gets between 0 and 100 percent of the face value.")
                )
            if agreement.stock_minimum < 0:
                raise ValidationError(
                    self.env._("A reseller cannot have fewer than 0 cards: correct the low stock.")
                )

    @api.constrains('company_id', 'partner_id')
    def _check_parties(self):
        """:raise ValidationError: when a company would settle with itself."""
        companies_sudo = self.env['res.company'].sudo()  # sudo: also those the user does not see
        for agreement in self:
            domain = [('id', 'child_of', agreement.company_id.id)]
            if agreement.partner_id in companies_sudo.search(domain).partner_id:
                raise ValidationError(
                    self.env._(
                        "%(company)s cannot be a reseller of its own cards. Choose somebody else.",
                        company=agreement.partner_id.display_name,
                    )
                )

    @api.constrains('commission_tax_ids')
    def _check_commission_taxes(self):
        """:raise ValidationError: when a tax is none that a vendor bills."""
        if self.commission_tax_ids.filtered(lambda tax: tax.type_tax_use != 'purchase'):
            raise ValidationError(
                self.env._("The reseller bills the commission: choose taxes on purchases.")
            )

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([self._name_parties(vals) for vals in vals_list])

    def write(self, vals):
        return super().write(self._name_parties(vals))

    @api.model
    def _name_parties(self, vals):
        """Return values that name who owes and who is owed: whole companies.

        :rtype: dict
        """
        if partner_id := vals.get('partner_id'):
            partner = self.env['res.partner'].browse(partner_id)
            partner._check_refill_card_customer()
            vals = {**vals, 'partner_id': partner.commercial_partner_id.id}
        if company_id := vals.get('company_id'):
            # sudo: who works in a branch need not see its head office
            root = self.env['res.company'].browse(company_id).sudo().root_id
            vals = {**vals, 'company_id': root.id}
        return vals

    def _get_last_day(self, day):
        """Return the last day of the last period that has ended by the end of a day.

        :param datetime.date day: of which month, when nothing was agreed on.
        :rtype: datetime.date
        """
        tomorrow = day + timedelta(days=1)
        start = fields.Date.start_of(tomorrow, self.period or 'month')
        return start - timedelta(days=1)

    @api.model
    def _get(self, partner, company):
        """Return what a company has agreed on with a reseller, empty when nothing.

        :param res.partner partner: the reseller, or a contact of theirs.
        :param res.company company: which issued the cards; its root company agrees.
        :rtype: refill.card.agreement
        """
        # sudo: agreements bind whoever acts for the reseller or the company
        return self.sudo().search(
            [
                ('partner_id', '=', partner.sudo().commercial_partner_id.id),
                ('company_id', '=', company.sudo().root_id.id),
            ]
        )

    @api.model
    def _get_owed_once_activated_domain(self):
        """Return the domain of cards that resellers owe once they activate them, else used.

        Of cards on consignment; what others hold is no matter of agreements.

        :rtype: odoo.fields.Domain
        """
        agreed = {'use': Domain.FALSE, 'activation': Domain.FALSE}
        # sudo: agreements bind whoever acts for the reseller or the company
        groups = self.sudo()._read_group(
            [('settled_by', '!=', 'series')], ['settled_by', 'company_id'], ['partner_id:array_agg']
        )
        for settled_by, company, partner_ids in groups:
            agreed[settled_by] |= Domain('series_id.company_id', 'child_of', company.id) & Domain(
                'holder_id', 'in', partner_ids
            )
        by_series = Domain('series_id.activation_required', '=', True) & ~agreed['use']
        return Domain('terms', '=', 'consigned') & (by_series | agreed['activation'])
