from odoo import api, models


class AccountPartialReconcile(models.Model):
    """Refill cards follow the payments of their invoices."""

    _inherit = 'account.partial.reconcile'

    @api.model_create_multi
    def create(self, vals_list):
        partials = super().create(vals_list)
        partials._get_invoices_and_payments()._follow_refill_card_payment()
        return partials

    def unlink(self):
        moves = self._get_invoices_and_payments()
        res = super().unlink()
        moves._follow_refill_card_payment()
        return res

    def _get_invoices_and_payments(self):
        """Return the reconciled invoices of customers, and entries of payments.

        :rtype: account.move
        """
        partials_sudo = self.sudo()  # sudo: whoever books
        moves = (partials_sudo.debit_move_id | partials_sudo.credit_move_id).move_id
        return moves.filtered(
            lambda move: move.is_sale_document(include_receipts=True) or move.origin_payment_id
        )
