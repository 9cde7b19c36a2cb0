from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from odoo.tests import Form, tagged

from ..refill_cards.models import refill_card_import_check, refill_card_import_run
from .import_common import SPLYNX, ImportCommon
from .test_opening import OpeningCommon


def make_table(count, price=25):
    lines = (f"{number:04}{(number * 7919) % 100_000_007:08}x,{price}" for number in range(count))
    return '\n'.join(["Code,Price", *lines])


@tagged('post_install', '-at_install')
class TestImportInTheBackground(ImportCommon):
    def setUp(self):
        super().setUp()
        self._in_background(batch=3)

    def _break_off(self, name, at):
        """Let the job break off, from the n-th call of a method of the import on."""
        imports = type(self.env['refill.card.import'])
        original, calls = getattr(imports, name), []

        def breaking(record, *args):
            calls.append(record)
            if len(calls) >= at:
                raise RuntimeError("killed")
            return original(record, *args)

        return patch.object(imports, name, breaking)

    def test_a_large_table_is_checked_and_imported_by_the_job(self):
        record = self._check(make_table(10), preset='other')
        self.assertEqual(record.state, 'checking')
        self.assertIs(self._run_background_job(), True)
        self.assertEqual((record.state, record.ready_count), ('checked', 10))
        self._start(record)
        self.assertEqual(record.state, 'importing')
        self.assertEqual(record.series_ids.state, 'generating')
        self.assertFalse(record.series_ids.card_ids)
        self.assertIs(self._run_background_job(), True)
        self.assertEqual((record.state, record.progress), ('done', 100))
        series = record.series_ids
        self.assertEqual((series.state, series.generated, series.quantity), ('ready', 10, 10))
        numbers = series.card_ids.sorted('number').mapped('number')
        self.assertEqual(numbers, list(range(1, 11)))
        self._assert_tally_is_right()
        self._assert_equal_totals(record)

    def _assert_equal_totals(self, record):
        [(count, amount)] = (
            self.env['refill.card']
            .sudo()
            ._read_group([('series_id.import_id', '=', record.id)], [], ['__count', 'price:sum'])
        )
        self.assertEqual(count, sum(record.total_ids.mapped('count')))
        self.assertEqual(amount, sum(record.total_ids.mapped('amount')))

    def test_each_batch_is_committed_with_its_progress(self):
        record = self._check(make_table(10), preset='other')
        self._run_background_job()
        self._start(record)
        seen = []
        commit = type(self.env['ir.cron'])._commit_progress

        def look(cron, processed=0, **kwargs):
            series = cron.env['refill.card.series'].sudo().browse(record.series_ids.ids)
            seen.append((processed, series.generated))
            return commit(cron, processed, **kwargs)

        with patch.object(type(self.env['ir.cron']), '_commit_progress', look):
            self._run_background_job()
        self.assertEqual([step for step in seen if step[0]][:4], [(3, 3), (3, 6), (3, 9), (1, 10)])

    def test_an_import_that_was_killed_goes_on_where_it_was(self):
        record = self._check(make_table(10), preset='other')
        self._run_background_job()
        self._start(record)
        with (
            self._break_off('_import_batch', at=3),
            self.assertLogs('odoo.addons.base.models.ir_cron', 'ERROR'),
        ):
            self._run_background_job()
        self.assertEqual(record.series_ids.generated, 6)
        self.assertEqual(record.state, 'importing')
        self._run_background_job()
        self.assertEqual((record.state, record.series_ids.generated), ('done', 10))
        self._assert_equal_totals(record)
        events = self.env['refill.card.event'].search([('reference', '=', record.reference)])
        self.assertEqual(len(events.card_id), 10)

    def test_an_import_that_breaks_off_again_and_again_leaves_the_rest_out(self):
        record = self._check(make_table(10), preset='other')
        self._run_background_job()
        self._start(record)
        for at in (3, 1, 1):
            with (
                self._break_off('_import_batch', at=at),
                self.assertLogs('odoo.addons.base.models.ir_cron', 'ERROR'),
            ):
                self._run_background_job()
        self.assertEqual(record.state, 'importing')
        self._run_background_job()
        self.assertEqual((record.state, record.series_ids.quantity), ('done', 6))
        self.assertEqual(record.problem_count, 4)
        self.assertIn("import the file again", record.problem)
        self._assert_tally_is_right()

    def test_a_table_is_not_discarded_while_it_is_checked(self):
        record = self._check(make_table(10), preset='other')
        with self.assertRaisesRegex(UserError, "being checked"):
            record.action_discard()
        self._run_background_job()
        record.action_discard()

    def test_lines_of_an_import_that_is_gone_are_forgotten(self):
        record = self._check(make_table(4), preset='other')
        self._run_background_job()
        self.env.cr.execute(
            'INSERT INTO refill_card_import_row (import_id, line, sealed, state,'
            " group_number) VALUES (0, 2, 'x', 'active', 0)"
        )
        self.env['refill.card.import']._gc_imports()
        self.env.cr.execute('SELECT DISTINCT import_id FROM refill_card_import_row')
        self.assertEqual(self.env.cr.fetchall(), [(record.id,)])

    def _watch_taking(self, broken_at=None):
        """Have the lines that are checked noted; the job breaks off at the n-th batch."""
        taken, take = [], refill_card_import_check._Checking.take

        def note(checking, lines):
            if len(taken) + 1 == broken_at:
                raise RuntimeError("killed")
            taken.append([line for line, _cells in lines])
            return take(checking, lines)

        self.startPatcher(patch.object(refill_card_import_check._Checking, 'take', note))
        return taken

    def test_a_check_that_was_killed_goes_on_where_it_was(self):
        table = make_table(10) + '\nabcDEF11,x\n0000-00000000x,25'
        whole = self._check(table, preset='other')
        self._run_background_job()
        record = self._check(table, preset='other')
        with self.assertLogs('odoo.addons.base.models.ir_cron', 'ERROR'):
            taken = self._watch_taking(broken_at=3)
            self._run_background_job()
        self.assertEqual((record.state, record.done_count, record.tries), ('checking', 6, 1))
        taken.append([])
        self._run_background_job()
        self.assertEqual(taken, [[2, 3, 4], [5, 6, 7], [], [8, 9, 10], [11, 12, 13]])
        for fname in (
            'state',
            'line_count',
            'ready_count',
            'problem_count',
            'guessing_probability',
        ):
            self.assertEqual(record[fname], whole[fname], fname)
        self.assertEqual(self._tell_problems(record), self._tell_problems(whole))
        self.assertFalse(record.sudo().findings)

    def test_a_check_whose_time_is_up_leaves_the_rest_to_the_next_run(self):
        record = self._check(make_table(10), preset='other')
        taken = self._watch_taking()
        crons = type(self.env['ir.cron'])
        commit = crons._commit_progress

        def commit_late(cron, *args, **kwargs):
            commit(cron, *args, **kwargs)
            return 0 if taken else 10

        with (
            patch.object(refill_card_import_run, 'SECONDS', 0),
            patch.object(crons, '_commit_progress', commit_late),
        ):
            self._run_background_job()
            self.assertEqual((record.state, record.done_count), ('checking', 3))
            self.assertNotIn('00000000x', record.sudo().findings, "it tells how codes begin")
        self._run_background_job()
        self.assertEqual((record.state, record.ready_count), ('checked', 10))
        self.assertEqual(sum(taken, []), list(range(2, 12)))

    def test_a_check_that_is_asked_for_anew_begins_at_the_beginning(self):
        record = self._check(make_table(10), preset='other')
        record.sudo().tries = 3
        self._run_background_job()
        self.assertEqual(record.state, 'failed')
        self.assertIn("stopped while it checked", record.problem)
        record.action_back()
        self.assertEqual(record.state, 'new')
        with self.assertLogs('odoo.addons.base.models.ir_cron', 'ERROR'):
            taken = self._watch_taking(broken_at=2)
            record.action_check()
            self._run_background_job()
        record.sudo().tries = 3
        self._run_background_job()
        record.action_back()
        record.action_check()
        taken.append([])
        self._run_background_job()
        self.assertEqual(taken[:3], [[2, 3, 4], [], [2, 3, 4]])
        self.assertEqual((record.state, record.ready_count, record.line_count), ('checked', 10, 10))

    def test_what_cannot_be_read_in_the_background_is_told(self):
        record = self._check(make_table(10), preset='other')
        self.startPatcher(patch.object(refill_card_import_check, 'MAX_QUANTITY', 5))
        self._run_background_job()
        self.assertEqual(record.state, 'failed')
        self.assertIn("A file holds up to 5 cards", record.problem)

    def test_the_maker_is_told_when_it_is_done(self):
        record = self._check(make_table(4), preset='other')
        told = []
        with patch.object(
            type(self.env['bus.bus']),
            '_sendone',
            lambda _bus, target, kind, message: told.append((target, kind, message)),
        ):
            self._run_background_job()
            self._start(record)
            self._run_background_job()
        done = [(target, message) for target, kind, message in told if kind == 'refill_cards/done']
        self.assertEqual({target for target, _message in done}, {self.manager.partner_id})
        sentences = [message['message'] for _target, message in done]
        self.assertEqual(sentences[0], "Your file cards.csv is checked")
        self.assertEqual(sentences[-1], "The cards of cards.csv are imported")

    def test_the_job_that_generates_cards_leaves_imported_series_alone(self):
        record = self._check(make_table(4), preset='other')
        self._run_background_job()
        self._start(record)
        self.env.ref('refill_cards.ir_cron_generate').method_direct_trigger()
        self.env.invalidate_all()
        self.assertEqual(record.series_ids.generated, 0)


