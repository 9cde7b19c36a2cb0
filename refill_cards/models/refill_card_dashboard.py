from collections import defaultdict
from datetime import datetime, time, timedelta, timezone

from dateutil.relativedelta import relativedelta
from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.tools import format_amount
from odoo.tools.misc import get_lang

from ..wording import format_count

DAYS_SHOWN = 30
DAYS_TO_EXPIRY = 30


class RefillCardDashboard(models.AbstractModel):
    """What the menu opens with: figures, each with the list of what it counts.

    The figures are those of the companies that are chosen in the switcher.
    """

    _name = 'refill.card.dashboard'
    _description = "Overview of Refill Cards"

    @api.model
    @api.readonly
    def get_figures(self):
        """Return all figures, in words of the user's language, for the web client.

        :return: ``frozen``, see :meth:`_get_frozen`; ``tiles``, see :meth:`_prepare_tile`;
            ``days``, see :meth:`_get_days`; ``days_action``, which opens the list of one of the
            days; and whether there ``is_any`` series.
        :rtype: dict
        :raise AccessError: when the user does not manage cards.
        """
        self._check_may_see()
        used = self._count_used_by_day()
        return {
            'is_any': bool(self._get_series()),
            'frozen': self._get_frozen(),
            'tiles': self._get_tiles(used),
            'days': self._get_days(used),
            'days_action': self._prepare_action(
                'refill_cards.refill_card_action', self.env._("Redeemed"), Domain.TRUE
            ),
        }

    @api.model
    @api.readonly
    def get_owed(self):
        """Return what the companies owe to holders of cards: the balance of the liability today.

        Apart from the other figures, which need not wait until millions of journal items are added.

        :return: an amount for each currency, in the user's language.
        :rtype: list[str]
        :raise AccessError: when the user does not manage cards, or reads no journal items.
        """
        self._check_may_see()
        lines, domain = self.env['account.move.line'], self._get_liability_domain()
        lines.check_access('read')
        if company := self._get_report_company():
            lines = lines.sudo()  # sudo: as the report does, with all branches
            domain &= Domain('company_id', 'in', company._get_refill_card_branches().ids)
        groups = lines._read_group(domain, ['company_id'], ['balance:sum'])
        amounts = dict.fromkeys(self.env.companies.currency_id, 0)
        for booked_in, balance in groups:
            amounts[booked_in.currency_id] -= balance
        return self._format_amounts(amounts)

    def _check_may_see(self):
        if not self.env['refill.card'].has_access('write'):
            raise AccessError(self.env._("Only who manages refill cards sees the overview."))

    def _get_tiles(self, used):
        """Return the tiles that the user may see, in their order.

        :param dict used: see :meth:`_count_used_by_day`.
        :rtype: list[dict]
        """
        tiles = [self._get_active_tile(), self._get_used_tile(used), self._get_expiring_tile()]
        if self.env['account.move.line'].has_access('read'):
            tiles.append(self._get_owed_tile())
        if self._may_settle():
            tiles += [self._get_to_settle_tile(), self._get_low_stock_tile()]
        return [*tiles, self._get_refused_tile(), self._get_exports_tile()]

    def _prepare_tile(self, name, title, action, *, count=None, amounts=None, later=None, note=""):
        """Return a tile.

        :param str name: which one it is.
        :param dict action: opens the list of what it counts.
        :param int count: how many; None where it is about money alone.
        :param dict amounts: by currency, as they are never added up.
        :param str later: the method of this model that gives the amounts.
        :param str note: what helps to read the figure.
        """
        return {
            'name': name,
            'title': title,
            'count': None if count is None else format_count(self.env, count),
            'amounts': self._format_amounts(amounts or {}),
            'later': later,
            'note': note,
            'action': action,
        }

    def _prepare_action(self, xml_id, name, domain, **context):
        action = self.env['ir.actions.act_window']._for_xml_id(xml_id)
        return {
            **action,
            'name': name,
            'display_name': name,
            'domain': list(domain),
            'context': context,
        }

    def _format_amounts(self, amounts):
        return [
            format_amount(self.env, amount, currency)
            for currency, amount in sorted(amounts.items(), key=lambda pair: pair[0].name)
        ]

    # -------------------------------------------------------------------------
    # CARDS
    # -------------------------------------------------------------------------

    def _get_series(self):
        """Return the series that the companies issued, archived ones too."""
        # sudo: whoever manages cards of a company sees all that it issued
        series_sudo = self.env['refill.card.series'].sudo().with_context(active_test=False)
        return series_sudo.search([('company_id', 'in', self.env.companies.ids)], order='id')

    def _count_issued(self, domain):
        """Return how many of the cards that the companies issued there are, and their worth.

        :param odoo.fields.Domain domain: of the cards.
        :return: the number, and amounts by currency.
        :rtype: tuple[int, dict[res.currency, float]]
        """
        number, amounts = 0, defaultdict(float)
        # sudo: the cards are those that the user manages; for each of millions PostgreSQL would
        # look into the rules, instead of into the index alone
        groups = (
            self.env['refill.card']
            .sudo()
            ._read_group(
                Domain('series_id', 'in', self._get_series().ids) & domain,
                ['series_id'],
                ['__count'],
                order='__count',
            )
        )
        for series, count in groups:
            number += count
            amounts[series.currency_id] += count * series.price
        return number, amounts

    def _prepare_issued_action(self, name, domain):
        issued = Domain('series_id.company_id', 'in', self.env.companies.ids)
        return self._prepare_action('refill_cards.refill_card_action', name, domain & issued)

    def _get_frozen(self):
        """Return a sentence about series that are frozen, and the action that opens them.

        :return: None when there are none.
        :rtype: dict | None
        """
        frozen = self._get_series().filtered('redemption_frozen_since')
        if not frozen:
            return None
        text = self.env._(
            "%(count)s series are frozen: customers cannot redeem their cards.",
            count=format_count(self.env, len(frozen)),
        )
        if len(frozen) == 1:
            text = self.env._(
                "Series %(series)s is frozen: customers cannot redeem its cards.",
                series=frozen.name,
            )
        return {'text': text, 'action': frozen.sudo(False)._get_frozen_action()}

    def _get_active_tile(self):
        domain = Domain('state', '=', 'active')
        count, amounts = self._count_issued(domain)
        title = self.env._("Active cards")
        action = self._prepare_issued_action(title, domain)
        return self._prepare_tile('active', title, action, count=count, amounts=amounts)

    def _get_expiring_tile(self):
        today = fields.Date.context_today(self)
        domain = (
            Domain('state', '=', 'active')
            & Domain('valid_till', '>=', fields.Date.to_string(today))
            & Domain('valid_till', '<=', fields.Date.to_string(self._add(today, DAYS_TO_EXPIRY)))
        )
        count, amounts = self._count_issued(domain)
        title = self.env._("Expiring within %(count)s days", count=DAYS_TO_EXPIRY)
        action = self._prepare_issued_action(title, domain)
        return self._prepare_tile('expiring', title, action, count=count, amounts=amounts)

    # -------------------------------------------------------------------------
    # REDEMPTIONS
    # -------------------------------------------------------------------------

    def _get_used_domain(self, first, last):
        """Return the domain of the cards redeemed from the first to the last day of the user's.

        Those that another system's table calls used were redeemed nowhere here.

        :rtype: odoo.fields.Domain
        """
        return (
            Domain('state', '=', 'used')
            & (Domain('series_id.is_foreign', '!=', True) | Domain('used_company_id', '!=', False))
            & Domain('used_on', '>=', self._get_start(first))
            & Domain('used_on', '<', self._get_start(self._add(last, 1)))
        )

    def _add(self, day, days):
        return day + timedelta(days=days)

    def _get_start(self, day):
        """Return when a day of the user's begins, as the database writes it."""
        start = self.env.tz.localize(datetime.combine(day, time.min))
        return fields.Datetime.to_string(start.astimezone(timezone.utc).replace(tzinfo=None))

    def _count_used_by_day(self):
        """Return the cards used since the start of last month, or of the days shown.

        :return: by day and currency, how many and what they were worth.
        :rtype: dict[tuple[datetime.date, res.currency], tuple[int, float]]
        """
        today = fields.Date.context_today(self)
        last_month = fields.Date.start_of(today, 'month') - relativedelta(months=1)
        first = min(last_month, self._add(today, 1 - DAYS_SHOWN))
        companies = self.env.companies.ids
        seen = Domain('series_id', 'in', self._get_series().ids)
        seen |= Domain('used_company_id', 'in', companies)
        # sudo: used cards that a manager sees are those that the companies issued or redeemed
        cards_sudo = self.env['refill.card'].sudo().with_context(tz=self.env.tz.zone)
        groups = cards_sudo._read_group(
            self._get_used_domain(first, today) & seen,
            ['used_on:day', 'currency_id'],
            ['__count', 'price:sum'],
        )
        return {
            (moment.date(), currency): (count, amount) for moment, currency, count, amount in groups
        }

    def _sum_used(self, used, first, last):
        """Return how many cards were used from the first to the last day, and their worth.

        :return: as of :meth:`_count_issued`.
        """
        number, amounts = 0, defaultdict(float)
        for (day, currency), (count, amount) in used.items():
            if first <= day <= last:
                number += count
                amounts[currency] += amount
        return number, amounts

    def _get_used_tile(self, used):
        today = fields.Date.context_today(self)
        first = fields.Date.start_of(today, 'month')
        count, amounts = self._sum_used(used, first, today)
        before = self._sum_used(
            used, first - relativedelta(months=1), today - relativedelta(months=1)
        )
        title = self.env._("Used this month")
        action = self._prepare_action(
            'refill_cards.refill_card_action', title, self._get_used_domain(first, today)
        )
        note = self.env._(
            "Last month till the same day: %(figures)s",
            figures=", ".join(
                [format_count(self.env, before[0]), *self._format_amounts(before[1])]
            ),
        )
        return self._prepare_tile('used', title, action, count=count, amounts=amounts, note=note)

    def _get_days(self, used):
        """Return what was used on each of the last days, for a graph.

        :return: of each day its date, the number of cards, what they were worth, and the domain of
            the cards.
        :rtype: list[dict]
        """
        today = fields.Date.context_today(self)
        days = []
        for back in reversed(range(DAYS_SHOWN)):
            day = self._add(today, -back)
            count, amounts = self._sum_used(used, day, day)
            days.append(
                {
                    'day': fields.Date.to_string(day),
                    'count': count,
                    'amounts': self._format_amounts(amounts),
                    'domain': list(self._get_used_domain(day, day)),
                }
            )
        return days

    # -------------------------------------------------------------------------
    # THE BOOKS
    # -------------------------------------------------------------------------

    def _get_owed_tile(self):
        title = self.env._("Owed to holders of cards")
        note = self.env._("Balance of the liability today")
        action = self._get_report_action() or self._prepare_action(
            'account.action_account_moves_all', title, self._get_liability_domain()
        )
        return self._prepare_tile('owed', title, action, later='get_owed', note=note)

    def _get_report_action(self):
        """Return the action that opens the report on this month.

        :return: None where that would show another figure.
        :rtype: dict | None
        """
        if not self._get_report_company():
            return None
        today = fields.Date.context_today(self)
        context = {
            'default_date_from': fields.Date.to_string(fields.Date.start_of(today, 'month')),
            'default_date_to': fields.Date.to_string(today),
        }
        action = self.env['ir.actions.server']._for_xml_id(
            'refill_cards.refill_card_roll_forward_action'
        )
        return {**action, 'context': context}

    def _get_report_company(self):
        """Return the company whose report the user may see, if no other one is chosen.

        :rtype: res.company
        """
        may_see = self.env.user.has_group('account.group_account_invoice')
        root = self.env.companies.sudo().root_id  # sudo: to compare it
        return root if may_see and len(root) == 1 and root in self.env.companies else root.browse()

    def _get_liability_domain(self):
        """Return the domain of the journal items on the liability till today.

        :rtype: odoo.fields.Domain
        """
        # sudo: whoever works in a branch need not see its head office
        roots_sudo = self.env.companies.sudo().root_id
        accounts = self.env['account.account'].union(
            *(root._get_refill_card_liability_accounts() for root in roots_sudo)
        )
        today = fields.Date.context_today(self)
        return (
            Domain('account_id', 'in', accounts.ids)
            & Domain('parent_state', '=', 'posted')
            & Domain('date', '<=', fields.Date.to_string(today))
        )

    def _may_settle(self):
        """Return whether the user settles cards of the company in which they work."""
        may_book = self.env.user.has_group('account.group_account_invoice')
        return may_book and self.env.company.sudo().root_id in self.env.companies

    def _get_to_settle_tile(self):
        """Return what the window that settles would bill as it opens."""
        number, amounts = 0, defaultdict(float)
        for owed in self.env['refill.card.settle'].new({})._get_owed():
            number += owed.count
            amounts[owed.series.currency_id] += owed.value
        title = self.env._("To be settled")
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_settle_action'
        )
        return self._prepare_tile(
            'to_settle',
            title,
            action,
            count=number,
            amounts=amounts,
            note=self.env._("Of periods that have ended"),
        )

    # -------------------------------------------------------------------------
    # WHAT TO LOOK AFTER
    # -------------------------------------------------------------------------

    def _count_records(self, name, title, xml_id, domain, note=""):
        """Return the tile that counts records which the user sees."""
        action = self._prepare_action(xml_id, title, domain)
        count = self.env[action['res_model']].search_count(domain)
        return self._prepare_tile(name, title, action, count=count, note=note)

    def _get_low_stock_tile(self):
        return self._count_records(
            'low_stock',
            self.env._("Resellers low on cards"),
            'refill_cards.refill_card_agreement_action',
            Domain('is_low', '=', True),
            self.env._("Checked once a day"),
        )

    def _get_refused_tile(self):
        today = fields.Date.context_today(self)
        days = (today.isoweekday() - int(get_lang(self.env).week_start)) % 7
        return self._count_records(
            'refused',
            self.env._("Refused codes this week"),
            'refill_cards.refill_card_attempt_action',
            Domain('date', '>=', self._get_start(self._add(today, -days))),
        )

    def _get_exports_tile(self):
        return self._count_records(
            'exports',
            self.env._("Exports under way"),
            'refill_cards.refill_card_export_action',
            Domain('state', '=', 'waiting'),
        )
