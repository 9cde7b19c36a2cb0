from odoo.exceptions import UserError, ValidationError
from odoo.fields import Command, Date
from odoo.tests import tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestPayment(RefillCardCommon):
    """What an accountant does to the payment neither makes nor destroys value."""

    def setUp(self):
        super().setUp()
        self.card = self._generate_card()
        self.payment = self._redeem(self.card).with_user(self.accountant)

    def _assert_released(self):
        self.env.flush_all()
        self.assertEqual(self.card.state, 'disabled')
        self.assertFalse(self.card.payment_id)
        event = self.card.event_ids[0]
        told = (event.channel, event.partner_id, event.amount)
        self.assertEqual(told, ('accounting', self.customer, 25))
        self.assertEqual(self._balance(), 0)

    def test_cancelling_the_payment_disables_the_card(self):
        self.payment.action_cancel()
        self._assert_released()
        self.assertEqual(self.payment.state, 'canceled')

    def test_cancelling_the_entry_disables_the_card(self):
        self.payment.move_id.button_cancel()
        self._assert_released()

    def test_deleting_the_payment_disables_the_card(self):
        self.payment.action_draft()
        self.assertEqual(self.card.state, 'used', "a draft may still be confirmed")
        self.payment.unlink()
        self._assert_released()

    def test_reversing_the_entry_disables_the_card(self):
        self.payment.move_id._reverse_moves(cancel=True)
        self._assert_released()

    def test_a_reversal_posted_later_disables_the_card_then(self):
        reversal = self.payment.move_id._reverse_moves()
        self.assertEqual(self.card.state, 'used')
        reversal._post()
        self.assertEqual(self.card.state, 'disabled')
        self.assertEqual(self._balance(), 0)

    def _assert_not_reversed(self, reversal):
        with self.assertRaises(ValidationError), self.env.cr.savepoint():
            reversal._post()
            self.env.flush_all()
        self.env.invalidate_all()

    def test_a_payment_is_not_reversed_in_part(self):
        reversal = self.payment.move_id._reverse_moves()
        reversal.line_ids = [
            Command.update(line.id, {'balance': balance, 'amount_currency': balance})
            for line in reversal.line_ids
            for balance in [1 if line.balance > 0 else -1]
        ]
        self._assert_not_reversed(reversal)
        self.assertEqual((self.card.state, self._balance()), ('used', 25))

    def test_a_payment_is_not_reversed_for_somebody_else(self):
        reversal = self.payment.move_id._reverse_moves()
        reversal.line_ids.partner_id = self.stranger
        self._assert_not_reversed(reversal)
        self.assertEqual((self.card.state, self._balance()), ('used', 25))

    def test_a_payment_is_not_reversed_on_another_account(self):
        accounts = self.company_data
        for old, new in (
            (self.payment.outstanding_account_id, accounts['default_account_expense']),
            (
                self.payment.destination_account_id,
                accounts['default_account_receivable'].copy(),
            ),
        ):
            with self.subTest(old.name):
                reversal = self.payment.move_id._reverse_moves()
                line = reversal.line_ids.filtered(lambda line, old=old: line.account_id == old)
                line.account_id = new
                self._assert_not_reversed(reversal)
        self.assertEqual((self.card.state, self._balance()), ('used', 25))

    def test_a_payment_is_not_taken_back_twice(self):
        first, second = (self.payment.move_id._reverse_moves() for _ in range(2))
        first._post()
        self._assert_not_reversed(second)
        self.assertEqual((self.card.state, self._balance()), ('disabled', 0))

    def test_a_cancelled_payment_is_not_reversed_later(self):
        reversal = self.payment.move_id._reverse_moves()
        self.payment.action_cancel()
        self._assert_not_reversed(reversal)
        self._assert_released()

    def test_a_reversal_stays(self):
        move = self.payment.move_id
        move._reverse_moves(cancel=True)
        reversal = move.reversal_move_ids
        self._assert_not_reversed(reversal._reverse_moves())
        other_journal = {'journal_id': self.company_data['default_journal_misc'].id}
        self._assert_not_reversed(reversal._reverse_moves([other_journal]))
        for call in (
            move.button_draft,
            move.button_cancel,
            reversal.button_draft,
            reversal.button_cancel,
            self.payment.action_draft,
            self.payment.action_cancel,
            self.payment.unlink,
        ):
            with self.assertRaises(UserError), self.env.cr.savepoint():
                call()
                self.env.flush_all()
        self.assertEqual((move.state, reversal.state, self._balance()), ('posted', 'posted', 0))

    def test_a_released_entry_is_not_posted_again(self):
        move = self.payment.move_id
        self.payment.action_cancel()
        with self.assertRaises(ValidationError):
            move.button_draft()
            move.action_post()
        self.assertEqual(self._balance(), 0)

    def test_an_entry_over_another_value_is_not_posted(self):
        move = self.payment.move_id
        move.button_draft()
        with self.assertRaises(ValidationError):
            move.line_ids = [
                Command.update(
                    line.id,
                    {
                        'amount_currency': 999 if line.balance > 0 else -999,
                        'balance': 999 if line.balance > 0 else -999,
                    },
                )
                for line in move.line_ids
            ]
            move.action_post()
        self.assertEqual(self._balance(), 0)

    def test_the_payment_of_a_customer_who_joins_a_company_still_works(self):
        self.customer.parent_id = self.partner_a
        self.env.flush_all()
        self.payment.action_draft()
        self.payment.action_post()
        self.assertEqual(self.card.state, 'used')
        self.payment.action_cancel()
        self.env.flush_all()
        self.assertEqual(self.card.state, 'disabled')

    def test_an_accountant_without_rights_on_cards_reads_payments(self):
        auditor = self._new_user('auditor', 'account.group_account_readonly')
        self.assertTrue(self.payment.with_user(auditor).read())

    def test_a_payment_confirmed_again_keeps_the_card_used(self):
        self.payment.action_draft()
        self.payment.action_post()
        self.assertEqual(self.card.state, 'used')
        self.assertEqual(self.payment.state, 'paid')
        self.assertEqual(self._balance(), 25)

    def test_a_released_payment_is_not_confirmed_again(self):
        self.payment.action_cancel()
        with self.assertRaises(ValidationError):
            self.payment.action_draft()
            self.payment.action_post()
        self.assertEqual(self._balance(), 0)

    def test_a_released_payment_becomes_no_other_payment(self):
        bank = self.company_data['default_journal_bank']
        self.payment.action_cancel()
        with self.assertRaisesRegex(UserError, "stay as they are"):
            self.payment.journal_id = bank
        with self.assertRaisesRegex(UserError, "stay as they are"):
            self.payment.payment_method_line_id = bank.inbound_payment_method_line_ids[0]

    def test_entries_of_a_card_stay_linked_to_its_payment(self):
        entry = self.payment.move_id
        reversal = entry._reverse_moves([{'date': entry.date}], cancel=True)
        for move, fname in ((reversal, 'reversed_entry_id'), (entry, 'origin_payment_id')):
            with (
                self.subTest(fname),
                self.assertRaisesRegex(UserError, "stays linked"),
                self.env.cr.savepoint(),
            ):
                move[fname] = False

    def test_the_payment_of_a_card_cannot_be_rejected(self):
        for call in (self.payment.action_reject, lambda: self.payment.write({'state': 'rejected'})):
            with self.assertRaises(UserError):
                call()
        self.assertEqual(self.payment.state, 'paid')

    def test_what_the_card_is_worth_cannot_be_changed(self):
        bank = self.company_data['default_journal_bank']
        for values in (
            {'amount': 999},
            {'currency_id': self.other_currency.id},
            {'partner_id': self.stranger.id},
            {'journal_id': bank.id},
            {'payment_type': 'outbound'},
            {'partner_type': 'supplier'},
            {'payment_method_line_id': bank.inbound_payment_method_line_ids[0].id},
        ):
            with self.subTest(**values), self.assertRaisesRegex(UserError, "stay as they are"):
                self.payment.write(values)
        self.payment.action_draft()
        for values in ({'amount': 999}, {'partner_id': self.stranger.id}):
            with self.subTest("draft", **values), self.assertRaisesRegex(UserError, "stay as"):
                self.payment.write(values)
        self.payment.action_post()
        self.assertEqual(self._balance(), 25)

    def test_customer_and_currency_stay_whatever_is_written_with_them(self):
        method = {'payment_method_line_id': self.payment.payment_method_line_id.id}
        for values in (
            {'partner_id': self.stranger.id},
            {'currency_id': self.other_currency.id},
            {'partner_id': self.stranger.id, 'currency_id': self.other_currency.id},
        ):
            for draft in (False, True):
                with (
                    self.subTest(draft=draft, **values),
                    self.assertRaisesRegex(UserError, "stay as they are"),
                    self.env.cr.savepoint(),
                ):
                    if draft:
                        self.payment.action_draft()
                    self.payment.write({**method, **values})
        self.assertEqual((self.payment.partner_id, self._balance()), (self.customer, 25))

    def test_in_a_locked_period_the_payment_has_the_date_of_its_entry(self):
        self.company.fiscalyear_lock_date = Date.today()
        payment = self._redeem(self._generate_card())
        self.assertGreater(payment.date, self.company.fiscalyear_lock_date)
        self.assertEqual(payment.date, payment.move_id.date)

    def test_nobody_makes_a_payment_by_refill_card_by_hand(self):
        line = self.company._get_refill_card_method_line()
        values = {
            'amount': 50,
            'partner_id': self.customer.id,
            'journal_id': line.journal_id.id,
            'payment_method_line_id': line.id,
        }
        with self.assertRaises(ValidationError):
            self.env['account.payment'].with_user(self.accountant).create(values).action_post()

    def test_a_card_with_a_payment_keeps_its_price(self):
        with self.assertRaises(UserError):
            self.card.series_id.price = 30
