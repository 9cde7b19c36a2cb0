from odoo import models
from odoo.exceptions import UserError
from odoo.tools import SQL

from .account_move_line_settlement import Settling


class AccountMove(models.Model):
    """Invoices that bill what debtors owe for cards: each card is billed once.

    What is billed is claimed for a line of the draft, in one statement: the journal items of
    redemptions, and cards that were sold by activation. A draft that is deleted or cancelled gives
    up its claims, and so does a confirmed one that a credit note takes back as a whole.
    """

    _inherit = 'account.move'

    def _get_settlement_lines(self):
        """Return the lines that bill cards.

        :rtype: account.move.line
        """
        return self.line_ids.filtered(lambda line: line._is_refill_card_settlement())

    def write(self, vals):
        """:raise UserError: when a settlement would bill somebody else, or in another currency."""
        names = {'company_id', 'currency_id', 'move_type', 'partner_id'} & vals.keys()
        if names and not Settling.is_under_way(self.env):
            # sudo: whoever writes
            for move in self.sudo().filtered(lambda move: move._get_settlement_lines()):
                if move._would_change({name: vals[name] for name in names}):
                    raise UserError(
                        self.env._(
                            "%(invoice)s bills what %(debtor)s owes for refill cards: it is for"
                            " nobody else, and in no other currency.",
                            invoice=move.display_name,
                            debtor=move.commercial_partner_id.name,
                        )
                    )
        return super().write(vals)

    def _reverse_moves(self, default_values_list=None, cancel=False):
        # A credit note of a settlement takes back the settlement.
        moves = self
        if self.sudo()._get_settlement_lines():  # sudo: whoever reverses
            moves = self.with_context(refill_card_settling=Settling())
        reversals = super(AccountMove, moves)._reverse_moves(default_values_list, cancel)
        return reversals.with_env(self.env)

    # -------------------------------------------------------------------------
    # CLAIMS FOLLOW
    # -------------------------------------------------------------------------

    def _prepare_refill_cards(self, is_automatic):
        res = super()._prepare_refill_cards(is_automatic)
        for move in self:
            move._check_settlement_completed()
        for move in self.filtered(lambda move: move._get_settlement_lines()):
            if any(line.refill_card_role == 'sale' for line in move.line_ids):
                raise UserError(
                    self.env._(
                        "%(invoice)s bills cards that were used: sell cards by another invoice.",
                        invoice=move.display_name,
                    )
                )
            if original := move._get_settlement_taken_back():
                move._check_takes_settlement_back(original)
            elif move.is_sale_document():
                move._check_settlement_claims()
        return res

    def _hand_out_refill_cards(self):
        res = super()._hand_out_refill_cards()
        for move in self.filtered(lambda move: move._get_settlement_lines()):
            if original := move._get_settlement_taken_back():
                original._get_settlement_lines()._release_refill_card_claims()
            elif move.is_sale_document():
                self.env['refill.card']._bill_reserved(move._get_settlement_lines())
        return res

    def _take_refill_cards_back(self):
        res = super()._take_refill_cards_back()
        for move in self.filtered(lambda move: move._get_settlement_lines()):
            move._check_settlement_stands_alone()
            if move.is_sale_document():
                self.env['refill.card']._reserve_billed(move._get_settlement_lines())
        return res

    def _release_refill_card_reservations(self):
        res = super()._release_refill_card_reservations()
        self._get_settlement_lines()._release_refill_card_claims()
        return res

    def _get_settlement_taken_back(self):
        """Return the settlement that the credit note takes back, empty when it is none such.

        :rtype: account.move
        """
        original = self.reversed_entry_id
        if self.is_sale_document() and original._get_settlement_lines():
            return original
        return self.browse()

    # -------------------------------------------------------------------------
    # CHECKS
    # -------------------------------------------------------------------------

    def _check_settlement_claims(self):
        """:raise UserError: when the lines are not what is claimed for them."""
        lines = self._get_settlement_lines()
        sign = -self.direction_sign
        claims = lines._get_refill_card_claims()
        for line in lines:
            series, company = line.refill_card_series_id, line.company_id.root_id
            count, booked = claims.get(line, (0, 0))
            liability = company._get_refill_card_method_line().payment_account_id
            if (
                line.quantity != sign * count
                or line.currency_id != series.currency_id
                or line.currency_id.compare_amounts(line.price_unit, series.price)
                or line.company_currency_id.compare_amounts(line.refill_card_booked, sign * booked)
                or line.account_id not in (company.refill_card_settlement_account_id | liability)
            ):
                raise UserError(self._get_settlement_changed_sentence())

    def _check_settlement_completed(self):
        """:raise UserError: when what completes a settlement books something else on its accounts.

        Also where there is none: nothing else is booked in its name.
        """
        lines = self._get_settlement_lines()
        company = self.company_id.root_id
        accounts = company.refill_card_settlement_account_id
        accounts |= company._get_refill_card_method_line().payment_account_id
        for account in self._get_refill_card_lines('settlement').account_id & accounts:
            of_account = lines.filtered(lambda line, a=account: line.account_id == a)
            self._check_settlement_clears(account, of_account)

    def _check_settlement_clears(self, account, lines):
        """:raise UserError: when something else is booked on an account than the cards' value.

        :param account.move.line lines: which bill cards, on that account.
        """
        booked = self.line_ids.filtered(lambda line: line.account_id == account)
        expected = sum(
            self.direction_sign * line.refill_card_booked
            or line._get_settlement_balance(line._get_settlement_value())
            for line in lines
        )
        total = sum(booked.mapped('balance'))
        if self.company_currency_id.compare_amounts(total, expected):
            raise UserError(
                self.env._(
                    "%(invoice)s books something else on %(account)s than the cards that it bills."
                    " Choose another account for its other lines, or delete it and settle again.",
                    invoice=self.display_name,
                    account=account.display_name,
                )
            )

    def _get_settlement_changed_sentence(self):
        return self.env._(
            "%(invoice)s no longer says what is owed: a redemption was undone, or a line changed."
            " Delete it, and settle again.",
            invoice=self.display_name,
        )

    def _check_takes_settlement_back(self, original):
        """:raise UserError: when one is taken back in part or twice, or takes one back itself."""
        original._check_takes_no_settlement_back()
        if original.state == 'posted' and not (original._get_reversals_of_settlement() - self):
            if self._describe_settlement() == original._describe_settlement():
                return
        raise UserError(
            self.env._(
                "%(invoice)s bills cards that were used, and is credited once and as a whole. What"
                " was undone since lowers the next settlement by itself.",
                invoice=original.display_name,
            )
        )

    def _describe_settlement(self):
        """Return what is billed, to compare a credit note with what it takes back."""
        return sorted(
            (
                line.account_id.id,
                line.refill_card_series_id.id,
                line.quantity,
                line.price_unit,
                line.discount,
                line.refill_card_booked,
                line.currency_id.id,
            )
            for line in self._get_settlement_lines()
        )

    def _get_reversals_of_settlement(self):
        return self._get_posted_reversals().filtered(lambda move: move._get_settlement_lines())

    def _check_takes_no_settlement_back(self):
        """:raise UserError: when a credit note is to count no more, or to be reversed."""
        if self._get_settlement_taken_back():
            raise UserError(
                self.env._(
                    "%(note)s took a settlement back, and its cards may have been billed again"
                    " since. It stays confirmed; settle again instead.",
                    note=self.display_name,
                )
            )

    def _check_settlement_stands_alone(self):
        """:raise UserError: when something was built upon a settlement that is to count no more."""
        self._check_takes_no_settlement_back()
        if reversals := self._get_reversals_of_settlement():
            raise UserError(
                self.env._(
                    "%(invoice)s was taken back by %(note)s: it stays as it is.",
                    invoice=self.display_name,
                    note=reversals[0].display_name,
                )
            )
        if billed := self.line_ids.refill_card_bill_line_id:
            raise UserError(
                self.env._(
                    "What %(bill)s says was billed to a reseller by %(invoice)s: take that back"
                    " first.",
                    bill=self.display_name,
                    invoice=billed[0].move_id.display_name,
                )
            )


