import threading
from contextlib import contextmanager
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tests import tagged

from ..refill_cards import codes
from ..refill_cards.models import refill_card_series_generation
from .concurrency import LOCK_TIMEOUT, ConcurrencyCase


@tagged('post_install', '-at_install')
class TestConcurrencyGeneration(ConcurrencyCase):
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
    # IN THE BACKGROUND
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
