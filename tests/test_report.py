"""What Reporting counts, in number and in money, for whoever sees it."""

from datetime import timedelta

from freezegun import freeze_time
from lxml import etree
from odoo.exceptions import AccessError
from odoo.fields import Command, Date
from odoo.tests import tagged
from odoo.tools import SQL

from ..refill_cards.models.refill_card import STATES
from .common import RefillCardCommon

# Of the graph that Redemptions open with.
GROUPS = ['used_on', 'used_company_id', 'currency_id']


@tagged('post_install', '-at_install')
class TestReportFigures(RefillCardCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.series = cls._generate(6)
        cls.report = cls.env['refill.card.report'].with_user(cls.accountant)

    def _read(self, *measures, groupby=(), domain=()):
        """Return the measures of each group, of the cards made here."""
        domain = [('series_id', 'in', self.series.ids), *domain]
        measures = [f'{name}:{self.report._fields[name].aggregator}' for name in measures]
        groups = self.report.formatted_read_group(domain, list(groupby), measures)
        return [tuple(group[name] for name in (*groupby, *measures)) for group in groups]

    def _assert_counts(self, **expected):
        """Assert how many cards are in which state, and what they are worth at 25 each."""
        for state, _label in STATES:
            with self.subTest(state=state):
                count = expected.get(state, 0)
                figures = self._read(f'{state}_count', f'{state}_amount')
                self.assertEqual(figures, [(count, count * 25)])

    def test_cards_made_used_undone_and_disabled_count_as_what_they_are(self):
        self._assert_counts(active=6)
        self.assertEqual(self._read('card_count', 'amount'), [(6, 150)])
        first, second, third = self.series.card_ids[:3]
        self._redeem(first)
        self._redeem(second)
        self._assert_counts(active=4, used=2)
        self._undo(second)
        self._assert_counts(active=5, used=1)
        self._change(third, 'disable', reason='lost')
        self._assert_counts(active=4, used=1, disabled=1)
        self.assertEqual(self._read('card_count', 'amount'), [(6, 150)])
        [(share,)] = self._read('used_share')
        self.assertAlmostEqual(share, 100 / 6)

    def test_inactive_and_expired_cards_count_as_such(self):
        self.series = self._generate(2, activation_required=True, valid_till=Date.today())
        self._assert_counts(inactive=2)
        self._change(self.series.card_ids[0], 'activate')
        self._assert_counts(inactive=1, active=1)
        with freeze_time(Date.today() + timedelta(days=3)):
            self.env.ref('refill_cards.ir_cron_expire').method_direct_trigger()
        self._assert_counts(expired=2)

    def test_what_is_deleted_is_not_counted(self):
        self.series.card_ids[0].action_delete()
        self._assert_counts(active=5)

    def test_days_are_counted_from_handing_out_to_use(self):
        sold, given, kept = self.series.card_ids[:3]
        with self._at('2026-03-01'):
            self._sell_cards(sold, self.customer)
            given.sudo()._give_away("Fair")
        with self._at('2026-03-11'):
            self._redeem(sold)
            self._redeem(kept)
        with self._at('2026-03-05'):
            self._redeem(given)
        days = self._read('days_to_use', groupby=['terms'])
        self.assertEqual(dict(days), {'sold': 10, 'given': 4, False: False})
        self.assertEqual(self._read('days_to_use'), [(7,)])

    def _at(self, day):
        return freeze_time(f'{day} 12:00:00')

    def test_months_of_sale_of_use_and_of_expiry_are_groups(self):
        card = self.series.card_ids[0]
        self._change(self.series, 'extend', valid_till='2027-05-31')
        with self._at('2026-03-30'):
            self._sell_cards(card, self.customer)
        with self._at('2026-04-02'):
            self._redeem(card)
        for name, month in (
            ('handed_out_on', '2026-03'),
            ('used_on', '2026-04'),
            ('valid_till', '2027-05'),
        ):
            groups = self._read('used_amount', groupby=[f'{name}:month'])
            with self.subTest(name=name):
                [used] = [key for key, amount in groups if amount]
                self.assertTrue(used[0].startswith(month))

    def test_each_use_tells_through_which_channel(self):
        by_clerk, by_staff = self.series.card_ids[:2]
        self._redeem(by_clerk)
        self._undo(by_clerk)
        windows = self.env['refill.card.redeem'].with_user(self.clerk)
        for card in (by_clerk, by_staff):
            window = windows.create({'card_id': card.id, 'partner_id': self.customer.id})
            window.action_redeem()
        channels = dict(self._read('card_count', groupby=['channel']))
        events = (by_clerk + by_staff).event_ids.filtered(lambda event: event.new_state == 'used')
        self.assertEqual(len(events), 3)
        self.assertEqual(channels, {False: 4, 'backend': 2})

    def test_face_values_are_written_with_their_currency_and_ordered_by_worth(self):
        self.series += self._generate(1, price=1100) + self._generate(1, price=3.5)
        values = [value for [value, _count] in self._read('card_count', groupby=['face_value'])]
        self.assertEqual(values, ['3.50 USD', '25.00 USD', '1,100.00 USD'])
        self._activate_language('fr_FR')
        self.report = self.report.with_context(lang='fr_FR')
        values = [value for [value, _count] in self._read('card_count', groupby=['face_value'])]
        self.assertEqual(values[:2], ['3,50 USD', '25,00 USD'])
        found = self.report.search([('face_value', '=', '25,00 USD')])
        self.assertEqual(found.series_id, self.series[0])

    def test_money_is_never_added_across_currencies(self):
        euros = self._generate(2, price=10, currency_id=self.other_currency.id)
        self.series += euros
        [(count, amount)] = self._read('card_count', 'amount')
        self.assertEqual((count, amount), (8, False))
        groups = self._read('amount', groupby=['currency_id'])
        amounts = {currency[1]: amount for currency, amount in groups}
        self.assertEqual(amounts, {'USD': 150, 'EUR': 20})
        sets = self.report.formatted_read_grouping_sets(
            [('series_id', 'in', self.series.ids)], [[], ['face_value']], ['amount:sum']
        )
        self.assertFalse(sets[0][0]['amount:sum'])
        self.assertEqual([group['amount:sum'] for group in sets[1]], [20, 150])

    def test_who_has_several_currencies_sees_them_apart(self):
        self.assertTrue(self.accountant.has_group('base.group_multi_currency'))
        for kind, groups in (('pivot', ['currency_id', 'series_id']), ('graph', GROUPS)):
            arch = self.report.get_views([(False, kind)])['views'][kind]['arch']
            fields = etree.fromstring(arch).xpath('//field[not(@invisible or @type="measure")]')
            self.assertEqual([field.get('name') for field in fields], groups)

    def test_a_row_opens_its_card(self):
        card = self.series.card_ids[0]
        action = self.report.browse(card.id).with_user(self.clerk).action_open_card()
        self.assertEqual((action['res_model'], action['res_id']), ('refill.card', card.id))

    def test_the_log_is_read_for_the_channel_only(self):
        plans = {
            name: str(
                self.env.execute_query(
                    SQL("EXPLAIN %s", self._select(SQL.identifier('refill_card_report', name)))
                )
            )
            for name in ('used_amount', 'channel')
        }
        self.assertNotIn('refill_card_event', plans['used_amount'])
        self.assertIn('refill_card_event', plans['channel'])

    def _select(self, column):
        return self.report.sudo()._search([]).select(column)


@tagged('post_install', '-at_install')
class TestReportSight(RefillCardCommon):
    """Who sees a card in the lists sees it counted here, and nobody else."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        daughter = {'company_id': cls.other_company.id}
        both = [Command.set((cls.company + cls.other_company).ids)]
        cls.their_clerk = cls._new_user(
            'their_clerk', 'refill_cards.group_refill_card_user', **daughter
        )
        cls.their_manager = cls._new_user(
            'their_manager', 'account.group_account_manager', **daughter
        )
        cls.manager = cls._new_user('manager', 'account.group_account_manager')
        cls.theirs = cls.env['res.partner'].create({'name': "Distant Person", **daughter})
        cls.shared = cls._generate(4, company_ids=both).card_ids
        cls.own = cls._generate(2).card_ids
        cls.cards = cls.shared + cls.own

    def setUp(self):
        super().setUp()
        self._redeem(self.shared[0])
        self._redeem(self.shared[1], self.theirs, self.their_clerk)
        self._redeem(self.own[0])

    def _as(self, user):
        return self.env['refill.card.report'].with_user(user)

    def test_each_role_s_sight_is_that_of_the_cards(self):
        expected = {
            self.accountant: self.cards,
            self.manager: self.cards,
            self.clerk: self.cards - self.shared[1],
            self.their_clerk: self.shared - self.shared[0],
            self.their_manager: self.shared - self.shared[0],
        }
        domain = [('id', 'in', self.cards.ids)]
        for user, seen in expected.items():
            with self.subTest(user=user.login):
                cards = self.env['refill.card'].with_user(user).search(domain)
                self.assertEqual(cards.ids, seen.ids)
                self.assertEqual(self._as(user).search(domain).ids, seen.ids)
                [group] = self._as(user).formatted_read_group(domain, [], ['card_count:sum'])
                self.assertEqual(group['card_count:sum'], len(seen))

    def test_nobody_else_sees_any(self):
        for user in (self.employee, self.customer_user, self.env.ref('base.public_user')):
            with self.subTest(user=user.id), self.assertRaises(AccessError):
                self._as(user).search([])

    def test_nobody_writes_it(self):
        row = self._as(self.accountant).browse(self.own[1].id)
        for call in (
            lambda: row.write({'state': 'used'}),
            lambda: row.unlink(),
            lambda: row.create({'name': 'x'}),
        ):
            with self.assertRaises(AccessError):
                call()

    def test_another_company_s_customer_and_company_are_not_told(self):
        groups = self._as(self.manager).formatted_read_group(
            [('id', 'in', self.shared.ids)],
            ['partner_id', 'used_company_id'],
            ['used_amount:sum'],
        )
        self.assertNotIn("Distant Person", str(groups))
        self.assertNotIn("Daughter", str(groups))
        self.assertEqual(sum(group['used_amount:sum'] for group in groups), 50)
        reports = self._as(self.manager)
        for condition in (
            ('partner_id', '=', self.theirs.id),
            ('partner_id', 'ilike', "Distant"),
            ('partner_id.name', '=', "Distant Person"),
            ('used_company_id', '=', self.other_company.id),
        ):
            self.assertFalse(reports.search([condition]), condition)
        row = reports.browse(self.shared[1].id)
        self.assertFalse(row.partner_id or row.used_company_id)
        self.assertIn(
            "Distant Person",
            str(self._as(self.accountant).formatted_read_group([], ['partner_id'], ['__count'])),
        )

    def test_the_holder_is_told_to_the_issuer_only(self):
        self.shared[2].sudo()._consign(self.stranger)
        for user, is_told in (
            (self.manager, True),
            (self.clerk, True),
            (self.their_clerk, False),
            (self.their_manager, False),
        ):
            reports = self._as(user)
            groups = reports.formatted_read_group(
                [('id', 'in', self.shared.ids)], ['holder_id'], ['__count']
            )
            found = reports.search([('holder_id', '=', self.stranger.id)])
            row = reports.browse(self.shared[2].id)
            with self.subTest(user=user.login):
                self.assertEqual("Stranger" in str(groups), is_told)
                self.assertEqual(found.ids, self.shared[2].ids if is_told else [])
                self.assertEqual(bool(row.holder_id), is_told)

    def test_partner_users_find_it_in_their_menu(self):
        for user in (self.clerk, self.accountant):
            menus = self.env['ir.ui.menu'].with_user(user).load_web_menus(False)
            reporting = menus[self.env.ref('refill_cards.menu_refill_card_reporting').id]
            names = {menus[menu]['name'] for menu in reporting['children']}
            self.assertLessEqual({"Redemptions", "Cards Analysis"}, names)

    def test_it_opens_with_the_money_used_by_month_and_company(self):
        action = self.env.ref('refill_cards.refill_card_action_redemptions')
        self.assertTrue(action.view_mode.startswith('graph'))
        self.assertEqual(action.mobile_view_mode, 'graph')
        self.assertIn('search_default_used', action.context)
        arch = self._as(self.clerk).get_views([(False, 'graph')])['views']['graph']['arch']
        graph = etree.fromstring(arch)
        self.assertEqual(graph.xpath('//field[not(@invisible)]/@name'), [*GROUPS, 'used_amount'])
        self.assertEqual(graph.get('stacked'), '1')
