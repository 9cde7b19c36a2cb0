"""What is counted of a card that was replaced: the card in its place, and nothing twice."""

from odoo.exceptions import UserError
from odoo.fields import Date
from odoo.tests import tagged
from odoo.tools import SQL
from odoo.tools.safe_eval import safe_eval

from ..refill_cards.models.refill_card import STATES
from .test_currency import CurrencyCommon
from .test_opening import OpeningCommon
from .test_replace import ReplaceCommon
from .test_roll_forward import RollForwardCommon

MONEY = ['__count', 'price:sum', 'price:sum_currency', 'price:avg']
# What the tally does not know, so that the cards themselves are looked at.
BY_ROWS = [('number', '>', 0)]


class ReplacedCommon(ReplaceCommon):
    """A box of four cards of 25, of which three were replaced, one twice, and another is lost."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.series = cls._generate(4)
        cls.box = cls.series.card_ids
        cls.box[3].with_user(cls.accountant)._disable('lost')
        cls.box[:3].with_user(cls.accountant)._replace('misprinted')
        cls.box[0].replaced_by_id.with_user(cls.accountant)._replace('damaged')
        cls.env.flush_all()
        cls.env.invalidate_all()


@tagged('post_install', '-at_install')
class TestReplacedInFigures(ReplacedCommon):
    def _read_report(self, *measures, groupby=(), domain=(), user=None):
        report = self.env['refill.card.report'].with_user(user or self.accountant)
        measures = [f'{name}:{report._fields[name].aggregator}' for name in measures]
        groups = report.formatted_read_group(
            [('series_id', '=', self.series.id), *domain], list(groupby), measures
        )
        return [tuple(group[name] or 0 for name in (*groupby, *measures)) for group in groups]

    def _assert_report(self, *measures, expected, **kwargs):
        """Assert what statistics say, by the tally as by the rows that a list shows."""
        for domain in ([], [('name', '!=', False)]):
            with self.subTest(measures=measures, domain=domain):
                self.assertEqual(self._read_report(*measures, domain=domain, **kwargs), expected)

    # -------------------------------------------------------------------------
    # SERIES
    # -------------------------------------------------------------------------

    def test_a_series_counts_what_was_replaced_apart(self):
        series = self.series
        self.assertEqual((series.card_count, series.replaced_count), (4, 4))
        self.assertEqual((series.active_count, series.active_amount), (3, 75))
        self.assertEqual((series.disabled_count, series.disabled_amount), (1, 25))
        counts = ['card_count:sum', 'active_count:sum', 'disabled_count:sum', 'replaced_count:sum']
        [(*told,)] = series._read_group([('id', '=', series.id)], [], counts)
        self.assertEqual(told, [4, 3, 1, 4])
        self._assert_tally_is_right()

    def test_a_clerk_is_told_the_same(self):
        series = self.series.with_user(self.clerk)
        self.assertEqual((series.card_count, series.replaced_count), (4, 4))
        self.assertEqual((series.disabled_count, series.disabled_amount), (1, 25))

    def test_the_button_of_a_series_opens_as_many_cards_as_it_says(self):
        action = self.series.action_open_cards()
        [view] = (
            self.env.ref('refill_cards.refill_card_view_search')
            ._get_combined_arch()
            .xpath('//filter[@name="not_replaced"]')
        )
        self.assertTrue(action['context']['search_default_not_replaced'])
        domain = action['domain'] + safe_eval(view.get('domain'))
        self.assertEqual(self.env['refill.card'].search_count(domain), self.series.card_count)
        other = self._generate(1)
        self.assertNotIn('search_default_not_replaced', other.action_open_cards()['context'])

    def test_who_deletes_a_series_is_asked_about_the_cards_that_there_are(self):
        self.assertIn("its 4 cards, worth $\xa0100.00", self.series.deletion_question)
        reference = self.series.name
        self.series.with_user(self.accountant).unlink()
        self._assert_tally_is_right()
        event = self.env['refill.card.event'].search(
            [('serial', '=', reference), ('new_state', '=', 'deleted')]
        )
        self.assertEqual(event.amount, 100)

    def test_a_higher_face_value_is_that_of_the_cards_that_there_are(self):
        self.assertEqual(self.series._count_usable(), 4)

    # -------------------------------------------------------------------------
    # LISTS
    # -------------------------------------------------------------------------

    def test_a_list_of_cards_adds_up_what_there_is(self):
        domain = [('series_id', '=', self.series.id)]
        for user in (self.accountant, self.clerk, self.env.user):
            for more in ([], BY_ROWS):
                cards = self.env['refill.card'].with_user(user)
                which = [*domain, *more]
                with self.subTest(user=user.login, domain=more):
                    groups = cards._read_group(which, ['state'], MONEY)
                    states = [('active', 3, 75, 75, 25), ('disabled', 5, 25, 25, 25)]
                    self.assertEqual(groups, states)
                    self.assertEqual(cards._read_group(which, [], MONEY), [(8, 100, 100, 25)])
                    self.assertEqual(cards.search_count([*which, ('state', '=', 'disabled')]), 5)

    def test_why_cards_are_disabled_is_a_group(self):
        cards = self.env['refill.card'].with_user(self.accountant)
        domain = [('series_id', '=', self.series.id)]
        [sets] = cards.formatted_read_grouping_sets(domain, [['disable_reason']], MONEY[:2])
        told = {each['disable_reason']: (each['__count'], each['price:sum'] or 0) for each in sets}
        self.assertEqual(told, {False: (3, 75), 'lost': (1, 25), 'replaced': (4, 0)})

    def test_a_replaced_card_is_found_by_its_face_value_all_the_same(self):
        cards = self.env['refill.card'].search([('price', '=', 25), ('id', 'in', self.box.ids)])
        self.assertEqual(cards, self.box)
        self.assertEqual(self.box[0].price, 25)

    def test_nobody_says_over_rpc_what_cards_are_worth(self):
        cards = self.env['refill.card'].with_user(self.accountant)
        cards = cards.with_context(refill_cards_worth=True)
        self.assertEqual(cards.search_count([('price', '=', 25), ('id', 'in', self.box.ids)]), 4)

    # -------------------------------------------------------------------------
    # STATISTICS
    # -------------------------------------------------------------------------

    def test_statistics_count_a_box_that_was_replaced_once(self):
        self._assert_report('card_count', 'amount', 'replaced_count', expected=[(4, 100, 4)])
        self._assert_report('disabled_count', 'disabled_amount', expected=[(1, 25)])
        self._assert_report('active_count', 'active_amount', expected=[(3, 75)])
        states = [f'{state}_count' for state, _label in STATES]
        [(*counts,)] = self._read_report(*states)
        self.assertEqual(sum(counts), 4)

    def test_statistics_by_status_and_by_reason(self):
        measures = ('card_count', 'amount', 'replaced_count')
        self._assert_report(
            *measures, groupby=['state'], expected=[('active', 3, 75, 0), ('disabled', 1, 25, 4)]
        )
        self._assert_report(
            *measures,
            groupby=['disable_reason'],
            expected=[('lost', 1, 25, 0), ('replaced', 0, 0, 4), (0, 3, 75, 0)],
        )

    def test_the_share_of_used_cards_is_one_of_the_cards_that_there_are(self):
        self._redeem(self.series.card_ids.filtered(lambda card: card.state == 'active')[0])
        self._assert_report('used_share', 'used_amount', expected=[(25, 25)])

    def test_each_company_and_each_face_value_has_its_own(self):
        other = self._generate(1, price=3.5)
        self.series |= other
        domain = [('series_id', 'in', self.series.ids)]
        report = self.env['refill.card.report'].with_user(self.accountant)
        for groupby, expected in (
            ('company_id', [(self.company.with_env(report.env), 5, 103.5)]),
            ('face_value', [('3.50 USD', 1, 3.5), ('25.00 USD', 4, 100)]),
        ):
            groups = report._read_group(
                domain, [groupby], ['card_count:sum', 'amount:sum'], order=groupby
            )
            self.assertEqual(groups, expected)

    def test_filters_tell_disabled_and_replaced_cards_apart(self):
        arch = self.env.ref('refill_cards.refill_card_report_view_search')._get_combined_arch()
        report = self.env['refill.card.report'].with_user(self.accountant)
        for name, count in (('disabled', 1), ('replaced', 4)):
            [filter_] = arch.xpath(f'//filter[@name="{name}"]')
            domain = [('series_id', '=', self.series.id), *safe_eval(filter_.get('domain'))]
            self.assertEqual(report.search_count(domain), count)
            self.assertEqual(len(report.search(domain)), count)

    # -------------------------------------------------------------------------
    # WINDOWS
    # -------------------------------------------------------------------------

    def test_an_export_of_all_cards_is_worth_what_there_is(self):
        window = self.env['refill.card.export.wizard'].with_user(self.accountant)
        window = window.create({'series_ids': self.series.ids, 'scope': 'all'})
        values = window._prepare_export_values()
        self.assertEqual((values['card_count'], values['amount']), (8, 100))
        self.assertEqual((window.card_count, window.total), (8, "$\xa0100.00"))

    def test_a_whole_series_is_sold_without_what_was_replaced(self):
        self._change(self.box[3], 'enable')
        window = self.env['refill.card.sell'].with_user(self.accountant)
        values = {'series_ids': self.series.ids, 'partner_id': self.buyer.id}
        window = window.create(values)
        self.assertEqual((window.problem, window.card_count), (False, 4))
        invoice = self.env['account.move'].browse(window.action_sell()['res_id'])
        invoice.action_post()
        self.assertEqual((invoice.amount_total, self.series.sold_count), (100, 4))

    def test_a_box_is_returned_without_what_was_replaced(self):
        self._change(self.box[3], 'enable')
        alive = self.series.card_ids.filtered(lambda card: card.state == 'active')
        self._sell_cards(alive, self.buyer)
        new = self._replace(self.box[3])
        window = self.env['refill.card.return'].with_user(self.accountant)
        names = sorted(self.series.card_ids.mapped('name'))
        window = window.create({'first': names[0], 'last': names[-1]})
        self.assertEqual((window.problem, window.card_count), (False, 4))
        note = self.env['account.move'].browse(window.action_return()['res_id'])
        note.action_post()
        self.assertIn(new.name, note.invoice_line_ids.refill_card_serials)
        self.assertNotIn(self.box[3].name, note.invoice_line_ids.refill_card_serials)
        self.assertEqual(set((alive + new - self.box[3]).mapped('disable_reason')), {'returned'})

    def test_who_chooses_a_card_that_was_replaced_is_told_to_take_the_new_one(self):
        self._sell_cards(self.box[1].replaced_by_id, self.buyer)
        for model, values in (
            ('refill.card.sell', {'partner_id': self.buyer.id}),
            ('refill.card.return', {}),
        ):
            window = self.env[model].with_user(self.accountant)
            window = window.create({'card_ids': self.box[1].ids, **values})
            with self.subTest(model=model):
                self.assertIn(f"{self.box[1].name}: replaced", window.problem)
                with self.assertRaisesRegex(UserError, "Choose the card in its place"):
                    window._check_cards()


@tagged('post_install', '-at_install')
class TestReplacedBeforeOpening(OpeningCommon):
    """Cards of which nobody knows when they were sold, some of them replaced since."""

    def _replace(self, card):
        card.with_user(self.accountant)._replace('damaged')
        return card.replaced_by_id

    def test_a_card_in_the_place_of_another_was_sold_as_that(self):
        series = self._generate(5)
        first = self._replace(series.card_ids[0])
        self._replace(first)
        self._replace(series.card_ids[3])
        self._open({series: 3})
        self.assertEqual(self._get_numbers(series), [2, 3, 7])
        self.assertEqual(self._get_owed(), 75)
        self._redeem(series.card_ids.filtered(lambda card: card.number == 7))
        self.assertEqual(self._get_owed(), 50)

    def test_a_replaced_card_that_cannot_be_found_any_more_is_not_looked_for(self):
        series = self._generate(3)
        self._replace(series.card_ids[0])
        self.env.flush_all()
        self.env.cr.execute(
            SQL("DELETE FROM refill_card WHERE series_id = %s AND number = 1", series.id)
        )
        self.env.invalidate_all()
        self._open({series: 2})
        self.assertEqual(self._get_numbers(series), [2, 3])

    def test_what_used_cards_debited_is_what_the_opening_books_for_them(self):
        series = self._generate(3, currency_id=self.other_currency.id)
        other, new = series.card_ids[1], self._replace(series.card_ids[0])
        rate = {'currency_id': self.other_currency.id, 'company_id': self.company.id}
        rate = self.env['res.currency.rate'].create({**rate, 'name': self.today, 'rate': 2})
        self._redeem(other)
        rate.rate = 4
        self._redeem(new)
        entry = self._open({series: 1})
        self.assertEqual(self._get_numbers(series), [4])
        self.assertEqual(entry.line_ids.filtered('refill_card_series_id').balance, -6.25)
        self.assertEqual(new.sudo().historical_value, 6.25)

    def test_what_was_opened_and_replaced_since_is_taken_back_as_a_whole(self):
        series = self._generate(3)
        entry = self._open({series: 2})
        new = self._replace(series.card_ids[0])
        self.assertEqual(self._get_numbers(series), [2, 4])
        entry.with_user(self.bookkeeper).button_draft()
        self.assertFalse(self._get_numbers(series))
        entry.with_user(self.bookkeeper).action_post()
        self.assertEqual(self._get_numbers(series), [2, 4])
        self.assertEqual(new.terms, 'sold')


@tagged('post_install', '-at_install')
class TestReplacedInCurrency(CurrencyCommon, RollForwardCommon):
    """A card in another currency is worth in the books what the one was that it replaces."""

    def test_it_is_replaced_twice_used_returned_and_owed_at_the_value_of_the_sale(self):
        used, returned, kept = self._sell_before(3)
        for card in (used, returned, kept):
            card.with_user(self.accountant)._replace('stolen')
        used.replaced_by_id.with_user(self.accountant)._replace('damaged')
        self.assertEqual(self._get_balance(self.liability), -37.5)
        self._redeem(used.replaced_by_id.replaced_by_id)
        self.assertEqual(self._get_balance(self.liability), -25)
        self._return(returned.replaced_by_id)
        self.assertEqual(self._get_balance(self.liability), -12.5)
        report = self._report(Date.subtract(self.today, days=9), self.today)
        self.assertEqual(self._get_total(report)['end'], 12.5)
        self.assertEqual(len(set(self._get_ends(report)[:2])), 1)
        self._redeem(kept.replaced_by_id)
        self.assertEqual(self._get_balance(self.liability), 0)

    def test_a_card_on_consignment_is_billed_once_by_its_new_number(self):
        cards = self._consign(2)
        cards[0].with_user(self.accountant)._replace('damaged')
        new = cards[0].replaced_by_id
        self._redeem(new)
        self._redeem(cards[1])
        invoice = self._settle()
        self.assertEqual((invoice.amount_total, invoice.invoice_line_ids.quantity), (50, 2))
        invoice.with_user(self.accountant).action_post()
        self.assertEqual(self._get_balance(self.settlement_account), 0)
        with self.assertRaisesRegex(UserError, "Nothing is owed"):
            self._settle()
        self.assertEqual(cards.series_id.consigned_count, 2)
