from odoo import models


class AccountMove(models.Model):
    _inherit = 'account.move'

    def _reverse_moves(self, default_values_list=None, cancel=False):
        reverse_moves = super()._reverse_moves(default_values_list, cancel)
        if cancel:
            self.origin_payment_id._release_refill_cards()
        return reverse_moves
