from datetime import timedelta

from freezegun import freeze_time
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command, Date
from odoo.tests import tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestUndo(RefillCardCommon):
    """Undoing a redemption leaves books, customer and card as they were before."""

    def setUp(self):
        super().setUp()
        self.card = self._generate_card()

    def _assert_undone(self):
        self.env.flush_all()
        self.assertRecordValues(
            self.card,
            [
                {
                    'state': 'active',
                    'partner_id': False,
                    'used_on': False,
                    'used_by_id': False,
                    'used_company_id': False,
                    'payment_id': False,
                }
            ],
        )
        self.assertEqual(self.card.event_ids[0].old_state, 'used')
        self.assertIn("Wrong customer", self.card.event_ids[0].note)
        self.assertEqual(self._balance(), 0)

    def _lock_books(self):
        self.company.fiscalyear_lock_date = Date.today()

    def test_a_card_that_is_not_used_has_nothing_to_undo(self):
        with self.assertRaisesRegex(UserError, "is not used"):
            self._undo(self.card)
        with self.assertRaisesRegex(UserError, "is not used"):
            self.card.action_undo()

    def test_a_reason_is_required(self):
        self._redeem(self.card)
        for reason in (False, '', '  '):
            with self.subTest(reason), self.assertRaisesRegex(UserError, "Say why"):
                self._undo(self.card, reason)
        self.assertEqual((self.card.state, self._balance()), ('used', 25))

    def test_only_a_manager_of_the_issuing_company_undoes(self):
        self.card.series_id.company_ids = False
        self._redeem(self.card)
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        for user in (self.clerk, self.customer_user, manager):
            with self.subTest(user.login), self.assertRaises(AccessError):
                self._undo(self.card, user=user)
        self.assertEqual((self.card.state, self._balance()), ('used', 25))

    def test_the_window_tells_nothing_about_cards_of_others(self):
        self.card.series_id.company_ids = False
        self._redeem(self.card)
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        windows, values = self.env['refill.card.undo'], {'card_id': self.card.id}
        with self.assertRaises(AccessError):
            windows.with_user(manager).create(values)
        self.assertTrue(windows.with_user(self.accountant).create(values).effect)

    def test_clerks_of_other_companies_do_not_read_what_was_undone(self):
        self.card.series_id.company_ids = False
        self._redeem(self.card)
        self._undo(self.card)
        clerk = self._new_user(
            'daughter_clerk',
            'refill_cards.group_refill_card_user',
            company_id=self.other_company.id,
        )
        events = self.env['refill.card.event'].with_user(clerk)
        events = events.search([('serial', '=', self.card.name)])
        self.assertTrue(events, "that it is available to other companies")
        self.assertNotIn('used', events.mapped('old_state') + events.mapped('new_state'))

    def test_books_of_a_company_where_the_manager_does_not_work_stay(self):
        self.card.series_id.company_ids = False
        clerk = self._new_user(
            'daughter_clerk',
            'refill_cards.group_refill_card_user',
            company_id=self.other_company.id,
        )
        self._redeem(self.card, user=clerk)
        manager = self._new_user('manager', 'refill_cards.group_refill_card_manager')
        with self.assertRaisesRegex(AccessError, "whose books you may not change"):
            self._undo(self.card, user=manager)
        self._undo(self.card)
        self.assertEqual(self.card.state, 'active')

    def test_the_payment_is_reversed_and_the_invoice_open_again(self):
        invoice = self._invoice(10)
        payment = self._redeem(self.card)
        self.assertEqual((invoice.payment_state, self._balance()), ('paid', 15))
        self._undo(self.card, user=self._new_user('m', 'refill_cards.group_refill_card_manager'))
        self.assertEqual((payment.state, payment.move_id.state), ('canceled', 'posted'))
        reversal = payment.move_id.reversal_move_ids
        self.assertEqual((reversal.state, reversal.date), ('posted', Date.today()))
        self.assertIn("Wrong customer", ''.join(payment.message_ids.mapped('body')))
        self.assertEqual((invoice.payment_state, invoice.amount_residual), ('not_paid', 10))
        self.assertEqual(self._balance(), -10)

    def test_what_is_taken_back_leaves_the_past_as_it_was(self):
        for take_back in (
            lambda payment: self._undo(self.card),
            lambda payment: payment.action_cancel(),
            lambda payment: payment.move_id.button_cancel(),
        ):
            with self.subTest(), self.env.cr.savepoint() as savepoint:
                with freeze_time(Date.today() - timedelta(days=40)):
                    payment = self._redeem(self.card)
                entry = payment.move_id
                before = entry.line_ids.mapped('balance')
                take_back(payment.with_user(self.accountant))
                self.assertEqual((entry.state, payment.state), ('posted', 'canceled'))
                self.assertEqual(entry.line_ids.mapped('balance'), before)
                self.assertEqual(entry.reversal_move_ids.date, Date.today())
                self.assertEqual(self._balance(), 0)
                savepoint.rollback()
                self.env.invalidate_all()

    def test_an_undone_card_is_redeemed_by_another_customer(self):
        self._redeem(self.card, self.stranger)
        self._undo(self.card)
        self._assert_undone()
        self._redeem(self.card)
        self.assertEqual((self._balance(self.stranger), self._balance()), (0, 25))
        self.assertEqual(self.card.partner_id, self.customer)

    def test_a_card_whose_day_has_passed_is_expired(self):
        card = self._generate_card(valid_till=Date.today())
        self._redeem(card)
        with freeze_time(Date.today() + timedelta(days=3)):
            self._undo(card)
        self.assertEqual(card.state, 'expired')
        self.assertEqual(self._balance(), 0)

    def test_the_window_says_that_the_payment_was_taken_back_before(self):
        self._redeem(self.card).action_cancel()
        wizards = self.env['refill.card.undo'].with_user(self.accountant)
        effect = wizards.create({'card_id': self.card.id}).effect
        self.assertIn("already taken back", effect)

    def test_a_payment_in_a_locked_period_is_reversed(self):
        invoice = self._invoice(10)
        payment = self._redeem(self.card)
        self._lock_books()
        wizards = self.env['refill.card.undo'].with_user(self.accountant)
        self.assertIn("reversed", wizards.create({'card_id': self.card.id}).effect)
        self._undo(self.card)
        move = payment.move_id
        self.assertEqual((payment.state, move.state), ('canceled', 'posted'))
        self.assertEqual(move.reversal_move_ids.state, 'posted')
        self.assertGreater(move.reversal_move_ids.date, self.company.fiscalyear_lock_date)
        self.assertEqual((invoice.payment_state, invoice.amount_residual), ('not_paid', 10))
        self.assertEqual(self._balance(), -10)
        self.assertEqual(self.card.state, 'active')

    def test_a_reversed_payment_never_counts_again(self):
        payment = self._redeem(self.card).with_user(self.accountant)
        self._lock_books()
        self._undo(self.card)
        self._assert_undone()
        self.company.fiscalyear_lock_date = False
        move = payment.move_id
        for call in (
            lambda: payment.action_draft(),
            lambda: payment.unlink(),
            lambda: move.button_draft(),
            lambda: move.button_cancel(),
            lambda: move.reversal_move_ids.button_draft(),
            lambda: move.reversal_move_ids.button_cancel(),
            lambda: move._reverse_moves(cancel=True),
            lambda: move.reversal_move_ids._reverse_moves(cancel=True),
        ):
            with self.assertRaises(UserError), self.env.cr.savepoint():
                call()
                self.env.flush_all()
        self._assert_undone()
        self._redeem(self.card)
        self.assertEqual(self._balance(), 25)

    def test_a_foreign_card_is_undone_in_a_locked_period(self):
        self.card = self._generate_card(currency_id=self.other_currency.id)
        self._redeem(self.card)
        self.assertGreater(self._balance(), 0)
        self._lock_books()
        self._undo(self.card)
        self._assert_undone()

    def test_an_accountants_draft_is_undone_too(self):
        payment = self._redeem(self.card)
        payment.action_draft()
        self._undo(self.card)
        self._assert_undone()
        self.assertEqual(payment.state, 'canceled')
        with self.assertRaises(ValidationError):
            payment.action_draft()
            payment.action_post()

    def test_a_card_released_by_an_accountant_is_given_back(self):
        for call in (
            lambda payment: payment.action_cancel(),
            lambda payment: payment.move_id._reverse_moves(cancel=True),
        ):
            self.card = self._generate_card()
            payment = self._redeem(self.card).with_user(self.accountant)
            call(payment)
            self.assertEqual(self.card.disable_reason, 'payment')
            with self.assertRaisesRegex(UserError, "payment taken back"):
                self._change(self.card, 'enable')
            self._undo(self.card)
            self.assertRecordValues(self.card, [{'state': 'active', 'disable_reason': False}])
            self._redeem(self.card)
            self.assertEqual(self._balance(), 25)
            self._undo(self.card)

    def test_the_history_keeps_both_redemptions(self):
        self._redeem(self.card)
        self._undo(self.card)
        self._redeem(self.card)
        summaries = self.card.event_ids.mapped('summary')
        for redeemed in (summaries[0], summaries[2]):
            self.assertRegex(redeemed, "Redeemed for refill_customer .*: .*25.00, payment PRFC")
        self.assertRegex(summaries[1], "Redemption undone: .*25.00, payment PRFC.*, Wrong customer")

    def test_a_card_redeemed_for_a_contact_of_a_company_is_undone(self):
        contact = self.env['res.partner'].create({'name': "Boss", 'parent_id': self.customer.id})
        self._redeem(self.card, contact)
        self.assertEqual(self._balance(), 25)
        self._undo(self.card)
        self._assert_undone()

    def _redeem_in_branch(self):
        """Redeem the card in a branch and return the branch."""
        branch = self._create_company(name="Branch", parent_id=self.company.id)
        self.cr.precommit.run()  # loads the root company's chart of accounts
        self.card.series_id.company_ids = [Command.clear()]
        clerk = self._new_user(
            'branch_clerk', 'refill_cards.group_refill_card_user', company_id=branch.id
        )
        self._redeem(self.card, user=clerk)
        return branch

    def test_a_card_redeemed_in_a_branch_is_undone_by_who_works_there(self):
        branch = self._redeem_in_branch()
        with self.assertRaisesRegex(AccessError, "Branch, whose books you may not change"):
            self._undo(self.card)
        self.accountant.company_ids += branch
        payment = self.card.payment_id
        self._undo(self.card)
        self._assert_undone()
        self.assertEqual((payment.company_id, payment.state), (branch, 'canceled'))

    def test_a_card_redeemed_in_a_branch_is_undone_in_a_period_that_head_office_locked(self):
        branch = self._redeem_in_branch()
        self.accountant.company_ids += branch
        payment = self.card.payment_id
        self._lock_books()
        self._undo(self.card)
        self._assert_undone()
        reversal = payment.move_id.reversal_move_ids
        self.assertEqual((reversal.state, reversal.company_id), ('posted', branch))
        self.assertGreater(reversal.date, self.company.fiscalyear_lock_date)

    def test_a_card_redeemed_in_another_company_is_undone_in_a_locked_period(self):
        self.card.series_id.company_ids = [Command.clear()]
        clerk = self._new_user(
            'daughter_clerk',
            'refill_cards.group_refill_card_user',
            company_id=self.other_company.id,
        )
        self._redeem(self.card, user=clerk)
        self.other_company.fiscalyear_lock_date = Date.today()
        self.assertGreater(self._balance(company=self.other_company), 0)
        self._undo(self.card)
        self.assertEqual(self._balance(company=self.other_company), 0)

    def test_a_hashed_entry_is_reversed(self):
        payment = self._redeem(self.card)
        payment.journal_id.restrict_mode_hash_table = True
        payment.move_id.button_hash()
        self.assertTrue(payment.move_id.inalterable_hash)
        self._undo(self.card)
        self._assert_undone()
        self.assertEqual((payment.state, payment.move_id.state), ('canceled', 'posted'))
        self.assertEqual(payment.move_id.reversal_move_ids.state, 'posted')