class AccountMoveLine(models.Model):
    """What is claimed for the lines of settlements, in SQL as there may be a hundred thousand."""

    _inherit = 'account.move.line'

    def _get_refill_card_claims(self):
        """Return how many cards are claimed for each line, and what was booked for them.

        :rtype: dict[account.move.line, tuple[int, float]]
        """
        self.flush_model()
        claims = {
            self.browse(line_id): (count, booked)
            for line_id, count, booked in self.env.execute_query(
                SQL(
                    """
                    SELECT line.refill_card_bill_line_id, SUM(%s), SUM(line.balance)
                      FROM account_move_line line
                     WHERE line.refill_card_bill_line_id = ANY(%s) AND line.parent_state = 'posted'
                     GROUP BY line.refill_card_bill_line_id
                    """,
                    self._get_refill_card_count_sql(),
                    self.ids,
                )
            )
        }
        return claims | self.env['refill.card']._count_billed(self)

    def _get_refill_card_count_sql(self):
        """Return how many cards a journal item of redemptions is about: fewer than none, undone.

        :return: names the table ``line``.
        :rtype: SQL
        """
        return SQL(
            "SIGN(line.amount_currency) * CASE WHEN line.refill_card_role = 'settlement'"
            " THEN ABS(line.quantity) ELSE 1 END"
        )

    def _release_refill_card_claims(self):
        """Let what the lines bill be billed anew."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "UPDATE account_move_line SET refill_card_bill_line_id = NULL"
                " WHERE refill_card_bill_line_id = ANY(%s)",
                self.ids,
            )
        )
        self.invalidate_model(['refill_card_bill_line_id'])
        self.env['refill.card']._release_billed(self)
