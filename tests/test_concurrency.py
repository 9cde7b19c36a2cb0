"""Two customers, one card: real transactions on committed data.

A test case of Odoo's has one transaction and may not commit. This one has a company of its own,
commits to it, and takes away afterwards what the ORM lets it.
"""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time
from odoo import fields
from odoo.api import SUPERUSER_ID, Environment
from odoo.exceptions import UserError
from odoo.fields import Command, Domain
from odoo.modules.registry import Registry
from odoo.service.model import execute_cr
from odoo.tests import BaseCase, get_db_name, new_test_user, tagged
from odoo.tools import SQL, mute_logger
from psycopg2 import OperationalError

from ..refill_cards import codes
from ..refill_cards.models import refill_card_series_generation
from ..refill_cards.refusals import RefillCardRefused

LOCK_TIMEOUT = 10
KEYS = ('refill_cards.key', 'refill_cards.key_check')


class ConcurrencyCase(BaseCase):
    """A company with a chart of accounts, its accountant and a customer, all of them committed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = Registry(get_db_name())
        with cls._committing() as env:
            cls.keys = {name: env['ir.config_parameter'].get_param(name) for name in KEYS}
            company = cls._get_company(env)
            cls.company_id = company.id
            cls.addClassCleanup(cls._archive_company)
            accountant = new_test_user(
                env,
                login='refill_concurrent',
                groups='account.group_account_manager',
                company_id=company.id,
                company_ids=[Command.set(company.ids)],
            )
            cls.accountant_id = accountant.id
            cls.customer_id = env['res.partner'].create({'name': "Concurrent customer"}).id

    @classmethod
    def _get_company(cls, env):
        """Return the company, also when an earlier run left it."""
        companies = env['res.company'].with_context(active_test=False)
        company = companies.search([('name', '=', "Concurrent")])
        if company:
            company.active = True
        else:
            company = companies.create({'name': "Concurrent"})
            env['account.chart.template'].try_loading('generic_coa', company)
        return company.with_context(active_test=True)

    @classmethod
    def _archive_company(cls):
        """Take away what was committed; a company with accounts can only be archived."""
        with cls._committing() as env:
            users = env['res.users'].browse(cls.accountant_id)
            partners = users.partner_id + env['res.partner'].browse(cls.customer_id)
            users.unlink()
            partners.unlink()
            env['res.company'].browse(cls.company_id).active = False

    def setUp(self):
        super().setUp()
        self.addCleanup(self._remove_cards)
        # A request that collides waits up to 32 seconds before it tries again.
        self.startPatcher(patch('odoo.service.model.random.uniform', return_value=0))

    def _remove_cards(self):
        with self._committing() as env:
            self._delete_cards(env)
            payments = env['account.payment'].search([('company_id', '=', self.company_id)])
            payments.action_draft()
            payments.unlink()
            moves = env['account.move'].search([('company_id', '=', self.company_id)])
            moves.button_draft()
            moves.with_context(force_delete=True).unlink()
            for name, value in self.keys.items():
                env['ir.config_parameter'].set_param(name, value)

    def _delete_cards(self, env):
        """Delete with SQL what the ORM keeps: used cards, their series and history, refusals."""
        accountant = env['res.users'].browse(self.accountant_id)
        series = env['refill.card.series'].search([('company_id', '=', self.company_id)])
        messages = [('model', '=', series._name), ('res_id', 'in', series.ids)]
        env['mail.message'].search(messages).unlink()
        env['refill.card.generate'].search([('create_uid', '=', self.accountant_id)]).unlink()
        for table, column, values in (
            ('refill_card_attempt', 'user_id', [self.accountant_id]),
            ('refill_card_lockout', 'partner_id', [self.customer_id]),
            ('refill_card_lockout', 'origin', [accountant.login]),
            ('refill_card_event', 'company_id', [self.company_id]),
            ('refill_card', 'series_id', series.ids),
            ('refill_card_series', 'id', series.ids),
        ):
            table, column = SQL.identifier(table), SQL.identifier(column)
            env.cr.execute(SQL("DELETE FROM %s WHERE %s = ANY(%s)", table, column, values))
        env.invalidate_all()

    # -------------------------------------------------------------------------
    # TRANSACTIONS
    # -------------------------------------------------------------------------

    @classmethod
    @contextmanager
    def _committing(cls):
        """Yield the superuser's environment in a transaction that is committed in the end."""
        with cls.registry.cursor() as cr:
            yield Environment(cr, SUPERUSER_ID, {})
        cls.registry.signal_changes()

    @contextmanager
    def _transaction(self):
        """Yield the accountant's environment in a transaction that is left to the test."""
        with closing(self.registry.cursor()) as cr:
            env = Environment(cr, self.accountant_id, {})
            # Rather fail than hang.
            env.cr.execute(SQL("SET lock_timeout = %s", f'{LOCK_TIMEOUT}s'))
            env.cr.commit()
            yield env

    def _request(self, model, method, *args):
        """Call a method as Odoo's RPC does: a transaction of its own, repeated when it collides."""
        with self._transaction() as env:
            return execute_cr(env.cr, self.accountant_id, model, method, args, {})

    def _redeem(self, code):
        """Redeem as the API does; return the result, or the reason of the refusal."""
        try:
            return self._request('refill.card', 'redeem_code', code, self.customer_id)
        except RefillCardRefused as refused:
            return refused.reason

    @contextmanager
    def _in_background(self, function, *args):
        """Call a function in a thread and yield its future, finished after the block."""
        with ThreadPoolExecutor(1) as executor:
            yield executor.submit(function, *args)

    def _at_once(self, function, arguments):
        """Call a function with each of the arguments, every call in a thread of its own."""
        with ThreadPoolExecutor(len(arguments)) as executor:
            return list(executor.map(function, arguments))

    @contextmanager
    def _meeting_after(self, method, count):
        """Let no transaction go on after its first call of a card's method before all are there."""
        model = self.registry['refill.card']
        original = getattr(model, method)
        barrier, arrived = threading.Barrier(count), set()

        def meet(cards, *args, **kwargs):
            result = original(cards, *args, **kwargs)
            if threading.get_ident() not in arrived:
                arrived.add(threading.get_ident())
                barrier.wait(LOCK_TIMEOUT)
            return result

        with patch.object(model, method, meet):
            yield

    def _wait_until_blocked_by(self, env, future):
        """Return when the future's transaction waits for the environment's, or is over."""
        [[pid]] = env.execute_query(SQL("SELECT pg_backend_pid()"))
        with closing(self.registry.cursor()) as cr:
            blocked = SQL("SELECT FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))", pid)
            while not future.done():
                cr.execute(blocked)
                if cr.rowcount:
                    return
                cr.rollback()
                wait([future], timeout=0.02)

    # -------------------------------------------------------------------------
    # CARDS
    # -------------------------------------------------------------------------

    def _generate(self, quantity=1):
        """Generate a series as the web client does and return its id."""
        values = {'quantity': quantity, 'price': 25, 'prefix': 'QUICK'}
        wizard_id = self._request('refill.card.generate', 'create', values)
        action = self._request('refill.card.generate', 'action_generate', [wizard_id])
        [(_field, _operator, series_id)] = action['domain']
        return series_id

    def _generate_cards(self, quantity=1):
        """Return the series' id and the codes of its cards."""
        series_id = self._generate(quantity)
        with self._committing() as env:
            cards = env['refill.card'].search([('series_id', '=', series_id)])
            return series_id, cards.mapped('code')

    def _generate_code(self):
        [code] = self._generate_cards()[1]
        return code

    def _assert_redeemed_once(self, code):
        """Assert that the card with this code is one payment and one line of history."""
        with self._committing() as env:
            card = env['refill.card'].search([('code', '=', code)])
            self.assertEqual(card.state, 'used')
            payments = env['account.payment'].search([('memo', '=', card.name)])
            self.assertEqual(card.payment_id, payments)
            self.assertEqual(len(payments), 1)
            self.assertEqual((payments.state, payments.amount), ('paid', 25))
            self.assertEqual(payments.move_id.state, 'posted')
            self.assertEqual(card.event_ids.mapped('new_state'), ['used'])

    def _assert_never_redeemed(self, code):
        """Assert that nothing is left of a redemption."""
        with self._committing() as env:
            card = env['refill.card'].search([('code', '=', code)])
            self.assertEqual(card.state, 'active')
            self.assertFalse(card.payment_id or card.partner_id or card.used_on or card.used_by_id)
            self.assertFalse(card.event_ids)
            self.assertFalse(env['account.payment'].search([('company_id', '=', self.company_id)]))
            self.assertFalse(env['account.move'].search([('company_id', '=', self.company_id)]))

    def _assert_attempts(self, *reasons):
        with self._committing() as env:
            attempts = env['refill.card.attempt'].search([('user_id', '=', self.accountant_id)])
            self.assertEqual(sorted(attempts.mapped('reason')), sorted(reasons))
            self.assertLessEqual(set(attempts.partner_id.ids), {self.customer_id})


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
    # GUESSING
    # -------------------------------------------------------------------------

    def _guesses(self, count):
        """Return well-formed codes that no card has."""
        fmt = codes.Format('base32', 12, 'QUICK')
        return [fmt.display(body) for body in fmt.generate(count)]

    def _count_guesses(self):
        with self._committing() as env:
            domain = [('partner_id', '=', self.customer_id)]
            lockouts = env['refill.card.lockout'].search(domain)
            return sum(lockouts.mapped('guesses'))

    def test_guesses_at_once_are_looked_up_no_oftener_than_one_after_the_other(self):
        self._generate()
        reasons = self._at_once(self._redeem, self._guesses(16))
        self.assertEqual(sorted(reasons), ['locked_out'] * 11 + ['unknown'] * 5)
        self._assert_attempts(*['unknown'] * 5, 'locked_out')
        self.assertEqual(self._count_guesses(), 5)

    def test_a_code_waits_until_the_guess_before_it_is_counted(self):
        code = self._generate_code()
        *earlier, last = self._guesses(5)
        for guess in earlier:
            self.assertEqual(self._redeem(guess), 'unknown')
        model, looking, go_on = self.registry['refill.card'], threading.Event(), threading.Event()
        seal = model._seal

        def seal_slowly(cards, text):
            looking.set()
            go_on.wait(LOCK_TIMEOUT)
            return seal(cards, text)

        with (
            patch.object(model, '_seal', seal_slowly),
            self._in_background(self._redeem, last) as guess,
        ):
            self.assertTrue(looking.wait(LOCK_TIMEOUT))
            looking.clear()
            with self._in_background(self._redeem, code) as right:
                self._wait_until_one_is_blocked()
                self.assertFalse(looking.is_set(), "looked up beside the guess")
                go_on.set()
        self.assertEqual((guess.result(), right.result()), ('unknown', 'locked_out'))
        self._assert_never_redeemed(code)

    def _wait_until_one_is_blocked(self):
        """Return when some transaction on the counts waits for another one."""
        with closing(self.registry.cursor()) as cr:
            for _ in range(LOCK_TIMEOUT * 50):
                cr.execute(
                    SQL(
                        """
                        SELECT FROM pg_stat_activity
                         WHERE wait_event_type = 'Lock' AND datname = current_database()
                           AND query LIKE '%%refill_card_lockout%%'
                        """
                    )
                )
                if cr.rowcount:
                    return
                cr.rollback()
                threading.Event().wait(0.02)
        self.fail("nobody waits")

    def test_a_customer_whom_the_transaction_itself_created_is_counted_by_the_user(self):
        self._generate()
        with self._transaction() as env:
            customer = env['res.partner'].sudo().create({'name': "New"})
            with self.assertRaises(RefillCardRefused) as refused:
                env['refill.card'].redeem_code(self._guesses(1)[0], customer.id)
            env.cr.rollback()
            self.assertEqual(refused.exception.reason, 'unknown')
            domain = [('origin', '=', env.user.login)]
            self.assertEqual(env['refill.card.lockout'].search(domain).guesses, 1)

    def test_customers_who_redeem_do_not_wait_for_each_other_s_payment(self):
        _series_id, [one, other] = self._generate_cards(2)
        with self._transaction() as first:
            first['refill.card'].redeem_code(one, self.customer_id)
            first.flush_all()
            self.assertEqual(self._redeem(self._guesses(1)[0]), 'unknown')
            self.assertEqual(self._redeem(one), 'busy')
            first.cr.commit()
        self.assertEqual(self._redeem(other)['amount'], 25)

    def test_the_count_is_cleared_when_the_redemption_is_certain(self):
        code = self._generate_code()
        for guess in self._guesses(4):
            self._redeem(guess)
        with self._transaction() as env:
            env['refill.card'].redeem_code(code, self.customer_id)
            env.flush_all()
            self.assertEqual(self._count_guesses(), 4)
            env.cr.rollback()
        self.assertEqual(self._count_guesses(), 4)
        self.assertEqual(self._redeem(code)['amount'], 25)
        self.assertEqual(self._count_guesses(), 0)

    def test_a_guess_counted_meanwhile_does_not_hinder_clearing(self):
        code = self._generate_code()
        with self._transaction() as env:
            env['refill.card'].redeem_code(code, self.customer_id)
            env.flush_all()
            self.assertEqual(self._redeem(self._guesses(1)[0]), 'unknown')
            env.cr.commit()
        self._assert_redeemed_once(code)
        self.assertEqual(self._count_guesses(), 0)

    # -------------------------------------------------------------------------
    # CHANGING WHAT IS BEING REDEEMED
    # -------------------------------------------------------------------------

    def _card_ids(self, code):
        with self._committing() as env:
            return env['refill.card'].search([('code', '=', code)]).ids

    def test_a_card_that_is_just_being_redeemed_cannot_be_deleted(self):
        code = self._generate_code()
        card_ids = self._card_ids(code)
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self.assertRaises(RefillCardRefused) as refused:
                self._request('refill.card', 'unlink', card_ids)
            self.assertEqual(refused.exception.reason, 'busy')
            first.cr.commit()
        with self.assertRaisesRegex(UserError, "was used"):
            self._request('refill.card', 'unlink', card_ids)
        self._assert_redeemed_once(code)

    def test_a_card_redeemed_after_our_transaction_began_cannot_be_deleted(self):
        code = self._generate_code()
        card_ids = self._card_ids(code)
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self.assertEqual(self._redeem(code)['amount'], 25)
            with self.assertRaisesRegex(UserError, "was used"):
                execute_cr(late.cr, late.uid, 'refill.card', 'unlink', (card_ids,), {})
        self._assert_redeemed_once(code)

    def test_a_card_that_is_just_being_deleted_is_busy_and_then_unknown(self):
        code = self._generate_code()
        with self._transaction() as deleting:
            deleting['refill.card'].browse(self._card_ids(code)).unlink()
            self.assertEqual(self._redeem(code), 'busy')
            deleting.cr.commit()
        self.assertEqual(self._redeem(code), 'unknown')
        self._assert_attempts('busy', 'unknown')

    def test_a_card_deleted_after_our_transaction_began_is_unknown(self):
        code = self._generate_code()
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self._request('refill.card', 'unlink', self._card_ids(code))
            with self.assertRaises(RefillCardRefused) as refused:
                args = (code, self.customer_id)
                execute_cr(late.cr, late.uid, 'refill.card', 'redeem_code', args, {})
        self.assertEqual(refused.exception.reason, 'unknown')
        with self._committing() as env:
            self.assertFalse(env['account.payment'].search([('company_id', '=', self.company_id)]))

    def test_a_series_with_a_card_that_is_just_being_redeemed_cannot_be_deleted(self):
        series_id, [code, _other] = self._generate_cards(2)
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self.assertRaises(UserError):
                self._request('refill.card.series', 'unlink', [series_id])
            first.cr.commit()
        self._assert_series_cannot_be_deleted(series_id, code)

    def test_a_series_with_a_card_redeemed_after_our_transaction_began_cannot_be_deleted(self):
        series_id, [code, _other] = self._generate_cards(2)
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self.assertEqual(self._redeem(code)['amount'], 25)
            with self.assertRaisesRegex(UserError, "were used"):
                execute_cr(late.cr, late.uid, 'refill.card.series', 'unlink', ([series_id],), {})
        self._assert_series_cannot_be_deleted(series_id, code)

    def _assert_series_cannot_be_deleted(self, series_id, code):
        with self.assertRaisesRegex(UserError, "were used"):
            self._request('refill.card.series', 'unlink', [series_id])
        self._assert_redeemed_once(code)
        with self._committing() as env:
            self.assertEqual(env['refill.card.series'].browse(series_id).card_count, 2)
            of_cards = [('user_id', '=', self.accountant_id), ('card_id', '!=', False)]
            events = env['refill.card.event'].search(of_cards)
            self.assertEqual(events.mapped('new_state'), ['used'])

    def test_the_price_of_a_card_that_is_just_being_redeemed_stays(self):
        series_id, [code] = self._generate_cards()
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self._in_background(
                self._request, 'refill.card.series', 'write', [series_id], {'price': 999}
            ) as change:
                self._wait_until_blocked_by(first, change)
                first.cr.commit()
        with self.assertRaisesRegex(UserError, "were used"):
            change.result()
        self._assert_redeemed_once(code)
        with self._committing() as env:
            self.assertEqual(env['refill.card.series'].browse(series_id).price, 25)

    def test_a_card_whose_price_changed_after_our_transaction_began_is_worth_the_new_price(self):
        series_id, [code] = self._generate_cards()
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self._request('refill.card.series', 'write', [series_id], {'price': 999})
            args = (code, self.customer_id)
            redeemed = execute_cr(late.cr, late.uid, 'refill.card', 'redeem_code', args, {})
        self.assertEqual(redeemed['amount'], 999)

    # -------------------------------------------------------------------------
    # CHANGING CARDS THAT ARE BEING REDEEMED
    # -------------------------------------------------------------------------

    def _open_window(self, code, **values):
        values = {'card_ids': self._card_ids(code), **values}
        return self._request('refill.card.change', 'create', values)

    def _change(self, wizard_id):
        return self._request('refill.card.change', 'action_confirm', [wizard_id])

    def _open_changes(self, code):
        """Return a window for each operation that makes a difference to a live card."""
        return [
            self._open_window(code, operation='disable', reason='stolen'),
            self._open_window(code, operation='deactivate'),
            self._open_window(code, operation='extend'),
            self._open_window(code, operation='companies', company_ids=[]),
        ]

    def test_a_card_that_is_just_being_redeemed_is_not_moved_to_another_series(self):
        _series_id, [code, _other] = self._generate_cards(2)
        wizard_id = self._open_window(code, operation='companies', company_ids=[])
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with self.assertRaisesRegex(UserError, "just being generated or redeemed"):
                self._change(wizard_id)
            first.cr.commit()
        with self.assertRaisesRegex(UserError, "1 used"):
            self._change(wizard_id)
        self._assert_redeemed_once(code)

    def test_a_card_that_is_just_being_redeemed_is_not_changed(self):
        for number in range(3):
            _series_id, [code, _other] = self._generate_cards(2)
            wizard_id = self._open_changes(code)[number]
            with self.subTest(number), self._transaction() as first:
                first['refill.card'].redeem_code(code, self.customer_id)
                first.flush_all()
                with self._in_background(self._change, wizard_id) as change:
                    self._wait_until_blocked_by(first, change)
                    self.assertFalse(change.done(), "did not wait for the redemption")
                    first.cr.commit()
                with self.assertRaisesRegex(UserError, "1 used"):
                    change.result()
                self._assert_redeemed_once(code)

    def test_a_card_redeemed_after_our_transaction_began_is_not_changed(self):
        for number in range(4):
            _series_id, [code, _other] = self._generate_cards(2)
            wizard_id = self._open_changes(code)[number]
            with self.subTest(number), self._transaction() as late:
                late.execute_query(SQL("SELECT 1"))
                self.assertEqual(self._redeem(code)['amount'], 25)
                with self.assertRaisesRegex(UserError, "1 used"):
                    args = ([wizard_id],)
                    execute_cr(late.cr, late.uid, 'refill.card.change', 'action_confirm', args, {})
                self._assert_redeemed_once(code)

    def test_a_card_that_is_just_being_disabled_is_busy_and_then_disabled(self):
        code = self._generate_code()
        wizard_id = self._open_window(code, operation='disable', reason='stolen')
        with self._transaction() as late, self._transaction() as disabling:
            late.execute_query(SQL("SELECT 1"))
            disabling['refill.card.change'].browse(wizard_id).action_confirm()
            self.assertEqual(self._redeem(code), 'busy')
            disabling.cr.commit()
            with self.assertRaises(RefillCardRefused) as refused:
                args = (code, self.customer_id)
                execute_cr(late.cr, late.uid, 'refill.card', 'redeem_code', args, {})
        self.assertEqual(refused.exception.reason, 'disabled')
        self.assertEqual(self._redeem(code), 'disabled')
        self._assert_no_payment()

    def test_a_card_that_just_expires_is_busy_and_then_expired(self):
        code = self._generate_code()
        with self._transaction() as expiring:
            card = expiring['refill.card'].browse(self._card_ids(code))
            card._change_state('expired', channel='automatic')
            self.assertEqual(self._redeem(code), 'busy')
            expiring.cr.commit()
        self.assertEqual(self._redeem(code), 'expired')
        self._assert_no_payment()

    def test_a_card_that_is_just_being_redeemed_does_not_expire(self):
        code = self._generate_code()
        with self._transaction() as first:
            first['refill.card'].redeem_code(code, self.customer_id)
            first.flush_all()
            with freeze_time(fields.Date.today() + timedelta(days=500)), self._committing() as env:
                env.ref('refill_cards.ir_cron_expire').method_direct_trigger()
            first.cr.commit()
        self._assert_redeemed_once(code)

    def _assert_no_payment(self):
        with self._committing() as env:
            self.assertFalse(env['account.payment'].search([('company_id', '=', self.company_id)]))

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
            self.assertEqual((payment.state, payment.move_id.state), ('canceled', 'cancel'))
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
            with self.assertRaisesRegex(UserError, "Only draft journal entries"):
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

    # -------------------------------------------------------------------------
    # GENERATING
    # -------------------------------------------------------------------------

    def _assert_distinct(self, series_ids, quantity):
        with self._committing() as env:
            series = env['refill.card.series'].browse(series_ids)
            cards = env['refill.card'].search([('series_id', 'in', series_ids)])
            self.assertEqual(set(series.mapped('state')), {'ready'})
            self.assertEqual(len(set(series.mapped('name'))), len(series_ids))
            self.assertEqual(len(set(cards.mapped('name'))), quantity)
            self.assertEqual(len(set(cards.mapped('code'))), quantity)
            self.assertEqual(series.mapped('card_count'), [quantity // len(series)] * len(series))

    def test_many_series_at_once_share_nothing(self):
        self._generate()
        series_ids = self._at_once(self._generate, [50] * 4)
        self._assert_distinct(series_ids, 200)

    def _assert_both_are_generated(self):
        """Assert that of two series generated at once the second waits, and both are whole."""
        with self._transaction() as first:
            wizard = first['refill.card.generate'].create({'quantity': 5, 'price': 25})
            action = wizard.action_generate()
            first.flush_all()
            with self._in_background(self._generate, 5) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
        self._assert_distinct([action['domain'][0][2], second.result()], 10)

    def test_two_first_series_adopt_the_key_at_once(self):
        self._change_key()
        self._assert_both_are_generated()

    def test_a_first_series_adopts_the_key_though_another_one_is_rolled_back(self):
        # Odoo's cache of parameters shows what other transactions have not committed yet.
        self._change_key()
        with self._transaction() as first:
            first['refill.card.generate'].create({'quantity': 5, 'price': 25}).action_generate()
            first.flush_all()
            self.assertTrue(first['refill.card'].search([], order='id desc', limit=1).code)
            with self._in_background(self._generate, 5) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.rollback()
                self.registry.reset_changes()
        self._assert_distinct([second.result()], 5)

    def _change_key(self):
        """Give the server a key of its own, which the first cards adopt."""
        model, key = self.registry['refill.card'], codes.generate_key()
        count, own = model.search_count, Domain('series_id.company_id', '=', self.company_id)

        def count_own(cards, domain, limit=None):
            return count(cards, own & Domain(domain), limit=limit)

        # Cards that somebody else left in the database would keep their key.
        self.startPatcher(patch.object(model, 'search_count', count_own))
        keys = self.registry['refill.card.key']
        self.startPatcher(patch.object(keys, '_get_server_key', return_value=key))

    def test_the_first_series_after_all_cards_were_deleted_may_be_generated_at_once(self):
        self._request('refill.card.series', 'unlink', [self._generate()])
        self._assert_both_are_generated()

    def test_a_code_that_another_transaction_draws_at_the_same_time_is_drawn_again(self):
        self._generate()
        draw = codes.Format.generate
        [body] = codes.Format('base32', 12).generate(1)
        drawn = []

        def draw_the_same_twice(fmt, count):
            drawn.append(count)
            return [body, *draw(fmt, count - 1)] if len(drawn) <= 2 else draw(fmt, count)

        with (
            patch.object(codes.Format, 'generate', draw_the_same_twice),
            self._transaction() as first,
        ):
            wizard = first['refill.card.generate'].create({'quantity': 5, 'price': 25})
            self.assertTrue(wizard.code_example)  # drawn before the codes of the cards
            drawn.clear()
            action = wizard.action_generate()
            first.flush_all()
            with self._in_background(self._generate, 5) as second:
                self._wait_until_blocked_by(first, second)
                self.assertFalse(second.done(), "the same code was not drawn")
                first.cr.commit()
        self._assert_distinct([action['domain'][0][2], second.result()], 10)

    # -------------------------------------------------------------------------
    # GENERATING IN THE BACKGROUND
    # -------------------------------------------------------------------------

    def _generate_later(self, quantity):
        """Generate a series that is left to the background and return its id."""
        with patch.object(refill_card_series_generation, 'IMMEDIATE_QUANTITY', 0):
            return self._generate(quantity)

    def _run_cron(self):
        with self._committing() as env:
            env.ref('refill_cards.ir_cron_generate').method_direct_trigger()

    def _get_states(self, series_ids):
        with self._committing() as env:
            return env['refill.card.series'].browse(series_ids).mapped('state')

    def test_a_series_that_somebody_edits_is_generated_soon_and_the_others_at_once(self):
        series_ids = [self._generate_later(5), self._generate_later(5)]
        with self._transaction() as editing:
            editing['refill.card.series'].browse(series_ids[0]).price = 30
            editing.flush_all()
            with self._in_background(self._run_cron) as job:
                self._wait_until_blocked_by(editing, job)
                states = self._get_states(series_ids)
                editing.cr.commit()
        job.result()
        self.assertEqual(states, ['generating', 'ready'])
        with self._committing() as env:
            cron = env.ref('refill_cards.ir_cron_generate')
            scheduled = env['ir.cron.trigger'].search([('cron_id', '=', cron.id)])
            self.assertTrue(scheduled, "forgotten until tomorrow")
        self._run_cron()
        self._assert_distinct(series_ids, 10)

    @contextmanager
    def _making_the_second_batch(self):
        """Run the job, and yield between the moment its second batch is inserted and its commit."""
        model = self.registry['refill.card']
        insert, calls, in_time = model._insert, [], []
        inserted, go_on = threading.Event(), threading.Event()

        def insert_and_wait(*args):
            made = insert(*args)
            calls.append(made)
            if len(calls) == 2:
                inserted.set()
                in_time.append(go_on.wait(LOCK_TIMEOUT / 2))
            return made

        with (
            patch.object(refill_card_series_generation, 'BATCH', 3),
            patch.object(model, '_insert', insert_and_wait),
            self._in_background(self._run_cron) as job,
        ):
            try:
                self.assertTrue(inserted.wait(LOCK_TIMEOUT))
                yield
            finally:
                go_on.set()
        job.result()
        self.assertEqual(in_time, [True], "the others waited for the batch")

    # -------------------------------------------------------------------------
    # CODES THAT LEAVE
    # -------------------------------------------------------------------------

    def _open_codes(self, env, series_id):
        """Open the codes of a series as exports, prints and e-mails do; return its only row."""
        rows = env['refill.card']._iterate_rows(Domain('series_id', '=', series_id), 10)
        return next(rows)[0]

    def test_a_price_does_not_change_while_the_codes_are_exported(self):
        series_id = self._generate()
        with self._transaction() as exporting:
            row = self._open_codes(exporting, series_id)
            with self._in_background(
                *(self._request, 'refill.card.series', 'write', [series_id], {'price': 50})
            ) as change:
                self._wait_until_blocked_by(exporting, change)
                exporting.cr.commit()
        with self.assertRaisesRegex(UserError, "stay as they are"):
            change.result()
        with self._committing() as env:
            self.assertEqual(env['refill.card.series'].browse(series_id).price, row.price)

    def test_an_export_does_not_tell_the_price_of_before(self):
        series_id = self._generate()
        with self._transaction() as exporting:
            exporting.execute_query(SQL("SELECT 1"))  # from here on it sees the price of before
            self._request('refill.card.series', 'write', [series_id], {'price': 50})
            with mute_logger('odoo.sql_db'), self.assertRaises(OperationalError):
                self._open_codes(exporting, series_id)
            exporting.cr.rollback()
            self.assertEqual(self._open_codes(exporting, series_id).price, 50)

    def test_a_series_cannot_be_deleted_while_a_batch_is_made(self):
        series_id = self._generate_later(10)
        with self._making_the_second_batch(), self.assertRaises(UserError):
            self._request('refill.card.series', 'unlink', [series_id])
        self._assert_distinct([series_id], 10)

    def test_a_card_of_an_early_batch_is_redeemed_while_the_next_is_made(self):
        series_id = self._generate_later(10)
        with self._making_the_second_batch():
            with self._committing() as env:
                code = env['refill.card'].search([('series_id', '=', series_id)], limit=1).code
            self.assertEqual(self._redeem(code)['amount'], 25)
        self._assert_redeemed_once(code)
        self._assert_distinct([series_id], 10)
