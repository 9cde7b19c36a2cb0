import operator
from collections import defaultdict

from dateutil.relativedelta import relativedelta
from odoo import fields, models
from odoo.tools import format_amount, groupby

from ..models.refill_card_event_movement import SIGNS
from .refill_card_roll_forward_line import COLUMNS, MEASURES

COLUMN_OF_MOVEMENT = {
    movement: column for column, movements in COLUMNS.items() for movement in movements
}
NUMBERS = ('beginning', *COLUMNS, 'end')
# Days since what is to be settled was debited.
AGES = [30, 60, 90]


class RefillCardRollForward(models.TransientModel):
    """The figures: cards by their dated movements, the ledger by its journal items."""

    _inherit = 'refill.card.roll.forward'

    def _fill(self):
        """Add up anew, as superuser: what is owed is owed by the whole company."""
        window = self.sudo()
        for records in (window.line_ids, window.reason_ids, window.debtor_ids):
            records.unlink()
        events = self.env['refill.card.event'].sudo()
        movements = events._sum_movements(window.company_id, window.date_from, window.date_to)
        window._fill_lines(movements)
        window._fill_reasons(movements)
        window._fill_debtors()
        self.invalidate_recordset()

    # -------------------------------------------------------------------------
    # CARDS
    # -------------------------------------------------------------------------

    def _fill_lines(self, movements):
        """Make a line a series, a subtotal a face value, and a total."""
        of_series = defaultdict(list)
        for each in movements:
            of_series[each.series].append(each)
        series = sorted(
            of_series, key=lambda series: (series.currency_id.name, series.price, series.id)
        )
        is_foreign = any(each.currency_id != self.currency_id for each in series)
        values = []
        for measure, _label in MEASURES:
            if measure == 'amount' and not is_foreign:
                continue
            rows = [(each, self._roll_forward(of_series[each], measure)) for each in series]
            values += self._prepare_lines(measure, [row for row in rows if any(row[1].values())])
        self.env['refill.card.roll.forward.line'].create(values)

    def _measure(self, movements, measure):
        """Return what movements of one kind come to: before the period, and till its end.

        :param Movements movements: see ``refill.card.event``.
        :param str measure: see ``refill.card.roll.forward.line``.
        :rtype: tuple[float, float]
        """
        sign, price = SIGNS[movements.movement], movements.series.price
        if measure == 'count':
            figures = movements.counts
        elif measure == 'amount':
            figures = [count * price for count in movements.counts]
        else:
            pairs = zip(movements.counts, movements.balances, strict=True)
            figures = [self._get_value(movements.series, *pair) for pair in pairs]
        return tuple(sign * figure for figure in figures)

    def _get_value(self, series, count, balance):
        """Return what cards of a series are worth in the company's currency.

        :param float balance: what the audit log tells, where they are in another currency.
        """
        return count * series.price if series.currency_id == self.currency_id else balance

    def _roll_forward(self, movements, measure):
        """Return the figures of a line.

        :rtype: dict[str, float]
        """
        figures = dict.fromkeys(NUMBERS, 0)
        for each in movements:
            before, until = self._measure(each, measure)
            figures['beginning'] += before
            figures[COLUMN_OF_MOVEMENT[each.movement]] += until - before
            figures['end'] += until
        return figures

    def _prepare_lines(self, measure, rows):
        """Return the values of the lines in which something is measured.

        :param list rows: pairs of a series and its figures, by currency and face value.
        """
        common = {'roll_forward_id': self.id, 'measure': measure}
        # Money of two currencies is not added up; what it is worth for the company is.
        parts = [list(rows)]
        if measure == 'amount':
            parts = [part for _currency, part in groupby(rows, lambda row: row[0].currency_id)]
        values = []
        for part in filter(None, parts):
            for (currency, price), of_price in groupby(
                part, lambda row: (row[0].currency_id, row[0].price)
            ):
                shown = currency if measure == 'amount' else self.currency_id
                common['currency_id'] = shown.id
                values += [
                    {
                        **common,
                        'kind': 'series',
                        'name': series.name,
                        'series_id': series.id,
                        **figures,
                    }
                    for series, figures in of_price
                ]
                name = self.env._(
                    "Face value %(price)s", price=format_amount(self.env, price, currency)
                )
                values.append(self._prepare_sum(common, 'subtotal', name, of_price))
            values.append(self._prepare_sum(common, 'total', self.env._("Total"), part))
        return values

    def _prepare_sum(self, common, kind, name, rows):
        sums = {number: sum(figures[number] for _series, figures in rows) for number in NUMBERS}
        return {**common, 'kind': kind, 'name': name, **sums}

    # -------------------------------------------------------------------------
    # LEDGER
    # -------------------------------------------------------------------------

    def _fill_reasons(self, movements):
        """Say what the ledger says, and why that is not what the cards say."""
        lines = self.env['account.move.line']
        company, first, last = self.company_id, self.date_from, self.date_to
        ledger = lines._sum_refill_card_liability(company, first, last)
        cards = self._add_up(movements)
        draft = ledger.pop('draft', (0, 0))
        balance = tuple(sum(each) for each in zip((0, 0), *ledger.values(), strict=True))
        reasons = self._get_reasons(movements, ledger, draft)
        rows = [('total', self.env._("Owed by the cards"), cards, *self._get_movements_domain())]
        left = [ledger_ - cards_ for ledger_, cards_ in zip(balance, cards, strict=True)]
        for name, figures, model, domain in reasons:
            if not all(map(self.currency_id.is_zero, figures)):
                rows.append(('reason', name, figures, model, domain))
                left = [rest - figure for rest, figure in zip(left, figures, strict=True)]
        accounts = company._get_refill_card_liability_accounts()
        items = ('account.move.line', self._get_account_domain(accounts))
        if not all(map(self.currency_id.is_zero, left)):
            rows.append(('unexplained', self.env._("Not explained"), tuple(left), *items))
        name = self.env._("Balance of %(account)s", account=accounts[:1].display_name)
        rows.append(('total', name, balance, *items))
        credit = lines._sum_unused_refill_card_credit(company, first, last)
        domain = [
            *lines._get_refill_card_receivable_domain(company),
            ('amount_residual', '<', 0),
        ]
        name = self.env._("Beside it: credit of customers that has not paid an invoice yet")
        rows.append(('total', name, credit, 'account.move.line', domain))
        self.env['refill.card.roll.forward.reason'].create(
            [
                {
                    'roll_forward_id': self.id,
                    'kind': kind,
                    'name': name,
                    'beginning': beginning,
                    'end': end,
                    'model': model,
                    'domain': domain,
                }
                for kind, name, (beginning, end), model, domain in rows
            ]
        )

    def _add_up(self, movements):
        """Return the value of movements in the company's currency, with their signs.

        :rtype: tuple[float, float]
        """
        figures = [self._measure(each, 'balance') for each in movements]
        return tuple(sum(each) for each in zip((0, 0), *figures, strict=True))

    def _get_movements_domain(self, *domain):
        series = self.env['refill.card.event']._get_issued_series(self.company_id)
        return 'refill.card.event', [
            ('movement', '!=', False),
            ('series_id', 'in', series.ids),
            ('accounting_date', '<=', fields.Date.to_string(self.date_to)),
            *domain,
        ]

    def _get_reasons(self, movements, ledger, draft):
        """Return why the ledger says more than the cards, or less.

        :param dict ledger: see ``_sum_refill_card_liability``.
        :return: of each its name, the figures, and what opens: a model and a domain.
        :rtype: list[tuple[str, tuple[float, float], str, list]]
        """
        return [
            *self._get_reasons_of_cards(movements, ledger),
            (
                self.env._("Redeemed, and the payment was reset to draft"),
                [-figure for figure in draft],
                'account.payment',
                [
                    ('payment_method_id.code', '=', 'refill_card'),
                    ('state', '=', 'draft'),
                    *self._get_company_domain(),
                ],
            ),
            *self._get_reasons_of_entries(ledger),
        ]

    def _get_reasons_of_cards(self, movements, ledger):
        """Return the reasons for which cards are ahead of the ledger, or behind it."""
        company, branches = self.company_id, self.company_id._get_refill_card_branches()
        elsewhere = [
            each for each in movements if each.used_company and each.used_company.root_id != company
        ]
        activated = [
            each
            for each in movements
            if each.movement in ('sold', 'returned') and not each.has_document
        ]
        return [
            (
                self.env._("Redeemed in another company, whose bill is not confirmed"),
                self._compare(ledger, 'bill', elsewhere),
                *self._get_movements_domain(
                    ('used_company_id', '!=', False), ('used_company_id', 'not in', branches.ids)
                ),
            ),
            (
                self.env._("Activated, and not billed yet"),
                self._compare(ledger, 'settled', activated),
                *self._get_movements_domain(
                    ('move_id', '=', False), ('movement', 'in', ['sold', 'returned'])
                ),
            ),
            (
                self.env._("Sold when there were too few cards: they follow"),
                self._get_supplied_later(),
                'account.move.line',
                [
                    ('refill_card_role', '=', 'sale'),
                    ('refill_cards_owed', '>', 0),
                    *self._get_company_domain(),
                ],
            ),
        ]

    def _compare(self, ledger, kind, movements):
        """Return by how much the ledger says more than the movements that it books.

        :rtype: tuple[float, float]
        """
        booked, moved = ledger.get(kind, (0, 0)), self._add_up(movements)
        return tuple(map(operator.sub, booked, moved))

    def _get_reasons_of_entries(self, ledger):
        """Return the reasons that stand in the ledger alone."""
        lines = self.env['account.move.line']
        company = self.company_id
        account = self._get_account_domain(company._get_refill_card_liability_accounts())
        not_ours = [
            *account,
            ('refill_card_role', '=', False),
            ('refill_card_series_id', '=', False),
            ('journal_id.books_refill_cards', '=', False),
        ]
        alone = ('move_id', 'not any', [('line_ids.refill_card_role', '!=', False)])
        by_hand = [*not_ours, alone]
        taken_over = ('move_id', 'any', [('line_ids.refill_card_role', '=', 'opening')])
        day = fields.Date.to_string(lines._get_first_refill_card_sale(company))
        reasons = {
            'estimate': (
                self.env._("Recognised by estimate, of cards expected to stay unused"),
                [*account, ('refill_card_role', '=', 'estimate')],
            ),
            'down_payment': (
                self.env._("Down payments of sales orders"),
                [*by_hand, ('is_downpayment', '=', True)],
            ),
            'before': (
                self.env._("Entries from before cards were sold by invoices"),
                [*not_ours, '|', taken_over, '&', alone, ('date', '<', day)],
            ),
            'by_hand': (
                self.env._("Entries by hand"),
                [*by_hand, *([('date', '>=', day)] if day else [])],
            ),
        }
        return [
            (name, ledger[kind], lines._name, domain)
            for kind, (name, domain) in reasons.items()
            if kind in ledger
        ]

    def _get_supplied_later(self):
        """Return the value of cards that are sold and were not there yet, on both days.

        :rtype: list[float]
        """
        figures = []
        for day in (self.date_from - relativedelta(days=1), self.date_to):
            supplied = self.env['refill.card.event']._sum_supplied_later(self.company_id, day)
            value = sum(self._get_value(*each) for each in supplied)
            owing = self.env['account.move.line'].search(
                [
                    ('refill_cards_owed', '>', 0),
                    ('parent_state', '=', 'posted'),
                    ('date', '<=', day),
                    ('company_id', 'in', self.company_id._get_refill_card_branches().ids),
                ]
            )
            for line in owing:
                each = line._get_refill_card_unit_value() or line.product_id.refill_card_price
                value += line.refill_cards_owed * each
            figures.append(value + self._get_credited_later(day))
        return figures

    def _get_credited_later(self, day):
        """Return the value of cards that were owed on a day, and credited later, as none came.

        :rtype: float
        """
        lines = self.env['account.move.line'].search(
            [
                ('refill_card_role', '=', 'sale'),
                ('move_type', '=', 'out_refund'),
                ('parent_state', '=', 'posted'),
                ('date', '>', day),
                ('move_id.reversed_entry_id.date', '<=', day),
                ('company_id', 'in', self.company_id._get_refill_card_branches().ids),
            ]
        )
        credited = sum(line.refill_card_value or line._get_refill_card_value()[1] for line in lines)
        returned = self.env['refill.card.event']._read_group(
            [('movement', '=', 'returned'), ('move_id', 'in', lines.move_id.ids)],
            ['series_id'],
            ['__count', 'balance:sum'],
        )
        return credited - sum(self._get_value(*each) for each in returned)

    # -------------------------------------------------------------------------
    # TO BE SETTLED
    # -------------------------------------------------------------------------

    def _fill_debtors(self):
        rows = self.env['account.move.line']._sum_refill_cards_to_be_settled(
            self.company_id, self.date_from, self.date_to, AGES
        )
        values = []
        for debtor_id, beginning, redeemed, given_back, billed, others, *debits in rows:
            movements = map(float, (beginning, redeemed, given_back, billed, others))
            beginning, redeemed, given_back, billed, others = movements
            end = self.currency_id.round(beginning + redeemed + given_back + billed + others)
            figures = {
                'beginning': beginning,
                'redeemed': redeemed,
                'given_back': given_back,
                'billed': billed,
                'others': others,
                'end': end,
                **self._get_ages(end, list(map(float, debits))),
            }
            if any(not self.currency_id.is_zero(figure) for figure in figures.values()):
                values.append({'roll_forward_id': self.id, 'partner_id': debtor_id, **figures})
        partners = self.env['res.partner']
        values.sort(key=lambda each: partners.browse(each['partner_id'] or []).display_name or '')
        self.env['refill.card.roll.forward.debtor'].create(values)

    def _get_ages(self, owed, debits):
        """Return since when what is owed is owed, as the oldest is paid first.

        :param list[float] debits: what was debited, the latest step first.
        :rtype: dict[str, float]
        """
        ages = dict.fromkeys(('recent', 'month', 'quarter', 'older'), 0)
        for name, debit in zip(ages, debits, strict=True):
            ages[name] = min(owed, debit) if owed > 0 else 0
            owed -= ages[name]
        ages['recent'] += min(owed, 0)
        ages['older'] += max(owed, 0)
        return ages
