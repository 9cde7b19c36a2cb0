"""An import makes each card once, whoever confirms, reverses or kills it at the same time."""

import base64
import secrets
import signal
import string
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.sql_db import db_connect
from odoo.tests import get_db_name, tagged
from odoo.tools import SQL, mute_logger
from psycopg2 import InterfaceError, OperationalError

from ..refill_cards.models import refill_card_import_check, refill_card_import_run
from .concurrency import ConcurrencyCase

CHARACTERS = string.ascii_letters + string.digits


@tagged('post_install', '-at_install')
class TestImportAtOnce(ConcurrencyCase):
    def _delete_cards(self, env):
        res = super()._delete_cards(env)
        query = SQL("DELETE FROM refill_card_import WHERE company_id = %s", self.company_id)
        env.cr.execute(query)
        env['refill.card.import.row']._gc()
        return res

    def _draw_codes(self, quantity):
        return [''.join(secrets.choice(CHARACTERS) for _ in range(16)) for _ in range(quantity)]

    def _check(self, quantity):
        """Have a table checked; return the import's id and the codes."""
        codes = self._draw_codes(quantity)
        return self._upload(codes), codes

    def _upload(self, codes, state='checked'):
        table = '\n'.join(["Code,Price", *(f'{code},25' for code in codes)])
        file = base64.b64encode(table.encode()).decode()
        answer = self._request('refill.card', 'import_cards', file, 'cards.csv', 'other')
        self.assertEqual(answer['state'], state)
        return answer['import_id']

    def _confirm(self, import_id):
        return self._call('action_confirm', import_id)

    def _import(self, quantity):
        import_id, codes = self._check(quantity)
        self.assertIsNone(self._confirm(import_id))
        return import_id, codes

    def _call(self, method, import_id):
        """Press a button of an import; return why nothing happened, if so."""
        try:
            self._request('refill.card.import', method, [import_id])
        except UserError as refused:
            return str(refused)
        return None

    def _get_state(self, import_id):
        with self._committing() as env:
            return env['refill.card.import'].browse(import_id).state

    def _assert_each_card_is_there_once(self, import_id, codes):
        with self._committing() as env:
            record = env['refill.card.import'].browse(import_id)
            self.assertEqual(record.state, 'done')
            cards = env['refill.card'].search([('series_id.import_id', '=', import_id)])
            self.assertEqual(Counter(cards.mapped('code')), Counter(codes))
            self.assertEqual(cards.event_ids.card_id, cards)
            self.assertEqual(len(cards.event_ids), len(codes))
            self.assertEqual(sorted(cards.mapped('number')), [*range(1, len(codes) + 1)])
            series = record.series_ids
            self.assertEqual((series.state, series.quantity), ('ready', len(codes)))
            self.assertEqual(series.active_count, len(codes))
            self.assertEqual(record.done_count, len(codes))
            self.assertEqual(sum(record.total_ids.mapped('count')), len(codes))
            self.assertEqual(sum(record.total_ids.mapped('amount')), sum(cards.mapped('price')))
            rows = SQL("SELECT FROM refill_card_import_row WHERE import_id = %s", import_id)
            self.assertFalse(env.execute_query(rows))

    # -------------------------------------------------------------------------
    # CONFIRMED TWICE
    # -------------------------------------------------------------------------

    def test_who_confirms_what_is_just_being_confirmed_makes_no_card_twice(self):
        import_id, codes = self._check(5)
        with self._transaction() as first:
            first['refill.card.import'].browse(import_id).action_confirm()
            first.flush_all()
            self.assertIsNotNone(self._confirm(import_id), "it waits for nobody")
            first.cr.commit()
        self.assertIn("Check the file first", self._confirm(import_id))
        self._assert_each_card_is_there_once(import_id, codes)

    def test_three_who_confirm_at_once_make_each_card_once(self):
        import_id, codes = self._check(5)
        refusals = self._at_once(self._confirm, [import_id] * 3)
        self.assertEqual(refusals.count(None), 1)
        self._assert_each_card_is_there_once(import_id, codes)

    def test_two_imports_of_the_same_table_make_each_card_once(self):
        import_id, codes = self._check(5)
        both = [import_id, self._upload(codes)]
        # None for the one that was confirmed.
        first, second = sorted(self._at_once(self._confirm, both), key=bool)
        self.assertIsNone(first)
        self.assertIn("Other cards were imported", second)
        with self._committing() as env:
            cards = env['refill.card'].search([('series_id.import_id', 'in', both)])
            self.assertEqual(Counter(cards.mapped('code')), Counter(codes))

    # -------------------------------------------------------------------------
    # REVERSED WHILE A CARD IS REDEEMED
    # -------------------------------------------------------------------------

    def test_an_import_is_not_reversed_whose_card_is_just_being_redeemed(self):
        import_id, codes = self._import(3)
        with self._transaction() as first:
            first['refill.card'].redeem_code(codes[0], self.customer_id)
            first.flush_all()
            refused = self._call('action_reverse', import_id)
            self.assertIn("just being generated or redeemed", refused)
            first.cr.commit()
        self.assertIn("redeemed here since", self._call('action_reverse', import_id))
        self.assertEqual(self._get_state(import_id), 'done')
        self._assert_paid(codes, 1)

    def test_a_card_is_not_redeemed_whose_import_is_just_being_reversed(self):
        import_id, codes = self._import(3)
        with self._transaction() as first:
            first['refill.card.import'].browse(import_id).action_reverse()
            first.flush_all()
            self.assertEqual(self._redeem(codes[0]), 'busy')
            first.cr.commit()
        # No series has such codes any more.
        self.assertEqual(self._redeem(codes[0]), 'typo')
        self.assertEqual(self._get_state(import_id), 'reversed')
        self._assert_paid(codes, 0, left=0)

    def test_of_reversing_and_redeeming_at_once_exactly_one_happens(self):
        paid = 0
        for _round in range(4):
            import_id, codes = self._import(3)
            calls = [(self._call, 'action_reverse', import_id), (self._redeem, codes[1])]
            refused, redeemed = self._at_once(lambda call: call[0](*call[1:]), calls)
            is_paid = isinstance(redeemed, dict)
            self.assertEqual(is_paid, refused is not None, (refused, redeemed))
            self.assertEqual(self._get_state(import_id), 'done' if is_paid else 'reversed')
            paid += is_paid
            self._assert_paid(codes, paid, left=3 if is_paid else 0)

    def _assert_paid(self, codes, count, left=3):
        """Assert how many redemptions there are in all, and how many of the cards are left."""
        with self._committing() as env:
            payments = env['account.payment'].search([('company_id', '=', self.company_id)])
            self.assertEqual(payments.mapped('amount'), [25] * count)
            self.assertEqual(env['refill.card'].search_count([('code', 'in', codes)]), left)

    # -------------------------------------------------------------------------
    # THE JOB IS KILLED
    # -------------------------------------------------------------------------

    def _confirm_later(self, quantity):
        """Confirm an import that is left to the background, in batches of three."""
        import_id, codes = self._check(quantity)
        for name, value in (('IMMEDIATE_LINES', 0), ('BATCH', 3)):
            self.startPatcher(patch.object(refill_card_import_run, name, value))
        self.assertIsNone(self._confirm(import_id))
        self.assertEqual(self._get_state(import_id), 'importing')
        return import_id, codes

    def _run_cron(self):
        with self._committing() as env:
            env.ref('refill_cards.ir_cron_import').method_direct_trigger()

    def _kill(self, pid):
        """End a connection of the job, as a crash or a failover does."""
        with db_connect('postgres').cursor() as cr:
            cr.execute(SQL("SELECT pg_terminate_backend(%s, 5000)", pid))

    def _run_cron_and_kill_it(self, at):
        """Let the connection end after the n-th batch was inserted, and before its commit."""
        model = self.registry['refill.card']
        insert, calls = model._insert_imported, []

        def insert_and_end(cards, *args):
            made = insert(cards, *args)
            calls.append(made)
            if len(calls) == at:
                self._kill(cards.env.cr._cnx.get_backend_pid())
            return made

        with (
            patch.object(model, '_insert_imported', insert_and_end),
            mute_logger('odoo.sql_db', 'odoo.addons.base.models.ir_cron'),
            self.assertRaises((OperationalError, InterfaceError)),
        ):
            self._run_cron()
        self.assertEqual(len(calls), at)

    def test_a_job_whose_connection_ended_goes_on_and_neither_loses_nor_doubles_a_card(self):
        import_id, codes = self._confirm_later(10)
        for at, made in ((1, 0), (2, 3), (2, 6)):
            self._run_cron_and_kill_it(at)
            self.assertEqual(self._get_state(import_id), 'importing')
            with self._committing() as env:
                series = env['refill.card.import'].browse(import_id).series_ids
                self.assertEqual((len(series.card_ids), series.generated), (made, made))
        self._run_cron()
        self._assert_each_card_is_there_once(import_id, codes)

    def _start_worker(self):
        """Start a process of Odoo's of its own that runs the job, in batches of fifty."""
        models = 'odoo.addons.refill_cards.refill_cards.models'
        script = (
            f"from {models} import refill_card_import_check as check\n"
            f"from {models} import refill_card_import_run as run\n"
            "check.BATCH = run.BATCH = 50\n"
            "env.ref('refill_cards.ir_cron_import').method_direct_trigger()\n"
        )
        options = [f'--database={get_db_name()}', '--no-http', '--log-level=critical']
        worker = subprocess.Popen(
            [sys.executable, '-m', 'odoo', 'shell', *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(worker.kill)
        worker.stdin.write(script.encode())
        worker.stdin.close()
        return worker

    def _get_done(self, import_id):
        with self._committing() as env:
            return env['refill.card.import'].browse(import_id).done_count

    def _start_and_kill_workers(self, import_id, state):
        """Let two workers begin, one after the other, and kill both with SIGKILL amid it."""
        done = [0]
        for _worker in range(2):
            worker = self._start_worker()
            while worker.poll() is None and self._get_done(import_id) == done[-1]:
                time.sleep(0.01)
            worker.send_signal(signal.SIGKILL)
            self.assertEqual(worker.wait(), -signal.SIGKILL, "it was at work")
            done.append(self._get_done(import_id))
        self.assertEqual(done, sorted(set(done)), "the second one went on")
        self.assertEqual(self._get_state(import_id), state)

    def test_workers_that_are_killed_neither_lose_nor_double_a_card(self):
        for module in (refill_card_import_check, refill_card_import_run):
            self.startPatcher(patch.object(module, 'IMMEDIATE_LINES', 0))
            self.startPatcher(patch.object(module, 'BATCH', 1_000))
        codes = self._draw_codes(3_000)
        import_id = self._upload(codes, 'checking')
        self._start_and_kill_workers(import_id, 'checking')
        self._run_cron()
        self.assertEqual((self._get_state(import_id), self._confirm(import_id)), ('checked', None))
        self._start_and_kill_workers(import_id, 'importing')
        self._run_cron()
        self._assert_each_card_is_there_once(import_id, codes)

    def test_two_jobs_at_once_make_each_card_once(self):
        import_id, codes = self._confirm_later(10)
        with mute_logger('odoo.addons.base.models.ir_cron'):
            self._at_once(lambda _number: self._try_cron(), range(2))
        self._run_cron()
        self._assert_each_card_is_there_once(import_id, codes)

    def _try_cron(self):
        with suppress(UserError):  # it runs already
            self._run_cron()
