from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import RedirectWarning, UserError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import html2plaintext
from psycopg2 import OperationalError

from .common import RefillCardCommon

TODAY = fields.Date.today


@tagged('post_install', '-at_install')
class TestCredit(RefillCardCommon):
    """What was paid in advance pays what becomes due."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bookkeeper = cls._new_user('bookkeeper', 'account.group_account_invoice')

    def _draft(self, amount, partner=None, **values):
        """Return an invoice without taxes that is not confirmed yet, as the bookkeeper."""
        invoices = self.env['account.move'].with_user(self.bookkeeper)
        return invoices.create(
            {
                'move_type': 'out_invoice',
                'partner_id': (partner or self.customer).id,
                'invoice_date': TODAY(),
                'invoice_payment_term_id': False,
                'invoice_line_ids': [
                    Command.create({'name': "Month", 'price_unit': amount, 'tax_ids': False})
                ],
                **values,
            }
        )

    def _confirm(self, amount, partner=None, **values):
        invoice = self._draft(amount, partner, **values)
        invoice.action_post()
        return invoice

    def _residuals(self, *invoices):
        return [invoice.amount_residual for invoice in invoices]

    def _credit_line(self, card):
        return card.payment_id.move_id.line_ids.filtered(
            lambda line: line.account_type == 'asset_receivable'
        )

    def _entry(self, account, amount, partner=None, **values):
        """Return a posted entry that debits the customer's account, such as an opening balance."""
        entry = self.env['account.move'].create(
            {
                'move_type': 'entry',
                'journal_id': self.company_data['default_journal_misc'].id,
                'date': '2026-01-01',
                'line_ids': [
                    Command.create(
                        {
                            'account_id': account.id,
                            'partner_id': (partner or self.customer).id,
                            'balance': amount,
                        }
                    ),
                    Command.create(
                        {
                            'account_id': self.company_data['default_account_revenue'].id,
                            'balance': -amount,
                        }
                    ),
                ],
                **values,
            }
        )
        entry.action_post()
        return entry

    @property
    def receivable(self):
        return self.customer.property_account_receivable_id

    # -------------------------------------------------------------------------
    # CONFIRMING
    # -------------------------------------------------------------------------

    def test_a_company_that_keeps_credit_leaves_invoices_open(self):
        self.company.refill_card_pay_invoices = False
        self._redeem(self._generate_card())
        self.assertEqual(self._confirm(20).amount_residual, 20)

    def test_a_customer_who_keeps_credit_has_open_invoices(self):
        self.customer.refill_card_pay_invoices = False
        before = self._confirm(20)
        self._redeem(self._generate_card())
        self.assertEqual(self._residuals(before, self._confirm(20)), [20, 20])

    def test_the_customer_s_switch_is_the_one_of_the_whole_company(self):
        contact = self.env['res.partner'].create({'name': "Kim", 'parent_id': self.partner_a.id})
        self.partner_a.refill_card_pay_invoices = False
        self._redeem(self._generate_card(), partner=contact)
        self.assertEqual(self._confirm(20, partner=contact).amount_residual, 20)

    def test_nobody_else_s_credit_is_used(self):
        self._redeem(self._generate_card(), partner=self.stranger)
        self.assertEqual(self._confirm(20).amount_residual, 20)

    def test_other_payments_in_advance_are_left_alone(self):
        payment = self.env['account.payment'].create(
            {'amount': 25, 'partner_id': self.customer.id, 'payment_type': 'inbound'}
        )
        payment.action_post()
        self.assertEqual(self._confirm(20).amount_residual, 20)

    def test_confirming_an_invoice_uses_the_credit(self):
        card = self._generate_card()
        self._redeem(card)
        invoice = self._confirm(20)
        self.assertEqual(invoice.payment_state, invoice._get_invoice_in_payment_state())
        self.assertEqual(self._credit_line(card).amount_residual, -5)
        self.assertEqual(self._balance(), 5)

    def test_credit_pays_in_part(self):
        self._redeem(self._generate_card())
        invoice = self._confirm(30)
        self.assertEqual((invoice.amount_residual, invoice.payment_state), (5, 'partial'))

    def test_the_oldest_card_is_used_first(self):
        cards = self._generate(3).card_ids
        for card in cards[1] + cards[2] + cards[0]:
            self._redeem(card)
        self._confirm(40)
        left = [self._credit_line(card).amount_residual for card in cards[1] + cards[2] + cards[0]]
        self.assertEqual(left, [0, -10, -25])

    def test_the_oldest_card_is_the_one_redeemed_on_the_first_day(self):
        later, sooner = self._generate(2).card_ids
        self._redeem(later)
        with freeze_time(TODAY() - timedelta(days=3)):
            self._redeem(sooner)
        self._confirm(30)
        left = [self._credit_line(card).amount_residual for card in (sooner, later)]
        self.assertEqual(left, [0, -20])

    def test_invoices_confirmed_together_are_paid_oldest_due_first(self):
        self._redeem(self._generate_card())
        days = ['2026-03-01', '2026-02-01', '2026-04-01']
        invoices = [self._draft(10, invoice_date_due=day) for day in days]
        self.env['account.move'].union(*invoices).action_post()
        self.assertEqual(self._residuals(*invoices), [0, 0, 5])

    def test_three_open_invoices_are_paid_oldest_due_first(self):
        days = ['2026-03-01', '2026-02-01', '2026-04-01']
        invoices = [self._invoice(20, due=day) for day in days]
        self._redeem(self._generate_card())
        self.assertEqual(self._residuals(*invoices), [15, 0, 20])

    def test_receipts_are_paid_and_credit_notes_are_not(self):
        self._redeem(self._generate_card())
        self.assertEqual(self._confirm(20, move_type='out_receipt').amount_residual, 0)
        self.assertEqual(self._confirm(3, move_type='out_refund').amount_residual, 3)

    def test_the_invoice_says_what_credit_paid(self):
        self._redeem(self._generate_card())
        invoice = self._confirm(30)
        bodies = [html2plaintext(body) for body in invoice.message_ids.mapped('body')]
        self.assertIn("Paid by prepaid credit $\xa025.00, open $\xa05.00", bodies)
        html, _type = self.env['ir.actions.report']._render_qweb_html(
            'account.account_invoices', invoice.ids
        )
        text = ' '.join(html2plaintext(html.decode()).split())
        self.assertIn("Paid by prepaid credit $ 25.00, open $ 5.00", text)

    # -------------------------------------------------------------------------
    # TAKING IT BACK
    # -------------------------------------------------------------------------

    def test_invoices_of_payments_are_found_whatever_a_client_sends(self):
        invoice = self._confirm(25)
        payment = self._redeem(self._generate_card())
        for context in ({}, {'refill_card_use': [1, 2, 3]}, {'refill_card_use': True}):
            with self.subTest(context=context):
                moves = self.env['account.move'].with_context(**context)
                payments = self.env['account.payment'].with_context(**context)
                self.assertEqual(
                    moves.search([('reconciled_payment_ids', 'in', payment.ids)]), invoice
                )
                self.assertEqual(
                    payments.search([('reconciled_invoice_ids', 'in', invoice.ids)]), payment
                )

    def test_a_redemption_looks_for_no_invoices_of_a_payment_that_has_settled_none(self):
        payments = self.env.registry['account.payment']
        name = '_compute_stat_buttons_from_reconciliation'
        card = self._generate_card()
        with patch.object(
            payments, name, autospec=True, side_effect=getattr(payments, name)
        ) as look:
            self._redeem(card)
            self.env.flush_all()
            self.assertFalse(look.called)
            self._confirm(25)  # which the credit pays
            self.assertTrue(look.called)

    def test_what_a_redemption_stores_is_what_odoo_computes(self):
        payment = self._redeem(self._generate_card())
        for records in (payment, payment.move_id, payment.move_id.line_ids):
            computed = [
                field
                for field in records._fields.values()
                if field.store and field.compute and field.readonly
            ]
            self.assertGreater(len(computed), 5)
            names = [field.name for field in computed]
            self.env.flush_all()
            self.env.invalidate_all()
            stored = records.read(names, load=None)
            for field in computed:
                self.env.add_to_compute(field, records)
            self.assertEqual(records.read(names, load=None), stored)

    def test_undoing_the_redemption_opens_the_invoice_again(self):
        card = self._generate_card()
        self._redeem(card)
        invoice = self._confirm(20)
        self._undo(card)
        self.assertEqual(invoice.amount_residual, 20)
        self.assertEqual(self._balance(), -20)

    def test_an_invoice_that_is_reset_and_cancelled_frees_the_credit(self):
        card = self._generate_card()
        self._redeem(card)
        invoice = self._confirm(20)
        invoice.button_draft()
        invoice.button_cancel()
        self.assertEqual(self._credit_line(card).amount_residual, -25)
        self.assertEqual(self._balance(), 25)

    def test_an_invoice_that_is_reset_and_confirmed_is_paid_again(self):
        card = self._generate_card()
        self._redeem(card)
        invoice = self._confirm(20)
        invoice.button_draft()
        invoice.invoice_line_ids.price_unit = 15
        invoice.action_post()
        self.assertEqual(invoice.amount_residual, 0)
        self.assertEqual(self._credit_line(card).amount_residual, -10)

    def test_an_invoice_given_to_another_customer_is_not_paid_by_the_first_one_s_credit(self):
        card = self._generate_card()
        self._redeem(card)
        invoice = self._confirm(20)
        invoice.button_draft()
        invoice.partner_id = self.stranger
        invoice.action_post()
        self.assertEqual(invoice.amount_residual, 20)
        self.assertEqual(self._credit_line(card).amount_residual, -25)
        self.assertEqual((self._balance(), self._balance(self.stranger)), (25, -20))

    def test_a_reversed_invoice_leaves_everything_even(self):
        self._redeem(self._generate_card())
        invoice = self._confirm(20)
        invoice._reverse_moves(cancel=True)
        self.assertEqual(self._balance(), 25)
        self.assertEqual(self._confirm(25).amount_residual, 0)

    def test_an_accountant_takes_back_what_made_credit_pay(self):
        card = self._generate_card(price=98)
        self._redeem(card)
        self.customer.property_account_receivable_id = self._other_receivable()
        invoice = self._confirm(100, invoice_payment_term_id=self._term().id)
        self.assertEqual((invoice.amount_residual, self._balance()), (0, 0))
        partials = invoice.line_ids.matched_credit_ids
        discount, transfer = partials.credit_move_id.move_id.sorted('amount_total')
        # Whoever takes back the transfer takes back the discount that it had a part in.
        for entry, owed, balance in ((discount, 2, -2), (transfer, 100, -2)):
            for name, take_back in {
                'reversed': self._reverse_in_window,
                'cancelled': lambda entry: entry.button_cancel(),
                'deleted': lambda entry: (entry.button_draft(), entry.unlink()),
                'reversed and undone': lambda entry: (
                    self._reverse_in_window(entry),
                    self._undo(card),
                ),
            }.items():
                with self.subTest(name, owed=owed), self.env.cr.savepoint() as savepoint:
                    take_back(entry.with_user(self.accountant))
                    self.env.flush_all()
                    self.env.invalidate_all()
                    if name == 'reversed and undone':
                        owed, balance = 100, -100
                    self.assertEqual((invoice.amount_residual, self._balance()), (owed, balance))
                    savepoint.rollback()
                    self.env.invalidate_all()

    def test_a_discount_that_was_reversed_by_itself_is_not_reversed_again(self):
        card = self._generate_card(price=98)
        self._redeem(card)
        invoice = self._confirm(100, invoice_payment_term_id=self._term().id)
        discount = invoice.line_ids.matched_credit_ids.refill_card_move_id
        discount.with_user(self.accountant)._reverse_moves().action_post()
        self.assertEqual(self._balance(), -2)
        self._undo(card)
        self.assertEqual(self._balance(), -100)

    def _reverse_in_window(self, entry):
        wizards = entry.env['account.move.reversal'].with_context(
            active_model='account.move', active_ids=entry.ids
        )
        wizards.create({'journal_id': entry.journal_id.id}).reverse_moves()

    # -------------------------------------------------------------------------
    # WHAT THE CUSTOMER OWES
    # -------------------------------------------------------------------------

    def _branch(self):
        branch = self._create_company(name="Branch", parent_id=self.company.id)
        self.cr.precommit.run()  # loads the root company's chart of accounts
        for user in self.clerk + self.bookkeeper + self.accountant + self.env.user:
            user.company_ids += branch
        return branch

    def _redeem_in(self, company, partner=None):
        card = self._generate_card(company_ids=[Command.clear()])
        cards = self.env['refill.card'].with_user(self.clerk)
        cards.redeem_code(card.sudo().code, (partner or self.customer).id, company.id)
        return card

    def test_credit_of_head_office_pays_a_branch_and_the_reverse(self):
        branch = self._branch()
        self._redeem_in(self.company)
        invoice = self._confirm(25, company_id=branch.id)
        self.assertEqual((invoice.company_id, invoice.amount_residual), (branch, 0))
        invoice = self._confirm(25)
        self._redeem_in(branch)
        self.assertEqual(invoice.amount_residual, 0)
        self.assertEqual(self._balance(), 0)

    def test_a_branch_that_keeps_credit_is_not_paid(self):
        branch = self._branch()
        branch.refill_card_pay_invoices = False
        self._redeem_in(self.company)
        invoice = self._confirm(25, company_id=branch.id)
        self.assertEqual(invoice.amount_residual, 25)

    def test_the_credit_of_a_branch_that_keeps_it_pays_nobody(self):
        branch = self._branch()
        branch.refill_card_pay_invoices = False
        self._redeem_in(branch)
        self.assertEqual(self._confirm(20).amount_residual, 20)
        self._redeem_in(self.company)
        self.assertEqual(self._confirm(20).amount_residual, 15)

    def test_credit_of_another_company_is_not_used(self):
        clerk = self._new_user(
            'other_clerk', 'refill_cards.group_refill_card_user', company_id=self.other_company.id
        )
        card = self._generate_card(company_ids=[Command.clear()])
        self._redeem(card, user=clerk)
        self.assertEqual(self._confirm(25).amount_residual, 25)

    def _other_receivable(self):
        return self.receivable.copy({'name': "Customers abroad"})

    def test_an_invoice_on_another_receivable_account_is_paid_when_it_is_confirmed(self):
        card = self._generate_card()
        self._redeem(card)
        self.customer.property_account_receivable_id = self._other_receivable()
        invoice = self._confirm(20)
        self.assertEqual(invoice.amount_residual, 0)
        self.assertEqual(self._credit_line(card).amount_residual, -5)
        self.assertEqual(self._balance(), 5)
        self._undo(card)
        self.assertEqual(invoice.amount_residual, 20)
        self.assertEqual(self._balance(), -20)

    def test_an_invoice_on_another_receivable_account_is_paid_by_a_new_card(self):
        account = self.receivable
        invoice = self._confirm(20)
        self.customer.property_account_receivable_id = self._other_receivable()
        card = self._generate_card()
        preview = self._preview(card)
        cards = self.env['refill.card'].with_user(self.clerk)
        result = cards.redeem_code(card.sudo().code, self.customer.id)
        self.assertEqual(invoice.amount_residual, 0)
        self._assert_as_previewed(preview, result)
        self.assertEqual(result['invoices'][0]['name'], invoice.name)
        # What the accountant unlinks goes back to the card's own account.
        invoice.line_ids.filtered(lambda line: line.account_id == account).remove_move_reconcile()
        self.assertEqual(invoice.amount_residual, 20)
        self.assertEqual(self._credit_line(card).amount_residual, -25)

    def test_credit_goes_to_another_account_when_both_are_there(self):
        with freeze_time(TODAY() - timedelta(days=9)):
            self._redeem(self._generate_card())
        self.customer.property_account_receivable_id = self._other_receivable()
        for day, expected in ((TODAY(), TODAY()), ('2026-01-01', TODAY() - timedelta(days=9))):
            invoice = self._confirm(5, invoice_date=day)
            transfer = invoice.line_ids.matched_credit_ids.refill_card_move_id
            self.assertEqual((invoice.amount_residual, transfer.date), (0, expected))

    def test_an_invoice_on_another_account_is_told_to_be_paid_by_credit(self):
        self._redeem(self._generate_card())
        self.customer.property_account_receivable_id = self._other_receivable()
        self.assertEqual(self._confirm(30)._get_refill_card_paid(), 25)

    def test_an_opening_balance_and_a_sale_at_the_counter_are_paid(self):
        opening = self._entry(self.receivable, 10)
        counter = self._entry(self._other_receivable(), 10)
        self._redeem(self._generate_card())
        lines = (opening + counter).line_ids
        owed = lines.filtered(lambda line: line.account_type == 'asset_receivable')
        self.assertEqual(owed.mapped('reconciled'), [True, True])
        self.assertEqual(self._balance(), 5)

    def test_what_is_no_debt_is_left_alone(self):
        account = self.receivable
        paid_out = self.env['account.payment'].create(
            {
                'amount': 10,
                'partner_id': self.customer.id,
                'payment_type': 'outbound',
                'partner_type': 'customer',
            }
        )
        paid_out.action_post()
        bill = self.init_invoice('in_refund', partner=self.customer, amounts=[10], post=True)
        note = self._draft(10, move_type='out_refund')
        note.invoice_line_ids = [
            Command.create({'name': "Fee", 'price_unit': -4, 'tax_ids': False})
        ]
        # Its second instalment is a debit.
        fixed = {'value': 'fixed', 'value_amount': 15}
        note.invoice_payment_term_id = self._term().copy(
            {
                'early_discount': False,
                'line_ids': [
                    Command.create(fixed),
                    Command.create({'value': 'percent', 'value_amount': 100}),
                ],
            }
        )
        note.action_post()
        stranger = self._entry(account, 10, partner=self.stranger)
        paid_in = paid_out.copy({'payment_type': 'inbound'})
        paid_in.action_post()
        taken_back = paid_in.move_id._reverse_moves()
        taken_back.action_post()
        taken_back.line_ids.remove_move_reconcile()
        statement = self.env['account.bank.statement.line'].create(
            {
                'journal_id': self.company_data['default_journal_bank'].id,
                'payment_ref': "Paid back",
                'partner_id': self.customer.id,
                'amount': -10,
                'counterpart_account_id': account.id,
            }
        )
        self._redeem(self._generate_card())
        moves = paid_out.move_id + bill + note + stranger + taken_back
        lines = (moves + statement.move_id).line_ids
        open_lines = lines.filtered(lambda line: line.account_id.reconcile)
        self.assertTrue(open_lines)
        self.assertFalse(any(open_lines.mapped('reconciled')))
        self.assertEqual(open_lines.mapped('amount_residual'), open_lines.mapped('balance'))

    # -------------------------------------------------------------------------
    # WHAT CANNOT BE PAID
    # -------------------------------------------------------------------------

    def _preview(self, card, partner=None, company=None):
        cards = card.with_user(self.clerk)
        preview = cards._preview_redemption(partner or self.customer, company or self.company)
        self.env.invalidate_all()
        return preview

    def _assert_as_previewed(self, preview, result):
        """Assert that redeeming did what the window said before."""
        self.assertEqual(
            [(name, amount, currency.name) for name, amount, currency in preview['invoices']],
            [
                (invoice['name'], invoice['amount'], invoice['currency'])
                for invoice in result['invoices']
            ],
        )
        self.assertAlmostEqual(preview['new_balance'], result['balance'], 2)

    def _redeem_as_previewed(self, card, expected=None):
        preview = self._preview(card)
        cards = self.env['refill.card'].with_user(self.clerk)
        result = cards.redeem_code(card.sudo().code, self.customer.id)
        self._assert_as_previewed(preview, result)
        return preview

    def test_without_an_exchange_journal_the_rest_is_paid_and_the_chatter_says_why(self):
        foreign = self._invoice(10, due='2026-01-01', currency=self.other_currency)
        self._rate('2026-02-01', 4)
        later = self._invoice(10, due='2026-02-01')
        self.company.currency_exchange_journal_id = False
        card = self._generate_card(currency_id=self.other_currency.id)
        preview = self._redeem_as_previewed(card)
        self.assertEqual(card.state, 'used')
        self.assertEqual(foreign.amount_residual, 10)
        self.assertLess(later.amount_residual, 10)
        [(name, amount, _currency, reason)] = preview['open']
        self.assertEqual((name, amount), (foreign.name, 10))
        self.assertIn("exchange", reason)
        for record in (card.payment_id, foreign):
            self.assertTrue(any("exchange" in body for body in record.message_ids.mapped('body')))

    def _rate(self, day, rate, currency=None, company=None):
        return self.env['res.currency.rate'].create(
            {
                'currency_id': (currency or self.other_currency).id,
                'company_id': (company or self.company).id,
                'name': day,
                'rate': rate,
            }
        )

    def test_cash_basis_taxes_without_journal_block_nothing(self):
        self.company.tax_exigibility = True
        account = self.company_data['default_account_revenue'].copy({'reconcile': True})
        tax = self.company_data['default_tax_sale'].copy(
            {
                'name': "On payment",
                'tax_exigibility': 'on_payment',
                'cash_basis_transition_account_id': account.id,
            }
        )
        cash = self._draft(10, invoice_date_due='2026-01-01')
        cash.sudo().invoice_line_ids.tax_ids = tax
        cash.action_post()
        plain = self._confirm(10)
        self.company.tax_cash_basis_journal_id = False
        card = self._generate_card()
        preview = self._redeem_as_previewed(card)
        self.assertEqual(cash.amount_residual, cash.amount_total)
        self.assertEqual(plain.amount_residual, 0)
        self.assertIn("cash basis", preview['open'][0][-1])
        again = self._draft(10)
        again.sudo().invoice_line_ids.tax_ids = tax
        again.action_post()
        self.assertEqual((again.state, again.amount_residual), ('posted', again.amount_total))

    def test_a_hard_locked_period_blocks_nothing(self):
        foreign = self._invoice(10, due='2026-01-01', currency=self.other_currency)
        plain = self._invoice(10, due='2026-02-01')
        self._redeem(self._generate_card())
        self.company.hard_lock_date = TODAY() - timedelta(days=1)
        card = self._generate_card(currency_id=self.other_currency.id)
        self._redeem(card)
        self.assertEqual(card.state, 'used')
        self.assertEqual(plain.amount_residual + foreign.amount_residual, 0)
        self.assertEqual(self._confirm(1).state, 'posted')

    @contextmanager
    def _failing_for(self, invoice, error):
        """Let Odoo fail to reconcile an invoice."""
        lines = self.env.registry['account.move.line']
        reconcile = lines._reconcile_plan

        def fail(records, plan):
            if invoice.id in records.union(*plan).move_id.ids:
                raise error
            return reconcile(records, plan)

        with patch.object(lines, '_reconcile_plan', fail):
            yield

    def test_what_fails_does_not_keep_others_from_being_paid(self):
        card, other = self._generate(2).card_ids
        self._redeem(card)
        self._redeem(other, partner=self.stranger)
        for error in (UserError("Not today"), RedirectWarning("Not today", 1, "There")):
            bad, good = self._draft(10), self._draft(5)
            theirs = self._draft(10, partner=self.stranger)
            with self.subTest(error=error), self._failing_for(bad, error):
                (bad + good + theirs).action_post()
                self.assertEqual(self._residuals(bad, good, theirs), [10, 0, 0])
                for record in (bad, card.payment_id):
                    self.assertIn("Not today", str(record.message_ids.mapped('body')))
            bad.button_draft()
            bad.button_cancel()

    def test_an_invoice_that_cannot_be_paid_does_not_keep_a_card_from_being_redeemed(self):
        bad, good = self._invoice(10, due='2026-01-01'), self._invoice(10, due='2026-02-01')
        card = self._generate_card()
        with self._failing_for(bad, UserError("Not today")):
            self._redeem(card)
        self.assertEqual(card.state, 'used')
        self.assertEqual(self._residuals(bad, good), [10, 0])
        self.assertIn("Not today", str(card.payment_id.message_ids.mapped('body')))

    def test_an_error_of_another_addon_blocks_no_card(self):
        bad, good = self._invoice(10, due='2026-01-01'), self._invoice(10, due='2026-02-01')
        card = self._generate_card()
        with (
            self._failing_for(bad, KeyError('other')),
            self.assertLogs('odoo.addons.refill_cards', 'ERROR'),
        ):
            self._redeem(card)
        self.assertEqual(card.state, 'used')
        self.assertEqual(self._residuals(bad, good), [10, 0])
        self.assertIn("the server's log", str(card.payment_id.message_ids.mapped('body')))

    def test_credit_that_somebody_else_holds_is_looked_at_again(self):
        self._redeem(self._generate_card())
        lines = self.registry['account.move.line']
        with patch.object(
            lines, '_use_open_refill_card_credit', side_effect=[OperationalError, None]
        ) as looked:
            self.env.cr.postcommit.run()
        self.assertEqual(looked.call_count, 2)

    def test_an_opening_balance_that_is_reset_and_confirmed_stays_paid(self):
        self._redeem(self._generate_card())
        entry = self.env['account.move'].create(
            {
                'move_type': 'entry',
                'line_ids': [
                    Command.create({'account_id': account.id, 'partner_id': who, **side})
                    for account, who, side in (
                        (
                            self.company_data['default_account_receivable'],
                            self.customer.id,
                            {'debit': 10},
                        ),
                        (self.company_data['default_account_revenue'], False, {'credit': 10}),
                    )
                ],
            }
        )
        entry.action_post()
        self.env['account.move.line'].sudo()._use_open_refill_card_credit(self.customer)
        receivable = entry.line_ids.filtered('debit')
        self.assertEqual(receivable.amount_residual, 0)
        entry.button_draft()
        entry.action_post()
        self.assertEqual(receivable.amount_residual, 0)

    def test_an_error_after_the_commit_does_not_look_like_a_refusal(self):
        self._redeem(self._generate_card())
        lines = self.registry['account.move.line']
        with (
            patch.object(lines, '_use_open_refill_card_credit', side_effect=KeyError('other')),
            self.assertLogs('odoo.addons.refill_cards', 'ERROR'),
        ):
            self.env.cr.postcommit.run()

    def test_a_blocked_invoice_stays_open_and_the_window_says_so(self):
        invoice = self._invoice(10)
        invoice.payment_state = 'blocked'
        card = self._generate_card()
        wizards = self.env['refill.card.redeem'].with_user(self.clerk)
        wizard = wizards.create({'card_id': card.id, 'partner_id': self.customer.id})
        self.assertIn(f"{invoice.name} stays open: Its payment is blocked.", wizard.invoices)
        self._redeem(card)
        self.assertEqual(invoice.amount_residual, 10)

    # -------------------------------------------------------------------------
    # THE PREVIEW
    # -------------------------------------------------------------------------

    def test_the_preview_for_a_company_that_pays_none(self):
        self._invoice(10)
        self.company.refill_card_pay_invoices = False
        preview = self._redeem_as_previewed(self._generate_card())
        self.assertEqual(preview['invoices'], [])
        self.assertEqual(preview['new_balance'], 15)
        self.assertIn("keeps prepaid credit", preview['open'][0][-1])

    def test_the_preview_for_a_customer_who_keeps_credit(self):
        self._invoice(10)
        self.customer.refill_card_pay_invoices = False
        preview = self._redeem_as_previewed(self._generate_card())
        self.assertEqual((preview['invoices'], preview['new_balance']), ([], 15))
        self.assertIn("The customer keeps prepaid credit", preview['open'][0][-1])

    def test_the_preview_for_two_invoices(self):
        first, second = self._invoice(10), self._invoice(20, due='2026-02-01')
        preview = self._redeem_as_previewed(self._generate_card())
        amounts = [(name, amount) for name, amount, _currency in preview['invoices']]
        self.assertEqual(amounts, [(first.name, 10), (second.name, 15)])

    def test_the_preview_for_a_foreign_card_and_foreign_invoices(self):
        own = self.company.currency_id
        for card_currency, currencies in (
            (self.other_currency, (own, self.other_currency)),
            (own, (self.other_currency, own)),
        ):
            with self.subTest(card=card_currency.name):
                customer = self.customer = self.customer.copy()
                for number, currency in enumerate(currencies, start=1):
                    self._invoice(7.77, f'2026-0{number}-01', customer, currency=currency)
                self._rate(f'2026-03-0{card_currency.id % 9 + 1}', 3.37)
                preview = self._redeem_as_previewed(
                    self._generate_card(currency_id=card_currency.id, price=100)
                )
                self.assertEqual(len(preview['invoices']), 2)

    def test_the_preview_for_yen_and_an_invoice_of_a_cent(self):
        yen = self.setup_other_currency('JPY', rounding=1.0, rates=[('2016-01-01', 163.7)])
        cent = self._invoice(0.01, '2026-01-01', currency=self.other_currency)
        more = self._invoice(50, '2026-02-01', currency=self.other_currency)
        preview = self._redeem_as_previewed(self._generate_card(currency_id=yen.id, price=3000))
        self.assertEqual([name for name, *_ in preview['invoices']], [cent.name, more.name])

    def test_the_preview_leaves_credit_and_invoices_of_other_companies_alone(self):
        for user in self.clerk + self.bookkeeper:
            user.company_ids += self.other_company
        self.customer.refill_card_pay_invoices = False
        self._redeem_in(self.other_company)
        elsewhere = self._confirm(20, company_id=self.other_company.id)
        self.assertEqual(elsewhere.amount_residual, 20)
        self.customer.refill_card_pay_invoices = True
        invoice = self._invoice(10)
        preview = self._redeem_as_previewed(self._generate_card())
        self.assertEqual([name for name, *_ in preview['invoices']], [invoice.name])
        self.assertEqual(preview['open'], [])

    def test_older_credit_goes_first_also_in_the_preview(self):
        self.customer.refill_card_pay_invoices = False
        self._redeem(self._generate_card())
        invoice = self._confirm(30)
        self.customer.refill_card_pay_invoices = True
        preview = self._redeem_as_previewed(self._generate_card())
        self.assertEqual(preview['invoices'][0][1], 5)
        self.assertEqual(invoice.amount_residual, 0)

    # -------------------------------------------------------------------------
    # EARLY PAYMENT DISCOUNT
    # -------------------------------------------------------------------------

    def _term(self, computation='included'):
        return self.env['account.payment.term'].create(
            {
                'name': "2/7 Net 30",
                'early_discount': True,
                'discount_days': 7,
                'discount_percentage': 2,
                'early_pay_discount_computation': computation,
                'line_ids': [Command.create({'value': 'percent', 'value_amount': 100})],
            }
        )

    def _discounted(self, amount, term, partner=None, **values):
        tax = self.company_data['default_tax_sale']
        line = {'name': "Month", 'price_unit': amount, 'tax_ids': [Command.set(tax.ids)]}
        return self._confirm(
            amount,
            partner,
            invoice_payment_term_id=term.id,
            invoice_line_ids=[Command.create(line)],
            **values,
        )

    def _written_off(self, moves):
        """Return what a discount was booked on: accounts, amounts, taxes."""
        lines = moves.line_ids.filtered(
            lambda line: line.account_type not in ('asset_receivable', 'asset_cash')
        )
        return sorted(
            (
                line.account_id.code,
                line.currency_id.name,
                line.amount_currency,
                line.balance,
                sorted(line.tax_ids.ids),
                line.tax_line_id.id,
                sorted(line.tax_tag_ids.ids),
            )
            for line in lines
        )

    def test_a_discount_is_granted_as_register_payment_grants_it(self):
        bank = self.company_data['default_journal_bank']
        for computation in ('included', 'excluded', 'mixed'):
            for currency in (self.company.currency_id, self.other_currency):
                with self.subTest(computation, currency=currency.name):
                    term = self._term(computation)
                    values = {'term': term, 'currency_id': currency.id}
                    theirs = self._discounted(100, partner=self.stranger, **values)
                    wizards = self.env['account.payment.register'].with_context(
                        active_model='account.move', active_ids=theirs.ids
                    )
                    wizard = wizards.create({'journal_id': bank.id, 'payment_date': TODAY()})
                    payment = wizard._create_payments()
                    expected = self._written_off(payment.move_id)
                    liquidity, _counterpart, _rest = payment._seek_for_lines()
                    expected = [row for row in expected if row[0] != liquidity.account_id.code]

                    customer = self.customer = self.customer.copy()
                    ours = self._discounted(100, partner=customer, **values)
                    card = self._generate_card(price=payment.amount, currency_id=currency.id)
                    self._redeem_as_previewed(card)
                    self.assertEqual(ours.amount_residual, 0)
                    self.assertEqual(self._credit_line(card).amount_residual, 0)
                    partials = ours.line_ids.matched_credit_ids
                    [entry] = partials.refill_card_move_id
                    self.assertEqual(self._written_off(entry), expected)

                    self._undo(card)
                    self.assertEqual(ours.amount_residual, ours.amount_total)

    def test_a_discount_falls_with_the_payment_on_another_receivable_account(self):
        invoice = self._confirm(100, invoice_payment_term_id=self._term().id)
        self.customer.property_account_receivable_id = self._other_receivable()
        card = self._generate_card(price=98)
        self._redeem_as_previewed(card)
        self.assertEqual(invoice.amount_residual, 0)
        self._undo(card)
        self.assertEqual(invoice.amount_residual, 100)
        self.assertEqual(self._balance(), -100)

    def test_a_deposit_earns_the_discount_and_more_is_left(self):
        for card in self._generate(2, price=60).card_ids:
            self._redeem(card)
        invoice = self._confirm(100, invoice_payment_term_id=self._term().id)
        self.assertEqual(invoice.amount_residual, 0)
        self.assertEqual(self._balance(), 22)

    def test_a_part_or_a_late_payment_earns_no_discount(self):
        term = self._term()
        part = self._confirm(100, invoice_payment_term_id=term.id)
        self._redeem(self._generate_card(price=97))
        self.assertEqual(part.amount_residual, 3)
        late = self._confirm(
            100, partner=self.stranger, invoice_payment_term_id=term.id, invoice_date='2026-01-01'
        )
        self._redeem(self._generate_card(price=98), partner=self.stranger)
        self.assertEqual(late.amount_residual, 2)

    def test_without_an_account_for_discounts_there_is_none(self):
        invoice = self._confirm(100, invoice_payment_term_id=self._term().id)
        self.company.account_journal_early_pay_discount_loss_account_id = False
        self._redeem_as_previewed(self._generate_card(price=98))
        self.assertEqual((invoice.amount_residual, self._balance()), (2, -2))

    def test_credit_of_a_day_after_the_discount_s_earns_none(self):
        first, second = self._generate(2, price=49).card_ids
        self.customer.refill_card_pay_invoices = False
        with freeze_time(TODAY() - timedelta(days=20)):
            invoice = self._confirm(100, invoice_payment_term_id=self._term().id)
            self._redeem(first)
        self.customer.refill_card_pay_invoices = True
        self._redeem_as_previewed(second)
        self.assertEqual(invoice.amount_residual, 2)

    def test_credit_in_two_currencies_earns_no_discount(self):
        cards = self._generate(2, price=50).card_ids
        foreign = self._generate_card(price=50, currency_id=self.other_currency.id)
        for card in (cards[0], foreign, cards[1]):
            self._redeem(card)
        before = self._balance()
        invoice = self._confirm(100, invoice_payment_term_id=self._term().id)
        self.assertEqual(invoice.amount_residual, 0)
        self.assertEqual(self._balance(), before - 100)

    # -------------------------------------------------------------------------
    # MANY AT ONCE
    # -------------------------------------------------------------------------

    def _count(self, function):
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        function()
        self.env.cr.flush()  # chatter and all
        return self.env.cr.sql_log_count - before

    def _drafts(self, count):
        drafts = [self._draft(20, partner=self.customer.copy()) for _number in range(count)]
        return self.env['account.move'].union(*drafts).with_user(self.bookkeeper)

    def _count_without_credit(self, count):
        drafts = self._drafts(count)
        with patch.object(self.registry['account.move'], '_use_refill_card_credit'):
            bare = self._count(self._drafts(count).action_post)
        return self._count(drafts.action_post) - bare

    def _count_with_credit(self, count):
        bare, drafts = self._drafts(count), self._drafts(count)
        cards = self._generate(count).card_ids
        for card, customer in zip(cards, drafts.partner_id, strict=True):
            self._redeem(card, partner=customer)
        with patch.object(self.registry['account.move'], '_use_refill_card_credit'):
            queries = self._count(bare.action_post)
        queries = self._count(drafts.action_post) - queries
        self.assertEqual(drafts.mapped('amount_residual'), [0] * count)
        return queries

    def test_confirming_with_credit_takes_at_most_two_queries_an_invoice(self):
        self._confirm(1)
        more = self._count_with_credit(12) - self._count_with_credit(2)
        self.assertLessEqual(more, 2 * 10)

    def test_confirming_without_credit_takes_no_query_an_invoice(self):
        self._confirm(1)
        self.assertLessEqual(self._count_without_credit(8) - self._count_without_credit(2), 2)
