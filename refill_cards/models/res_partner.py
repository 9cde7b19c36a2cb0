from odoo import api, fields, models
from odoo.exceptions import AccessError, MissingError
from odoo.fields import Domain


class ResPartner(models.Model):
    _inherit = 'res.partner'

    refill_card_credit = fields.Monetary(
        string="Prepaid Credit",
        compute='_compute_refill_card_credit',
        groups='refill_cards.group_refill_card_user',
        help="What the customer has paid in advance, in the current company.",
    )
    refill_card_pay_invoices = fields.Boolean(
        string="Prepaid Credit Pays Invoices",
        default=True,
        help="Prepaid credit from refill cards pays the customer's invoices, oldest due first, in"
        " companies that do so. Otherwise it stays on the customer's account.",
    )

    refill_card_agreement_ids = fields.One2many(
        comodel_name='refill.card.agreement',
        inverse_name='partner_id',
        string="Agreements on Refill Cards",
        groups='refill_cards.group_refill_card_manager',
    )

    @api.depends_context('company')
    def _compute_refill_card_credit(self):
        balances = self.commercial_partner_id._get_refill_card_balances(self.env.company)
        for partner in self:
            partner.refill_card_credit = max(balances.get(partner.commercial_partner_id.id, 0), 0)

    def _commercial_fields(self):
        return [*super()._commercial_fields(), 'refill_card_pay_invoices']

    def _get_refill_card_balance(self, company):
        """Return the customer's balance in a company; see :meth:`_get_refill_card_balances`."""
        self.ensure_one()
        return self._get_refill_card_balances(company)[self.id]

    def _get_refill_card_balances(self, company):
        """Return the customers' balances in a company, in its currency.

        :param res.company company: its root company and all branches count.
        :return: by id; positive for prepaid credit, negative for what is due.
        :rtype: dict[int, float]
        """
        # sudo: partner users and customers have no right on the accounting fields
        partners_sudo = self.sudo().with_company(company)
        partners_sudo.invalidate_recordset(['credit'])  # Odoo does not say what it depends on
        return {
            partner.id: company.currency_id.round(0.0 - partner.credit) for partner in partners_sudo
        }

    def _check_refill_card_customer(self):
        """:raise AccessError: when the user may not see these contacts, or there are none such."""
        try:
            is_seen = not self or self.has_access('read')
        except MissingError:
            is_seen = False
        if not is_seen:
            raise AccessError(self.env._("There is no such customer."))

    def action_settle_refill_cards(self):
        """Open the window that bills what this reseller owes for cards."""
        self.ensure_one()
        self.env['refill.card']._check_may_hand_out()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_settle_action'
        )
        return {**action, 'context': {'default_partner_ids': self.ids}}

    def action_redeem_refill_card(self):
        """Open the window that redeems a card for this customer."""
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_redeem_action'
        )
        return {**action, 'context': {'default_partner_id': self.id}}

    def action_open_refill_cards(self):
        """Open the cards that this customer used.

        Those whose payment they have, wherever the contact who used one belongs now.
        """
        self.ensure_one()
        customer = self.commercial_partner_id
        cards = self.env['refill.card']
        cards.check_access('read')
        # sudo: who sees cards need not have a right on payments
        paid_sudo = cards.sudo().search([('payment_id.partner_id', '=', customer.id)])
        paid = paid_sudo.sudo(False)._filtered_access('read')
        unpaid = Domain('payment_id', '=', False) & Domain('partner_id', 'child_of', customer.id)
        action = self.env['ir.actions.act_window']._for_xml_id('refill_cards.refill_card_action')
        return {**action, 'domain': list(Domain('id', 'in', paid.ids) | unpaid), 'context': {}}
