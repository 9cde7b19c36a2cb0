from odoo import api, models
from odoo.exceptions import UserError


class AccountAccount(models.Model):
    _inherit = 'account.account'

    def write(self, vals):
        """Keep the type of accounts on which refill cards were booked.

        A customer's credit is what stands on receivable accounts: on another type it would be gone,
        and the cards used all the same.

        :raise UserError: when the type changes.
        """
        if 'account_type' in vals:
            self.filtered(
                lambda account: account.account_type != vals['account_type']
            )._check_not_booked_by_refill_cards()
        return super().write(vals)

    @api.model
    def _get_most_frequent_account_for_partner(self, company_id, partner_id, move_type=None):
        """Propose an account for a line that somebody types: not one that cards are booked on.

        Discounts on cards would otherwise be where a reseller's other invoices are booked.
        """
        account_id = super()._get_most_frequent_account_for_partner(
            company_id, partner_id, move_type
        )
        # sudo: whoever types an invoice
        company_sudo = self.env['res.company'].sudo().browse(company_id)
        of_cards = company_sudo._get_refill_card_accounts().ids
        if account_id not in of_cards:
            return account_id
        frequent = self._get_most_frequent_accounts_for_partner(
            company_id, partner_id, move_type, filter_never_user_accounts=True
        )
        return next((each for each in frequent if each not in of_cards), False)

    def _check_not_booked_by_refill_cards(self):
        """:raise UserError: when refill cards were booked on one of the accounts."""
        if account := self._find_booked_by_refill_cards():
            raise UserError(
                self.env._(
                    "Refill cards were booked on %(account)s: its type stays as it is. Make another"
                    " account, and have the next cards booked there.",
                    account=account.display_name,
                )
            )

    def _find_booked_by_refill_cards(self):
        """Return one of the accounts on which refill cards were booked, as superuser.

        :rtype: account.account
        """
        # sudo: whoever sets up accounts need not see the entries
        line_sudo = (
            self.env['account.move.line']
            .sudo()
            .search(
                [
                    ('account_id', 'in', self.ids),
                    ('parent_state', '=', 'posted'),
                    ('journal_id.books_refill_cards', '=', True),
                ],
                limit=1,
            )
        )
        return line_sudo.account_id
