from odoo import models


class AccountMove(models.Model):
    _inherit = 'account.move'

    def copy_data(self, default=None):
        """What a card booked in a journal that is archived is taken back in another of cards.

        Odoo would take the one for miscellaneous operations, where what is owed is not looked for.
        """
        vals_list = super().copy_data(default)
        for move, vals in zip(self, vals_list, strict=True):
            # sudo: whoever may reverse the entry need not see the payment
            if vals.get('reversed_entry_id') and move.sudo()._pays_by_refill_card():
                method_line = move.company_id._get_refill_card_method_line()
                if method_line and not move.journal_id.active:
                    vals['journal_id'] = method_line.journal_id.id
        return vals_list

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
