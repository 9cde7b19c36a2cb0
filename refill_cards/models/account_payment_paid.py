from odoo import models


class AccountPayment(models.Model):
    """Refill cards follow payments that have no entry of their own, too."""

    _inherit = 'account.payment'

    def write(self, vals):
        res = super().write(vals)
        if 'state' in vals:
            # sudo: whoever books payments need not see all invoices
            without_entry = self.sudo().filtered(
                lambda payment: not (payment.outstanding_account_id or payment.move_id)
            )
            without_entry.invoice_ids._follow_refill_card_payment()
        return res