@tagged('post_install', '-at_install')
class TestImportReversed(ImportCommon):
    def test_an_import_is_reversed_as_one_and_its_codes_are_free_again(self):
        record = self._import(SPLYNX)
        record.action_reverse()
        self.assertEqual(record.state, 'reversed')
        self.assertFalse(record.series_ids)
        self._assert_tally_is_right()
        again = self._check(SPLYNX)
        self.assertEqual(again.ready_count, 4)
        deleted = self.env['refill.card.event'].search([('new_state', '=', 'deleted')])
        self.assertEqual(len(set(deleted.mapped('reference'))), 1)
        with self.assertRaisesRegex(UserError, "Only what was imported"):
            record.action_reverse()

    def test_it_is_not_reversed_once_a_card_was_used(self):
        record = self._import(SPLYNX)
        card = self._get_cards(record)['202201-QuickAccess-irfUPbEZ']
        self._redeem(card)
        with self.assertRaisesRegex(UserError, "were redeemed here since"):
            record.action_reverse()
        self.assertEqual(len(self._get_cards(record)), 4)
        self._undo(card.with_user(self.accountant))
        with self.assertRaisesRegex(UserError, "were redeemed here since"):
            record.action_reverse()

    def test_it_is_not_reversed_once_a_card_was_handed_out(self):
        record = self._import(SPLYNX)
        self._get_cards(record)['202201-QuickAccess-irfUPbEZ']._consign(self.stranger)
        with self.assertRaisesRegex(UserError, "was sold or handed out since"):
            record.action_reverse()

    def test_cards_that_moved_to_another_series_are_reversed_too(self):
        record = self._import(SPLYNX)
        card = self._get_cards(record)['202201-QuickAccess-irfUPbEZ'].with_user(self.manager)
        before = record.series_ids
        card._move_to_companies(self.env['res.company'], Domain('id', '=', card.id))
        self.env.invalidate_all()
        self.assertGreater(len(record.series_ids), len(before))
        self.assertTrue(card.series_id.is_foreign)
        record.action_reverse()
        self.assertFalse(card.exists())


