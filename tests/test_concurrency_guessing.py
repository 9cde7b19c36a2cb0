import threading
from contextlib import closing
from unittest.mock import patch

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
