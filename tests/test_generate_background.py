from contextlib import contextmanager
from unittest.mock import patch

from odoo import fields
from odoo.addons.base.models import ir_cron
from odoo.exceptions import AccessError
from odoo.tests import tagged

from ..refill_cards import codes
from ..refill_cards.models import refill_card_series_generation
from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestGenerateInTheBackground(RefillCardCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.classPatch(refill_card_series_generation, 'IMMEDIATE_QUANTITY', 10)
        cls.classPatch(refill_card_series_generation, 'BATCH', 7)
        cls.cron = cls.env.ref('refill_cards.ir_cron_generate')
        # Large series of other tests and of the installation are none of these tests' business.
        cls.env['ir.cron.trigger'].search([('cron_id', '=', cls.cron.id)]).unlink()

    def _run_cron(self):
        """Run the job as the scheduler does and return what it says: True, or the error."""
        # Odoo takes them away by the time of the transaction, which is that of the whole test.
        self.env['ir.cron.trigger'].search([('cron_id', '=', self.cron.id)]).unlink()
        result = self.cron.method_direct_trigger()
        self.env.invalidate_all()
        return result

    def _run_crashing_cron(self):
        with self.assertLogs('odoo.addons.base.models.ir_cron', 'ERROR'):
            self.assertIsNot(self._run_cron(), True)

    def _is_scheduled(self):
        return bool(self.env['ir.cron.trigger'].search_count([('cron_id', '=', self.cron.id)]))

    def _assert_complete(self, series):
        """Assert that a series is ready and has each number once, each with a code of its own."""
        cards = series.card_ids.sorted('number')
        self.assertEqual((series.state, series.progress), ('ready', 100))
        self.assertEqual((series.generated, series.card_count), (series.quantity, series.quantity))
        self.assertEqual(cards.mapped('number'), list(range(1, series.quantity + 1)))
        names = [f'{series.name}-{number:06}' for number in range(1, series.quantity + 1)]
        self.assertEqual(cards.mapped('name'), names)
        self.assertEqual(len(set(cards.sudo().mapped('code'))), series.quantity)
        fmt = series._get_format()
        for card in cards:
            [body] = codes.read(card.sudo().code, [fmt])
            self.assertEqual(fmt.display(body), card.sudo().code)
        self.assertEqual(set(cards.mapped('state')), {'active'})

    def test_whoever_generated_is_told_in_odoo_when_the_cards_are_there(self):
        series = self._generate(quantity=20)
        told = []
        with patch.object(
            type(self.env['bus.bus']),
            '_sendone',
            lambda _bus, target, kind, message: told.append((target, kind, message)),
        ):
            self._run_cron()
        [(target, message)] = [
            (target, message) for target, kind, message in told if kind == 'refill_cards/done'
        ]
        self.assertEqual(target, self.accountant.partner_id)
        sentence = f"The 20 cards of series {series.name} are generated"
        self.assertEqual((message['message'], message['button']), (sentence, "Open"))
        self.assertEqual(message['next']['domain'], [('series_id', '=', series.id)])
        steps = [message for _target, kind, message in told if kind == 'refill_cards/progress']
        self.assertEqual(steps, [{'model': series._name, 'id': series.id}] * 3, "once a batch")

    # -------------------------------------------------------------------------
    # WHO WAITS
    # -------------------------------------------------------------------------

    def test_a_series_up_to_the_limit_is_ready_at_once(self):
        series = self._generate(quantity=10)
        self._assert_complete(series)
        self.assertFalse(self._is_scheduled())

    def test_a_larger_series_is_left_to_the_background(self):
        series = self._generate(quantity=11)
        self.assertEqual((series.state, series.progress), ('generating', 0))
        self.assertFalse(series.card_ids)
        self.assertTrue(self._is_scheduled())

    def test_the_list_that_opens_shows_the_progress(self):
        series = self._generate(quantity=25)
        action = series.action_open_cards()
        shown = action['help']
        self.assertEqual(action['context']['generating_series_id'], series.id)
        self.assertIn("0 of 25", shown)
        self.assertIn("You are told", shown)
        self._run_cron()
        self.assertNotIn("being generated", str(series.action_open_cards()['help']))

    def test_the_background_makes_all_cards(self):
        series = self._generate(quantity=25, valid_till='2066-12-31')
        self.assertIs(self._run_cron(), True)
        self._assert_complete(series)
        self.assertEqual(
            set(series.card_ids.mapped('valid_till')), {fields.Date.to_date('2066-12-31')}
        )
        self.assertFalse(self._is_scheduled())

    def test_each_batch_is_committed_with_its_progress(self):
        series = self._generate(quantity=25)
        commit, seen = ir_cron.IrCron._commit_progress, []
        cards = self.env['refill.card']

        def look(cron, processed=0, **kwargs):
            made = cards.search_count([('series_id', '=', series.id)])
            seen.append((processed, kwargs['remaining'], made))
            return commit(cron, processed, **kwargs)

        with patch.object(ir_cron.IrCron, '_commit_progress', look):
            self._run_cron()
        self.assertEqual(seen, [(7, 18, 7), (7, 11, 14), (7, 4, 21), (4, 0, 25)])

    def test_progress_is_shown_between_the_batches(self):
        series = self._generate(quantity=25)
        series.sudo()._generate_cards(7)
        self.assertEqual((series.state, series.progress, series.card_count), ('generating', 28, 7))

    def test_all_waiting_series_are_made_in_one_run(self):
        several = [self._generate(quantity=quantity) for quantity in (11, 14, 15)]
        self._run_cron()
        for series in several:
            self._assert_complete(series)
        all_cards = self.env['refill.card'].search(
            [('series_id', 'in', [series.id for series in several])]
        )
        self.assertEqual(len(set(all_cards.sudo().mapped('code'))), 40)

    def test_without_a_waiting_series_the_job_does_nothing(self):
        series = self._generate(quantity=3)
        self.assertIs(self._run_cron(), True)
        self._assert_complete(series)
        self.assertFalse(self._is_scheduled())

    # -------------------------------------------------------------------------
    # WHEN THE TIME IS UP
    # -------------------------------------------------------------------------

    def test_a_series_that_takes_too_long_is_continued_soon(self):
        series = self._generate(quantity=25)
        with self._time_for(batches=2):
            self._run_cron()
            self.assertEqual((series.state, series.card_count), ('generating', 14))
            self.assertTrue(self._is_scheduled())
            self._run_cron()
        self._assert_complete(series)
        self.assertFalse(self._is_scheduled())

    def test_a_series_behind_one_that_took_all_the_time_is_continued_soon(self):
        first, second = self._generate(quantity=14), self._generate(quantity=14)
        with self._time_for(batches=2):
            self._run_cron()
            self._assert_complete(first)
            self.assertEqual(second.state, 'generating')
            self.assertTrue(self._is_scheduled(), "forgotten until tomorrow")
            self._run_cron()
        self._assert_complete(second)

    @contextmanager
    def _time_for(self, batches):
        """Let the job's time be over at once; it may then work on so many batches."""
        with (
            patch.object(ir_cron, 'MIN_TIME_PER_JOB', 0),
            patch.object(ir_cron, 'MIN_RUNS_PER_JOB', batches),
        ):
            yield

    # -------------------------------------------------------------------------
    # CRASHES
    # -------------------------------------------------------------------------

    def test_after_a_crash_it_continues_where_it_stopped(self):
        series = self._generate(quantity=25)
        series.sudo()._generate_cards(7)
        before = {card.name: card.sudo().code for card in series.card_ids}
        self._run_cron()
        self._assert_complete(series)
        after = {card.name: card.sudo().code for card in series.card_ids}
        self.assertEqual({name: after[name] for name in before}, before)

    def test_a_batch_that_crashes_is_undone_and_the_ones_before_stay(self):
        series = self._generate(quantity=25)
        with self._crashing_after(batches=2):
            self._run_crashing_cron()
        self.assertEqual((series.state, series.generated), ('generating', 14))
        self.assertEqual(series.card_ids.sorted('number').mapped('number'), list(range(1, 15)))
        self._run_cron()
        self._assert_complete(series)

    @contextmanager
    def _crashing_after(self, batches):
        """Let every batch after the first ones crash when its cards are in the table."""
        model = self.registry['refill.card']
        insert, calls = model._insert, []

        def crash(*args):
            made = insert(*args)
            calls.append(made)
            if len(calls) > batches:
                raise ZeroDivisionError
            return made

        with patch.object(model, '_insert', crash):
            yield

    def test_with_a_wrong_key_no_card_is_made_until_it_is_restored(self):
        self._generate()  # the key that sealed these is the right one from now on
        series = self._generate(quantity=11)
        model = self.registry['refill.card.key']
        for key in (codes.generate_key(), 'nonsense', '12', True):
            with (
                self.subTest(key=key),
                patch.object(model, '_get_server_key', return_value=key),
                self.assertLogs('odoo.addons.refill_cards', 'WARNING'),
            ):
                self.assertTrue(self._run_cron())
        self.assertEqual((series.state, series.card_count), ('generating', 0))
        problems = series.message_ids.filtered(lambda message: "The key for" in message.body)
        self.assertEqual(len(problems), 1)
        self._run_cron()
        self._assert_complete(series)

    # -------------------------------------------------------------------------
    # CODES THAT COLLIDE
    # -------------------------------------------------------------------------

    @contextmanager
    def _drawing_first(self, *bodies):
        """Let the first draw start with these bodies."""
        draw, left = codes.Format.generate, list(bodies)

        def generate(fmt, count):
            first = [left.pop(0) for _number in range(min(count, len(left)))]
            return first + draw(fmt, count - len(first))

        with patch.object(codes.Format, 'generate', generate):
            yield
        self.assertFalse(left, "not drawn")

    def test_a_code_that_another_card_has_is_drawn_again(self):
        old = self._generate_card()
        [body] = codes.read(old.sudo().code, [old.sudo().series_id._get_format()])
        series = self._generate(quantity=11)
        with self._drawing_first(body):
            self._run_cron()
        self._assert_complete(series)
        self.assertNotIn(old.sudo().code, series.card_ids.sudo().mapped('code'))
        self.assertEqual(self.env['refill.card'].search([('code', '=', old.sudo().code)]), old)

    def test_codes_that_collide_again_and_again_leave_no_gap(self):
        old = self._generate(quantity=7).card_ids
        fmt = old.sudo().series_id._get_format()
        taken = [body for card in old for body in codes.read(card.sudo().code, [fmt])]
        series = self._generate(quantity=11)
        # Each draw of seven, then of what is missing, begins with codes that are taken.
        with self._drawing_first(*taken, *taken[:6], *taken[:3], taken[0]):
            self._run_cron()
        self._assert_complete(series)
        self.assertFalse(
            set(series.card_ids.sudo().mapped('code')) & set(old.sudo().mapped('code'))
        )

    def test_a_code_drawn_twice_in_a_batch_is_drawn_again(self):
        [body] = codes.Format('base32', 12).generate(1)
        series = self._generate(quantity=11)
        with self._drawing_first(body, body, body):
            self._run_cron()
        self._assert_complete(series)
        self.assertIn(body, [card.sudo().code.replace('-', '')[5:] for card in series.card_ids])

    def test_a_code_drawn_in_two_batches_is_drawn_again(self):
        bodies = codes.Format('base32', 12).generate(7)
        series = self._generate(quantity=14)
        with self._drawing_first(*bodies, bodies[3]):
            self._run_cron()
        self._assert_complete(series)

    def test_a_small_series_draws_again_too(self):
        old = self._generate_card()
        [body] = codes.read(old.sudo().code, [old.sudo().series_id._get_format()])
        with self.env.cr.savepoint():
            wizard = self.env['refill.card.generate'].with_user(self.accountant)
            wizard = wizard.create({'quantity': 4, 'price': 25, 'prefix': 'QUICK'})
            with self._drawing_first(body):
                [(_field, _operator, series_id)] = wizard.action_generate()['domain']
        self._assert_complete(self.env['refill.card.series'].browse(series_id))

    # -------------------------------------------------------------------------
    # MEANWHILE
    # -------------------------------------------------------------------------

    def test_no_more_cards_are_made_than_the_series_has(self):
        series = self._generate(quantity=11)
        series.sudo()._generate_cards(1_000)
        series.sudo()._generate_cards(1_000)
        self._assert_complete(series)

    def test_nobody_can_say_that_a_series_is_ready(self):
        series = self._generate(quantity=11)
        for values in ({'state': 'ready'}, {'generated': 11}, {'quantity': 1}):
            with self.assertRaises(AccessError):
                series.with_user(self.accountant).write(values)
        self._run_cron()
        self._assert_complete(series)

    def test_a_card_of_an_early_batch_can_be_redeemed_meanwhile(self):
        series = self._generate(quantity=11)
        series.sudo()._generate_cards(7)
        self._redeem(series.card_ids[0])
        self._run_cron()
        self.assertEqual((series.state, series.used_count, series.active_count), ('ready', 1, 10))

    def test_a_day_changed_meanwhile_holds_for_all_cards(self):
        series = self._generate(quantity=11, valid_till='2065-12-31')
        series.sudo()._generate_cards(7)
        series.with_user(self.accountant).valid_till = '2066-12-31'
        self._run_cron()
        self._assert_complete(series)
        self.assertEqual(
            set(series.card_ids.mapped('valid_till')), {fields.Date.to_date('2066-12-31')}
        )

    def test_a_series_deleted_meanwhile_is_not_continued(self):
        series, other = self._generate(quantity=25), self._generate(quantity=11)
        series.sudo()._generate_cards(7)
        names, series_name = series.card_ids.mapped('name'), series.name
        series.with_user(self.accountant).unlink()
        self.assertIs(self._run_cron(), True)
        self._assert_complete(other)
        self.assertFalse(self.env['refill.card'].search([('name', 'in', names)]))
        deleted = [('new_state', '=', 'deleted'), ('serial', '=', series_name)]
        self.assertEqual(self.env['refill.card.event'].sudo().search_count(deleted), 1)
