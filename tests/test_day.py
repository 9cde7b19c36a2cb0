from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import format_date

from .common import RefillCardCommon

AUCKLAND = 'Pacific/Auckland'  # 13 hours ahead of UTC in December
LOS_ANGELES = 'America/Los_Angeles'  # 8 hours behind UTC in December
# Noon of 31 December in Los Angeles, the new year in Auckland.
NOON = '2026-12-31 20:00:00'


@tagged('post_install', '-at_install')
class TestDay(RefillCardCommon):
    """Payments have the company's day; a card's last day ends where the customer is."""

    def setUp(self):
        super().setUp()
        self.company.partner_id.tz = LOS_ANGELES

    def test_the_zone_is_the_address_s_else_the_working_hours_else_utc(self):
        self.company.resource_calendar_id.tz = 'Europe/Vienna'
        self.assertEqual(self.company.refill_card_zone, LOS_ANGELES)
        self.company.partner_id.tz = False
        self.assertEqual(self.company.refill_card_zone, 'Europe/Vienna')
        self.company.resource_calendar_id = False
        self.assertEqual(self.company.refill_card_zone, 'UTC')

    def test_a_payment_has_the_company_s_day_and_year(self):
        self.customer.tz = self.clerk.tz = AUCKLAND
        with freeze_time(NOON):
            payment = self._redeem(self._generate_card())
        self.assertEqual(payment.date, fields.Date.to_date('2026-12-31'))
        self.assertEqual(payment.move_id.date, payment.date)
        self.assertIn('2026', payment.name)

    def test_a_payment_has_the_company_s_day_in_auckland_too(self):
        self.company.partner_id.tz = AUCKLAND
        self.customer.tz = self.clerk.tz = LOS_ANGELES
        with freeze_time(NOON):
            payment = self._redeem(self._generate_card())
        self.assertEqual(payment.date, fields.Date.to_date('2027-01-01'))
        self.assertIn('2027', payment.name)

    def test_the_reversal_of_a_locked_payment_has_the_company_s_day(self):
        card = self._generate_card()
        with freeze_time('2026-11-30 20:00:00'):
            payment = self._redeem(card)
        with freeze_time(NOON):
            self.company.fiscalyear_lock_date = '2026-12-01'
            self.accountant.tz = AUCKLAND
            self._undo(card)
        reversal = payment.move_id.reversal_move_ids
        self.assertEqual(reversal.date, fields.Date.to_date('2026-12-31'))

    def _assert_redeemable(self, card, expected):
        """Assert that list, button, form, window, filter and redemption agree."""
        card = card.with_user(self.clerk)
        self.env.invalidate_all()
        self.assertEqual(card.is_redeemable, expected)
        domain = card._get_redeemable_domain() & fields.Domain('id', '=', card.id)
        self.assertEqual(bool(card.search(domain)), expected)
        wizards = self.env['refill.card.redeem'].with_user(self.clerk)
        wizard = wizards.create({'card_id': card.id, 'partner_id': self.customer.id})
        self.assertEqual(bool(wizard.refusal), not expected)
        if expected:
            self._redeem(card)
        else:
            self._assert_refused('expired', self._redeem, card)

    def test_the_last_day_ends_with_the_company_s_everywhere(self):
        self.customer.tz = False
        for user_zone in (AUCKLAND, 'UTC', LOS_ANGELES):
            self.clerk.tz = user_zone
            for now, expected in (('2027-01-01 07:59', True), ('2027-01-01 08:01', False)):
                with self.subTest(user=user_zone, now=now), freeze_time('2026-12-01'):
                    card = self._generate_card(valid_till='2026-12-31')
                    with freeze_time(now):
                        self._assert_redeemable(card, expected)

    def test_the_last_day_ends_with_the_customer_s_before_the_company_s(self):
        self.customer.tz = AUCKLAND
        for now, expected in (('2026-12-31 10:59', True), ('2026-12-31 11:01', False)):
            with self.subTest(now=now), freeze_time('2026-12-01'):
                card = self._generate_card(valid_till='2026-12-31')
                with freeze_time(now):
                    if expected:
                        self._redeem(card)
                    else:
                        self._assert_refused('expired', self._redeem, card)

    def test_a_card_given_back_is_expired_by_the_customer_s_day(self):
        with freeze_time('2026-12-01'):
            cards = self._generate(2, valid_till='2026-12-31').card_ids
            self.customer.tz = AUCKLAND
            for card in cards:
                self._redeem(card)
        with freeze_time('2026-12-31 10:59'):
            self._undo(cards[0])
        with freeze_time('2026-12-31 11:01'):
            self._undo(cards[1])
        self.assertEqual(cards.mapped('state'), ['active', 'expired'])

    def test_a_card_given_back_is_expired_by_the_day_of_the_company_that_redeemed_it(self):
        self.customer.tz = False
        self.accountant.company_id = self.other_company
        for zone, other_zone, state in (
            (LOS_ANGELES, AUCKLAND, 'active'),
            (AUCKLAND, LOS_ANGELES, 'expired'),
        ):
            with self.subTest(zone), freeze_time('2026-12-01'):
                self.company.partner_id.tz = zone
                self.other_company.partner_id.tz = other_zone
                card = self._generate_card(
                    valid_till='2026-12-31',
                    user=self.accountant.with_company(self.company),
                    company_ids=[Command.clear()],
                )
                self._redeem(card)
                with freeze_time(NOON):
                    self._undo(card)
                self.assertEqual(card.state, state)

    def test_a_card_may_be_valid_till_the_company_s_day(self):
        self.accountant.tz = AUCKLAND
        with freeze_time(NOON):
            card = self._generate_card(valid_till='2026-12-31')
            self.company.partner_id.tz = AUCKLAND
            with self.assertRaisesRegex(UserError, "has passed"):
                self._generate_card(valid_till='2026-12-31')
        self.assertEqual(card.state, 'active')

    def test_activation_counts_from_the_company_s_day_and_the_window_says_so(self):
        self.accountant.tz = AUCKLAND
        with freeze_time(NOON):
            card = self._generate_card(activation_required=True, validity_days=30)
            wizard = self._wizard(card, 'activate')
            told = wizard.last_days
            wizard.action_confirm()
        self.assertEqual(card.valid_till, fields.Date.to_date('2027-01-30'))
        self.assertEqual(told, format_date(self.env, card.valid_till))

    # -------------------------------------------------------------------------
    # RATES
    # -------------------------------------------------------------------------

    def _franc_card(self):
        """Return a card in a currency in which nobody keeps books, still without a rate."""
        franc = self.env.ref('base.CHF')
        franc.active = True
        franc.rate_ids.unlink()
        self.env['res.company'].search(
            [('currency_id', '=', franc.id)]
        ).currency_id = self.company.currency_id
        return self._generate_card(currency_id=franc.id)

    def _rate(self, card, day, company):
        values = {'currency_id': card.currency_id.id, 'name': day, 'rate': 1.25}
        self.env['res.currency.rate'].create({**values, 'company_id': company.id})

    def test_a_rate_of_tomorrow_is_none_today(self):
        card = self._franc_card()
        self._rate(card, '2027-01-01', self.company)
        self.clerk.tz = AUCKLAND
        with freeze_time(NOON):
            self._assert_refused('company', self._redeem, card)
        self.company.partner_id.tz = AUCKLAND
        with freeze_time(NOON):
            self._redeem(card)
        self.assertEqual(self._balance(), 20)

    def test_a_currency_that_was_archived_is_not_booked(self):
        card = self._franc_card()
        self._rate(card, '2020-01-01', self.company)
        card.currency_id.active = False
        self._assert_refused('company', self._redeem, card)
        card.currency_id.active = True
        self._redeem(card)
        self.assertEqual(self._balance(), 20)

    def test_a_rate_of_another_root_company_is_none(self):
        card = self._franc_card()
        self._rate(card, '2020-01-01', self.other_company)
        self._assert_refused('company', self._redeem, card)
        self._rate(card, '2020-01-01', self.company)
        self._redeem(card)
        self.assertEqual(self._balance(), 20)

    # -------------------------------------------------------------------------
    # BRANCHES
    # -------------------------------------------------------------------------

    def _branch(self):
        branch = self._create_company(name="Branch", parent_id=self.company.id)
        self.cr.precommit.run()  # loads the root company's chart of accounts
        self.clerk.company_ids += branch
        self.env.user.company_ids += branch
        return branch

    def test_a_branch_has_a_day_of_its_own(self):
        branch = self._branch()
        branch.partner_id.tz = AUCKLAND
        card = self._generate_card(company_ids=[Command.clear()])
        cards = self.env['refill.card'].with_user(self.clerk)
        with freeze_time(NOON):
            result = cards.redeem_code(card.sudo().code, self.customer.id, branch.id)
        payment = self.env['account.payment'].browse(result['payment_id'])
        self.assertEqual(payment.date, fields.Date.to_date('2027-01-01'))

    def test_a_branch_books_at_the_rate_of_head_office(self):
        branch = self._branch()
        card = self._franc_card()
        self._rate(card, '2020-01-01', self.company)
        cards = self.env['refill.card'].with_user(self.clerk)
        cards.redeem_code(card.sudo().code, self.customer.id, branch.id)
        self.assertEqual(self._balance(), 20)

    def test_a_customer_of_head_office_redeems_in_a_branch_and_not_the_reverse(self):
        branch = self._branch()
        cards = self._generate(2, company_ids=[Command.clear()]).card_ids
        service = self.env['refill.card'].with_user(self.clerk)
        self.customer.company_id = self.company
        service.redeem_code(cards[0].sudo().code, self.customer.id, branch.id)
        self.assertEqual(cards[0].state, 'used')
        self.stranger.company_id = branch
        code = cards[1].sudo().code
        self._assert_refused(
            'company', service.redeem_code, code, self.stranger.id, self.company.id
        )
        self.assertEqual(cards[1].state, 'active')
