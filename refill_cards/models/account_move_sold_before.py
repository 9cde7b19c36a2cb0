from odoo import fields, models
from odoo.exceptions import UserError

from .account_move_line_sold_before import Opening


class AccountMove(models.Model):
    """Entries that say what was sold before: opening balances. Cards follow them."""

    _inherit = 'account.move'

    def _reverse_moves(self, default_values_list=None, cancel=False):
        # The reversal of an opening takes it back.
        moves = self
        if self.sudo()._get_refill_card_lines('opening'):  # sudo: whoever reverses
            moves = self.with_context(refill_card_opening=Opening())
        reversals = super(AccountMove, moves)._reverse_moves(default_values_list, cancel)
        return reversals.with_env(self.env)

    # -------------------------------------------------------------------------
    # CARDS FOLLOW
    # -------------------------------------------------------------------------

    def _prepare_refill_cards(self, is_automatic):
        res = super()._prepare_refill_cards(is_automatic)
        for move in self:
            if lines := move._get_refill_card_lines('opening'):
                if move.reversed_entry_id:
                    move._check_takes_opening_back()
                else:
                    move._check_refill_card_opening_day()
                    lines._check_refill_card_opening()
        return res

    def _hand_out_refill_cards(self):
        res = super()._hand_out_refill_cards()
        cards = self.env['refill.card']
        for move in self:
            lines = move._get_refill_card_lines('opening')
            if lines and move.reversed_entry_id:
                opening = move.reversed_entry_id._get_refill_card_lines('opening')
                cards._unsell_before(opening, move)
            else:
                for line in lines:
                    cards._sell_before(line)
        return res

    def _take_refill_cards_back(self):
        res = super()._take_refill_cards_back()
        for move in self:
            if lines := move._get_refill_card_lines('opening'):
                move._check_opening_stands_alone(lines)
                self.env['refill.card']._unsell_before(lines, move)
        return res

    # -------------------------------------------------------------------------
    # CHECKS
    # -------------------------------------------------------------------------

    def _check_refill_card_opening_day(self):
        """:raise UserError: when the cards would be sold in the future."""
        if self.date > max(fields.Date.context_today(self), self.company_id._get_refill_card_day()):
            raise UserError(
                self.env._(
                    "What was sold before was sold till today at the latest. Choose another date."
                )
            )

    def _check_takes_opening_back(self):
        """:raise UserError: when it takes an opening back in part, or twice."""
        original = self.reversed_entry_id
        if (
            original.state != 'posted'
            or original._get_posted_reversals() - self
            or original._describe_opening(-1) != self._describe_opening(1)
        ):
            raise UserError(
                self.env._(
                    "%(opening)s says what was sold before: it is reversed once, and as a whole.",
                    opening=original.display_name,
                )
            )
        original._check_opened_cards_still_sold(original._get_refill_card_lines('opening'))

    def _describe_opening(self, sign):
        """Return what is booked for which cards, times the sign, to compare entries."""
        return sorted(
            (
                line.account_id.id,
                line.refill_card_series_id.id,
                line.currency_id.id,
                line.quantity,
                line.currency_id.round(sign * line.amount_currency),
                line.company_currency_id.round(sign * line.balance),
            )
            for line in self._get_refill_card_lines('opening')
        )

    def _check_opening_stands_alone(self, lines):
        """:raise UserError: when something was built upon an opening that is to count no more.

        :param account.move.line lines: which say how many cards were sold before.
        """
        if self.reversed_entry_id:
            raise UserError(
                self.env._(
                    "%(entry)s took an opening balance of refill cards back, which may have been"
                    " stated anew since. It stays confirmed.",
                    entry=self.display_name,
                )
            )
        if reversals := self._get_posted_reversals():
            raise UserError(
                self.env._(
                    "%(opening)s was taken back by %(entry)s: it stays as it is.",
                    opening=self.display_name,
                    entry=reversals[0].display_name,
                )
            )
        self._check_opened_cards_still_sold(lines)

    def _check_opened_cards_still_sold(self, lines):
        """:raise UserError: when cards of an opening came back, or were released, since."""
        for line in lines:
            if self.env['refill.card']._count_still_sold_before(line) != round(line.quantity):
                raise UserError(
                    self.env._(
                        "Cards of series %(series)s that were sold before have come back since, or"
                        " their expired value was released: %(opening)s stays confirmed. Correct"
                        " what is owed by an invoice or a credit note.",
                        series=line.refill_card_series_id.name,
                        opening=self.display_name,
                    )
                )
