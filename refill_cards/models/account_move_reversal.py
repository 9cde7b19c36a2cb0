from odoo import models


class AccountMove(models.Model):
    _inherit = 'account.move'

    def _check_company(self, fnames=None):
        """A card's payment is taken back from whom it was booked for, wherever they moved since."""
        # sudo: whoever may change the entry need not see the payment
        reversals = self.filtered('reversed_entry_id').filtered(
            lambda move: move.sudo().reversed_entry_id._pays_by_refill_card()
        )
        super(AccountMove, self - reversals)._check_company(fnames)
        if not reversals:
            return
        names = set(fnames or self._fields)
        if 'company_id' in names:  # which stands for all of them
            names = set(self._fields) - {'company_id', 'company_ids'}
        names -= {'partner_id', 'commercial_partner_id'}
        super(AccountMove, reversals)._check_company(names)
