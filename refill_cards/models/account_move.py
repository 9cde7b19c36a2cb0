from odoo import models


class AccountMove(models.Model):
    _inherit = 'account.move'

    def _post(self, soft=True):
        posted = super()._post(soft)
        posted.origin_payment_id._check_refill_card_entry()
        # However and whenever a payment is reversed, its card no longer counts.
        posted.reversed_entry_id.origin_payment_id._release_refill_cards()
        return posted
