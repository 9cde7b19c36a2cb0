"""What a frozen series is to programs with an API key, to resellers, and once it is split."""

from unittest.mock import patch

from odoo.tests import tagged
from odoo.tools import mute_logger

from .test_freeze import LIMIT, SENTENCE, FreezeCommon
from .test_identity import IdentityCommon
from .test_portal_reseller import ResellerCommon

ATTEMPT_LOG = 'odoo.addons.refill_cards.refill_cards.models.refill_card_attempt'
LOCKOUT_LOG = 'odoo.addons.refill_cards.refill_cards.models.refill_card_lockout_frozen'
FREEZE_LOG = 'odoo.addons.refill_cards.refill_cards.models.refill_card_freeze'


@tagged('post_install', '-at_install')
class TestFreezeApiKey(FreezeCommon, IdentityCommon):
    def setUp(self):
        super().setUp()
        self._freeze()
        self.code = self._get_code(self.series)

    def _assert_unavailable(self, model, method, user=None, **body):
        with mute_logger('odoo.http'):
            response = self._call_api(user or self.clerk, model, method, **body)
        self.assertEqual(response.status_code, 422, response.text)
        self.assertIn('unavailable', response.text)

    def test_an_api_key_redeems_no_card_of_the_series_in_the_window_of_staff(self):
        window = 'refill.card.redeem'
        values = {'partner_id': self.customer.id}
        self._assert_unavailable(window, 'create', vals_list=[{**values, 'typed': self.code}])
        card = self.series.card_ids[0]
        created = self._call_api(
            self.clerk, window, 'create', vals_list=[{**values, 'card_id': card.id}]
        )
        self._assert_unavailable(window, 'action_redeem', ids=created.json())
        self.assertEqual(card.state, 'active')

    def test_an_api_key_finds_no_card_of_the_series_by_its_code(self):
        wrong = 'QUICK-' + self.series._get_format().generate(1)[0]
        for code in (self.code, wrong):
            for domain in ([['code', '=', code]], [['display_name', 'ilike', code]]):
                self._assert_unavailable('refill.card', 'search', domain=domain)
            self._assert_unavailable(
                'refill.card.export.wizard',
                'create',
                self.accountant,
                vals_list=[{'first': code}],
            )
        cards = self.env['refill.card'].with_user(self.clerk)
        with patch.object(self.registry['refill.card'], '_is_own_session', return_value=False):
            self._assert_refused('unavailable', cards.search, [('code', '=', self.code)])
        attempt = self.env['refill.card.attempt'].search([('reason', '=', 'unavailable')])
        self.assertEqual(attempt.channel, 'api')


@tagged('post_install', '-at_install')
class TestFreezeReseller(FreezeCommon, ResellerCommon):
    def test_a_reseller_activates_cards_of_the_series_by_serial_number_only(self):
        cards = self._generate_consigned(2)
        self.env.flush_all()
        self.env['refill.card.freeze'].sudo()._freeze_guessed({cards.series_id.id: LIMIT})
        self.assertIn(SENTENCE, self._activate(cards[0].code).text)
        self._activate(cards[1].name)
        self.assertEqual(cards.mapped('state'), ['inactive', 'active'])


@tagged('post_install', '-at_install')
class TestFreezeDoors(FreezeCommon):
    def test_cards_that_are_split_off_a_frozen_series_are_frozen_too(self):
        self._freeze()
        card = self.series.card_ids[0]
        self._change(
            card.with_user(self.accountant), 'companies', company_ids=self.other_company.ids
        )
        self.assertNotEqual(card.series_id, self.series)
        self._assert_frozen(self.series, card.series_id)
        self.assertEqual(self._get_portal_reason(card.sudo().code), 'unavailable')
        self._release(card.series_id)
        self._assert_frozen(self.series)

    # -------------------------------------------------------------------------
    # WHAT THE ANSWER DOES NOT TELL
    # -------------------------------------------------------------------------

    def test_a_guess_counts_for_its_customer_although_it_cannot_be_counted_for_the_series(self):
        guesses = self.registry['refill.card.guess']
        with (
            patch.object(guesses, '_add', side_effect=ValueError),
            mute_logger(LOCKOUT_LOG),
        ):
            self.assertEqual(self._guess(customer=self.customer), 'unknown')
        self.assertEqual(self._get_lockout().guesses, 1)

    def test_the_guess_that_cannot_freeze_the_series_gets_the_same_answer(self):
        freezes = self.registry['refill.card.freeze']
        with (
            patch.object(freezes, '_tell_at_once', side_effect=ValueError),
            mute_logger(FREEZE_LOG),
        ):
            for _number in range(LIMIT - 1):
                self._guess()
            self.assertEqual(self._guess(customer=self.customer), 'unknown')
        self._assert_frozen(self.series)
        self.assertEqual(self._get_lockout().guesses, 1)

    def test_a_good_code_without_its_prefix_takes_as_many_queries_as_a_wrong_one(self):
        self._freeze()
        fmt = self.series._get_format()
        good = [self._get_code(self.series, number).partition('-')[2] for number in range(2)]
        wrong = [fmt.display(body).partition('-')[2] for body in fmt.generate(2)]
        counts = []
        for code in (good[0], wrong[0], good[1], wrong[1]):
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.assertEqual(self._get_portal_reason(code), 'unavailable')
            counts.append(self.env.cr.sql_log_count - before)
        self.assertEqual(counts[2], counts[3], counts)

    # -------------------------------------------------------------------------
    # TELLING
    # -------------------------------------------------------------------------

    def _count_activities(self, summary):
        return self.env['mail.activity'].search_count(
            [('user_id', '=', self.accountant.id), ('summary', 'like', summary)]
        )

    def test_what_is_frozen_and_gone_keeps_no_alert_back(self):
        freezes = self.env['refill.card.freeze'].sudo()
        gone = freezes.create(
            {
                'series_id': self.series.id + 1_000_000,
                'date': '2026-03-10 12:00:00',
                'cause': 'guesses',
                'channel': 'automatic',
                'is_told': False,
            }
        )
        self._freeze()
        self.assertEqual(self._count_activities("are frozen"), 1)
        freezes.invalidate_model()
        self.assertFalse(gone.exists())

    def test_who_cannot_be_told_keeps_no_alert_of_another_company_back(self):
        freezes = self.env['refill.card.freeze'].sudo()
        theirs = self.other_series
        theirs.sudo().company_id = self.other_company
        self.env.flush_all()
        tell = self.registry['refill.card.freeze']._tell_managers_of

        def fail_for_theirs(records, company):
            if company == self.other_company:
                raise ValueError("No manager is told")
            tell(records, company)

        with (
            patch.object(self.registry['refill.card.freeze'], '_tell_managers_of', fail_for_theirs),
            mute_logger(FREEZE_LOG),
        ):
            freezes._freeze_guessed({self.series.id: LIMIT, theirs.id: LIMIT})
        self.assertEqual(self._count_activities("are frozen"), 1)
        freezes.invalidate_model()
        self.assertEqual(freezes.search([('is_told', '=', False)]).series_id, theirs)

    def test_who_cannot_be_told_keeps_no_alert_of_many_refused_codes_back(self):
        self.env['ir.config_parameter'].set_param('refill_cards.alert', '1')
        self._guess()
        with (
            patch.object(self.registry['refill.card.freeze'], '_tell', side_effect=ValueError),
            mute_logger(ATTEMPT_LOG),
        ):
            self.env['refill.card.attempt'].sudo()._cron_alert()
        self.assertEqual(self._count_activities("are refused"), 1)
