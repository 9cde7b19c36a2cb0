from odoo import models


class AccountPayment(models.Model):
    _inherit = 'account.payment'

    def _compute_available_journal_ids(self):
        """Leave out the journals that only cards pay into: their payments are made by redeeming."""
        res = super()._compute_available_journal_ids()
        for payment in self:
            if payment.payment_method_code != 'refill_card':
                payment.available_journal_ids = (
                    payment.available_journal_ids._without_refill_cards()
                )
        return res

    def _get_payment_method_codes_to_exclude(self):
        # A journal may have other payment methods beside ours.
        excluded = super()._get_payment_method_codes_to_exclude()
        # By the entry too, as Odoo asks this while it computes the method again.
        made_by_card = (
            self._origin.move_id.journal_id.books_refill_cards
            or self._origin.payment_method_code == 'refill_card'
        )
        return excluded if made_by_card else [*excluded, 'refill_card']

    def action_open_refill_card(self):
        """Open the card that was turned into this payment."""
        self.ensure_one()
        return self.refill_card_ids._get_records_action()