@tagged('post_install', '-at_install')
class TestImportOpening(ImportCommon, OpeningCommon):
    def _open_opening(self, record, user=None):
        action = record.with_user(user or self.bookkeeper).action_open_opening()
        window = self.env[action['res_model']].with_user(user or self.bookkeeper)
        window = window.browse(action['res_id'])
        window.account_id = self.equity
        window.date = self.today
        return window

    def test_what_is_outstanding_is_proposed_and_booked(self):
        record = self._import(SPLYNX)
        window = self._open_opening(record)
        self.assertEqual(sum(window.line_ids.mapped('total')), 50)
        [line] = window.line_ids.filtered('sold_count')
        self.assertEqual((line.used_count, line.unused_count, line.sold_count), (0, 2, 2))
        with Form(window) as form:
            form.account_id = self.equity
        entry = self.env['account.move'].browse(window.action_state()['res_id'])
        self.assertEqual(entry.state, 'posted')
        self.assertEqual(self._get_owed(), 50)
        cards = self._get_cards(record)
        active = [card for card in cards.values() if card.state == 'active']
        self.assertEqual({card.terms for card in active}, {'sold'})
        used = cards['202201-QuickAccess-aBcDeFgH']
        self.assertFalse(used.terms)
        self._redeem(active[0])
        self.assertEqual(self._get_owed(), 25)
        with self.assertRaisesRegex(UserError, "stated already"):
            record.with_user(self.bookkeeper).action_open_opening()
        with self.assertRaisesRegex(UserError, "redeemed here since|sold or handed out"):
            record.action_reverse()

    def test_who_manages_cards_only_states_nothing(self):
        record = self._import(SPLYNX)
        window = self._open_opening(record, self.manager)
        with self.assertRaises(AccessError):
            window.action_state()
        self.assertEqual(self._get_owed(), 0)

    def test_expired_cards_come_after_those_that_work(self):
        table = "Code,Price,Last day\nabcDEF11,25,2020-01-01\nabcDEF12,25,\n"
        record = self._import(table, preset='other')
        window = self._open_opening(record)
        self.assertEqual(window.line_ids.mapped('sold_count'), [1])
        window.action_state()
        cards = self._get_cards(record)
        self.assertEqual((cards['abcDEF12'].terms, cards['abcDEF11'].terms), ('sold', False))

    def test_what_was_never_activated_is_not_proposed(self):
        record = self._import("Code,Price,Status\nabcDEF11,25,inactive\n", preset='other')
        with self.assertRaisesRegex(UserError, "nothing to state"):
            record.with_user(self.bookkeeper).action_open_opening()
