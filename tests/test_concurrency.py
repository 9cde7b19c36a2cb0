import logging
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.service.model import execute_cr
from odoo.tests import tagged
from odoo.tools import SQL
from psycopg2 import OperationalError

from ..refill_cards.refusals import RefillCardRefused
from .concurrency import ConcurrencyCase


@tagged('post_install', '-at_install')
class TestConcurrency(ConcurrencyCase):
    # -------------------------------------------------------------------------
    # ONE CARD, TWO CARDS
    # -------------------------------------------------------------------------

    def test_a_card_that_is_just_being_redeemed_is_busy(self):
        code = self._generate_code()
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            self.assertEqual(self._redeem(code), 'busy')
            first.cr.commit()
        self._assert_redeemed_once(code)
        self._assert_attempts('busy')

    def test_a_card_is_free_again_when_its_redemption_is_rolled_back(self):
        code = self._generate_code()
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            first.cr.rollback()
        self._assert_never_redeemed(code)
        self.assertEqual(self._redeem(code)['amount'], 25)
        self._assert_redeemed_once(code)

    def test_a_card_redeemed_after_our_transaction_began_is_used(self):
        code = self._generate_code()
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))  # from here on it sees the card as active
            self.assertEqual(self._redeem(code)['amount'], 25)
            with (
                # Not 'INFO': Odoo gives that name to another level.
                self.assertLogs('odoo.service.model', logging.INFO) as logs,
                self.assertRaises(RefillCardRefused) as refused,
            ):
                args = (code, self.customer_id)
                execute_cr(late.cr, late.uid, 'refill.card', 'redeem_code', args, {})
        self.assertIn('SERIALIZATION_FAILURE', logs.output[0])
        self.assertEqual(refused.exception.reason, 'used')
        self._assert_redeemed_once(code)
        self._assert_attempts('used')

    def test_one_of_two_requests_that_found_the_same_card_redeems_it(self):
        code = self._generate_code()
        with self._meeting_after('_find_by_code', 2):
            results = self._at_once(self._redeem, [code] * 2)
        refused, redeemed = sorted(results, key=lambda result: isinstance(result, dict))
        self.assertEqual(redeemed['amount'], 25)
        self.assertIn(refused, ('busy', 'used'))
        self._assert_redeemed_once(code)
        self._assert_attempts(refused)

    def test_one_of_many_requests_that_found_the_same_card_redeems_it(self):
        code = self._generate_code()
        with self._meeting_after('_find_by_code', 8):
            results = self._at_once(self._redeem, [code] * 8)
        redeemed = [result for result in results if isinstance(result, dict)]
        refused = [result for result in results if not isinstance(result, dict)]
        self.assertEqual((len(redeemed), len(refused)), (1, 7))
        self.assertLessEqual(set(refused), {'busy', 'used'})
        self._assert_redeemed_once(code)
        self._assert_attempts(*refused)

    def test_two_cards_at_once_are_two_payments_with_a_number_each(self):
        _series_id, [one, other] = self._generate_cards(2)
        with self._transaction() as first:
            redeemed = first['refill.card'].redeem_code(one, self.customer_id)
            first.flush_all()
            with self._in_background(self._redeem, other) as second:
                self._wait_until_blocked_by(first, second)
                self.assertFalse(second.done(), "the numbers of payments do not wait in line")
                first.cr.commit()
        self.assertNotEqual(redeemed['payment'], second.result()['payment'])
        self._assert_redeemed_once(one)
        self._assert_redeemed_once(other)
        self._assert_attempts()

    def test_many_cards_at_once_are_all_redeemed(self):
        _series_id, several = self._generate_cards(6)
        with self._meeting_after('_find_by_code', 6):
            results = self._at_once(self._redeem, several)
        self.assertEqual(len({result['payment'] for result in results}), 6)
        for code in several:
            self._assert_redeemed_once(code)
        with self._committing() as env:
            partner = env['res.partner'].browse(self.customer_id).with_company(self.company_id)
            self.assertEqual(partner.credit, -150)

    def test_two_cards_at_once_do_not_pay_the_same_invoice_twice(self):
        _series_id, [one, other] = self._generate_cards(2)
        with self._committing() as env:
            line = Command.create({'name': "Month", 'price_unit': 30, 'tax_ids': False})
            invoice = env['account.move'].with_company(self.company_id)
            invoice = invoice.create(
                {
                    'move_type': 'out_invoice',
                    'partner_id': self.customer_id,
                    'invoice_line_ids': [line],
                }
            )
            invoice.action_post()
        with self._transaction() as first:
            first['refill.card'].redeem_code(one, self.customer_id)
            first.flush_all()
            with self._in_background(self._redeem, other) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
        self.assertEqual(second.result()['balance'], 20)
        with self._committing() as env:
            invoice = invoice.with_env(env)
            self.assertEqual((invoice.payment_state, invoice.amount_residual), ('paid', 0))
            paid = env['account.partial.reconcile'].search(
                [('debit_move_id.move_id', '=', invoice.id)]
            )
            self.assertEqual(sorted(paid.mapped('amount')), [5, 25])

    def _draft_invoices(self, *amounts):
        with self._committing() as env:
            invoices = env['account.move'].with_company(self.company_id)
            return invoices.create(
                [
                    {
                        'move_type': 'out_invoice',
                        'partner_id': self.customer_id,
                        'invoice_line_ids': [
                            Command.create({'name': "Month", 'price_unit': amount, 'tax_ids': []})
                        ],
                    }
                    for amount in amounts
                ]
            ).ids

    def _confirm(self, invoice_id):
        return self._request('account.move', 'action_post', [invoice_id])

    def _assert_residuals(self, invoice_ids, residuals):
        with self._committing() as env:
            invoices = env['account.move'].browse(invoice_ids)
            self.assertEqual(invoices.mapped('amount_residual'), residuals)

    def test_two_invoices_confirmed_at_once_share_the_credit(self):
        self._redeem(self._generate_code())
        invoices = self._draft_invoices(20, 20)
        with self._transaction() as first:
            first['account.move'].browse(invoices[0]).action_post()
            first.flush_all()
            with self._in_background(self._confirm, invoices[1]) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
        second.result()
        self._assert_residuals(invoices, [0, 15])

    def test_an_invoice_confirmed_while_a_card_is_redeemed_is_paid(self):
        code, invoices = self._generate_code(), self._draft_invoices(20)
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            self._confirm(invoices[0])
            self._assert_residuals(invoices, [20])
            first.cr.commit()
        self._assert_residuals(invoices, [0])

    def test_an_invoice_is_paid_by_a_card_redeemed_while_it_is_confirmed(self):
        code, invoices = self._generate_code(), self._draft_invoices(20)
        with self._transaction() as first:
            first['account.move'].browse(invoices).action_post()
            first.flush_all()
            self._redeem(code)
            first.cr.commit()
        self._assert_residuals(invoices, [0])

    def test_a_refusal_is_written_down_though_its_transaction_is_rolled_back(self):
        code = self._generate_code()
        with self._transaction() as env:
            with self.assertRaises(RefillCardRefused):
                env['refill.card'].redeem_code('QUICK-7K2M', self.customer_id)
            self._assert_attempts('typo')  # seen by another connection, before the end of this one
            env.cr.rollback()
        self._assert_attempts('typo')
        self._assert_never_redeemed(code)

    # -------------------------------------------------------------------------
    # UNDOING
    # -------------------------------------------------------------------------

    def _open_undo(self, code):
        [card_id] = self._card_ids(code)
        values = {'card_id': card_id, 'reason': "Wrong customer"}
        return self._request('refill.card.undo', 'create', values)

    def _undo(self, wizard_id):
        return self._request('refill.card.undo', 'action_undo', [wizard_id])

    def _assert_undone_once(self, code):
        with self._committing() as env:
            card = env['refill.card'].search([('code', '=', code)])
            self.assertEqual(card.state, 'active')
            self.assertFalse(card.payment_id or card.partner_id)
            self.assertEqual(card.event_ids.mapped('new_state'), ['active', 'used'])
            payment = env['account.payment'].search([('memo', '=', card.name)])
            self.assertEqual(payment.state, 'canceled')
            self.assertEqual(payment.move_id.reversal_move_ids.mapped('state'), ['posted'])
            partner = env['res.partner'].browse(self.customer_id).with_company(self.company_id)
            self.assertEqual(partner.credit, 0)

    def test_a_redemption_is_undone_once(self):
        code = self._generate_code()
        self._redeem(code)
        wizard_ids = [self._open_undo(code), self._open_undo(code)]
        with self._transaction() as first:
            first['refill.card.undo'].browse(wizard_ids[0]).action_undo()
            first.flush_all()
            with self.assertRaises(RefillCardRefused) as refused:
                self._undo(wizard_ids[1])
            self.assertEqual(refused.exception.reason, 'busy')
            first.cr.commit()
        with self.assertRaisesRegex(UserError, "is not used"):
            self._undo(wizard_ids[1])
        self._assert_undone_once(code)

    def test_a_redemption_undone_after_our_transaction_began_is_not_undone_again(self):
        code = self._generate_code()
        self._redeem(code)
        wizard_ids = [self._open_undo(code), self._open_undo(code)]
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self._undo(wizard_ids[0])
            with self.assertRaisesRegex(UserError, "is not used"):
                args = ([wizard_ids[1]],)
                execute_cr(late.cr, late.uid, 'refill.card.undo', 'action_undo', args, {})
        self._assert_undone_once(code)

    def test_a_payment_that_is_cancelled_while_its_redemption_is_undone_disables_nothing(self):
        code = self._generate_code()
        payment_id = self._redeem(code)['payment_id']
        wizard_id = self._open_undo(code)
        with self._transaction() as first:
            first['refill.card.undo'].browse(wizard_id).action_undo()
            first.flush_all()
            with self._in_background(
                self._request, 'account.payment', 'action_cancel', [payment_id]
            ) as cancel:
                self._wait_until_blocked_by(first, cancel)
                self.assertFalse(cancel.done(), "did not wait")
                first.cr.commit()
            with self.assertRaisesRegex(UserError, "is taken back once"):
                cancel.result()
        self._assert_undone_once(code)

    # -------------------------------------------------------------------------
    # FAILING IN THE MIDDLE
    # -------------------------------------------------------------------------

    def test_an_archived_account_stops_it_when_the_card_was_marked_used(self):
        code = self._generate_code()
        with self._committing() as env:
            partner = env['res.partner'].browse(self.customer_id).with_company(self.company_id)
            receivable = partner.property_account_receivable_id
            receivable.active = False
        self.addCleanup(self._activate, receivable)
        with self.assertRaisesRegex(UserError, "is archived"):
            self._redeem(code)
        self._assert_never_redeemed(code)
        self._assert_attempts()
        self._activate(receivable)
        self.assertEqual(self._redeem(code)['amount'], 25)
        self._assert_redeemed_once(code)

    def _activate(self, account):
        with self._committing() as env:
            account.with_env(env).active = True

    def test_a_crash_while_posting_or_paying_invoices_undoes_it(self):
        code = self._generate_code()
        payments = self.registry['account.payment']
        for step in ('create', 'action_post', '_pay_open_invoices', '_prepare_refill_card_result'):
            with (
                self.subTest(step=step),
                patch.object(payments, step, side_effect=ZeroDivisionError, autospec=True),
            ):
                with self.assertRaises(ZeroDivisionError):
                    self._redeem(code)
                self._assert_never_redeemed(code)
                self._assert_attempts()
        self.assertEqual(self._redeem(code)['amount'], 25)
        self._assert_redeemed_once(code)

    def test_a_lost_connection_undoes_it(self):
        code = self._generate_code()
        with self.assertRaises(OperationalError), self._transaction() as lost:
            lost['refill.card'].redeem_code(code, self.customer_id)
            lost.flush_all()
            [[pid]] = lost.execute_query(SQL("SELECT pg_backend_pid()"))
            with self._committing() as env:
                env.execute_query(SQL("SELECT pg_terminate_backend(%s, 10000)", pid))
            lost.cr.commit()
        self._assert_never_redeemed(code)
        self.assertEqual(self._redeem(code)['amount'], 25)
        self._assert_redeemed_once(code)
