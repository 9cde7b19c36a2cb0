"""Series of which no card is redeemed outside, because somebody guesses: freezing and releasing."""

from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..refill_cards.refusals import RefillCardRefused
from .common import RefillCardCommon
from .portal_common import PortalCommon

NOON = '2026-03-10 12:00:00'
LIMIT = 3
SENTENCE = "cannot be checked right now"


class FreezeCommon(RefillCardCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company.refill_card_freeze_guesses = LIMIT
        cls.series = cls._generate(3, prefix='QUICK')
        cls.other_series = cls._generate(3, prefix='SLOW')
        cls.customers = cls.env['res.partner'].create([{'name': "Guesser"} for _ in range(40)])

    def setUp(self):
        super().setUp()
        self.guessers = iter(self.customers)

    def _get_code(self, series, number=0):
        return series.card_ids.sudo()[number].code

    def _guess(self, series=None, prefix=None, customer=None):
        """Have somebody else type a wrong code of a series; return why it is refused.

        Over the API, by a gateway that names its callers.

        :param str prefix: which one is typed; the series' own when left out.
        """
        fmt = (series or self.series)._get_format()
        [body] = fmt.generate(1)
        code = fmt.display(body) if prefix is None else f'{prefix}-{body}'
        guesser = customer or next(self.guessers)
        return self._get_reason(code, guesser, caller=str(guesser.id))

    def _get_reason(self, code, customer=None, caller=None):
        cards = self.env['refill.card'].with_user(self.clerk)
        try:
            cards.redeem_code(code, (customer or self.customer).id, caller=caller)
        except RefillCardRefused as refused:
            return refused.reason

    def _get_portal_reason(self, code):
        cards = self.env['refill.card'].with_user(self.customer_user).sudo()
        try:
            cards._redeem_code(code, self.customer, self.company, channel='portal')
        except RefillCardRefused as refused:
            return refused.reason

    def _freeze(self, series=None):
        """Guess until the series is frozen."""
        for _number in range(LIMIT):
            self.assertEqual(self._guess(series), 'unknown')
        self._assert_frozen(series or self.series)

    def _assert_frozen(self, *series, is_frozen=True):
        for each in series:
            each.invalidate_recordset()
            self.assertEqual(bool(each.redemption_frozen_since), is_frozen)

    def _release(self, series=None, reason="It was one account", user=None):
        series = (series or self.series).with_user(user or self.accountant)
        action = series.action_release_redemption()
        window = series.env['refill.card.unfreeze'].browse(action['res_id'])
        window.reason = reason
        return window.action_release()

    def _get_lockout(self, customer=None):
        lockouts = self.env['refill.card.lockout']
        lockouts.invalidate_model()
        return lockouts.search([('partner_id', '=', (customer or self.customer).id)])

    def _count_attempts(self, reason):
        return self.env['refill.card.attempt'].search_count([('reason', '=', reason)])


@tagged('post_install', '-at_install')
class TestFreeze(FreezeCommon):
    # -------------------------------------------------------------------------
    # WHAT FREEZES
    # -------------------------------------------------------------------------

    def test_fewer_wrong_codes_than_the_setting_freeze_nothing(self):
        for _number in range(LIMIT - 1):
            self._guess()
        self._assert_frozen(self.series, is_frozen=False)
        self.assertIsNone(self._get_reason(self._get_code(self.series)))

    def test_as_many_wrong_codes_freeze_the_series_and_no_other(self):
        self._freeze()
        self._assert_frozen(self.other_series, is_frozen=False)
        self.assertEqual(self._get_reason(self._get_code(self.series)), 'unavailable')
        self.assertIsNone(self._get_reason(self._get_code(self.other_series)))

    def test_wrong_codes_without_the_prefix_count_for_all_whose_they_could_be(self):
        for _number in range(LIMIT):
            self.assertEqual(self._guess(prefix=''), 'unknown')
        self._assert_frozen(self.series, self.other_series)

    def test_a_wrong_code_counts_for_no_series_whose_it_cannot_be(self):
        digits = self._generate(2, prefix='QUICK', alphabet='digits')
        self._freeze()
        self._assert_frozen(digits, is_frozen=False)
        self.assertIsNone(self._get_reason(self._get_code(digits)))

    def test_wrong_codes_are_counted_wherever_they_are_typed(self):
        fmt = self.series._get_format()
        guesses = [fmt.display(body) for body in fmt.generate(LIMIT)]
        window = self.env['refill.card.redeem'].with_user(self.clerk).new({'typed': guesses[0]})
        window._onchange_typed()
        cards = self.env['refill.card'].with_user(self.accountant)
        self.assertFalse(cards.search([('code', '=', guesses[1])]))
        self.assertEqual(self._get_portal_reason(guesses[2]), 'unknown')
        self._assert_frozen(self.series)

    def test_typing_errors_and_the_same_wrong_code_again_freeze_nothing(self):
        fmt = self.series._get_format()
        [body] = fmt.generate(1)
        for _number in range(LIMIT + 1):
            self.assertEqual(self._get_reason(fmt.display(body)), 'unknown')
            self.assertEqual(self._get_reason(fmt.display(body)[:-1]), 'typo')
        self._assert_frozen(self.series, is_frozen=False)

    def test_only_wrong_codes_of_one_hour_count(self):
        with freeze_time(NOON) as clock:
            for _number in range(LIMIT - 1):
                self._guess()
            clock.tick(timedelta(minutes=61))
            self._guess()
            self._assert_frozen(self.series, is_frozen=False)
            clock.tick(timedelta(minutes=59))
            self._guess()
            self._assert_frozen(self.series, is_frozen=False)
            self._guess()
            self._assert_frozen(self.series)

    def test_the_number_is_that_of_the_company_that_issued_the_series(self):
        self.other_company.refill_card_freeze_guesses = LIMIT + 1
        theirs = self._generate_theirs()
        self._freeze()
        self._assert_frozen(theirs, is_frozen=False)

    def _generate_theirs(self):
        windows = self.env['refill.card.generate'].with_user(self.accountant)
        windows = windows.with_company(self.other_company)
        window = windows.create({'quantity': 2, 'price': 25, 'prefix': 'QUICK'})
        _approval, series = window._generate()
        return series

    def test_zero_freezes_nothing(self):
        self.company.refill_card_freeze_guesses = 0
        for _number in range(LIMIT * 3):
            self._guess()
        self._assert_frozen(self.series, is_frozen=False)

    def test_the_number_is_a_sensible_one(self):
        for number in (-1, 100_001):
            with self.subTest(number), self.assertRaises(ValidationError):
                self.company.refill_card_freeze_guesses = number

    def test_the_accountant_sets_the_number_of_their_company(self):
        settings = self.env['res.config.settings'].create({'refill_card_freeze_guesses': 7})
        settings.execute()
        self.assertEqual(self.env.company.refill_card_freeze_guesses, 7)
        self.assertEqual(
            self.env['res.company'].create({'name': "x"}).refill_card_freeze_guesses, 100
        )

    # -------------------------------------------------------------------------
    # WHAT IS ANSWERED MEANWHILE
    # -------------------------------------------------------------------------

    def test_a_good_and_a_wrong_code_get_the_same_answer_and_neither_is_looked_up(self):
        self._freeze()
        fmt = self.series._get_format()
        answers = set()
        with patch.object(self.registry['refill.card.code'], '_get_ids') as look_up:
            for code in (self._get_code(self.series), fmt.display(fmt.generate(1)[0])):
                with self.assertRaises(RefillCardRefused) as refused:
                    self.env['refill.card'].with_user(self.clerk).redeem_code(
                        code, self.customer.id
                    )
                answers.add((str(refused.exception), str(refused.exception.context)))
        look_up.assert_not_called()
        [(sentence, context)] = answers
        self.assertIn(SENTENCE, sentence)
        self.assertIn(self.company.name, sentence)
        self.assertIn('unavailable', context)

    def test_no_guess_is_counted_meanwhile(self):
        self._freeze()
        for number in range(6):
            self.assertEqual(
                self._get_portal_reason(self._get_code(self.series, number % 3)), 'unavailable'
            )
            self.assertEqual(self._guess(customer=self.customer), 'unavailable')
        lockout = self._get_lockout()
        self.assertEqual((lockout.guesses, lockout.is_locked), (0, False))

    def test_refused_cards_stay_as_they_are_and_are_written_down_once_a_minute(self):
        self._freeze()
        with freeze_time(NOON) as clock:
            for _number in range(3):
                self._get_portal_reason(self._get_code(self.series))
            self.assertEqual(self._count_attempts('unavailable'), 1)
            clock.tick(timedelta(minutes=2))
            self._get_portal_reason(self._get_code(self.series))
        self.assertEqual(self._count_attempts('unavailable'), 2)
        self.assertEqual(set(self.series.card_ids.mapped('state')), {'active'})

    def test_a_code_is_checked_no_more_than_redeemed(self):
        self._freeze()
        cards = self.env['refill.card'].with_user(self.clerk)
        for code in (
            self._get_code(self.series),
            'QUICK-' + self.series._get_format().generate(1)[0],
        ):
            with self.assertRaises(RefillCardRefused) as refused:
                cards.check_code(code)
            self.assertEqual(refused.exception.reason, 'unavailable')

    def test_of_many_codes_those_of_the_series_are_refused(self):
        self._freeze()
        cards = self.env['refill.card'].with_user(self.clerk)
        codes = [self._get_code(series, 1) for series in (self.series, self.other_series)]
        wrong = self.series._get_format().display(self.series._get_format().generate(1)[0])
        answers = cards.redeem_codes([*codes, wrong], self.customer.id)
        self.assertEqual([a.get('reason') for a in answers], ['unavailable', None, 'unavailable'])
        self.assertEqual(answers[0], answers[2])

    def test_many_codes_are_refused_from_the_one_on_that_freezes_the_series(self):
        for _number in range(LIMIT - 1):
            self._guess()
        fmt = self.series._get_format()
        wrong = fmt.display(fmt.generate(1)[0])
        cards = self.env['refill.card'].with_user(self.clerk)
        codes = [self._get_code(self.series), wrong, self._get_code(self.series, 1)]
        answers = cards.redeem_codes(codes, self.customer.id)
        reasons = [answer.get('reason') for answer in answers]
        self.assertEqual(reasons, [None, 'unknown', 'unavailable'])

    def test_another_addon_redeems_no_card_of_the_series_outside(self):
        self._freeze()
        card_sudo = self.series.card_ids.sudo()[0]
        for channel in ('portal', 'api', 'automatic'):
            with self.subTest(channel), self.assertRaises(RefillCardRefused) as refused:
                card_sudo._redeem(self.customer, self.company, channel=channel)
            self.assertEqual(refused.exception.reason, 'unavailable')
            with self.subTest(channel), self.assertRaises(RefillCardRefused) as refused:
                card_sudo._redeem_code(card_sudo.code, self.customer, self.company, channel=channel)
            self.assertEqual(refused.exception.reason, 'unavailable')
        self.assertEqual(card_sudo.state, 'active')

    def test_staff_redeem_with_the_card_in_hand(self):
        self._freeze()
        windows = self.env['refill.card.redeem'].with_user(self.clerk)
        by_code = windows.create(
            {'partner_id': self.customer.id, 'typed': self._get_code(self.series)}
        )
        by_code.action_redeem()
        card = self.series.card_ids[1].with_user(self.clerk)
        windows.create({'partner_id': self.customer.id, 'card_id': card.id}).action_redeem()
        self.assertEqual(self.series.card_ids.mapped('state'), ['used', 'used', 'active'])

    def test_staff_who_guess_are_counted_as_ever(self):
        self._freeze()
        window = self.env['refill.card.redeem'].with_user(self.clerk)
        [body] = self.series._get_format().generate(1)
        values = {'partner_id': self.customer.id, 'typed': f'QUICK-{body}'}
        self._assert_refused('unknown', window.create, values)
        self.assertEqual(self._get_lockout().guesses, 1)

    # -------------------------------------------------------------------------
    # CODES THAT COULD BE OF A FROZEN SERIES, OR OF ANOTHER
    # -------------------------------------------------------------------------

    def test_a_code_without_the_prefix_is_looked_up_among_the_other_series_alone(self):
        self._freeze()
        frozen, other = (
            self._get_code(series).partition('-')[2] for series in (self.series, self.other_series)
        )
        self.assertEqual(self._get_portal_reason(frozen), 'unavailable')
        self.assertEqual(self._guess(prefix='', customer=self.customer), 'unavailable')
        self.assertIsNone(self._get_portal_reason(other))
        self.assertEqual(self._get_lockout().guesses, 0)

    def test_the_prefix_of_another_series_does_not_lead_to_a_card_of_the_frozen_one(self):
        self._freeze()
        body = self._get_code(self.series).partition('-')[2]
        self.assertEqual(self._get_portal_reason(f'SLOW-{body}'), 'unknown')
        self.assertEqual(self._guess(self.other_series), 'unknown')

    def test_who_leaves_the_prefix_out_guesses_among_other_series_no_oftener_than_ever(self):
        self._freeze()
        with freeze_time(NOON) as clock:
            for _number in range(5):
                self.assertEqual(self._guess(prefix='', customer=self.customer), 'unavailable')
            with patch.object(self.registry['refill.card.code'], '_get_ids') as look_up:
                self.assertEqual(self._guess(prefix='', customer=self.customer), 'unavailable')
            look_up.assert_not_called()
            other = self._get_code(self.other_series)
            self.assertEqual(self._get_reason(other.partition('-')[2]), 'unavailable')
            self.assertIsNone(self._get_reason(other), "with its prefix it is clear")
            clock.tick(timedelta(days=1, minutes=1))
            self.assertIsNone(
                self._get_reason(self._get_code(self.other_series, 1).partition('-')[2])
            )

    def test_a_series_that_shares_prefix_and_format_goes_on(self):
        alike = self._generate(1, prefix='QUICK', user=self.accountant)
        self.company.refill_card_freeze_guesses = 0
        self.env['refill.card.freeze']._freeze_guessed({self.series.id: 1})
        self.assertIsNone(self._get_portal_reason(self._get_code(alike)))
        self.assertEqual(self._get_portal_reason(self._get_code(self.series)), 'unavailable')

    # -------------------------------------------------------------------------
    # WHO IS TOLD
    # -------------------------------------------------------------------------

    def _get_alerts(self, user):
        """Return the activities about frozen series, and how many e-mails, a user got."""
        activities = self.env['mail.activity'].search(
            [('user_id', '=', user.id), ('summary', 'like', "are frozen")]
        )
        mails = (
            self.env['mail.mail']
            .sudo()
            .search(
                [
                    ('subject', '=', "Refill cards are frozen"),
                    ('recipient_ids', 'in', user.partner_id.ids),
                ]
            )
        )
        return activities, len(mails)

    def test_managers_of_the_company_are_told_at_once_and_once(self):
        other_manager = self._new_user(
            'other_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        self._freeze()
        activity, mails = self._get_alerts(self.accountant)
        self.assertEqual((len(activity), mails), (1, 1))
        self.assertIn(self.series.name, activity.summary)
        self.assertIn("3 wrong codes", activity.note)
        self.assertTrue(activity.with_user(self.accountant).res_name)
        for user in (self.clerk, other_manager):
            self.assertEqual(self._get_alerts(user), (self.env['mail.activity'], 0))
        self._get_portal_reason(self._get_code(self.series))
        self.env['refill.card.attempt'].sudo()._cron_alert()
        self.assertEqual(len(self._get_alerts(self.accountant)[0]), 1)

    def test_series_that_are_frozen_together_are_one_alert(self):
        for _number in range(LIMIT):
            self._guess(prefix='')
        activity, mails = self._get_alerts(self.accountant)
        self.assertEqual((len(activity), mails), (1, 1))
        for series in (self.series, self.other_series):
            self.assertIn(series.name, activity.note)

    def test_a_series_is_frozen_although_managers_cannot_be_told_and_they_are_told_later(self):
        freezes = self.registry['refill.card.freeze']
        with (
            patch.object(freezes, '_tell_managers_of', side_effect=ValueError),
            mute_logger('odoo.addons.refill_cards.refill_cards.models.refill_card_freeze'),
        ):
            self._freeze()
        self.assertFalse(self._get_alerts(self.accountant)[0])
        self.env['refill.card.attempt'].sudo()._cron_alert()
        self.assertTrue(self._get_alerts(self.accountant)[0])

    def test_codes_of_frozen_series_are_no_flood_of_refused_codes(self):
        self._freeze()
        self._get_portal_reason(self._get_code(self.series))
        attempts = self.env['refill.card.attempt']
        self.assertEqual(attempts.search_count(attempts._get_flood_domain()), LIMIT)

    def test_other_systems_are_told_once(self):
        self.company.refill_card_notices = True
        self._freeze()
        rows = self.env['refill.card.outbox'].sudo().search([('kind', '=', 'alert')])
        self.assertEqual(len(rows), 1)
        self.assertEqual((rows.company_id, rows.series_id), (self.company, self.series))
        self.assertEqual(rows.data, {'alert': 'series_frozen', 'cause': 'guesses', 'count': LIMIT})

    def test_the_audit_log_says_when_and_why(self):
        self._freeze()
        events = self.env['refill.card.event'].search([('series_id', '=', self.series.id)])
        event = events.filtered(lambda event: event.channel == 'automatic')
        self.assertIn("Frozen: 3 wrong codes", event.note)
        self.assertEqual((event.serial, event.company_id), (self.series.name, self.company))

    def test_managers_see_which_series_are_frozen(self):
        figures = self.env['refill.card.dashboard'].with_user(self.accountant).get_figures()
        self.assertIsNone(figures['frozen'])
        self._freeze()
        series = self.env['refill.card.series'].with_user(self.accountant)
        self.assertEqual(series.search([('redemption_frozen_since', '!=', False)]), self.series)
        self.assertIn(self.other_series, series.search([('redemption_frozen_since', '=', False)]))
        self.assertNotIn(self.series, series.search([('redemption_frozen_since', '=', False)]))
        self.assertIn("3 wrong codes", self.series.redemption_frozen_why)
        frozen = series.env['refill.card.dashboard'].get_figures()['frozen']
        self.assertIn(self.series.name, frozen['text'])
        self.assertEqual(frozen['action']['res_id'], self.series.id)

    # -------------------------------------------------------------------------
    # RELEASING
    # -------------------------------------------------------------------------

    def test_who_does_not_manage_the_series_releases_nothing(self):
        self._freeze()
        theirs = self._new_user(
            'their_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        for user in (self.clerk, self.customer_user, theirs):
            with self.subTest(user.login), self.assertRaises(AccessError):
                self._release(user=user)
        self._assert_frozen(self.series)

    def test_nobody_sets_or_clears_it_by_hand(self):
        self._freeze()
        freeze = self.env['refill.card.freeze'].sudo().search([]).with_user(self.accountant)
        freeze = freeze.sudo(False)
        values = {'series_id': self.other_series.id, 'date': NOON, 'cause': 'canary'}
        for call in (
            lambda: freeze.read(['cause']),
            lambda: freeze.search([]),
            lambda: freeze.write({'series_id': self.other_series.id}),
            lambda: freeze.create({**values, 'channel': 'backend'}),
            lambda: freeze.unlink(),
        ):
            with self.assertRaises(AccessError):
                call()
        for series in (self.series.with_user(self.accountant), self.series.sudo()):
            series.write({'redemption_frozen_since': False})
            self._assert_frozen(self.series)
        self.other_series.with_user(self.accountant).write({'redemption_frozen_since': NOON})
        self._assert_frozen(self.other_series, is_frozen=False)

    def test_a_release_says_why(self):
        self._freeze()
        for reason in (False, '  '):
            with self.assertRaises(UserError):
                self._release(reason=reason)
        self._assert_frozen(self.series)

    def test_a_released_series_is_redeemed_and_the_log_says_who_and_why(self):
        self._freeze()
        self._release(reason="One account, blocked")
        self._assert_frozen(self.series, is_frozen=False)
        self.assertIsNone(self._get_portal_reason(self._get_code(self.series)))
        event = self.env['refill.card.event'].search([('note', 'like', "Released")])
        self.assertEqual(event.note, "Released: One account, blocked")
        self.assertEqual((event.user_id, event.series_id), (self.accountant, self.series))

    def test_after_a_release_wrong_codes_are_counted_anew(self):
        self._freeze()
        self._release()
        self._guess()
        self._assert_frozen(self.series, is_frozen=False)
        for _number in range(LIMIT - 1):
            self._guess()
        self._assert_frozen(self.series)
        self.assertEqual(len(self._get_alerts(self.accountant)[0]), 2)

    def test_what_is_not_frozen_is_not_released(self):
        self._freeze()
        self._release()
        with self.assertRaises(UserError):
            self._release()

    def test_many_series_are_released_together(self):
        for _number in range(LIMIT):
            self._guess(prefix='')
        self._release(self.series + self.other_series)
        self._assert_frozen(self.series, self.other_series, is_frozen=False)

    def test_a_frozen_series_is_deleted_like_any_other(self):
        self._freeze()
        self.series.action_delete()
        self.assertFalse(self.env['refill.card.freeze'].sudo().search([]))


@tagged('post_install', '-at_install')
class TestFreezePortal(FreezeCommon, PortalCommon):
    def test_a_customer_reads_whom_to_call_and_may_go_on(self):
        self.company.phone = '+1 202 555 0100'
        self._freeze()
        for number in range(6):
            response = self._post(self._get_code(self.series, number % 3))
            self.assertIn(SENTENCE, self._get_alert(response))
            self.assertIn('+1 202 555 0100', self._get_alert(response))
        self._post(self._get_code(self.other_series))
        self.assertEqual(self.other_series.card_ids[0].state, 'used')
        self.assertEqual(set(self.series.card_ids.mapped('state')), {'active'})
