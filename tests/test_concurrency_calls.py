import logging
from unittest.mock import patch

from odoo.api import SUPERUSER_ID
from odoo.service.model import execute_cr, retrying
from odoo.tests import tagged
from odoo.tools import SQL
from psycopg2 import OperationalError

from ..refill_cards.refusals import RefillCardRefused
from .concurrency import ConcurrencyCase


@tagged('post_install', '-at_install')
class TestConcurrencyCalls(ConcurrencyCase):
    """The same call again: while it is under way, after it, and after it failed."""

    def _delete_cards(self, env):
        env['refill.card.call'].search([]).unlink()
        return super()._delete_cards(env)

    def _call(self, code, reference):
        """Redeem as the API does; return the answer, or the reason of the refusal."""
        kwargs = {'reference': reference}
        with self._transaction() as env:
            args = (code, self.customer_id)
            try:
                return execute_cr(env.cr, env.uid, 'refill.card', 'redeem_code', args, kwargs)
            except RefillCardRefused as refused:
                return refused.reason

    def _begin(self, env, code, reference):
        """Redeem in a transaction that the test ends."""
        answer = env['refill.card'].redeem_code(code, self.customer_id, reference=reference)
        env.flush_all()
        return answer

    def test_a_call_that_is_under_way_is_busy_and_then_answered(self):
        code = self._generate_code()
        with self._transaction() as first:
            answer = self._begin(first, code, 'a')
            self.assertEqual(self._call(code, 'a'), 'busy')
            first.cr.commit()
        self.assertEqual(self._call(code, 'a'), answer)
        self._assert_redeemed_once(code)
        self._assert_attempts()

    def _wait(self, function, reference='a'):
        """Answer as the portal does, which waits for the same call."""
        with self._transaction() as env:
            calls = env['refill.card.call']
            return retrying(lambda: calls._answer(reference, 'x', [], function, wait=True), env)

    def test_who_waits_gets_the_answer_without_starting_again(self):
        with self._transaction() as first:
            first['refill.card.call']._answer('a', 'x', [], lambda: {'n': 1})
            first.flush_all()
            with self._in_background(self._wait, lambda: {'n': 2}) as second:
                self._wait_until_blocked_by(first, second)
                self.assertFalse(second.done(), "did not wait")
                with self.assertNoLogs('odoo.service.model', logging.INFO):
                    first.cr.commit()
                    self.assertEqual(second.result(), {'n': 1})

    def test_who_waits_for_what_fails_does_it(self):
        with self._transaction() as first:
            first['refill.card.call']._answer('a', 'x', [], lambda: {'n': 1})
            first.flush_all()
            with self._in_background(self._wait, lambda: {'n': 2}) as second:
                self._wait_until_blocked_by(first, second)
                first.cr.rollback()
        self.assertEqual(second.result(), {'n': 2})
        self.assertEqual(self._wait(lambda: {'n': 3}), {'n': 2})

    def test_a_call_that_failed_is_done_by_its_repetition(self):
        code = self._generate_code()
        with self._transaction() as first:
            self._begin(first, code, 'a')
            first.cr.rollback()
        self.assertEqual(self._call(code, 'a')['amount'], 25)
        self._assert_redeemed_once(code)

    def test_a_crash_after_the_answer_leaves_neither(self):
        code = self._generate_code()
        with self.assertRaises(OperationalError), self._transaction() as lost:
            self._begin(lost, code, 'a')
            [[pid]] = lost.execute_query(SQL("SELECT pg_backend_pid()"))
            with self._committing() as env:
                env.execute_query(SQL("SELECT pg_terminate_backend(%s, 10000)", pid))
            lost.cr.commit()
        self._assert_never_redeemed(code)
        self.assertEqual(self._call(code, 'a')['amount'], 25)
        self._assert_redeemed_once(code)

    def test_an_answer_given_after_our_transaction_began_is_given_again(self):
        code = self._generate_code()
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))  # from here on it sees no call
            answer = self._call(code, 'a')
            args, kwargs = (code, self.customer_id), {'reference': 'a'}
            with self.assertLogs('odoo.service.model', logging.INFO) as logs:
                again = execute_cr(late.cr, late.uid, 'refill.card', 'redeem_code', args, kwargs)
        self.assertIn('SERIALIZATION_FAILURE', logs.output[0])
        self.assertEqual(again, answer)
        self._assert_redeemed_once(code)
        self._assert_attempts()

    def test_nothing_is_looked_up_for_a_call_that_was_answered_meanwhile(self):
        code = self._generate_code()
        with self._transaction() as late:
            late.execute_query(SQL("SELECT 1"))
            self._call(code, 'a')
            args, kwargs = (code, self.customer_id), {'reference': 'a'}
            cards = self.registry['refill.card']
            with patch.object(cards, '_find_by_code', side_effect=ZeroDivisionError):
                execute_cr(late.cr, late.uid, 'refill.card', 'redeem_code', args, kwargs)

    def test_other_parameters_are_refused_once_the_first_call_is_answered(self):
        _series_id, [one, other] = self._generate_cards(2)
        with self._transaction() as first:
            self._begin(first, one, 'a')
            self.assertEqual(self._call(other, 'a'), 'busy')
            first.cr.commit()
        self.assertEqual(self._call(other, 'a'), 'reference')
        self._assert_never_used(other)

    def _assert_never_used(self, code):
        with self._committing() as env:
            self.assertEqual(env['refill.card'].search([('code', '=', code)]).state, 'active')

    def test_another_user_with_the_same_reference_is_another_call(self):
        code = self._generate_code()
        with self._transaction() as first:
            calls = first['refill.card.call'].with_user(SUPERUSER_ID)
            calls._answer('a', 'redeem_code', [], lambda: {'serial': 'x'})
            first.flush_all()
            self.assertEqual(self._call(code, 'a')['amount'], 25)
            first.cr.commit()
        self._assert_redeemed_once(code)

    def test_the_same_call_many_times_at_once_is_answered_the_same_or_busy(self):
        code = self._generate_code()
        results = self._at_once(lambda _n: self._call(code, 'a'), range(8))
        answers = [result for result in results if isinstance(result, dict)]
        self.assertTrue(answers)
        self.assertEqual(answers, answers[:1] * len(answers))
        self.assertLessEqual({r for r in results if isinstance(r, str)}, {'busy'})
        self.assertEqual(self._call(code, 'a'), answers[0])
        self._assert_redeemed_once(code)
        self._assert_attempts()

    # -------------------------------------------------------------------------
    # RANGES OF CARDS
    # -------------------------------------------------------------------------

    def test_cards_that_somebody_else_just_activates_are_told_as_active(self):
        generate = (2, 25, None, None, None, None, None, True)
        series = self._request('refill.card', 'generate', *generate)
        ends = series['first'], series['last']
        with self._transaction() as first:
            done = first['refill.card'].activate(*ends)
            first.flush_all()
            with self._in_background(
                self._request, 'refill.card', 'disable', *ends, 'lost'
            ) as late:
                self._wait_until_blocked_by(first, late)
                with self._in_background(self._request, 'refill.card', 'activate', *ends) as again:
                    self._wait_until_blocked_by(first, again)
                    first.cr.commit()
        self.assertEqual([answer['reason'] for answer in done], [None, None])
        self.assertEqual([answer['reason'] for answer in late.result()], [None, None])
        self.assertLessEqual({a['reason'] for a in again.result()}, {'active', 'disabled'})
        with self._committing() as env:
            cards = env['refill.card'].search([('series_id', '=', series['series_id'])])
            self.assertEqual(cards.mapped('state'), ['disabled', 'disabled'])
            self.assertEqual(len(cards.event_ids), 4)
