from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import format_amount, format_date


class AccountMove(models.Model):
    """Entries that recognise unused value by an estimate; no cards are behind their lines.

    What was recognised so is taken back when the value of expired cards is released in full.
    """

    _inherit = 'account.move'

    # -------------------------------------------------------------------------
    # DRAFTS
    # -------------------------------------------------------------------------

    @api.model
    def _estimate_unused_refill_cards(self, company, day):
        """Recognise unused value in proportion to use: a draft for each currency.

        :param res.company company: a root company.
        :param datetime.date day: of the entry, and the last one that counts.
        :rtype: account.move
        :raise AccessError: when the user does not keep the company's books.
        :raise UserError: when the company lacks an account.
        """
        moves, by_currency = self.browse(), {}
        due = self._get_due_refill_card_estimates(company, day)
        for series, estimate in due.items():
            by_currency.setdefault(series.currency_id, []).append(
                self._prepare_estimate_line_values(company, estimate, estimate.due_amount, day)
            )
        self.env['refill.card.series'].union(*due)._touch_estimated()
        for currency, lines in by_currency.items():
            ref = self.env._("Unused refill cards, %(day)s", day=format_date(self.env, day))
            moves += self._create_release(
                self._prepare_release_entry_values(company, currency, lines, day, ref)
            )
        return moves

    @api.model
    def _get_due_refill_card_estimates(self, company, day):
        """Return of which series unused value is to be recognised, or too much was.

        :rtype: dict[refill.card.series, refill.card.unused.value]
        :raise AccessError: when the user does not keep the company's books.
        """
        self._check_may_release(company)
        # sudo: the right is checked
        estimates = self.env['refill.card.unused.value'].sudo()._get_estimates(company, day)
        return {
            series: estimate
            for series, estimate in estimates.items()
            if not series.currency_id.is_zero(estimate.due_amount)
        }

    @api.model
    def _prepare_estimate_line_values(self, company, estimate, amount, day):
        """:param refill.card.unused.value estimate: of a series.
        :param float amount: what is recognised of it, in its currency; below zero, taken back.
        """
        series, currency = estimate.series_id, estimate.currency_id
        amount, own = currency.round(amount), company.currency_id
        if currency == own or not estimate.owed_balance:
            balance = currency._convert(amount, own, company, day)
        else:  # at the rates of the sales
            balance = own.round(amount * estimate.owed_balance / estimate.owed_amount)
        return {
            'name': self.env._(
                "Refill cards of %(price)s expected to stay unused, series %(series)s",
                price=format_amount(self.env, series.price, currency),
                series=series.name,
            ),
            'account_id': self._get_refill_card_liability(company).id,
            'currency_id': currency.id,
            'amount_currency': amount,
            'balance': balance,
            'refill_card_role': 'estimate',
            'refill_card_series_id': series.id,
            'tax_ids': False,
        }

    @api.model
    def _prepare_estimates_taken_back(self, company, counts, day):
        """Return the values of lines that take back what was recognised of expired cards before.

        :param list[tuple[refill.card.series, int]] counts: how many cards of each series expired.
        :rtype: list[dict]
        """
        # sudo: the right is checked
        estimates = self.env['refill.card.unused.value'].sudo()._get_estimates(company, day)
        lines, touched = [], self.env['refill.card.series']
        for series, count in counts:
            estimate = estimates.get(series)
            if not estimate or not estimate.estimated_amount:
                continue
            recognised, value = estimate.estimated_amount, count * series.price
            # All of it, where nothing stays owed.
            amount = max(min(recognised, value), recognised - (estimate.owed_amount - value))
            lines.append(self._prepare_estimate_line_values(company, estimate, -amount, day))
            touched += series
        touched._touch_estimated()
        return lines

    # -------------------------------------------------------------------------
    # CHECKS
    # -------------------------------------------------------------------------

    def _prepare_refill_cards(self, is_automatic):
        res = super()._prepare_refill_cards(is_automatic)
        for move in self:
            move._check_estimates(1)
        return res

    def _take_refill_cards_back(self):
        res = super()._take_refill_cards_back()
        for move in self:
            move._check_estimates(-1)
        return res

    def _check_estimates(self, sign):
        """Check that an entry recognises nothing twice, and takes back what was recognised.

        :param int sign: -1 when the entry is about to count no more.
        :raise UserError: when it does not.
        """
        lines = self._get_refill_card_lines('estimate')
        if not lines:
            return
        company = self.company_id.root_id
        series = lines.refill_card_series_id
        series._touch_estimated()
        day = max(self.date, company._get_refill_card_day())
        estimates = self.env['refill.card.unused.value']._get_estimates(company, day)
        for each in series:
            if self._get_estimate_problem(each, estimates.get(each), lines, sign):
                raise UserError(
                    self.env._(
                        "%(entry)s no longer says what is recognised of series %(series)s: cards"
                        " were used, returned or released since, or a line changed. Delete it or"
                        " leave it as it is, and release anew.",
                        entry=self.display_name,
                        series=each.name,
                    )
                )

    def _get_estimate_problem(self, series, estimate, lines, sign):
        """Return whether more would be recognised of a series than is owed, or less than nothing.

        :param account.move.line lines: which recognise something by estimate.
        """
        company, currency = self.company_id.root_id, series.currency_id
        lines = lines.filtered(lambda line: line.refill_card_series_id == series)
        released = self._get_refill_card_lines('release').filtered(
            lambda line: line.refill_card_series_id == series
        )
        if (
            not estimate
            or lines.account_id != self._get_refill_card_liability(company)
            or lines.currency_id != currency
        ):
            return True
        change = sign * sum(lines.mapped('amount_currency'))
        value = sign * sum(released.mapped('amount_currency'))
        recognised = estimate.estimated_amount + change
        owed = estimate.owed_amount - value
        is_too_much = currency.compare_amounts(recognised, owed) > 0
        is_too_little = currency.compare_amounts(recognised, 0) < 0
        return (change > 0 or value > 0) and is_too_much or change < 0 and is_too_little
