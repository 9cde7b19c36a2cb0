from threading import Thread
from unittest.mock import patch

from odoo.tests import tagged
from odoo.tools import mute_logger

from ..refill_cards import codes
from ..refill_cards.refusals import RefillCardRefused
from .concurrency import ConcurrencyCase

LIMIT = 6
FREEZE = 'odoo.addons.refill_cards.refill_cards.models.refill_card_freeze'


@tagged('post_install', '-at_install')
class TestConcurrencyFreeze(ConcurrencyCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with cls._committing() as env:
            company = env['res.company'].browse(cls.company_id)
            company.refill_card_freeze_guesses = LIMIT
            customers = env['res.partner'].create([{'name': "Guesser"} for _ in range(LIMIT + 2)])
            cls.other_customer_ids = customers.ids

    @classmethod
    def tearDownClass(cls):
        with cls._committing() as env:
            env['res.company'].browse(cls.company_id).refill_card_freeze_guesses = 100
            env['res.partner'].browse(cls.other_customer_ids).unlink()
        super().tearDownClass()

    def _delete_cards(self, env):
        env['mail.activity'].search([('user_id', '=', self.accountant_id)]).unlink()
        env['refill.card.canary'].search([]).unlink()
        login = env['res.users'].browse(self.accountant_id).login
        env['refill.card.lockout'].search([('origin', '=like', f'{login} /%')]).unlink()
        return super()._delete_cards(env)

    def _guess(self, customer_id):
        fmt = codes.Format('base32', 12, 'ICE')
        [body] = fmt.generate(1)
        return self._redeem_for(customer_id, fmt.display(body))

    def _redeem_for(self, customer_id, code):
        """Redeem over a gateway that names the customer as its caller, too."""
        arguments = code, customer_id, None, str(customer_id)
        try:
            return self._request('refill.card', 'redeem_code', *arguments)
        except RefillCardRefused as refused:
            return refused.reason

    def _generate(self, quantity=1):
        values = {'quantity': quantity, 'price': 25, 'prefix': 'ICE'}
        wizard_id = self._request('refill.card.generate', 'create', values)
        action = self._request('refill.card.generate', 'action_generate', [wizard_id])
        [(_field, _operator, series_id)] = action['domain']
        return series_id

    def _read(self, series_id):
        """Return whether a series is frozen, how often that was written down, and told."""
        with self._committing() as env:
            series = env['refill.card.series'].browse(series_id)
            events = env['refill.card.event'].search_count(
                [('series_id', '=', series_id), ('note', 'like', "Frozen")]
            )
            activities = env['mail.activity'].search_count(
                [('user_id', '=', self.accountant_id), ('summary', 'like', series.name)]
            )
            return bool(series.redemption_frozen_since), events, activities

    def test_wrong_codes_at_once_freeze_a_series_exactly_once(self):
        series_id, [code] = self._generate_cards()
        reasons = self._at_once(self._guess, self.other_customer_ids[:LIMIT])
        self.assertEqual(set(reasons), {'unknown'})
        self.assertEqual(self._read(series_id), (True, 1, 1))
        self.assertEqual(self._redeem(code), 'unavailable')

    def test_one_wrong_code_less_at_once_freezes_nothing(self):
        series_id, [code] = self._generate_cards()
        self._at_once(self._guess, self.other_customer_ids[: LIMIT - 1])
        self.assertEqual(self._read(series_id), (False, 0, 0))
        self.assertEqual(self._redeem(code)['amount'], 25)

    def test_more_wrong_codes_at_once_freeze_it_once(self):
        series_id = self._generate()
        reasons = self._at_once(self._guess, self.other_customer_ids)
        self.assertLessEqual(set(reasons), {'unknown', 'unavailable'})
        self.assertEqual(self._read(series_id), (True, 1, 1))

    def test_a_series_that_somebody_holds_is_frozen_without_waiting(self):
        series_id = self._generate()
        with self._transaction() as env:
            env['refill.card.series'].browse(series_id)._lock()
            with mute_logger(FREEZE):
                for customer_id in self.other_customer_ids[:LIMIT]:
                    self._guess(customer_id)
            self.assertEqual(self._read(series_id), (True, 0, 0))
        self._assert_told_later(series_id)

    def _assert_told_later(self, series_id):
        for _again in range(2):
            with self._committing() as env:
                env['refill.card.attempt']._cron_alert()
        self.assertEqual(self._read(series_id), (True, 1, 1))

    def test_a_transaction_that_holds_the_series_itself_freezes_it_and_is_rolled_back(self):
        series_id = self._generate()
        for customer_id in self.other_customer_ids[: LIMIT - 1]:
            self._guess(customer_id)
        fmt = codes.Format('base32', 12, 'ICE')
        with self._transaction() as env:
            env['refill.card.series'].browse(series_id)._lock()
            with self.assertRaises(RefillCardRefused), mute_logger(FREEZE):
                env['refill.card'].redeem_code(fmt.display(fmt.generate(1)[0]), self.customer_id)
            env.cr.rollback()
        self._assert_told_later(series_id)

    def test_nobody_waits_while_it_is_found_out_which_series_are_frozen(self):
        series_id = self._generate()
        first, second, *others = self.other_customer_ids
        for customer_id in others[: LIMIT - 2]:
            self._guess(customer_id)
        guesses = self.registry['refill.card.guess']
        find, found = guesses._find_reached, []

        def find_while_others_guess(*args):
            if not found:
                found.append('first')
                thread = Thread(target=lambda: found.append(self._guess(second)), daemon=True)
                thread.start()
                thread.join(timeout=10)
            return find(*args)

        with patch.object(guesses, '_find_reached', find_while_others_guess):
            self.assertEqual(self._guess(first), 'unknown')
        self.assertEqual(found, ['first', 'unknown'])
        self.assertEqual(self._read(series_id), (True, 1, 1))

    # -------------------------------------------------------------------------
    # CANARIES
    # -------------------------------------------------------------------------

    def _drawing(self, *bodies):
        """Let these be the next bodies that anybody draws."""
        drawn = iter(bodies)
        return patch.object(codes.Format, 'generate', lambda _format, count: [next(drawn)] * count)

    def _make_with(self, env, **values):
        """Generate a card, or make a canary, in a transaction that the test commits."""
        windows = env['refill.card.generate']
        window = windows.create({'quantity': 1, 'price': 25, 'prefix': 'ICE', **values})
        window.action_generate()
        env.flush_all()

    def test_no_card_gets_the_code_of_a_canary_that_is_made_at_the_same_time(self):
        body, other, third = codes.Format('base32', 12).generate(3)
        with self._transaction() as first:
            with self._drawing(body, third):
                self._make_with(first, canary_count=1)
            with (
                self._drawing(body, body, other),
                mute_logger('odoo.sql_db'),
                self._in_background(self._generate) as second,
            ):
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
        self._assert_codes(second.result(), other)

    def test_no_canary_gets_the_code_of_a_card_that_is_made_at_the_same_time(self):
        series_id = self._generate()
        body, other = codes.Format('base32', 12).generate(2)
        with self._transaction() as first:
            with self._drawing(body):
                self._make_with(first)
            arguments = 'refill.card.series', 'write', [series_id], {'canary_count': 1}
            with (
                self._drawing(body, body, other),
                mute_logger('odoo.sql_db'),
                self._in_background(self._request, *arguments) as second,
            ):
                self._wait_until_blocked_by(first, second)
                first.cr.commit()
            second.result()
        with self._committing() as env:
            canary = env['refill.card.canary'].search([('series_id', '=', series_id)])
            sealer = env['refill.card.key']._get_sealer()
            self.assertEqual(sealer.open_canary(canary.sealed), other)

    def _assert_codes(self, series_id, *bodies):
        with self._committing() as env:
            series = env['refill.card.series'].browse(series_id)
            displayed = [series._get_format().display(body) for body in bodies]
            self.assertEqual(series.card_ids.mapped('code'), displayed)

    # -------------------------------------------------------------------------
    # RELEASING
    # -------------------------------------------------------------------------

    def test_two_managers_release_once(self):
        series_id, [code] = self._generate_cards()
        self._at_once(self._guess, self.other_customer_ids[:LIMIT])

        def release(_number):
            with self._transaction() as env:
                series = env['refill.card.series'].browse(series_id)
                window = env['refill.card.unfreeze'].create(
                    {'series_ids': series.ids, 'reason': "Known"}
                )
                window_id = window.id
                env.cr.commit()
            try:
                self._request('refill.card.unfreeze', 'action_release', [window_id])
            except Exception as error:  # noqa: BLE001
                return str(error)

        refused = list(filter(None, self._at_once(release, range(2))))
        self.assertEqual(len(refused), 1)
        self.assertIn("is not frozen", refused[0])
        with self._committing() as env:
            domain = [('series_id', '=', series_id), ('note', 'like', "Released")]
            self.assertEqual(env['refill.card.event'].search_count(domain), 1)
        self.assertEqual(self._redeem(code)['amount'], 25)
