"""How much one customer, address or login adds to what freezes a series; guesses beside one."""

from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time
from odoo.tests import tagged

from .test_freeze import NOON, FreezeCommon

ORIGINS = 10
HIGH = 2 * ORIGINS


@tagged('post_install', '-at_install')
class TestFreezeOrigins(FreezeCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company.refill_card_freeze_guesses = HIGH
        # So that nobody is locked out before.
        for name in ('guesses', 'address_guesses'):
            cls.env['ir.config_parameter'].set_param(f'refill_cards.{name}', '1000')

    def _type_wrong(self, customer, **kwargs):
        fmt = self.series._get_format()
        self.assertEqual(
            self._get_reason(fmt.display(fmt.generate(1)[0]), customer, **kwargs), 'unknown'
        )

    def _type_wrong_in_portal(self, customer, address):
        fmt = self.series._get_format()
        cards = self.env['refill.card'].with_user(self.customer_user).sudo()
        lockouts = self.registry['refill.card.lockout']
        code = fmt.display(fmt.generate(1)[0])
        with patch.object(lockouts, '_get_origin', return_value=address):
            self._assert_refused(
                'unknown', cards._redeem_code, code, customer, self.company, channel='portal'
            )

    # -------------------------------------------------------------------------
    # ALONE
    # -------------------------------------------------------------------------

    def test_one_customer_freezes_nothing_from_however_many_addresses(self):
        for number in range(HIGH + 5):
            self._type_wrong_in_portal(self.customer, f'203.0.113.{number}')
        self._assert_frozen(self.series, is_frozen=False)

    def test_one_address_freezes_nothing_with_however_many_customers(self):
        for customer in self.customers[: HIGH + 5]:
            self._type_wrong_in_portal(customer, '203.0.113.7')
        self._assert_frozen(self.series, is_frozen=False)

    def test_one_login_or_api_key_freezes_nothing_for_however_many_customers(self):
        for customer in self.customers[: HIGH + 5]:
            self._type_wrong(customer)
        self._assert_frozen(self.series, is_frozen=False)
        self.assertIsNone(self._get_portal_reason(self._get_code(self.series)))

    def test_one_caller_of_a_gateway_freezes_nothing(self):
        for customer in self.customers[: HIGH + 5]:
            self._type_wrong(customer, caller='+1 202 555 0100')
        self._assert_frozen(self.series, is_frozen=False)

    # -------------------------------------------------------------------------
    # TOGETHER
    # -------------------------------------------------------------------------

    def test_many_freeze_the_series_each_by_a_few(self):
        for customer in self.customers[: HIGH - 1]:
            self._guess(customer=customer)
        self._assert_frozen(self.series, is_frozen=False)
        self._guess(customer=self.customers[HIGH])
        self._assert_frozen(self.series)

    def test_a_wrong_code_that_goes_round_among_many_is_one_guess(self):
        fmt = self.series._get_format()
        code = fmt.display(fmt.generate(1)[0])
        for customer in self.customers[: HIGH + 5]:
            self.assertEqual(self._get_reason(code, customer, caller=str(customer.id)), 'unknown')
        self._assert_frozen(self.series, is_frozen=False)

    def test_ten_freeze_the_series_and_nine_do_not_however_much_they_guess(self):
        for customer in self.customers[: ORIGINS - 1]:
            for _number in range(5):
                self._guess(customer=customer)
        self._assert_frozen(self.series, is_frozen=False)
        for _number in range(2):
            self._guess(customer=self.customers[ORIGINS])
        self._assert_frozen(self.series)

    def test_what_somebody_guessed_an_hour_ago_uses_up_nothing(self):
        with freeze_time(NOON) as clock:
            for customer in self.customers[:ORIGINS]:
                self._guess(customer=customer)
            clock.tick(timedelta(minutes=61))
            for customer in self.customers[: ORIGINS - 1]:
                for _number in range(2):
                    self._guess(customer=customer)
            self._assert_frozen(self.series, is_frozen=False)
            self._guess(customer=self.customers[0])
            self._assert_frozen(self.series, is_frozen=False)
            for _number in range(2):
                self._guess(customer=self.customers[ORIGINS])
            self._assert_frozen(self.series)

    def test_the_same_people_freeze_a_released_series_again(self):
        for _round in range(2):
            for customer in self.customers[:ORIGINS]:
                for _number in range(2):
                    self._guess(customer=customer)
            self._assert_frozen(self.series)
            self._release()


@tagged('post_install', '-at_install')
class TestGuessingBesideFrozen(FreezeCommon):
    """Codes that could be of a frozen series, or of another one: no guesses, but not unseen."""

    def setUp(self):
        super().setUp()
        self._freeze()

    def _count_alerts(self, summary):
        self.env['refill.card.attempt'].sudo()._cron_alert()
        return self.env['mail.activity'].search_count(
            [('user_id', '=', self.accountant.id), ('summary', 'like', summary)]
        )

    def test_managers_are_told_of_many_that_may_be_guesses(self):
        self.env['ir.config_parameter'].set_param('refill_cards.alert', '7')
        for _number in range(3):
            self.assertEqual(self._guess(prefix=''), 'unavailable')
        self.assertEqual(self._count_alerts("are refused"), 0)
        self.assertEqual(self._guess(prefix=''), 'unavailable')
        self.assertEqual(self._count_alerts("are refused"), 1)

    def test_managers_see_each_of_them_once_and_who_typed_it(self):
        code = self._get_code(self.series).partition('-')[2]
        for _number in range(3):
            self.assertEqual(self._get_portal_reason(code), 'unavailable')
        self.assertEqual(self._guess(prefix='', customer=self.customer), 'unavailable')
        attempts = self.env['refill.card.attempt'].with_user(self.accountant)
        attempts = attempts.search([('reason', '=', 'unclear')])
        self.assertEqual(attempts.partner_id, self.customer)
        self.assertEqual(len(attempts), 2)
        self.assertFalse(attempts.card_id)

    def test_codes_of_the_frozen_series_alone_are_none_of_them(self):
        for number in range(3):
            self._get_portal_reason(self._get_code(self.series, number))
        self.assertEqual(self._count_attempts('unclear'), 0)

    def test_managers_are_told_which_of_the_staff_may_be_guessing(self):
        self.env['ir.config_parameter'].set_param('refill_cards.person_alert', '5')
        for _number in range(3):
            self._guess(prefix='')
        self.assertEqual(self._count_alerts("are looked at"), 1)
