from odoo import api, models
from odoo.exceptions import AccessError, UserError

from ..wording import format_count


class Opening:
    """Proof, in the context, that lines are made by an opening balance, or by its reversal.

    No client can send an object.
    """

    @classmethod
    def is_under_way(cls, env):
        return isinstance(env.context.get('refill_card_opening'), cls)


class AccountMoveLine(models.Model):
    """Lines that say how many cards of a series were sold before, and that they are owed."""

    _inherit = 'account.move.line'

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_refill_card_opening_by_window(vals)
        return super().create(vals_list)

    def write(self, vals):
        self._check_refill_card_opening_by_window(vals)
        return super().write(vals)

    @api.model
    def _check_refill_card_opening_by_window(self, vals):
        """:raise AccessError: when somebody types what only an opening balance writes."""
        if vals.get('refill_card_role') == 'opening' and not Opening.is_under_way(self.env):
            raise AccessError(
                self.env._(
                    "What was sold before is stated by the window Opening Balance, not by hand."
                )
            )

    def copy_data(self, default=None):
        """Only its reversal is about the cards of an opening."""
        copied = super().copy_data(default)
        for line, values in zip(self, copied, strict=True):
            if line.refill_card_role == 'opening' and not Opening.is_under_way(self.env):
                values.pop('refill_card_role', None)
                values.pop('refill_card_series_id', None)
        return copied

    def _find_refill_card_openings(self, series):
        """Return the lines of the openings of series that stand: as drafts, or confirmed.

        :rtype: account.move.line
        """
        lines = self.search(
            [
                ('refill_card_role', '=', 'opening'),
                ('refill_card_series_id', 'in', series.ids),
                ('parent_state', 'in', ['draft', 'posted']),
                ('move_id.reversed_entry_id', '=', False),
            ]
        )
        return lines.filtered(lambda line: not line.move_id._get_posted_reversals())

    # -------------------------------------------------------------------------
    # CHECKS
    # -------------------------------------------------------------------------

    def _check_refill_card_opening(self):
        """:raise UserError: when lines do not say what an opening balance says."""
        for line in self:
            problem = line._get_refill_card_opening_problem()
            if problem:
                raise UserError(
                    self.env._(
                        "Series %(series)s: %(problem)s",
                        series=line.refill_card_series_id.name,
                        problem=problem,
                    )
                )

    def _get_refill_card_opening_problem(self):
        """Return why the opening of a series is not confirmed as it is, None when it is.

        :rtype: str | None
        """
        series, count = self.refill_card_series_id, round(self.quantity)
        openings = self._find_refill_card_openings(series) - self
        if openings:
            return self.env._(
                "%(entry)s says already what was sold before. Reset that to draft and delete it, or"
                " reverse it, to state it anew.",
                entry=openings[0].move_id.display_name,
            )
        if not self._books_refill_card_opening():
            return self.env._(
                "%(entry)s was changed: it no longer books the face value of the cards. Delete it,"
                " and state the opening balance again.",
                entry=self.move_id.display_name,
            )
        used, unused = self.env['refill.card']._count_sold_before(series).get(series, (0, 0))
        if count > used + unused:
            return self.env._(
                "%(count)s cards cannot have been sold before. Besides cards that are disabled,"
                " handed out or kept for a draft there are %(total)s: %(used)s that were used, and"
                " %(unused)s in nobody's hands.",
                count=format_count(self.env, count),
                total=format_count(self.env, used + unused),
                used=format_count(self.env, used),
                unused=format_count(self.env, unused),
            )
        return None

    def _books_refill_card_opening(self):
        """Return whether the line credits the liability with the face value of its cards."""
        series, company = self.refill_card_series_id, self.company_id.root_id
        account = company._get_refill_card_method_line().payment_account_id
        value = -series.price * self.quantity
        return (
            self.move_id.move_type == 'entry'
            and series.company_id.root_id == company
            and self.account_id == account
            and self.quantity == round(self.quantity) > 0
            and self.currency_id == series.currency_id
            and not self.currency_id.compare_amounts(self.amount_currency, value)
            and self._books_value_of_opening(series)
        )

    def _books_value_of_opening(self, series):
        """Return whether something is left in the company's currency for each unused card.

        Of cards in another currency, an accountant may say what they were worth when sold.
        """
        own = self.company_currency_id
        if series._is_in_company_currency():
            return True
        cards = self.env['refill.card']
        booked, unused = cards._sum_used_before(series, round(self.quantity))
        return own.compare_amounts(-self.balance - booked, unused * own.rounding) >= 0
