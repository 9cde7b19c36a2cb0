import threading
from contextlib import closing, contextmanager
from types import SimpleNamespace
from unittest.mock import patch

from odoo.http import _request_stack
from odoo.tests import tagged
from odoo.tools import SQL

from ..refill_cards import codes
from ..refill_cards.refusals import RefillCardRefused
from .concurrency import LOCK_TIMEOUT, ConcurrencyCase


@tagged('post_install', '-at_install')
class TestConcurrencyGuessing(ConcurrencyCase):
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

    def test_who_counts_for_the_first_time_waits_for_whoever_does_so_just_now(self):
        self._generate()
        [code] = self._guesses(1)

        def guess():
            """Call it as a job does, which Odoo does not try again."""
            with self._transaction() as env:
                env['refill.card'].redeem_code(code, self.customer_id)

        with self._committing() as env:
            lockouts = env['refill.card.lockout'].with_user(self.accountant_id).sudo()
            lockouts._hold(env['res.partner'].browse(self.customer_id), lockouts.env.user.login)
            with self._in_background(guess) as guessed:
                self._wait_until_one_is_blocked()
                env.cr.commit()
        with self.assertRaises(RefillCardRefused):
            guessed.result()
        self.assertEqual(self._count_guesses(), 1)

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
    # WHAT ODOO TRIES AGAIN
    # -------------------------------------------------------------------------

    @contextmanager
    def _within_a_request(self):
        """Let a call come from a request, the same one when Odoo tries it again."""
        request = SimpleNamespace(httprequest=SimpleNamespace(remote_addr='::1', files={}))
        request._get_session_and_dbname = lambda: ({}, self.registry.db_name)
        _request_stack.push(request)
        try:
            yield
        finally:
            _request_stack.pop()

    @contextmanager
    def _used_before_booking(self, code):
        """Let somebody else use a card when a batch has looked up its codes, for the first time."""
        model = self.registry['refill.card']
        redeem_each, tries = model._redeem_each, []

        def be_late(cards, *args, **kwargs):
            tries.append(cards)
            if len(tries) == 1:
                with self._in_background(self._request, 'refill.card', 'redeem_code', code):
                    pass
            return redeem_each(cards, *args, **kwargs)

        with patch.object(model, '_redeem_each', be_late):
            yield tries

    def test_what_is_tried_again_counts_and_records_wrong_codes_once(self):
        _series_id, [good, taken, used, late] = self._generate_cards(4)
        self._redeem(used)
        codes = [good, taken, 'x', used, *self._guesses(5), late]
        with self._used_before_booking(taken) as tries, self._within_a_request():
            answers = self._request('refill.card', 'redeem_codes', codes, self.customer_id)
        self.assertEqual(len(tries), 2)
        reasons = [None, 'used', 'typo', 'used', *['unknown'] * 5, 'locked_out']
        self.assertEqual([answer.get('reason') for answer in answers], reasons)
        self._assert_redeemed_once(good)
        self.assertEqual(self._count_guesses(), 5)
        self._assert_attempts(*filter(None, reasons))
        with self._committing() as env:
            [lockout] = env['refill.card.lockout'].search([('partner_id', '=', self.customer_id)])
            self.assertEqual(lockout.typos, 1)

    def test_another_call_within_the_same_request_counts(self):
        self._generate()
        codes = self._guesses(4)
        with self._within_a_request():
            for batch in (codes[:2], codes[2:]):
                self._request('refill.card', 'redeem_codes', batch, self.customer_id)
        self.assertEqual(self._count_guesses(), 4)
