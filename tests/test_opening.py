from contextlib import contextmanager
from datetime import timedelta

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Date, Domain
from odoo.tests import Form, tagged

from .common import RefillCardCommon


class OpeningCommon(RefillCardCommon):
    """A series that was sold before its company booked that here."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.liability = cls.company._get_refill_card_method_line().payment_account_id
        cls.equity = cls.company_data['default_account_revenue']
        cls.today = Date.context_today(cls.customer)
        cls.bookkeeper = cls._new_user(
            'bookkeeper',
            'account.group_account_invoice,refill_cards.group_refill_card_manager',
        )

    def _open(self, counts, user=None, account=None, day=None, company=None):
        """State what was sold of each series, by the window; return the entry."""
        windows = self.env['refill.card.opening'].with_user(user or self.bookkeeper)
        if company:
            windows = windows.with_company(company)
        with Form(windows) as form:
            form.account_id = account or self.equity
            form.date = day or self.today
            for index in range(len(form.line_ids)):
                with form.line_ids.edit(index) as line:
                    line.sold_count = counts.get(line.series_id, 0)
        return self.env['account.move'].browse(form.record.action_state()['res_id'])

    def _offered(self, user=None):
        with Form(self.env['refill.card.opening'].with_user(user or self.bookkeeper)) as form:
            form.account_id = self.equity
        return {
            line.series_id: (line.used_count, line.unused_count) for line in form.record.line_ids
        }

    def _window(self, user=None, **values):
        values = {'account_id': self.equity.id, 'date': self.today, **values}
        return self.env['refill.card.opening'].with_user(user or self.bookkeeper).create(values)

    @contextmanager
    def _refused(self, sentence):
        """Assert that it is refused with this sentence, and undo it as a request would."""
        with self.assertRaisesRegex(UserError, sentence), self.env.cr.savepoint():
            yield
        self.env.invalidate_all()

    def _get_owed(self):
        lines = self.env['account.move.line'].search(
            [('account_id', '=', self.liability.id), ('parent_state', '=', 'posted')]
        )
        return -sum(lines.mapped('balance'))

    def _get_numbers(self, series):
        """Return which cards are sold."""
        return series.sudo().card_ids.filtered(lambda card: card.terms == 'sold').mapped('number')


@tagged('post_install', '-at_install')
class TestOpeningRefusals(OpeningCommon):
    def test_who_does_not_keep_books_or_manage_cards_states_nothing(self):
        series = self._generate()
        biller = self._new_user('biller', 'account.group_account_invoice')
        manager = self._new_user('manager', 'refill_cards.group_refill_card_manager')
        for user in (self.employee, self.clerk, biller):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self._window(user)
        window = self._window(manager)
        window.line_ids.filtered(lambda line: line.series_id == series).sold_count = 1
        with self.assertRaisesRegex(AccessError, "Only accountants who manage refill cards"):
            window.action_state()
        self.assertFalse(self._get_numbers(series))

    def test_the_window_of_somebody_else_is_nobodys_business(self):
        self._generate()
        window = self._window()
        for records in (window, window.line_ids):
            with self.assertRaises(AccessError):
                records.with_user(self.accountant).read(['create_uid'])

    def test_another_companys_series_are_not_stated(self):
        series = self._generate(user=self.accountant)
        foreign = self.env['refill.card.generate'].with_user(self.accountant)
        foreign = foreign.with_company(self.other_company).with_context(
            allowed_company_ids=self.other_company.ids
        )
        foreign = foreign.create({'quantity': 2, 'price': 25})
        foreign.action_generate()
        other = self.env['refill.card.series'].search([], order='id desc', limit=1)
        self.assertEqual(other.company_id, self.other_company)
        self.assertNotIn(other, self._offered())
        self.assertIn(series.with_env(self.env), self._offered(self.accountant))
        with self.assertRaises(AccessError):
            self._window(line_ids=[Command.create({'series_id': other.id, 'sold_count': 1})])
        line = Command.create({'series_id': other.id, 'sold_count': 1})
        window = self._window(self.accountant, line_ids=[line])
        with self.assertRaisesRegex(UserError, "is stated once, and here only"):
            window.action_state()
        with self.assertRaisesRegex(AccessError, "choose it among your companies"):
            window.with_context(allowed_company_ids=self.other_company.ids).action_state()

    def test_counts_that_cannot_be_are_refused_with_a_sentence(self):
        series = self._generate(3)
        self._redeem(series.card_ids[0])
        for count, sentence in (
            (0, "Type how many cards"),
            (-1, r"fewer than none \(-1\) cannot have been sold"),
            (4, "there are 3: 1 that were used, and 2 in nobody's hands"),
        ):
            with self.subTest(count=count), self.assertRaisesRegex(UserError, sentence):
                self._open({series: count})
        with self.assertRaisesRegex(UserError, "is too large"):
            self._window(line_ids=[Command.create({'series_id': series.id, 'sold_count': 10**12})])
        self.assertFalse(self._get_numbers(series))
        self.assertEqual(self._get_owed(), -25)

    def test_a_series_is_stated_once_also_within_one_window(self):
        series = self._generate(3)
        lines = [Command.create({'series_id': series.id, 'sold_count': 1})] * 2
        with self.assertRaisesRegex(UserError, "is stated once"):
            self._window(line_ids=lines).action_state()

    def test_without_an_account_nothing_is_booked(self):
        series = self._generate(3)
        window = self._window(account_id=False)
        window.line_ids.filtered(lambda line: line.series_id == series).sold_count = 1
        with self.assertRaisesRegex(UserError, "Choose the account to debit"):
            window.action_state()
        self.company._get_refill_card_method_line().journal_id.active = False
        window.account_id = self.equity
        with self.assertRaisesRegex(UserError, "has no accounts for refill cards"):
            window.action_state()

    def test_nothing_is_stated_in_the_future_or_in_a_locked_period(self):
        series = self._generate(3)
        with self._refused("was sold till today at the latest"):
            self._open({series: 1}, day=self.today + timedelta(days=1))
        self.company.fiscalyear_lock_date = self.today - timedelta(days=10)
        with self._refused("You cannot add/modify entries prior to"):
            self._open({series: 1}, day=self.today - timedelta(days=10))
        self.assertFalse(self._get_numbers(series))

    def test_nobody_types_an_opening_by_hand(self):
        series = self._generate(3)
        values = {
            'account_id': self.liability.id,
            'credit': 25,
            'quantity': 1,
            'refill_card_role': 'opening',
            'refill_card_series_id': series.id,
        }
        lines = [
            Command.create(values),
            Command.create({'account_id': self.equity.id, 'debit': 25}),
        ]
        moves = self.env['account.move'].with_user(self.bookkeeper)
        for forged in ({}, {'refill_card_opening': True}, {'refill_card_opening': {'a': 1}}):
            with self.subTest(context=forged), self.assertRaisesRegex(AccessError, "by the window"):
                moves.with_context(**forged).create({'move_type': 'entry', 'line_ids': lines})
        values.pop('refill_card_role')
        move = moves.create({'move_type': 'entry', 'line_ids': lines})
        with self.assertRaisesRegex(AccessError, "by the window"):
            move.line_ids[0].write({'refill_card_role': 'opening'})
        rows = [[str(move.line_ids[0].id), 'opening']]
        imported = move.line_ids.load(['.id', 'refill_card_role'], rows)
        self.assertIn("by the window", imported['messages'][0]['message'])
        move.action_post()
        self.assertFalse(self._get_numbers(series))


@tagged('post_install', '-at_install')
class TestOpening(OpeningCommon):
    def test_used_cards_count_first_then_unused_ones_by_number(self):
        series = self._generate(6)
        for number in (3, 5):
            self._redeem(series.card_ids[number - 1])
        self.assertEqual(self._offered()[series], (2, 4))
        day = self.today - timedelta(days=40)
        entry = self._open({series: 4}, day=day)
        self.assertEqual(
            sorted((line.account_id, line.balance) for line in entry.line_ids),
            sorted([(self.equity, 100), (self.liability, -100)]),
        )
        self.assertEqual((entry.state, entry.date, entry.move_type), ('posted', day, 'entry'))
        line = entry.line_ids.filtered('credit')
        self.assertEqual(line.refill_card_series_id, series.with_env(self.env))
        self.assertEqual(self._get_numbers(series), [1, 2, 3, 5])
        sold = series.sudo().card_ids.filtered('terms')
        self.assertEqual(set(sold.mapped('handed_out_on')), {day})
        self.assertFalse(sold.holder_id)
        self.assertEqual(self._get_owed(), 50)

    def test_each_card_has_a_movement_of_the_day_and_the_entry(self):
        series = self._generate(3)
        self._redeem(series.card_ids[2])
        day = self.today - timedelta(days=40)
        entry = self._open({series: 2}, day=day)
        events = series.sudo().card_ids.event_ids.filtered(lambda e: e.movement == 'opening')
        self.assertEqual(sorted(events.card_id.mapped('number')), [1, 3])
        self.assertEqual(events.mapped('accounting_date'), [day] * 2)
        self.assertEqual(events.move_id, entry)
        self.assertEqual(len(set(events.mapped('reference'))), 1)

    def test_what_is_disabled_handed_out_or_kept_for_a_draft_was_not_sold_before(self):
        cards = self._generate(5).card_ids
        self._change(cards[0], 'disable', reason='lost')
        cards[1].sudo()._consign(self.stranger)
        invoice = self._sell_cards(cards[2], self.customer)
        invoice.button_draft()
        self.assertEqual(self._offered()[cards.series_id], (0, 2))
        with self._refused("3 cards cannot have been sold before"):
            self._open({cards.series_id: 3})
        self._open({cards.series_id: 2})
        self.assertEqual(self._get_numbers(cards.series_id), [4, 5])

    def test_what_a_web_shop_may_sell_comes_last_and_leaves_the_stock(self):
        series = self._generate(4, for_sale=True)
        series.card_ids[2:].sudo()._change_state('expired', channel='automatic')
        self._open({series: 3})
        self.assertEqual(self._get_numbers(series), [1, 3, 4])
        product = self.env['product.product'].with_company(self.company)
        product = product._get_refill_card_product(25, self.company.currency_id)
        line = {'product_id': product.id, 'quantity': 2}
        draft = self.env['account.move'].create(
            {
                'move_type': 'out_invoice',
                'partner_id': self.customer.id,
                'invoice_line_ids': [Command.create(line)],
            }
        )
        with self.assertRaisesRegex(UserError, r"cards are missing \(1\)"):
            draft.action_post()

    def test_the_liability_itself_may_be_debited_where_sales_were_booked_there(self):
        series = self._generate(3)
        entry = self._open({series: 2}, account=self.liability)
        self.assertEqual(entry.line_ids.account_id, self.liability)
        self.assertEqual(
            entry.line_ids.mapped(lambda line: (bool(line.refill_card_series_id), line.balance)),
            [(False, 50), (True, -50)],
        )
        self.assertEqual(self._get_owed(), 0)

    def test_several_series_are_one_entry_with_a_line_each(self):
        one, two = self._generate(3), self._generate(2, price=10)
        entry = self._open({one: 2, two: 1})
        amounts = {line.refill_card_series_id: line.balance for line in entry.line_ids}
        nothing = self.env['refill.card.series']
        one, two = one.with_env(self.env), two.with_env(self.env)
        self.assertEqual(amounts, {one: -50, two: -10, nothing: 60})

    def test_cards_in_another_currency_are_owed_at_the_rate_of_the_day(self):
        series = self._generate(4, currency_id=self.other_currency.id)
        self._redeem(series.card_ids[3])
        booked = self._get_owed()
        day = Date.to_date('2016-01-15')
        entry = self._open({series: 3}, day=day)
        line = entry.line_ids.filtered('refill_card_series_id')
        company_currency = self.company.currency_id
        value = self.other_currency._convert(25, company_currency, self.company, day)
        self.assertNotEqual(value, 25)
        self.assertNotEqual(value, -booked)
        # What was used is owed as its use debited it.
        self.assertEqual((line.amount_currency, line.balance), (-75, -2 * value + booked))
        self.assertAlmostEqual(self._get_owed(), 2 * value)
        cards = series.sudo().card_ids
        self.assertEqual(cards.mapped('historical_value'), [value, value, 0, -booked])
        opened = cards.event_ids.filtered(lambda event: event.movement == 'opening')
        self.assertAlmostEqual(sum(opened.mapped('balance')), -line.balance)
        for card in cards[:2]:
            self._redeem(card)
        self.assertAlmostEqual(self._get_owed(), 0)

    def test_cards_that_were_sold_before_are_used_up_as_sold_ones(self):
        series = self._generate(3)
        self._open({series: 3})
        payment = self._redeem(series.card_ids[0])
        self.assertIn(self.liability, payment.move_id.line_ids.account_id)
        self.assertEqual(self._get_owed(), 50)

    def test_a_series_is_offered_again_only_once_its_entry_is_gone(self):
        series = self._generate(3)
        entry = self._open({series: 1})
        self.assertNotIn(series, self._offered())
        entry.button_draft()
        self.assertNotIn(series, self._offered())
        line = [Command.create({'series_id': series.id, 'sold_count': 1})]
        with self.assertRaisesRegex(UserError, "is stated once"):
            self._window(line_ids=line).action_state()
        entry.button_cancel()
        self.assertIn(series, self._offered())
        self._open({series: 2})
        entry.button_draft()
        with self._refused("says already what was sold before"):
            entry.action_post()
        entry.unlink()
        self.assertEqual(self._get_numbers(series), [1, 2])

    def test_no_cards_of_a_companys_branch_are_offered_to_who_does_not_work_there(self):
        branch = self.env['res.company'].create({'name': "Branch", 'parent_id': self.company.id})
        self.accountant.company_ids += branch
        series = self._generate(2, user=self.accountant.with_company(branch))
        wizard = self.env['refill.card.generate'].with_user(self.accountant).with_company(branch)
        wizard.create({'quantity': 2, 'price': 25}).action_generate()
        series = self.env['refill.card.series'].search([], order='id desc', limit=1)
        self.assertEqual(series.company_id, branch)
        self.assertNotIn(series, self._offered())
        windows = self.env['refill.card.opening'].with_user(self.accountant)
        windows = windows.with_context(allowed_company_ids=[self.company.id, branch.id])
        self.assertIn(series, windows.create({}).line_ids.series_id.with_env(self.env))


@tagged('post_install', '-at_install')
class TestOpeningTakenBack(OpeningCommon):
    def setUp(self):
        super().setUp()
        self.series = self._generate(4)
        self._redeem(self.series.card_ids[0])
        self.day = self.today - timedelta(days=40)
        self.entry = self._open({self.series: 3}, day=self.day)

    def _reverse(self, entry=None, **values):
        return (
            (entry or self.entry)
            .with_user(self.bookkeeper)
            ._reverse_moves([{'date': self.today, **values}])
        )

    def _get_last_movements(self):
        events = self.series.sudo().card_ids.event_ids.sorted('id').filtered('movement')
        last = [(event.movement, event.card_id.number, event.accounting_date) for event in events]
        return sorted(last[-3:])

    def test_reset_to_draft_it_sells_nothing_and_confirmed_it_does_again(self):
        self.entry.with_user(self.bookkeeper).button_draft()
        self.assertFalse(self._get_numbers(self.series))
        self.assertFalse(self.series.sudo().card_ids.filtered('handed_out_on'))
        self.assertEqual(set(self.series.card_ids.mapped('state')), {'used', 'active'})
        self.assertEqual(
            self._get_last_movements(), [('returned', number, self.day) for number in (1, 2, 3)]
        )
        self.entry.with_user(self.bookkeeper).action_post()
        self.assertEqual(self._get_numbers(self.series), [1, 2, 3])
        self.assertEqual(self._get_owed(), 50)

    def test_cancelled_it_sells_nothing(self):
        self.entry.button_cancel()
        self.assertFalse(self._get_numbers(self.series))
        self.assertEqual(self._get_owed(), -25)

    def test_its_reversal_takes_the_cards_back_on_its_own_day(self):
        reversal = self._reverse()
        self.assertEqual(self._get_numbers(self.series), [1, 2, 3])
        reversal.action_post()
        self.assertFalse(self._get_numbers(self.series))
        self.assertEqual(
            self._get_last_movements(), [('returned', number, self.today) for number in (1, 2, 3)]
        )
        self.assertIn(self.series, self._offered())
        with self.assertRaisesRegex(UserError, "is confirmed, and refill cards go by"):
            reversal.with_user(self.bookkeeper).reversed_entry_id = False
        for move in (self.entry, reversal):
            with self.subTest(move=move.name), self._refused("stays"):
                move.button_draft()
        with self._refused("is reversed once, and as a whole"):
            self._reverse().action_post()
        self._open({self.series: 2})
        self.assertEqual(self._get_numbers(self.series), [1, 2])

    def test_no_reversal_takes_back_a_part(self):
        reversal = self._reverse()
        reversal.write(
            {
                'line_ids': [
                    Command.update(line.id, {'balance': line.balance / 3})
                    for line in reversal.line_ids
                ]
            }
        )
        with self._refused("is reversed once, and as a whole"):
            reversal.action_post()

    def test_a_reversal_that_odoo_confirms_at_once_takes_the_cards_back(self):
        self.entry._reverse_moves([{'date': self.today}], cancel=True)
        self.assertFalse(self._get_numbers(self.series))

    def test_a_duplicate_is_an_entry_like_any_other(self):
        copy = self.entry.with_user(self.bookkeeper).copy()
        self.assertFalse(any(copy.line_ids.mapped('refill_card_role')))
        self.assertFalse(copy.line_ids.refill_card_series_id)
        copy.action_post()
        self.assertEqual(self._get_numbers(self.series), [1, 2, 3])

    def test_cards_used_meanwhile_keep_nothing_from_being_taken_back(self):
        self._redeem(self.series.card_ids[1])
        self.entry.button_draft()
        self.assertFalse(self._get_numbers(self.series))
        self.assertEqual(self._get_owed(), -50)

    def test_once_cards_came_back_the_entry_stays(self):
        card = self.series.card_ids[1]
        product = self.env['product.product'].with_company(self.company)
        product = product._get_refill_card_product(25, self.company.currency_id)
        note = self.env['account.move'].create(
            {
                'move_type': 'out_refund',
                'partner_id': self.customer.id,
                'invoice_line_ids': [Command.create({'product_id': product.id, 'quantity': 1})],
            }
        )
        window = (
            self.env['refill.card.choose']
            .with_user(self.accountant)
            .browse(note.with_user(self.accountant).action_choose_refill_cards()['res_id'])
        )
        window.write({'first': card.name, 'last': card.name})
        window.action_choose()
        note.action_post()
        self.assertFalse(card.sudo().terms)
        self.assertEqual(self._get_owed(), 25)
        with self._refused("have come back since"):
            self.entry.button_draft()
        with self._refused("have come back since"):
            self._reverse().action_post()

    def test_once_expired_value_was_released_the_entry_stays(self):
        card = self.series.card_ids[2].sudo()
        card._set_valid_till(Domain('id', '=', card.id), self.today - timedelta(days=50))
        card._change_state('expired', channel='automatic')
        release = self.env['refill.card.release'].with_user(self.accountant).create({})
        release = self.env['account.move'].browse(release.action_release()['res_id'])
        release.action_post()
        self.assertEqual(card.released_line_id.move_id, release)
        self.assertEqual(self._get_owed(), 25)
        with self._refused("their expired value was released"):
            self.entry.button_draft()

    def test_the_window_that_returns_cards_says_how_these_come_back(self):
        window = self.series.card_ids[1].action_return()
        window = self.env['refill.card.return'].with_user(self.accountant).browse(window['res_id'])
        with self.assertRaisesRegex(UserError, "sold before its opening balance"):
            window.action_return()

    def test_what_a_confirmed_opening_says_stays(self):
        line = self.entry.line_ids.filtered('refill_card_role').with_user(self.bookkeeper)
        other = self._generate(1)
        for values in (
            {'quantity': 2},
            {'refill_card_series_id': other.id},
            {'refill_card_role': 'sale'},
            {'account_id': self.equity.id},
        ):
            with self.subTest(values=values):
                try:
                    line.write(values)
                except (AccessError, UserError):
                    continue
                self.assertEqual(line.refill_card_role, 'opening')
                self.assertEqual(line.quantity, 3)
        with self.assertRaises(UserError):
            line.unlink()

    def test_a_draft_that_was_changed_is_not_confirmed(self):
        self.entry.button_draft()
        line = self.entry.line_ids.filtered('refill_card_role')
        line.quantity = 2
        with self.assertRaisesRegex(UserError, "was changed: it no longer books the face value"):
            self.entry.action_post()

    def test_a_locked_opening_stays(self):
        self.company.fiscalyear_lock_date = self.day
        with self._refused("You cannot add/modify entries"):
            self.entry.button_draft()
        self.assertEqual(self._get_numbers(self.series), [1, 2, 3])
