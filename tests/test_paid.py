from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Date
from odoo.tests import tagged

from .test_sale import SaleCommon


@tagged('post_install', '-at_install')
class TestPaid(SaleCommon):
    """Cards that work once their invoice is paid, whatever pays it or takes that back."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.product = cls._make_product(refill_card_works='paid')
        cls.bookkeeper = cls._new_user('bookkeeper', 'account.group_account_invoice')
        cls.bank = cls.company_data['default_journal_bank']
        cls.expense = cls.company_data['default_account_expense']

    def _sell_cards(self, quantity=2, **kwargs):
        """Return a confirmed invoice and its cards."""
        self._stock(quantity)
        invoice = self._sell(quantity, **kwargs)
        return invoice, self._get_cards(invoice)

    def _pay(self, invoices, **values):
        """Register a payment as somebody who keeps books and has no right on cards."""
        wizard = self.env['account.payment.register'].with_user(self.bookkeeper)
        wizard = wizard.with_context(active_model='account.move', active_ids=invoices.ids)
        return wizard.create({'payment_date': Date.today(), **values})._create_payments()

    def _book(self, *lines):
        """Return a posted entry of lines: account and balance."""
        entry = self.env['account.move'].create(
            {
                'line_ids': [
                    Command.create(
                        {'account_id': account.id, 'balance': balance, 'partner_id': self.buyer.id}
                    )
                    for account, balance in lines
                ]
            }
        )
        entry.action_post()
        return entry

    def _reconcile(self, *moves):
        lines = self.env['account.move.line'].browse(
            [line.id for move in moves for line in move.line_ids]
        )
        lines.filtered(lambda line: line.account_id == self.receivable).reconcile()

    def _unreconcile(self, invoice):
        invoice.line_ids.with_user(self.bookkeeper).remove_move_reconcile()

    def _assert_states(self, cards, *states):
        cards.invalidate_recordset()
        self.assertEqual(tuple(cards.mapped('state')), states)

    # -------------------------------------------------------------------------
    # NOT YET
    # -------------------------------------------------------------------------

    def test_a_card_does_not_work_before_its_invoice_is_paid(self):
        invoice, cards = self._sell_cards()
        self._assert_states(cards, 'inactive', 'inactive')
        self._assert_refused('inactive', self._redeem, cards[0])
        self._pay(invoice, amount=20)
        self._assert_states(cards, 'inactive', 'inactive')

    def test_what_the_judgement_says_is_not_written_by_hand(self):
        invoice, cards = self._sell_cards()
        line = invoice.with_user(self.accountant).invoice_line_ids
        with self.assertRaises(AccessError):
            line.refill_card_payment = 'paid'
        with self.assertRaises(AccessError):
            self._draft(line={'refill_card_payment': 'paid'})
        with self.assertRaises(UserError), self.env.cr.savepoint():
            invoice.with_user(self.accountant).write({'payment_state': 'paid'})
        self._assert_states(cards, 'inactive', 'inactive')

    def test_a_write_off_or_a_bad_debt_is_an_activity_instead(self):
        def by_payment(invoice):
            self._pay(
                invoice,
                amount=1,
                payment_difference_handling='reconcile',
                writeoff_account_id=self.expense.id,
            )

        def by_bad_debt(invoice):
            self._reconcile(invoice, self._book((self.receivable, -50), (self.expense, 50)))

        def by_moving_the_debt(invoice):
            other = self.receivable.copy()
            self._reconcile(invoice, self._book((self.receivable, -50), (other, 50)))

        def by_statement(invoice):
            line = self.env['account.bank.statement.line'].create(
                {'journal_id': self.bank.id, 'amount': 1, 'date': Date.today()}
            )
            _liquidity, suspense, _others = line._seek_for_lines()
            values = {'account_id': self.receivable.id, 'partner_id': self.buyer.id}
            written_off = {'account_id': self.expense.id, 'balance': 49}
            line.move_id.with_context(skip_readonly_check=True).write(
                {
                    'line_ids': [
                        Command.update(suspense.id, {**values, 'balance': -50}),
                        Command.create(written_off),
                    ]
                }
            )
            self._reconcile(invoice, line.move_id)

        for settle in (by_payment, by_bad_debt, by_moving_the_debt, by_statement):
            with self.subTest(settle.__name__):
                invoice, cards = self._sell_cards()
                settle(invoice)
                self.assertIn(invoice.payment_state, ('paid', 'in_payment'))
                self._assert_states(cards, 'inactive', 'inactive')
                self.assertIn("write-off", invoice.activity_ids.note)
                self.assertEqual(invoice.activity_ids.user_id, self.accountant)

    # -------------------------------------------------------------------------
    # PAID
    # -------------------------------------------------------------------------

    def test_a_payment_lets_cards_work(self):
        invoice, cards = self._sell_cards()
        self._pay(invoice, amount=20)
        self._pay(invoice)
        self._assert_states(cards, 'active', 'active')
        self.assertFalse(invoice.activity_ids)
        self._redeem(cards[0])

    def test_one_payment_of_two_invoices_lets_the_cards_of_both_work(self):
        (first, cards), (second, others) = self._sell_cards(), self._sell_cards(1)
        self._pay(first + second, group_payment=True)
        self._assert_states(cards + others, 'active', 'active', 'active')

    def test_a_statement_line_lets_cards_work(self):
        invoice, cards = self._sell_cards()
        line = self.env['account.bank.statement.line'].create(
            {
                'journal_id': self.bank.id,
                'amount': 50,
                'date': Date.today(),
                'partner_id': self.buyer.id,
            }
        )
        _liquidity, suspense, _others = line._seek_for_lines()
        suspense.account_id = self.receivable
        self._reconcile(invoice, line.move_id)
        self._assert_states(cards, 'active', 'active')

    def test_what_nets_with_a_bill_or_is_booked_on_the_bank_pays_too(self):
        payable = self.company_data['default_account_payable']
        liquidity = self.bank.default_account_id
        for account in (payable, liquidity):
            invoice, cards = self._sell_cards()
            self._reconcile(invoice, self._book((self.receivable, -50), (account, 50)))
            self._assert_states(cards, 'active', 'active')

    def test_a_card_that_was_returned_needs_no_payment(self):
        invoice, cards = self._sell_cards()
        note = invoice.with_user(self.accountant)._reverse_moves()
        note.invoice_line_ids.quantity = 1
        note.action_post()
        self._reconcile(invoice, note)
        self._assert_states(cards, 'inactive', 'inactive')
        self._pay(invoice)
        self._assert_states(cards, 'active', 'inactive')

    def test_an_invoice_without_a_price_is_paid(self):
        _invoice, cards = self._sell_cards(price=0)
        self._assert_states(cards, 'active', 'active')

    def test_an_early_payment_is_a_payment(self):
        terms = self.env.ref('account.account_payment_term_30days_early_discount')
        self._stock(2)
        invoice = self._draft(2, invoice_payment_term_id=terms.id, invoice_date=Date.today())
        invoice.action_post()
        self._pay(invoice)
        self.assertIn(invoice.payment_state, ('paid', 'in_payment'))
        self._assert_states(self._get_cards(invoice), 'active', 'active')

    def test_a_payment_in_another_currency_is_one(self):
        invoice, cards = self._sell_cards()
        self._pay(invoice, currency_id=self.other_currency.id)
        self._assert_states(cards, 'active', 'active')

    def test_the_invoice_says_when_its_cards_work_whatever_becomes_of_the_product(self):
        invoice, cards = self._sell_cards()
        self.product.refill_card_works = 'confirmed'
        self._pay(invoice)
        self._assert_states(cards, 'active', 'active')
        invoice, cards = self._sell_cards(refill_card_works='paid')
        self._assert_states(cards, 'inactive', 'inactive')
        self._pay(invoice)
        self._assert_states(cards, 'active', 'active')

    def test_where_only_paid_counts_a_payment_on_its_way_does_not(self):
        self.company.refill_card_only_paid = True
        moves = type(self.env['account.move'])
        self.patch(moves, '_get_invoice_in_payment_state', lambda move: 'in_payment')
        self.bank.inbound_payment_method_line_ids.payment_account_id = self.receivable.copy(
            {'account_type': 'asset_current', 'reconcile': True}
        )
        invoice, cards = self._sell_cards()
        payment = self._pay(invoice)
        self.assertEqual(invoice.payment_state, 'in_payment')
        self._assert_states(cards, 'inactive', 'inactive')
        line = self.env['account.bank.statement.line'].create(
            {'journal_id': self.bank.id, 'amount': 50, 'date': Date.today()}
        )
        liquidity, _counterpart, _writeoff = payment._seek_for_lines()
        _liquidity, suspense, _others = line._seek_for_lines()
        suspense.account_id = liquidity.account_id
        (suspense + liquidity).reconcile()
        self.assertEqual(invoice.payment_state, 'paid')
        self._assert_states(cards, 'active', 'active')

    def test_a_payment_without_an_entry_is_one_until_it_is_cancelled(self):
        """As where Odoo's Accounting is installed, and the bank has no outstanding account."""
        moves = type(self.env['account.move'])
        self.patch(moves, '_get_invoice_in_payment_state', lambda move: 'in_payment')
        self.bank.inbound_payment_method_line_ids.payment_account_id = False
        invoice, cards = self._sell_cards()
        payment = self._pay(invoice)
        self.assertEqual((payment.move_id.ids, invoice.payment_state), ([], 'in_payment'))
        self._assert_states(cards, 'active', 'active')
        payment.action_cancel()
        self.assertEqual(invoice.payment_state, 'not_paid')
        self._assert_states(cards, 'disabled', 'disabled')

    # -------------------------------------------------------------------------
    # OPEN AGAIN
    # -------------------------------------------------------------------------

    def test_cards_stop_when_their_invoice_is_open_again_and_work_when_it_is_paid_again(self):
        for undo in (
            lambda invoice, payment: self._unreconcile(invoice),
            lambda invoice, payment: payment.action_draft() or payment.unlink(),
            lambda invoice, payment: payment.action_cancel(),
            lambda invoice, payment: payment.move_id._reverse_moves(cancel=True),
        ):
            invoice, cards = self._sell_cards(3)
            payment = self._pay(invoice)
            self._redeem(cards[0])
            self._change(cards[1], 'disable', reason='lost')
            undo(invoice, payment.with_user(self.accountant))
            self.assertEqual(invoice.payment_state, 'not_paid')
            self._assert_states(cards, 'used', 'disabled', 'disabled')
            self.assertEqual(cards[1:].mapped('disable_reason'), ['lost', 'unpaid'])
            self.assertIn("used while the invoice was paid: 1", invoice.activity_ids.note)
            self._pay(invoice)
            self._assert_states(cards, 'used', 'disabled', 'active')
            self.assertFalse(cards[2].disable_reason)
            self.assertEqual(len(invoice.activity_ids), 1)

    def test_a_redemption_that_is_undone_gives_back_a_card_that_is_not_paid(self):
        invoice, cards = self._sell_cards(1)
        self._pay(invoice)
        self._redeem(cards)
        self._unreconcile(invoice)
        self._undo(cards)
        self._assert_states(cards, 'disabled')
        self.assertEqual(cards.disable_reason, 'unpaid')
        self._pay(invoice)
        self._assert_states(cards, 'active')

    def test_an_invoice_that_is_reset_and_confirmed_again_is_judged_again(self):
        invoice, cards = self._sell_cards()
        self._pay(invoice)
        invoice.button_draft()
        self._assert_states(cards, 'disabled', 'disabled')
        invoice.action_post()
        self.assertIn(invoice.payment_state, ('paid', 'in_payment'))
        self._assert_states(cards, 'active', 'active')

    def test_cards_that_were_owed_work_at_once_when_the_invoice_was_paid_meanwhile(self):
        self._stock(1)
        invoice = self._draft(2)
        invoice.sudo().action_post()
        self._pay(invoice)
        self._assert_states(self._get_cards(invoice), 'active')
        self._stock(1)
        self.env.ref('refill_cards.ir_cron_supply').method_direct_trigger()
        self._assert_states(self._get_cards(invoice), 'active', 'active')

    def test_a_used_card_keeps_its_invoice_from_being_reset(self):
        invoice, cards = self._sell_cards()
        self._pay(invoice)
        self._redeem(cards[0])
        with self.assertRaisesRegex(UserError, "were used"):
            invoice.button_draft()

    def test_an_invoice_without_cards_takes_no_query_more(self):
        """To be confirmed and paid: as many as where nothing looks for cards."""

        def count(call):
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.cr.sql_log_count
            call()
            self.env.flush_all()
            return self.cr.sql_log_count - before

        def measure():
            invoice = self.init_invoice('out_invoice', partner=self.buyer, amounts=[50])
            return [count(invoice.action_post), count(lambda: self._pay(invoice))]

        moves = self.env.registry['account.move']
        partials = self.env.registry['account.partial.reconcile']
        for _time in range(2):
            measure()
        with (
            patch.object(moves, '_is_about_refill_cards', lambda move: False),
            patch.object(moves, '_follow_refill_card_payment', lambda move: None),
            patch.object(
                partials, '_get_invoices_and_payments', lambda partial: partial.env['account.move']
            ),
        ):
            expected = measure()
        self.assertEqual(measure(), expected)
