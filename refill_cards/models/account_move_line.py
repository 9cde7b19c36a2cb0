from odoo import models


class AccountMoveLine(models.Model):
    _inherit = 'account.move.line'

    def write(self, vals):
        # Odoo looks only at the entries that lines are taken from.
        target = self.env['account.move'].browse(vals.get('move_id') or [])
        with target._changing_refill_card_books():
            return super().write(vals)
