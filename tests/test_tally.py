from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Date
from odoo.tests import tagged
from odoo.tools import SQL

from .common import RefillCardCommon


class TallyCase(RefillCardCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cards = cls.env['refill.card']

    def _forget(self):
        """Empty the tally: what is told by it is 0 from now on."""
        self.env.flush_all()
        self.env.cr.execute(SQL("DELETE FROM refill_card_tally"))
        self.env.invalidate_all()


@tagged('post_install', '-at_install')
class TestTally(TallyCase):
    """Whatever door cards change by, the tally is what a recount finds."""

    def test_cards_that_are_generated_changed_used_moved_and_deleted(self):
        both = [Command.set((self.company + self.other_company).ids)]
        series = self._generate(6, company_ids=both, activation_required=True)
        self._assert_tally_is_right()
        cards = series.card_ids
        for operation in ('activate', 'disable', 'enable', 'deactivate', 'activate'):
            self._change(cards[:4], operation, reason='lost')
            self._assert_tally_is_right()
        self._redeem(cards[0])
        self._assert_tally_is_right()
        self._redeem(cards[1]).with_user(self.accountant).action_cancel()
        self._assert_tally_is_right()
        self._undo(cards[0])
        self._assert_tally_is_right()
        self._change(cards[2:4], 'companies', company_ids=self.company.ids)
        self.assertNotEqual(cards[2].series_id, series)
        self._assert_tally_is_right()
        cards[5].unlink()
        self._assert_tally_is_right()

    def test_cards_of_a_series_that_is_deleted(self):
        series = self._generate(2)
        self._generate(1)
        series.unlink()
        self._assert_tally_is_right()

    def test_cards_that_expire_and_are_extended(self):
        cards = self._generate(2).card_ids
        self._change(cards, 'extend', valid_till=Date.today())
        cards.sudo()._change_state('expired')
        self._assert_tally_is_right()
        self._change(cards, 'extend', valid_till=Date.add(Date.today(), days=9))
        self.assertEqual(set(cards.mapped('state')), {'active'})
        self._assert_tally_is_right()

    def test_cards_changed_by_another_addon_in_sql(self):
        card, other = self._generate(2).card_ids
        series = self._generate(1)
        for change in (
            SQL("UPDATE refill_card SET state = 'expired' WHERE id = %s", card.id),
            SQL("UPDATE refill_card SET used_company_id = %s", self.company.id),
            SQL("UPDATE refill_card SET series_id = %s WHERE id = %s", series.id, card.id),
            SQL("DELETE FROM refill_card WHERE id = %s", other.id),
        ):
            self.env.cr.execute(change)
            self._assert_tally_is_right()

    def test_what_is_taken_back_was_never_counted(self):
        series = self._generate(2)
        with self.assertRaises(ZeroDivisionError), self.env.cr.savepoint():
            self._change(series.card_ids, 'disable', reason='lost')
            raise ZeroDivisionError
        self.assertEqual(series.active_count, 2)
        self._assert_tally_is_right()

    def test_nothing_is_added_where_no_card_is_counted_otherwise(self):
        series = self._generate(2)
        self.env.flush_all()
        rows = self.env['refill.card.tally'].sudo()
        before = rows.search_count([])
        series.card_ids.valid_till = Date.today()
        series.card_ids.sudo()._give_away("Fair")
        self.env.flush_all()
        self.assertEqual(rows.search_count([]), before)

    def test_folding_adds_up_and_tells_the_same(self):
        series = self._generate(3)
        card = series.card_ids[0]
        for _time in range(300):
            card.sudo()._change_state('disabled')
            card.sudo()._change_state('active')
        rows = self.env['refill.card.tally'].sudo()
        self.assertGreater(rows.search_count([('series_id', '=', series.id)]), 1000)
        self.env.ref('refill_cards.ir_cron_fold').method_direct_trigger()
        self.env.invalidate_all()
        row = rows.search([('series_id', '=', series.id)])
        self.assertEqual((row.state, row.count), ('active', 3))
        self.assertEqual(series.active_count, 3)
        self._assert_tally_is_right()

    def test_the_job_leaves_a_short_tally_alone(self):
        series = self._generate(1)
        series.card_ids.sudo()._change_state('disabled')
        rows = self.env['refill.card.tally'].sudo().search([('series_id', '=', series.id)])
        self.env.ref('refill_cards.ir_cron_fold').method_direct_trigger()
        self.assertEqual(rows.exists(), rows)

    def test_a_card_that_is_truncated_with_all_others_is_not_counted(self):
        self._generate(2)
        self.env.flush_all()
        self.env.cr.execute(SQL("TRUNCATE refill_card CASCADE"))
        self._assert_tally_is_right()
        self.assertFalse(self.env['refill.card.code'].sudo().search_count([]))


@tagged('post_install', '-at_install')
class TestEverUsed(RefillCardCommon):
    """A series knows whether a card of it was ever used, whatever became of the card."""

    def _assert_ever_used(self, *expected):
        self.env.invalidate_all()
        for user in (self.accountant, self.clerk, self.env.user):
            found = [series.with_user(user).has_used_cards for series in self.series]
            self.assertEqual(found, list(expected))

    def test_while_it_is_used_and_once_that_was_undone(self):
        self.series = [self._generate(2), self._generate(1)]
        self._assert_ever_used(False, False)
        card = self.series[0].card_ids[0]
        self._redeem(card)
        self._assert_ever_used(True, False)
        self._undo(card)
        self._assert_ever_used(True, False)
        self._change(card, 'disable', reason='lost')
        self._assert_ever_used(True, False)

    def test_once_its_payment_was_taken_back_in_the_books(self):
        self.series = [self._generate(1)]
        self._redeem(self.series[0].card_ids).with_user(self.accountant).action_cancel()
        self.assertEqual(self.series[0].card_ids.state, 'disabled')
        self._assert_ever_used(True)

    def test_where_it_is_once_it_moved(self):
        both = [Command.set((self.company + self.other_company).ids)]
        series = self._generate(3, company_ids=both)
        card = series.card_ids[0]
        self._redeem(card)
        self._undo(card)
        self._change(card, 'companies', company_ids=self.company.ids)
        self.series = [series, card.series_id]
        self.assertNotEqual(*self.series)
        self._assert_ever_used(False, True)
        with self.assertRaisesRegex(UserError, "were used"):
            card.series_id.unlink()


@tagged('post_install', '-at_install')
class TestTold(TallyCase):
    """What is told by the tally is what the cards tell, for each user."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        both = [Command.set((cls.company + cls.other_company).ids)]
        cls.shared = cls._generate(8, company_ids=both, price=10)
        cls.own = cls._generate(3, activation_required=True, company_ids=cls.company.ids)
        cls.euro = cls._generate(2, currency_id=cls.other_currency.id, price=7)
        group = 'refill_cards.group_refill_card_user'
        cls.their_clerk = cls._new_user('their_clerk', group, company_id=cls.other_company.id)
        cards = cls.shared.card_ids
        cards[0].sudo()._change_state('disabled')
        for card, company in zip(cards[1:4], [cls.company, cls.other_company] * 2, strict=False):
            card.sudo()._change_state('used', used_company_id=company.id, used_on='2026-01-01')
        cls.env.flush_all()
        cls.env.invalidate_all()

    def _get_users(self):
        return [self.env.user, self.accountant, self.clerk, self.their_clerk]

    def test_groups_of_each_kind(self):
        for user in self._get_users():
            cards = self.cards.with_user(user)
            seen = cards.search([])
            for groupby in (
                ['state'],
                ['series_id'],
                ['used_company_id'],
                ['currency_id'],
                ['series_id.company_id'],
                ['series_id', 'state', 'used_company_id'],
                [],
            ):
                with self.subTest(user=user.login, groupby=groupby):
                    groups = cards._read_group([], groupby, ['__count', 'price:sum'])
                    expected = {}
                    for card in seen:
                        key = tuple(
                            card.mapped(path)[:1] if '.' in path else card[path] for path in groupby
                        )
                        count, total = expected.get(key, (0, 0))
                        expected[key] = (count + 1, total + card.price)
                    found = {tuple(group[:-2]): group[-2:] for group in groups}
                    self.assertEqual(found, expected)

    def test_conditions_of_each_kind(self):
        mine = ('series_id', 'in', (self.shared + self.own + self.euro).ids)
        for user in self._get_users():
            cards = self.cards.with_user(user)
            for domain in (
                [],
                [('state', '=', 'active')],
                [('state', '!=', 'active')],
                [('series_id', '=', self.own.id)],
                [('series_id.price', '<', 20), ('state', 'in', ['used', 'disabled'])],
                [('series_id.card_ids.state', '=', 'inactive')],
                [('used_company_id', '=', self.company.id)],
                [('used_company_id', '=', False)],
                [('used_company_id.name', '=', "Daughter")],
                [('currency_id', '=', self.other_currency.id)],
                ['|', ('state', '=', 'used'), ('price', '=', 7)],
                [('id', 'in', self.shared.card_ids.ids[:3])],
                [('name', '=like', self.own.name + '%')],
            ):
                with self.subTest(user=user.login, domain=domain):
                    count = len(cards.search([mine, *domain]))
                    self.assertEqual(cards.search_count([mine, *domain]), count)
                    self.assertEqual(cards.search_count([mine, *domain], limit=2), min(count, 2))
                    groups = cards._read_group([mine, *domain], ['state'], ['__count'])
                    self.assertEqual(sum(number for _state, number in groups), count)

    def test_the_list_grouped_and_the_pivot_as_the_web_client_asks_for_them(self):
        money = ['__count', 'price:sum', 'price:sum_currency', 'currency_id:array_agg_distinct']
        cards = self.cards.with_user(self.accountant)
        domain = [('series_id', 'in', (self.shared + self.own).ids)]
        listed = cards.web_read_group(domain, ['state'], money, order='state')
        sums = {each['state']: each['price:sum'] for each in listed['groups']}
        self.assertEqual(sums, {'inactive': 75, 'active': 40, 'used': 30, 'disabled': 10})
        [total, states] = cards.formatted_read_grouping_sets(domain, [[], ['state']], money)
        self.assertEqual([total[0]['__count'], total[0]['price:sum']], [11, 155])
        self.assertEqual({each['state']: each['price:sum_currency'] for each in states}, sums)
        ordered = cards._read_group(domain, ['state'], ['__count'], order='__count desc, state')
        self.assertEqual(ordered[0], ('active', 4))
        many = cards._read_group(domain, ['state'], ['__count'], having=[('__count', '>', 2)])
        self.assertEqual(dict(many), {'active': 4, 'inactive': 3, 'used': 3})
        self.assertEqual(cards._read_group(domain, ['state'], limit=1, offset=1), [('disabled',)])

    def test_series_and_groups_of_series_are_counted_by_the_tally(self):
        series = self.shared.with_user(self.their_clerk)
        self.assertEqual((series.card_count, series.used_count, series.used_amount), (6, 1, 10))
        series = self.shared
        self.assertEqual((series.card_count, series.used_count, series.used_amount), (8, 3, 30))
        domain = [('id', 'in', (self.shared + self.own).ids)]
        counts = ['card_count:sum', 'used_count:sum', 'disabled_count:sum']
        self.assertEqual(
            series._read_group(domain, ['price'], counts), [(10, 8, 3, 1), (25, 3, 0, 0)]
        )
        self._forget()
        self.assertEqual((series.card_count, series.used_amount), (0, 0))
        self.assertEqual(series._read_group(domain, [], counts), [(0, 0, 0)])

    def test_the_cards_are_counted_where_the_tally_does_not_know_enough(self):
        self._forget()
        cards = self.cards.with_user(self.accountant)
        domain = [('series_id', '=', self.shared.id)]
        self.assertFalse(cards.search_count(domain))
        self.assertFalse(cards._read_group(domain, ['state']))
        self.assertEqual(cards.search_count([*domain, ('number', '<', 3)]), 2)
        self.assertEqual(len(cards._read_group(domain, ['number'])), 8)
        self.assertEqual(cards._read_group(domain, [], ['number:min']), [(1,)])
        self.assertEqual(cards._read_group(domain, ['state'], order='number:min')[0], ('disabled',))
        self.assertEqual(len(cards._read_group(domain, ['state'], ['id:recordset'])), 3)

    def test_who_sees_no_cards_is_told_no_counts(self):
        cards = self.cards.with_user(self.employee)
        for count in (
            lambda: cards.search_count([]),
            lambda: cards._read_group([], ['state'], ['__count']),
            lambda: cards._read_grouping_sets([], [['state']], ['__count']),
        ):
            with self.assertRaises(AccessError):
                count()

    def test_companies_of_a_series_that_change_count_at_once(self):
        cards = self.cards.with_user(self.their_clerk)
        domain = [('series_id', '=', self.own.id)]
        self.assertEqual(cards.search_count(domain), 0)
        self._change(self.own, 'companies', company_ids=[])
        self.assertEqual(cards.search_count(domain), 3)
