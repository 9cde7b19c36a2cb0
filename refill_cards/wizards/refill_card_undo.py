from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_amount, format_date


class RefillCardUndo(models.TransientModel):
    _name = 'refill.card.undo'
    _inherit = 'refill.card.window'
    _description = "Undo the Redemption of a Refill Card"

    card_id = fields.Many2one(
        comodel_name='refill.card', required=True, readonly=True, ondelete='cascade'
    )
    reason = fields.Char(help="Goes into the audit log and to the payment.")
    effect = fields.Char(string="What Happens", compute='_compute_effect')

    @api.depends('card_id')
    def _compute_effect(self):
        for wizard in self:
            wizard.effect = False
            card = wizard.card_id
            if not card.has_access('write') or (
                card.sudo().used_company_id - self.env.user.company_ids  # sudo: to compare it
            ):
                continue
            # sudo: a manager of cards need not see payments
            payment_sudo = wizard.card_id.sudo().payment_id
            if not payment_sudo:
                wizard.effect = self.env._(
                    "The payment was already taken back in the books. The card can be redeemed"
                    " again."
                )
                continue
            values = {
                'payment': payment_sudo.display_name,
                'day': format_date(self.env, payment_sudo.date),
                'amount': format_amount(self.env, payment_sudo.amount, payment_sudo.currency_id),
                'customer': wizard._describe_customer(payment_sudo.partner_id),
            }
            wizard.effect = self.env._(
                "Payment %(payment)s of %(day)s is reversed today. %(customer)s loses %(amount)s of"
                " credit, invoices paid with it are open again, and the card can be redeemed"
                " again.",
                **values,
            )

    def _describe_customer(self, partner_sudo):
        partner = partner_sudo.sudo(False)
        return partner.has_access('read') and partner.display_name or self.env._("The customer")

    def action_undo(self):
        """Undo the redemption.

        :raise UserError: without a reason, or when the card is not used.
        """
        self.ensure_one()
        reason = (self.reason or '').strip()
        if not reason:
            raise UserError(self.env._("Say why the redemption is undone."))
        approval, _done = self.env['refill.card.approval']._try(lambda: self.card_id._undo(reason))
        if approval:
            return approval._get_window_action()
        return {'type': 'ir.actions.act_window_close'}
