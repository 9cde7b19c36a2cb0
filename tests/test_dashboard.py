"""The overview: what each tile counts, and that it opens the list of just that."""

from datetime import timedelta

from freezegun import freeze_time
from odoo.exceptions import AccessError
from odoo.fields import Command, Date
from odoo.tests import tagged
from odoo.tools import SQL

from .common import RefillCardCommon

TODAY = '2026-03-26'  # a Thursday


@tagged('post_install', '-at_install')
class TestDashboard(RefillCardCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # What other data is there belongs to other companies.
        cls.accountant.company_ids = cls.company + cls.other_company
        cls.startClassPatcher(freeze_time(f'{TODAY} 12:00:00'))
        cls.cards = cls._generate(6).card_ids

    def _get_figures(self, user=None, companies=None):
        context = {'allowed_company_ids': (companies or self.company).ids}
        dashboard = self.env['refill.card.dashboard'].with_user(user or self.accountant)
        return dashboard.with_context(**context).get_figures()

    def _get_owed(self, user=None, companies=None):
        context = {'allowed_company_ids': (companies or self.company).ids}
        dashboard = self.env['refill.card.dashboard'].with_user(user or self.accountant)
        return dashboard.with_context(**context).get_owed()

    def _get_tile(self, name, user=None, companies=None):
        """Return a tile, after comparing it with the list that it opens."""
        user, companies = user or self.accountant, companies or self.company
        [tile] = [t for t in self._get_figures(user, companies)['tiles'] if t['name'] == name]
        action = tile['action']
        if tile['count'] is not None and action['res_model'] != 'refill.card.settle':
            records = self.env[action['res_model']].with_user(user)
            records = records.with_context(allowed_company_ids=companies.ids, **action['context'])
            listed = records.search_count(action['domain'])
            self.assertEqual(int(tile['count'].replace(',', '')), listed, name)
            self.assertEqual(action['display_name'], tile['title'])
        return tile

    def _assert_tile(self, name, count, *amounts, **kwargs):
        tile = self._get_tile(name, **kwargs)
        self.assertEqual((tile['count'], tile['amounts']), (count, self._format(amounts)))

    def _format(self, amounts):
        return [amount.replace(' ', '\N{NO-BREAK SPACE}') for amount in amounts]

    def _names(self, user):
        return [tile['name'] for tile in self._get_figures(user)['tiles']]

    # -------------------------------------------------------------------------
    # RIGHTS
    # -------------------------------------------------------------------------

    def test_nobody_but_managers_sees_it(self):
        for user in (
            self.clerk,
            self.employee,
            self.customer_user,
            self.env.ref('base.public_user'),
        ):
            with self.subTest(user=user.id), self.assertRaises(AccessError):
                self._get_figures(user)

    def test_managers_who_keep_no_books_see_nothing_of_them(self):
        manager = self._new_user('manager', 'refill_cards.group_refill_card_manager')
        names = ['active', 'used', 'expiring', 'refused', 'exports']
        self.assertEqual(self._names(manager), names)
        self.assertEqual(
            self._names(self.accountant),
            ['active', 'used', 'expiring', 'owed', 'to_settle', 'low_stock', 'refused', 'exports'],
        )

    def test_the_menu_opens_on_it_for_managers_and_on_the_cards_for_clerks(self):
        for user, action in (
            (self.accountant, 'refill_card_dashboard_action'),
            (self.clerk, 'refill_card_action'),
        ):
            menus = self.env['ir.ui.menu'].with_user(user).load_web_menus(False)
            first = menus[self.env.ref('refill_cards.menu_refill_cards').id]['children'][0]
            expected = self.env.ref(f'refill_cards.{action}')
            self.assertEqual(
                (menus[first]['actionModel'], menus[first]['actionID']),
                (expected._name, expected.id),
            )

    def test_another_company_s_figures_are_its_own(self):
        self._redeem(self.cards[0])
        theirs = self._new_user(
            'theirs', 'account.group_account_manager', company_id=self.other_company.id
        )
        for name in ('active', 'used', 'expiring', 'refused', 'exports'):
            self._assert_tile(name, '0', user=theirs, companies=self.other_company)
        self.assertFalse(self._get_figures(theirs, self.other_company)['is_any'])
        self.assertTrue(self._get_figures()['is_any'])

    # -------------------------------------------------------------------------
    # FIGURES
    # -------------------------------------------------------------------------

    def test_active_cards_are_counted_with_their_worth_by_currency(self):
        self._assert_tile('active', '6', '$ 150.00')
        self._generate(2, price=10, currency_id=self.other_currency.id)
        self._generate(1, activation_required=True)
        self._redeem(self.cards[0])
        self._change(self.cards[1], 'disable', reason='lost')
        self._assert_tile('active', '6', '20.00 €', '$ 100.00')

    def test_cards_that_expire_within_thirty_days_are_counted(self):
        first, second, third, fourth = self.cards[:4]
        today = Date.to_date(TODAY)
        for card, days in ((first, 0), (second, 30), (third, 31)):
            self._change(card, 'extend', valid_till=today + timedelta(days=days))
        self._assert_tile('expiring', '2', '$ 50.00')
        self._redeem(first)
        self._assert_tile('expiring', '1', '$ 25.00')

    def test_cards_used_this_month_are_set_against_last_month_till_the_same_day(self):
        for card, day in zip(
            self.cards,
            ['2026-02-26', '2026-02-27', '2026-01-31', '2026-03-01', '2026-03-26', '2026-03-25'],
            strict=True,
        ):
            with freeze_time(f'{day} 12:00:00'):
                self._redeem(card)
        self._assert_tile('used', '3', '$ 75.00')
        self._undo(self.cards[5])
        self._assert_tile('used', '2', '$ 50.00')
        note = self._get_tile('used')['note']
        self.assertEqual(note, f"Last month till the same day: 1, {self._format(['$ 25.00'])[0]}")

    def test_days_are_those_of_the_user(self):
        self.accountant.tz = 'Pacific/Auckland'
        with freeze_time('2026-03-25 12:00:00'):  # the 26th in Auckland
            self._redeem(self.cards[0])
        with freeze_time('2026-02-28 12:00:00'):  # the 1st of March there
            self._redeem(self.cards[1])
        self._assert_tile('used', '2', '$ 50.00')
        days = {each['day']: each for each in self._get_figures()['days']}
        self.assertEqual(days['2026-03-01']['count'], 1)
        self.assertEqual(days['2026-03-26']['count'], 1)

    def test_each_of_the_last_thirty_days_opens_its_own_cards(self):
        euros = self._generate(1, price=10, currency_id=self.other_currency.id).card_ids
        for card, day in (
            (self.cards[0], '2026-02-24'),
            (self.cards[1], '2026-02-25'),
            (self.cards[2], TODAY),
            (euros, TODAY),
        ):
            with freeze_time(f'{day} 12:00:00'):
                self._redeem(card)
        figures = self._get_figures()
        used = {each['day']: (each['count'], each['amounts']) for each in figures['days']}
        self.assertEqual(len(used), 30)
        self.assertEqual(min(used), '2026-02-25')
        self.assertEqual(used.pop('2026-02-25'), (1, self._format(['$ 25.00'])))
        self.assertEqual(used.pop(TODAY), (2, self._format(['10.00 €', '$ 25.00'])))
        self.assertEqual(set(map(str, used.values())), {'(0, [])'})
        listed = self.env['refill.card'].with_user(self.accountant)
        domain = figures['days'][-1]['domain']
        self.assertEqual(listed.search(domain), (self.cards[2] + euros).with_user(self.accountant))

    def test_cards_of_others_redeemed_here_count_as_used_and_not_as_active(self):
        both = [Command.set((self.company + self.other_company).ids)]
        card, _other = self._generate(2, company_ids=both).card_ids
        their_clerk = self._new_user(
            'their_clerk', 'refill_cards.group_refill_card_user', company_id=self.other_company.id
        )
        self._redeem(card, self.stranger, their_clerk)
        theirs = {'companies': self.other_company}
        self._assert_tile('used', '1', '$ 25.00', **theirs)
        self._assert_tile('active', '0', **theirs)
        self._assert_tile('used', '1', '$ 25.00')
        self._assert_tile('active', '7', '$ 175.00')

    def test_what_is_owed_is_the_balance_of_the_liability(self):
        both = self.company + self.other_company

        def assert_owed(amount):
            self.assertEqual(self._get_owed(), self._format([f'$ {amount:.2f}']))
            report = self._open_report()
            [balance] = report.reason_ids.filtered(lambda row: row.name.startswith("Balance of"))
            self.assertEqual(balance.end, amount)
            self.assertEqual(Date.to_string(report.date_to), TODAY)
            action = self._get_tile('owed', companies=both)['action']
            lines = self.env['account.move.line'].with_user(self.accountant)
            self.assertEqual(-sum(lines.search(action['domain']).mapped('balance')), amount)

        assert_owed(0)
        self._sell_cards(self.cards[:3], self.customer)
        assert_owed(75)
        self._redeem(self.cards[0])
        assert_owed(50)
        with freeze_time('2026-03-27 12:00:00'):
            self._redeem(self.cards[1])
        assert_owed(50)
        self.assertEqual(self._get_owed(companies=self.other_company), self._format(['$ 0.00']))

    def test_what_is_owed_is_what_the_report_says_with_branches_that_are_not_chosen(self):
        branch = self._create_company(name="Branch", parent_id=self.company.id)
        receivable = self.stranger.property_account_receivable_id
        self.stranger.with_company(branch).property_account_receivable_id = receivable
        self._sell_cards(self.cards[:3], self.customer)
        clerk = self._new_user(
            'branch_clerk', 'refill_cards.group_refill_card_user', company_id=branch.id
        )
        payment = self._redeem(self.cards[0], self.stranger, clerk)
        self.assertEqual(payment.sudo().company_id, branch)
        self.assertEqual(self._get_owed(), self._format(['$ 50.00']))
        [balance] = self._open_report().reason_ids.filtered(lambda r: "Balance of" in r.name)
        self.assertEqual(balance.end, 50)

    def _open_report(self):
        """Return the report that the tile opens for a single company."""
        tile = self._get_tile('owed')
        self.assertEqual((tile['count'], tile['later']), (None, 'get_owed'))
        action = self.env['ir.actions.server'].browse(tile['action']['id'])
        action = action.with_user(self.accountant).with_context(**tile['action']['context'])
        opened = action.run()
        return self.env[opened['res_model']].with_user(self.accountant).browse(opened['res_id'])

    def test_what_is_owed_is_told_to_who_manages_cards_and_reads_the_books(self):
        manager = self._new_user('manager', 'refill_cards.group_refill_card_manager')
        reader = self._new_user(
            'reader', 'account.group_account_readonly,refill_cards.group_refill_card_user'
        )
        for user in (manager, reader, self.clerk):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self._get_owed(user)

    def test_what_is_to_be_settled_is_what_the_window_bills(self):
        with freeze_time('2026-02-10 12:00:00'):
            self.cards[:3].sudo()._consign(self.stranger)
            self._redeem(self.cards[0])
            self._redeem(self.cards[1])
        self._redeem(self.cards[2])  # of a period that has not ended
        self._assert_tile('to_settle', '2', '$ 50.00')
        window = self.env['refill.card.settle'].with_user(self.accountant).create({})
        self.assertIn(">$&nbsp;50.00<", window.preview)
        window.action_settle()
        self._assert_tile('to_settle', '0')

    def test_refused_codes_are_counted_since_the_week_began(self):
        cards = self.env['refill.card'].with_user(self.clerk)
        for day in ('2026-03-21', '2026-03-22', '2026-03-25'):
            with freeze_time(f'{day} 12:00:00'):
                self._assert_refused('typo', cards.redeem_code, 'x', self.customer.id)
        self._assert_tile('refused', '2')  # of a week that begins on Sunday
        self.env['res.lang']._lang_get('en_US').week_start = '1'
        self._assert_tile('refused', '1')

    def test_resellers_are_counted_who_run_low(self):
        agreement = self.env['refill.card.agreement'].create(
            {'partner_id': self.stranger.id, 'stock_minimum': 2}
        )
        self.cards[:2].sudo()._consign(self.stranger)
        self._assert_tile('low_stock', '0')
        self._redeem(self.cards[0])
        self.env.ref('refill_cards.ir_cron_low_stock').method_direct_trigger()
        self._assert_tile('low_stock', '1')
        agreement.stock_minimum = 0
        self._assert_tile('low_stock', '0')

    def test_exports_under_way_are_counted(self):
        window = self.env['refill.card.export.wizard'].with_user(self.accountant)
        window = window.create({'series_ids': self.cards.series_id.ids})
        export = self.env['refill.card.export'].browse(window._export()['res_id']).sudo()
        self._assert_tile('exports', '0')
        export.state = 'waiting'
        self._assert_tile('exports', '1')

    def test_more_series_take_no_more_queries(self):
        def count():
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.cr.sql_log_count
            self._get_figures()
            return self.cr.sql_log_count - before

        self._redeem(self.cards[0])
        count()
        before = count()
        for _number in range(4):
            self._redeem(self._generate(2).card_ids[0])
        # Some are Odoo's own, which come and go with its caches.
        self.assertLess(count() - before, 4)

    def test_postgresql_may_count_cards_by_several_processes(self):
        [[options]] = self.env.execute_query(
            SQL("SELECT reloptions FROM pg_class WHERE oid = 'refill_card'::regclass")
        )
        self.assertIn('parallel_workers=2', options)
