from markupsafe import Markup
from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_amount

from ..refusals import RefillCardRefused


class RefillCardRedeem(models.TransientModel):
    _name = 'refill.card.redeem'
    _inherit = 'refill.card.window'
    _description = "Redeem a Refill Card"

    # Never stored: a code does not reach a table in clear.
    typed = fields.Char(
        string="Code or Serial Number", compute='_compute_typed', inverse='_inverse_typed'
    )
    # Kept in the form, because looking up a wrong code again would count it again.
    typed_refusal = fields.Char()
    card_id = fields.Many2one(comodel_name='refill.card')
    partner_id = fields.Many2one(comodel_name='res.partner', string="Customer")
    company_id = fields.Many2one(comodel_name='res.company', compute='_compute_company_id')
    company_currency_id = fields.Many2one(
        related='company_id.currency_id', string="Company Currency"
    )
    price = fields.Monetary(related='card_id.price', string="Face Value")
    currency_id = fields.Many2one(related='card_id.currency_id')
    valid_till = fields.Date(related='card_id.valid_till')
    refusal = fields.Char(compute='_compute_preview')
    balance = fields.Monetary(
        string="Balance Now", compute='_compute_preview', currency_field='company_currency_id'
    )
    new_balance = fields.Monetary(compute='_compute_preview', currency_field='company_currency_id')
    invoices = fields.Html(string="Invoices to Pay", compute='_compute_preview')

    def _compute_typed(self):
        self.typed = False

    def _inverse_typed(self):
        for wizard in self.filtered('typed'):
            if wizard.typed_refusal:
                raise UserError(wizard.typed_refusal)
            with wizard._recording_refusals():
                wizard.card_id = wizard._find_card()

    @api.depends_context('company')
    def _compute_company_id(self):
        self.company_id = self.env.company

    @api.onchange('typed')
    def _onchange_typed(self):
        self.typed_refusal = False
        if self.typed:
            try:
                with self._recording_refusals():
                    self.card_id = self._find_card()
            except RefillCardRefused as refused:
                self.card_id = False
                self.typed_refusal = str(refused)

    @api.depends('typed_refusal', 'card_id', 'partner_id', 'company_id')
    def _compute_preview(self):
        """Say what redeeming will do, or why it will not."""
        for wizard in self:
            wizard.refusal = wizard._get_refusal()
            preview = {}
            if wizard.partner_id:
                card = wizard.card_id if not wizard.refusal else wizard.card_id.browse()
                preview = card._preview_redemption(wizard.partner_id, wizard.company_id)
            wizard.balance = preview.get('balance', 0)
            wizard.new_balance = preview.get('new_balance', 0)
            wizard.invoices = Markup().join(
                [
                    Markup("<div>%s: %s</div>") % (name, format_amount(self.env, amount, currency))
                    for name, amount, currency in preview.get('invoices', [])
                ]
                + [
                    Markup("<div>%s</div>")
                    % self.env._("%(debt)s stays open: %(reason)s", debt=name, reason=reason)
                    for name, _amount, _currency, reason in preview.get('open', [])
                ]
            )

    def _get_refusal(self):
        if not self.card_id:
            return self.typed_refusal
        refusal = self.card_id._get_refusal(self.partner_id, self.company_id)
        return refusal or self.typed_refusal

    def _recording_refusals(self):
        cards = self.env['refill.card']
        return cards._recording_refusals(
            self.partner_id, self.company_id, channel=cards._get_channel()
        )

    def _find_card(self):
        cards = self.env['refill.card']
        return cards._find(self.typed, self.partner_id)

    def action_redeem(self):
        """Redeem the card for the customer.

        :raise UserError: when one of them is missing.
        :raise RefillCardRefused: when the card is not redeemed.
        """
        self.ensure_one()
        if not self.card_id:
            raise UserError(self.env._("Type or scan the code or the serial number of a card."))
        if not self.partner_id:
            raise UserError(self.env._("Choose the customer whose balance the card tops up."))
        self.card_id.check_access('read')
        with self._recording_refusals():
            channel = self.card_id._get_channel()
            payment = self.card_id._redeem(self.partner_id, self.company_id, channel=channel)
        result = payment._prepare_refill_card_result()
        message = self.env._(
            "Card %(serial)s: %(amount)s for %(customer)s. New balance: %(balance)s.",
            serial=self.card_id.name,
            amount=format_amount(self.env, self.price, self.currency_id),
            customer=self.partner_id.display_name,
            balance=format_amount(self.env, result['balance'], self.company_currency_id),
        )
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'type': 'success',
                'title': self.env._("Card redeemed"),
                'message': message,
                'next': {'type': 'ir.actions.client', 'tag': 'soft_reload'},
            },
        }
