import logging

from odoo import api, models
from odoo.exceptions import AccessError, RedirectWarning, UserError
from odoo.fields import Command, Domain
from odoo.tools import format_amount, format_date

from ..wording import format_count
from .account_move_line_value_released import ROLES, Releasing

_logger = logging.getLogger(__name__)

# What a line books, in its currency and in the company's.
RELEASED = ('amount_currency', 'balance')


class AccountMove(models.Model):
    """Entries that release what is owed for sold cards that expired: each card once.

    A draft claims the cards; one that is deleted or cancelled gives them up. An entry that takes a
    release back is a release, too, of lines that credit the liability.
    """

    _inherit = 'account.move'

    def _reverse_moves(self, default_values_list=None, cancel=False):
        moves = self
        if any(line.refill_card_role in ROLES for line in self.sudo().line_ids):  # sudo: whoever
            moves = self.with_context(refill_card_releasing=Releasing())
        reversals = super(AccountMove, moves)._reverse_moves(default_values_list, cancel)
        return reversals.with_env(self.env)

    # -------------------------------------------------------------------------
    # DRAFTS
    # -------------------------------------------------------------------------

    @api.model
    def _release_expired_refill_cards(self, company, day):
        """Release what is owed for cards that expired: a draft for each currency.

        :param res.company company: a root company; cards of its branches are released along.
        :param datetime.date day: of the entry; the cards expired as many days before as the company
            has set.
        :rtype: account.move
        :raise AccessError: when the user does not keep the company's books.
        :raise UserError: when the company releases nothing, or lacks an account.
        """
        moves, by_currency = self.browse(), {}
        for series, count, balance in self._get_releasable_refill_cards(company, day):
            by_currency.setdefault(series.currency_id, []).append((series, count, balance))
        for currency, released in by_currency.items():
            move = self._create_release(
                self._prepare_release_values(company, currency, released, day)
            )
            # sudo: the right is checked
            cards_sudo = self.env['refill.card'].sudo()
            cards_sudo._claim_releasable(move._get_refill_card_lines('release'), company, day)
            moves += move
        return moves

    @api.model
    def _get_releasable_refill_cards(self, company, day):
        """Return how many cards of each series would be released, and their value in the books.

        :rtype: list[tuple[refill.card.series, int, float]]
        :raise AccessError: when the user does not keep the company's books.
        """
        self._check_may_release(company)
        if not company.refill_card_release:
            return []
        # sudo: the right is checked
        return self.env['refill.card'].sudo()._get_releasable_values(company, day)

    @api.model
    def _check_may_release(self, company):
        """:raise AccessError: when the user does not keep the company's books."""
        self.env['refill.card']._check_may_hand_out()
        root_sudo = company.sudo().root_id  # sudo: to name it
        if company != root_sudo or not self.env.su and company not in self.env.companies:
            raise AccessError(
                self.env._(
                    "The value of expired cards is released by %(company)s: choose it among your"
                    " companies.",
                    company=root_sudo.name,
                )
            )

    @api.model
    def _recognise_unused_refill_cards(self, company, day):
        """Draft what is released of cards that expired, and what is recognised by estimate.

        :param res.company company: a root company.
        :param datetime.date day: of the entries.
        :rtype: account.move
        """
        moves = self._release_expired_refill_cards(company, day)
        return moves + self._estimate_unused_refill_cards(company, day)

    @api.model
    def _cron_release_expired_refill_cards(self):
        """Prepare for each company the release of what expired, and leave an activity."""
        for company in self.env['res.company'].search([('parent_id', '=', False)]):
            moves = self.with_company(company)
            try:
                with self.env.cr.savepoint():
                    drafts = moves._recognise_unused_refill_cards(
                        company, company._get_refill_card_day()
                    )
                    for draft in drafts:
                        draft._schedule_refill_card_activity(
                            self.env._("Expired refill cards"),
                            self.env._(
                                "Check what is released of sold cards that expired, and post it."
                            ),
                        )
            except (RedirectWarning, UserError) as problem:
                _logger.warning("Nothing was released in %s: %s", company.name, problem.args[0])
            if not self.env['ir.cron']._commit_progress(1):
                break

    @api.model
    def _create_release(self, values):
        releasing = self.with_context(refill_card_releasing=Releasing())
        return releasing.create(values).with_env(self.env)

    # -------------------------------------------------------------------------
    # CARDS FOLLOW
    # -------------------------------------------------------------------------

    def _prepare_refill_cards(self, is_automatic):
        res = super()._prepare_refill_cards(is_automatic)
        for move in self:
            lines = move._get_refill_card_lines('release')
            if not lines:
                continue
            if original := move._get_release_taken_back():
                move._check_takes_release_back(original)
            else:
                move._check_release(lines)
        return res

    def _hand_out_refill_cards(self):
        res = super()._hand_out_refill_cards()
        cards = self.env['refill.card']
        for move in self:
            lines = move._get_refill_card_lines('release')
            if not lines:
                continue
            released = lines.filtered(lambda line: line._get_released_sign() > 0)
            if original := move._get_release_taken_back():
                lines = original._get_refill_card_lines('release')
                cards._take_release_back(lines, move, released_line_id=None)
            elif released:
                cards._release_claimed(released)
            else:
                cards._take_release_back(lines, move, released_line_id=None)
        return res

    def _take_refill_cards_back(self):
        res = super()._take_refill_cards_back()
        for move in self:
            if lines := move._get_refill_card_lines('release'):
                move._check_release_may_end(lines)
                self.env['refill.card']._take_release_back(lines, move)
        return res

    def _get_release_taken_back(self):
        """Return the release that the entry reverses, empty when it is no reversal of one.

        :rtype: account.move
        """
        original = self.reversed_entry_id
        return original if original._get_refill_card_lines('release') else self.browse()

    # -------------------------------------------------------------------------
    # CHECKS
    # -------------------------------------------------------------------------

    def _check_release(self, lines):
        """:raise UserError: when the lines are not what is claimed for them."""
        cards = self.env['refill.card']
        liability = self._get_refill_card_liability(self.company_id.root_id)
        releasing = lines.filtered(lambda line: line._get_released_sign() > 0)
        expired = cards._get_released_domain(releasing) & cards._get_expired_domain()
        booked = self.line_ids.filtered(lambda line: line.account_id == liability)
        counts = cards._count_released(lines)
        if (
            lines.account_id != liability
            or not all(booked.mapped('refill_card_role'))
            or not all(
                line._says_what_is_released(*cards._get_released_values(line)) for line in lines
            )
            or any(counts.get(line, 0) != round(line.quantity) for line in lines)
            or cards.search_count(expired) != sum(counts.get(line, 0) for line in releasing)
        ):
            raise UserError(
                self.env._(
                    "%(entry)s no longer says what is released: a card was extended, used or"
                    " returned since, or a line changed. Delete it, and release again.",
                    entry=self.display_name,
                )
            )

    def _check_takes_release_back(self, original):
        """:raise UserError: when a reversal takes a release back in part, or twice."""
        lines = original._get_refill_card_lines('release')
        if original.state == 'posted':
            original._check_release_may_end(lines)
            if original._describe_release(-1) == self._describe_release(1):
                return
        raise UserError(
            self.env._(
                "%(entry)s released the value of expired cards, and is reversed once and as a"
                " whole. Extend cards that shall be valid again: that brings their value back.",
                entry=original.display_name,
            )
        )

    def _check_release_may_end(self, lines):
        """:raise UserError: when something was built upon a release that is to count no more."""
        if any(line._get_released_sign() < 0 for line in lines):
            raise UserError(
                self.env._(
                    "%(entry)s brought the value of cards back, which may have been used since. It"
                    " stays as it is.",
                    entry=self.display_name,
                )
            )
        counts = self.env['refill.card']._count_released(lines)
        if any(counts.get(line, 0) != round(line.quantity) for line in lines):
            raise UserError(
                self.env._(
                    "Cards of %(entry)s were brought back since, or it was reversed: it stays as it"
                    " is.",
                    entry=self.display_name,
                )
            )

    def _describe_release(self, sign):
        """Return what is released, times the sign, to compare a reversal with what it reverses."""
        return sorted(
            (
                line.account_id.id,
                line.refill_card_role or '',
                line.refill_card_series_id.id,
                line.currency_id.id,
                line.currency_id.round(sign * line.amount_currency),
                line.company_currency_id.round(sign * line.balance),
            )
            for line in self.line_ids
            if line.refill_card_role in ROLES
        )

    # -------------------------------------------------------------------------
    # WHAT THE ENTRY SHOWS
    # -------------------------------------------------------------------------

    def _compute_refill_card_count(self):
        res = super()._compute_refill_card_count()
        cards = self.env['refill.card']
        released = self.filtered(lambda move: move._get_refill_card_lines('release'))
        for move in released if cards.has_access('read') else ():
            move.refill_card_count = cards.search_count(move._get_refill_cards_domain())
        return res

    def _get_refill_cards_domain(self):
        released = Domain('released_line_id', 'in', self.line_ids._origin.ids)
        return super()._get_refill_cards_domain() | released

    # -------------------------------------------------------------------------
    # WHAT A RELEASE BOOKS
    # -------------------------------------------------------------------------

    @api.model
    def _prepare_release_values(self, company, currency, released, day):
        """Return the values of the entry that releases the value of cards.

        :param res.company company: a root company.
        :param list[tuple[refill.card.series, int, float]] released: how many cards of each series,
            and their value in the company's currency.
        :param datetime.date day: of the entry.
        """
        lines = [
            self._prepare_release_line_values(company, series, count, balance)
            for series, count, balance in released
        ]
        counts = [(series, count) for series, count, _balance in released]
        lines += self._prepare_estimates_taken_back(company, counts, day)
        ref = self.env._("Expired refill cards, %(day)s", day=format_date(self.env, day))
        return self._prepare_release_entry_values(company, currency, lines, day, ref)

    @api.model
    def _prepare_release_entry_values(self, company, currency, lines, day, ref):
        """:param list[dict] lines: values of those on the liability."""
        account = company._get_refill_card_account('refill_card_expired_account_id')
        others = self._prepare_release_counterparts(
            company, account, company.refill_card_expired_tax_id, lines
        )
        return {
            'move_type': 'entry',
            'company_id': company.id,
            'currency_id': currency.id,
            'date': day,
            'ref': ref,
            'line_ids': [Command.create(values) for values in [*lines, *others]],
        }

    @api.model
    def _prepare_release_line_values(self, company, series, count, balance):
        """:param int count: of the cards; below zero when their value is brought back.
        :param float balance: their value in the company's currency, with the same sign.
        """
        value = count * series.price
        return {
            'name': self.env._(
                "Expired refill cards of %(price)s, series %(series)s (%(count)s)",
                price=format_amount(self.env, series.price, series.currency_id),
                series=series.name,
                count=format_count(self.env, abs(count)),
            ),
            'account_id': self._get_refill_card_liability(company).id,
            'currency_id': series.currency_id.id,
            'quantity': abs(count),
            'amount_currency': value,
            'balance': balance,
            'refill_card_role': 'release',
            'refill_card_series_id': series.id,
            'tax_ids': False,
        }

    @api.model
    def _get_refill_card_liability(self, company):
        """:raise UserError: when the company has no journal for refill cards."""
        return self.env['refill.card']._find_method_line(company).payment_account_id

    @api.model
    def _prepare_release_counterparts(self, company, account, tax, lines):
        """Return the values of the lines to where the value goes.

        :param account.account account: of income, or of what is owed to the state.
        :param account.tax tax: a part of the value, which Odoo books by a line of its own.
        :param list[dict] lines: values of those on the liability.
        """
        amount, balance = (sum(line[name] for line in lines) for name in RELEASED)
        currency = self.env['res.currency'].browse(lines[0]['currency_id'])
        if currency.is_zero(amount):  # recognised by estimate before, maybe at other rates
            shares = [] if company.currency_id.is_zero(balance) else [(0, balance, [])]
        else:
            shares = self._share_release(currency, tax, amount, balance)
        return [
            {
                'name': self.env._("Expired refill cards"),
                'account_id': account.id,
                'currency_id': currency.id,
                'amount_currency': -share,
                'balance': -company.currency_id.round(of_balance),
                'tax_ids': [Command.set(tax_ids)],
            }
            for share, of_balance, tax_ids in shares
        ]

    @api.model
    def _share_release(self, currency, tax, amount, balance):
        """Return the parts of a value: what bears the tax, and what rounding leaves.

        :return: each in its currency and in the company's, and its taxes.
        :rtype: list[tuple[float, float, list[int]]]
        """
        taxes = tax.with_context(force_price_include=True).compute_all(
            amount, currency, is_refund=amount < 0
        )
        net = taxes['total_excluded']
        again = tax.compute_all(net, currency, is_refund=amount < 0, handle_price_include=False)
        rest = currency.round(amount - again['total_included'])
        shares = [(net, tax.ids)] + ([(rest, [])] if rest else [])
        return [(share, balance * share / amount, tax_ids) for share, tax_ids in shares]
