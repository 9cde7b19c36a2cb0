"""Those who guess: counting wrong codes, locking out, unlocking, telling managers."""

from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import Form, tagged
from psycopg2 import OperationalError

from ..refill_cards import codes
from ..refill_cards.models.refill_card_lockout import DEFAULTS
from ..refill_cards.refusals import RefillCardRefused
from .common import RefillCardCommon

NOON = '2026-03-10 12:00:00'


class GuessingCommon(RefillCardCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.card = cls._generate_card()
        cls.format = cls.card.series_id._get_format()
        cls.lockouts = cls.env['refill.card.lockout']

    def _guesses(self, count):
        """Return well-formed codes that no card has."""
        return [self.format.display(body) for body in self.format.generate(count)]

    def _get_lockout(self, user=None):
        """Return the counts of a user of the backend, or for the customer."""
        self.lockouts.invalidate_model()  # counted by other transactions
        if user:
            return self.lockouts.search([('origin', '=', user.login)])
        return self.lockouts.search([('partner_id', '=', self.customer.id)])

    def _get_reason(self, code, user=None, partner=None):
        """Redeem as staff over the API; return why that was refused, None when it was not."""
        cards = self.env['refill.card'].with_user(user or self.clerk)
        try:
            cards.redeem_code(code, (partner or self.customer).id)
        except RefillCardRefused as refused:
            return refused.reason
        self.env.cr.postcommit.run()  # what a test's transaction never reaches

    def _get_portal_reason(self, code, user=None):
        """Redeem as the portal does, for the customer who is logged in."""
        user = user or self.customer_user
        cards = self.env['refill.card'].with_user(user).sudo()
        try:
            cards._redeem_code(code, user.partner_id, self.company, channel='portal')
        except RefillCardRefused as refused:
            return refused.reason
        self.env.cr.postcommit.run()

    def _lock_out(self):
        """Guess until the customer is locked out."""
        for code in self._guesses(5):
            self.assertEqual(self._get_reason(code), 'unknown')
        self.assertTrue(self._get_lockout().is_locked)

    def _guess_for_many(self, count):
        """Guess over the API, for another customer each time; return the reasons."""
        customers = self.env['res.partner'].create([{'name': "Victim"} for _ in range(count)])
        return [
            self._get_reason(code, partner=customer)
            for code, customer in zip(self._guesses(count), customers, strict=True)
        ]

    def _count_attempts(self, reason):
        return self.env['refill.card.attempt'].search_count([('reason', '=', reason)])


@tagged('post_install', '-at_install')
class TestGuessing(GuessingCommon):
    # -------------------------------------------------------------------------
    # LOCKING OUT
    # -------------------------------------------------------------------------

    def test_five_unknown_codes_lock_out_the_customer_for_15_minutes(self):
        with freeze_time(NOON) as clock:
            self._lock_out()
            self.assertEqual(self._get_reason(self.card.sudo().code), 'locked_out')
            clock.move_to('2026-03-10 12:14:59')
            self.assertEqual(self._get_reason(self.card.sudo().code), 'locked_out')
            self.assertEqual(self.card.state, 'active')
            clock.move_to('2026-03-10 12:15:00')
            self.assertIsNone(self._get_reason(self.card.sudo().code))
        self.assertEqual(self.card.state, 'used')

    def test_a_code_typed_while_locked_out_is_not_read(self):
        self._lock_out()
        with patch.object(self.registry['refill.card'], '_seal') as read:
            self.assertEqual(self._get_reason(self.card.sudo().code), 'locked_out')
        read.assert_not_called()

    def test_what_is_typed_while_locked_out_neither_counts_nor_prolongs(self):
        with freeze_time(NOON) as clock:
            self._lock_out()
            clock.tick(timedelta(minutes=14))
            for code in [*self._guesses(10), 'typo'] * 10:
                self.assertEqual(self._get_reason(code), 'locked_out')
            lockout = self._get_lockout()
            self.assertEqual((lockout.guesses, lockout.typos), (5, 0))
            self.assertEqual(
                lockout.locked_until, fields.Datetime.to_datetime('2026-03-10 12:15:00')
            )

    def test_each_further_lock_is_longer_up_to_a_day(self):
        with freeze_time(NOON) as clock:
            for minutes in (15, 60, 24 * 60, 24 * 60):
                self._lock_out()
                until = self._get_lockout().locked_until
                self.assertEqual(until - fields.Datetime.now(), timedelta(minutes=minutes))
                clock.move_to(until)

    def test_an_attacker_guesses_as_often_as_the_risk_is_calculated_with(self):
        days = 20
        looked_up = 0
        with freeze_time(NOON) as clock:
            end = fields.Datetime.now() + timedelta(days=days)
            while fields.Datetime.now() < end:
                [code] = self._guesses(1)
                if self._get_reason(code) == 'unknown':
                    looked_up += 1
                else:
                    clock.move_to(self._get_lockout().locked_until)
        self.assertEqual(looked_up, 10 + 5 * days)
        self.assertEqual(codes.GUESSES_A_YEAR, 10 + 5 * 365)

    def test_a_redeemed_card_clears_the_count(self):
        for code in self._guesses(4):
            self._get_reason(code)
        self.assertIsNone(self._get_reason(self.card.sudo().code))
        self._lock_out()

    def test_a_redeemed_card_clears_no_count_of_another_customer_or_of_the_user(self):
        for code in self._guesses(4):
            self._get_reason(code)
        self.assertIsNone(self._get_reason(self.card.sudo().code, partner=self.stranger))
        self.assertEqual(self._get_lockout().guesses, 4)
        self.assertIsNone(self._get_reason(self._generate_card().sudo().code))
        self.assertEqual(self._get_lockout().guesses, 0)
        self.assertEqual(self._get_lockout(self.clerk).guesses, 4)

    def test_a_count_that_cannot_be_cleared_is_no_error_after_the_money_is_booked(self):
        cards = self.env['refill.card'].with_user(self.clerk)
        cards.redeem_code(self.card.sudo().code, self.customer.id)
        with (
            patch.object(self.registry['refill.card.lockout'], '_execute_alone') as execute,
            self.assertLogs('odoo.addons.refill_cards', 'WARNING') as logs,
        ):
            execute.side_effect = OperationalError
            self.env.cr.postcommit.run()
        self.assertIn("stay counted", logs.output[0])

    def test_a_card_picked_from_the_list_does_not_unlock(self):
        self._lock_out()
        wizard = self.env['refill.card.redeem'].with_user(self.clerk)
        wizard = wizard.create({'card_id': self.card.id, 'partner_id': self.customer.id})
        wizard.action_redeem()
        self.env.cr.postcommit.run()
        self.assertEqual(self.card.state, 'used')
        self.assertEqual(self._get_reason(self._guesses(1)[0]), 'locked_out')

    def test_codes_of_cards_that_are_refused_are_no_guesses(self):
        self._get_reason(self.card.sudo().code)
        for _ in range(10):
            self.assertEqual(self._get_reason(self.card.sudo().code), 'used')
        self.assertFalse(self._get_lockout().guesses)

    def test_a_used_card_does_not_clear_the_count(self):
        self._get_reason(self.card.sudo().code, user=self.accountant)
        for code in self._guesses(4):
            self._get_reason(code)
        self.assertEqual(self._get_reason(self.card.sudo().code), 'used')
        self.env.cr.postcommit.run()
        self.assertEqual(self._get_lockout().guesses, 4)

    def test_the_same_unknown_code_again_counts_once(self):
        code, other = self._guesses(2)
        for typed in (code, code.lower(), code.replace('-', ' '), *[code] * 10):
            self.assertEqual(self._get_reason(typed), 'unknown')
        for lockout in (self._get_lockout(), self._get_lockout(self.clerk)):
            self.assertEqual(lockout.guesses, 1)
            self.assertFalse(lockout.is_locked)
        for typed in (other, code, other):
            self._get_reason(typed)
        self.assertEqual(self._get_lockout().guesses, 2)

    def test_of_the_unknown_codes_only_the_last_fifty_are_remembered(self):
        self._set(guesses=1000, address_guesses=1000)
        guesses = self._guesses(52)
        for typed in (*guesses, guesses[-50], guesses[0]):
            self.assertEqual(self._get_reason(typed), 'unknown')
        for lockout in (self._get_lockout(), self._get_lockout(self.clerk)):
            self.assertEqual(lockout.guesses, 53)
            self.assertEqual(len(lockout.sudo().last_unknown.split()), 50)

    def test_of_an_unknown_code_no_table_holds_more_than_a_keyed_hash(self):
        [code] = self._guesses(1)
        self._get_reason(code)
        self._get_lockout()
        self.env.cr.execute('SELECT row_to_json(l)::text FROM refill_card_lockout l')
        rows = self.env.cr.fetchall()
        self.assertTrue(rows)
        body = codes.normalize(code)[-13:]
        seal = self.env['refill.card.key']._get_sealer().seal(body)
        for [row] in rows:
            self.assertNotIn(body[:4], row)
            self.assertNotIn(seal, row)
        with self.assertRaises(AccessError):
            self.lockouts.with_user(self.accountant).search([]).read(['last_unknown'])

    def test_the_hash_of_an_unknown_code_is_keyed_by_the_database_s_secret(self):
        [code] = self._guesses(1)
        self._get_reason(code)
        self.env['ir.config_parameter'].set_param('database.secret', "another")
        self._get_reason(code)
        self.assertEqual(self._get_lockout().guesses, 2)

    def test_a_redeemed_card_clears_typing_errors(self):
        self._set(typos=3)
        for _ in range(2):
            self._get_reason('QUICK-7K2M')
        self.assertIsNone(self._get_reason(self.card.sudo().code))
        self.assertEqual(self._get_lockout().typos, 0)
        self.assertEqual([self._get_reason('x') for _ in range(3)], ['typo'] * 3)

    def test_a_contact_s_success_clears_the_customer_s_count(self):
        employer = self.env['res.partner'].create({'name': "Employer", 'is_company': True})
        colleague = self._new_user('colleague', 'base.group_portal')
        (self.customer + colleague.partner_id).parent_id = employer
        for code in self._guesses(4):
            self._get_portal_reason(code, colleague)
        self.assertIsNone(self._get_portal_reason(self.card.sudo().code))
        lockout = self.lockouts.search([('partner_id', '=', employer.id)])
        self.assertEqual(lockout.guesses, 0)
        for code in self._guesses(4):
            self.assertEqual(self._get_portal_reason(code, colleague), 'unknown')

    # -------------------------------------------------------------------------
    # WHO
    # -------------------------------------------------------------------------

    def test_a_customer_who_guesses_through_a_gateway_locks_out_only_themselves(self):
        self._lock_out()
        self.assertEqual(self._get_reason(self.card.sudo().code), 'locked_out')
        self.assertEqual(self._get_portal_reason(self.card.sudo().code), 'locked_out')
        self.assertIsNone(self._get_reason(self.card.sudo().code, partner=self.stranger))

    def test_staff_who_name_another_customer_each_time_wait_after_20_codes(self):
        with freeze_time(NOON) as clock:
            self.assertEqual(self._guess_for_many(21), ['unknown'] * 20 + ['locked_out'])
            self.assertEqual(self._get_reason(self.card.sudo().code), 'locked_out')
            clock.tick(timedelta(minutes=1))
            self.assertEqual(self._guess_for_many(2), ['unknown', 'locked_out'])

    def test_staff_who_wait_do_not_keep_colleagues_or_customers_waiting(self):
        (self.clerk + self.accountant).partner_id.parent_id = self.company.partner_id
        other = self._generate_card()
        self._guess_for_many(20)
        self.assertEqual(self._get_reason(self.card.sudo().code), 'locked_out')
        self.assertIsNone(self._get_reason(self.card.sudo().code, user=self.accountant))
        self.assertIsNone(self._get_portal_reason(other.sudo().code))

    def test_20_codes_within_any_10_minutes_are_too_many(self):
        with freeze_time(NOON) as clock:
            self._guess_for_many(1)
            clock.move_to('2026-03-10 12:09:59')
            self._guess_for_many(18)
            clock.move_to('2026-03-10 12:10:01')
            self.assertEqual(self._guess_for_many(3), ['unknown', 'unknown', 'locked_out'])

    def test_contacts_of_one_customer_are_counted_together(self):
        employer = self.env['res.partner'].create({'name': "Employer", 'is_company': True})
        colleague = self._new_user('colleague', 'base.group_portal')
        stranger = self._new_user('stranger', 'base.group_portal')
        (self.customer + colleague.partner_id).parent_id = employer
        for code in self._guesses(5):
            self.assertEqual(self._get_portal_reason(code), 'unknown')
        self.assertEqual(self._get_portal_reason(self.card.sudo().code, colleague), 'locked_out')
        self.assertIsNone(self._get_portal_reason(self.card.sudo().code, stranger))

    # -------------------------------------------------------------------------
    # TYPING ERRORS
    # -------------------------------------------------------------------------

    def test_typing_errors_are_no_guesses(self):
        for _ in range(20):
            self.assertEqual(self._get_reason('QUICK-7K2M'), 'typo')
        self.assertIsNone(self._get_reason(self.card.sudo().code))

    def test_a_flood_of_typing_errors_locks_out_for_the_rest_of_the_hour(self):
        with freeze_time(NOON) as clock:
            for _ in range(60):
                self.assertEqual(self._get_reason('QUICK-7K2M'), 'typo')
                clock.tick(timedelta(seconds=50))
            self.assertEqual(self._get_reason(self.card.sudo().code), 'locked_out')
            clock.move_to('2026-03-10 12:59:59')
            self.assertEqual(self._get_reason(self.card.sudo().code), 'locked_out')
            clock.move_to('2026-03-10 13:00:00')
            self.assertIsNone(self._get_reason(self.card.sudo().code))

    def test_60_typing_errors_within_any_hour_are_a_flood(self):
        with freeze_time(NOON) as clock:
            self._get_reason('QUICK-7K2M')
            clock.move_to('2026-03-10 12:59:59')
            for _ in range(58):
                self._get_reason('QUICK-7K2M')
            clock.move_to('2026-03-10 13:00:01')
            reasons = [self._get_reason('QUICK-7K2M') for _ in range(3)]
            self.assertEqual(reasons, ['typo', 'typo', 'locked_out'])
            clock.move_to('2026-03-10 13:59:59')
            self.assertIsNone(self._get_reason(self.card.sudo().code))

    def test_typing_errors_of_two_hours_are_no_flood(self):
        with freeze_time(NOON) as clock:
            for _ in range(100):
                self.assertEqual(self._get_reason('QUICK-7K2M'), 'typo')
                clock.tick(timedelta(seconds=70))

    def test_typing_errors_for_customers_do_not_lock_out_the_user(self):
        self._set(typos=2)
        customers = self.env['res.partner'].create([{'name': "Customer"} for _ in range(3)])
        reasons = [self._get_reason('QUICK-7K2M', partner=customer) for customer in customers]
        self.assertEqual(reasons, ['typo'] * 3)

    def test_typing_errors_without_a_customer_are_the_users(self):
        for _ in range(2):
            form = Form(self.env['refill.card.redeem'].with_user(self.clerk))
            form.typed = 'QUICK-7K2M'
        self.assertEqual(self._get_lockout(self.clerk).typos, 2)

    # -------------------------------------------------------------------------
    # THE SENTENCE
    # -------------------------------------------------------------------------

    def _get_sentence(self):
        cards = self.env['refill.card'].with_user(self.clerk)
        return str(
            self._assert_refused(
                'locked_out', cards.redeem_code, self.card.sudo().code, self.customer.id
            )
        )

    def test_the_refusal_says_until_when_in_the_users_time_zone(self):
        self.clerk.tz = 'Asia/Kolkata'
        with freeze_time('2026-03-10 09:04:30'):
            self._lock_out()
            self.assertRegex(
                self._get_sentence(),
                r"^Too many wrong codes\. Please try again after 2:50\sPM,"
                r" or ask a manager of refill cards to unlock it\.$",
            )

    def test_the_refusal_names_the_day_when_it_is_another(self):
        self.clerk.tz = 'Asia/Kolkata'
        with freeze_time('2026-03-10 18:20:00'):  # 23:50 there
            self._lock_out()
            self.assertRegex(self._get_sentence(), r"try again after 03/11/2026 12:05\sAM, ")

    def test_the_refusal_says_until_when_in_the_customers_time_zone(self):
        self.clerk.tz = 'Asia/Kolkata'
        self.customer.tz = 'America/Los_Angeles'
        with freeze_time('2026-03-10 03:04:30'):
            self._lock_out()
            pattern = r"try again after 8:20\sPM \(America/Los_Angeles\), "
            self.assertRegex(self._get_sentence(), pattern)

    def test_a_customer_is_told_whom_to_ask(self):
        self.company.write({'name': "Quick Net", 'phone': "+1 555 0100"})
        for code in self._guesses(5):
            self._get_portal_reason(code)
        cards = self.env['refill.card'].with_user(self.customer_user).sudo()
        refused = self._assert_refused(
            'locked_out',
            cards._redeem_code,
            'x',
            self.customer,
            self.company,
            channel='portal',
        )
        self.assertRegex(str(refused), r"or ask us: Quick Net, \+1 555 0100\.$")

    def test_of_two_locks_the_later_end_is_told(self):
        self.clerk.tz = self.customer.tz = 'UTC'
        with freeze_time(NOON):
            self._lock_out()
            lockouts = self._get_lockout().sudo(), self._get_lockout(self.clerk).sudo()
            for earlier, later in (lockouts, lockouts[::-1]):
                earlier.locked_until = '2026-03-10 12:30:00'
                later.locked_until = '2026-03-10 12:45:00'
                earlier.flush_recordset()
                with self.subTest(later=later.display_name):
                    self.assertRegex(self._get_sentence(), r"try again after 12:45\sPM")

    def test_a_refusal_holds_no_code(self):
        self._lock_out()
        body = codes.normalize(self.card.sudo().code)[-13:]
        self.assertNotIn(body, codes.normalize(self._get_sentence()))

    # -------------------------------------------------------------------------
    # THE WINDOW AND THE LIST
    # -------------------------------------------------------------------------

    def test_an_unknown_code_typed_into_the_window_counts_once(self):
        [code] = self._guesses(1)
        form = Form(self.env['refill.card.redeem'].with_user(self.clerk))
        form.typed = code
        self.assertIn("There is no card with this code.", form.refusal)
        form.partner_id = self.customer
        self.assertIn("There is no card with this code.", form.refusal)
        with self.assertRaisesRegex(UserError, "There is no card with this code."):
            form.save()
        self.assertEqual(self._get_lockout(self.clerk).guesses, 1)
        self.assertFalse(self._get_lockout())
        self.assertEqual(self.env['refill.card.attempt'].search_count([]), 1)

    def test_the_window_refuses_for_a_customer_who_is_locked_out(self):
        self._lock_out()
        form = Form(self.env['refill.card.redeem'].with_user(self.clerk))
        form.partner_id = self.customer
        form.typed = self.card.sudo().code
        self.assertIn("Too many wrong codes.", form.refusal)
        self.assertFalse(form.card_id)
        values = {'typed': self.card.sudo().code, 'partner_id': self.customer.id}
        with self.assertRaisesRegex(UserError, "Too many wrong codes."):
            self.env['refill.card.redeem'].with_user(self.clerk).create(values)

    def test_a_code_corrected_in_the_window_is_redeemed(self):
        form = Form(self.env['refill.card.redeem'].with_user(self.clerk))
        form.partner_id = self.customer
        form.typed = self._guesses(1)[0]
        form.typed = self.card.sudo().code
        self.assertFalse(form.refusal)
        form.save().action_redeem()
        self.assertEqual(self.card.state, 'used')

    def test_searching_for_codes_is_guessing(self):
        cards = self.env['refill.card'].with_user(self.clerk)
        self.assertFalse(cards.search([('code', '=', self._guesses(1)[0])]))
        self.assertFalse(cards.search([('code', 'in', self._guesses(19))]))
        self._assert_refused('locked_out', cards.search, [('code', '=', self.card.sudo().code)])
        self.assertEqual(self._count_attempts('unknown'), 20)
        serial = ['|', ('name', '=like', f'{self.card.name}%'), ('code', '=', self.card.name)]
        self.assertEqual(cards.search(serial).id, self.card.id)

    def test_several_codes_are_searched_for_at_once(self):
        two = self.card + self._generate_card()
        searched = [*two.sudo().mapped('code'), self._guesses(1)[0], 'x', self.card.name]
        cards = self.env['refill.card'].with_user(self.clerk)
        self.assertEqual(cards.search([('code', 'in', searched)]).ids, two.ids)

    def test_customers_do_not_search_for_codes_through_other_models(self):
        self._redeem(self.card)
        for code in (self.card.sudo().code, *self._guesses(1)):
            for model in ('refill.card', 'account.move', 'account.payment'):
                name = {'account.move': 'origin_payment_id.refill_card_ids.code'}.get(model, 'code')
                name = 'refill_card_ids.code' if model == 'account.payment' else name
                with self.subTest(model=model), self.assertRaises(AccessError):
                    self.env[model].with_user(self.customer_user).search([(name, '=', code)])
        with self.assertRaises(AccessError):
            self.env['refill.card'].with_user(self.customer_user)._search_code('in', ['x'])
        self.assertFalse(self.lockouts.search([]))

    def test_searching_for_serial_numbers_is_no_flood_of_typing_errors(self):
        cards = self.env['refill.card'].with_user(self.clerk)
        for _ in range(61):
            cards.search(['|', ('name', '=like', '2026%'), ('code', '=', '2026')])
        self.assertFalse(self.env['refill.card.attempt'].search([]))
        self.assertIsNone(self._get_reason(self.card.sudo().code))

    # -------------------------------------------------------------------------
    # UNLOCKING
    # -------------------------------------------------------------------------

    def test_only_managers_of_the_company_see_who_is_locked_out(self):
        self._lock_out()
        self.assertTrue(self._get_lockout().with_user(self.accountant).is_locked)
        for user in (self.clerk, self.employee, self.customer_user):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.lockouts.with_user(user).search([])
        elsewhere = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        self.assertFalse(self.lockouts.with_user(elsewhere).search([]))
        # Nor does it hide from one what was typed at the other later on.
        accountant = self.lockouts.with_user(self.accountant)
        self._get_lockout().action_unlock()
        cards = self.env['refill.card'].with_user(self.accountant)
        args = self._guesses(1)[0], self.customer.id, self.other_company.id
        self._assert_refused('unknown', cards.redeem_code, *args)
        for company in (self.company, self.other_company):
            lockouts = accountant.with_context(allowed_company_ids=company.ids)
            self.assertIn(self._get_lockout(), lockouts.search([]))

    def test_nobody_else_unlocks(self):
        self._lock_out()
        elsewhere = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        for user in (self.clerk, self.employee, self.customer_user, elsewhere):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self._get_lockout().with_user(user).action_unlock()
        self.assertTrue(self._get_lockout().is_locked)

    def test_counts_are_not_changed_by_rpc_even_by_managers(self):
        self._lock_out()
        for user in (self.clerk, self.accountant, self.env.ref('base.user_admin')):
            lockout = self._get_lockout().with_user(user)
            for call in (
                lambda lockout=lockout: lockout.write({'guesses': 0}),
                lambda lockout=lockout: lockout.write({'locked_until': False}),
                lambda lockout=lockout: lockout.unlink(),
                lambda lockout=lockout: lockout.create({'partner_id': self.customer.id}),
            ):
                with self.subTest(user=user.login), self.assertRaises(AccessError):
                    call()

    def test_a_manager_unlocks_and_that_is_written_down(self):
        with freeze_time(NOON):
            self._lock_out()
            lockout = self._get_lockout().with_user(self.accountant)
            locked = [('locked_until', '>', 'now')]
            self.assertEqual(lockout.search(locked), lockout)
            lockout.action_unlock()
            self.assertFalse(lockout.search(locked))
            self.assertRecordValues(
                lockout,
                [
                    {
                        'is_locked': False,
                        'guesses': 0,
                        'unlocked_by_id': self.accountant.id,
                        'unlocked_on': fields.Datetime.to_datetime(NOON),
                    }
                ],
            )
            self.assertIsNone(self._get_reason(self.card.sudo().code))

    def test_whoever_was_unlocked_begins_with_the_first_lock_again(self):
        with freeze_time(NOON) as clock:
            self._lock_out()
            clock.tick(timedelta(minutes=15))
            self._lock_out()
            self._get_lockout().with_user(self.accountant).action_unlock()
            self._lock_out()
            until = self._get_lockout().locked_until
            self.assertEqual(until - fields.Datetime.now(), timedelta(minutes=15))

    def test_whoever_was_unlocked_has_a_whole_window_again(self):
        with freeze_time(NOON):
            self.assertEqual(self._guess_for_many(21), ['unknown'] * 20 + ['locked_out'])
            self._get_lockout(self.clerk).with_user(self.accountant).action_unlock()
            self.assertEqual(self._guess_for_many(21), ['unknown'] * 20 + ['locked_out'])

    def test_typing_errors_begin_anew_after_an_unlock(self):
        self._set(typos=3)
        with freeze_time(NOON):
            reasons = [self._get_reason('x') for _ in range(4)]
            self.assertEqual(reasons, ['typo'] * 3 + ['locked_out'])
            self._get_lockout().with_user(self.accountant).action_unlock()
            reasons = [self._get_reason('x') for _ in range(4)]
            self.assertEqual(reasons, ['typo'] * 3 + ['locked_out'])

    def test_no_one_unlocks_themselves(self):
        second = self._new_user('second_manager', 'account.group_account_manager')
        with freeze_time(NOON):
            victims = self.env['res.partner'].create([{'name': "Victim"} for _ in range(20)])
            for code, victim in zip(self._guesses(20), victims, strict=True):
                self._get_reason(code, user=self.accountant, partner=victim)
            own = self._get_lockout(self.accountant)
            for code in self._guesses(5):
                self._get_reason(code, partner=self.accountant.partner_id)
            contact = self.lockouts.search([('partner_id', '=', self.accountant.partner_id.id)])
            for lockout in (own, contact):
                self.assertTrue(lockout.is_locked)
                with (
                    self.subTest(lockout=lockout.display_name),
                    self.assertRaisesRegex(UserError, "Nobody unlocks themselves"),
                ):
                    lockout.with_user(self.accountant).action_unlock()
                self.assertTrue(lockout.is_locked)
                lockout.with_user(second).action_unlock()
                self.assertFalse(lockout.is_locked)

    def test_no_one_unlocks_the_callers_of_their_own_gateway(self):
        cards = self.env['refill.card'].with_user(self.accountant)
        self._assert_refused(
            'unknown', cards.redeem_code, self._guesses(1)[0], self.customer.id, caller="+1 202"
        )
        own = self.lockouts.search([('origin', '=like', f'{self.accountant.login}%')])
        self.assertEqual(len(own), 2)
        for lockout in own.with_user(self.accountant):
            with (
                self.subTest(lockout=lockout.display_name),
                self.assertRaisesRegex(UserError, "Nobody unlocks themselves"),
            ):
                lockout.action_unlock()

    def test_unlocking_is_in_the_audit_log(self):
        self._lock_out()
        self._get_lockout().with_user(self.accountant).action_unlock()
        events = self.env['refill.card.event'].with_user(self.accountant)
        event = events.search([('note', '=like', 'Unlocked%')])
        self.assertRecordValues(
            event, [{'user_id': self.accountant.id, 'company_id': self.company.id}]
        )
        self.assertEqual(event.partner_id, self.customer)
        self._guess_for_many(20)
        self._get_lockout(self.clerk).with_user(self.accountant).action_unlock()
        self.assertEqual(events.search([], limit=1).summary, f"Unlocked: {self.clerk.login}")

    # -------------------------------------------------------------------------
    # SETTINGS
    # -------------------------------------------------------------------------

    def _set(self, **numbers):
        settings = {f'refill_card_{name}': number for name, number in numbers.items()}
        self.env['res.config.settings'].create(settings).execute()

    def test_a_setting_is_a_positive_number(self):
        settings = self.env['res.config.settings']
        for name in DEFAULTS:
            for number in (0, -1, 100_001):
                with (
                    self.subTest(name=name, number=number),
                    self.assertRaisesRegex(ValidationError, "is a whole number between 1 and"),
                ):
                    settings.create({f'refill_card_{name}': number})

    def test_settings_show_the_defaults(self):
        settings = self.env['res.config.settings'].create({})
        for name, number in DEFAULTS.items():
            self.assertEqual(settings[f'refill_card_{name}'], number)

    def test_what_was_made_of_a_setting_by_hand_counts_as_the_default(self):
        for value in ('abc', '0', '-3', '1e9', '9999999'):
            self.env['ir.config_parameter'].set_param('refill_cards.guesses', value)
            self.assertEqual(self.lockouts._get_number('guesses'), 5)

    def test_settings_say_how_many_and_how_long(self):
        self._set(guesses=2, first_lock=7, typos=3)
        with freeze_time(NOON) as clock:
            for code in self._guesses(2):
                self.assertEqual(self._get_reason(code), 'unknown')
            clock.tick(timedelta(minutes=6))
            self.assertEqual(self._get_reason('x'), 'locked_out')
            clock.tick(timedelta(minutes=1))
            reasons = [self._get_reason('x') for _ in range(4)]
            self.assertEqual(reasons, ['typo'] * 3 + ['locked_out'])

    # -------------------------------------------------------------------------
    # TELLING MANAGERS, VACUUM
    # -------------------------------------------------------------------------

    def _refuse(self, count, reason='typo'):
        """Write down as many refusals."""
        values = {
            'user_id': self.clerk.id,
            'company_id': self.company.id,
            'channel': 'api',
            'reason': reason,
        }
        self.env['refill.card.attempt'].sudo().create([values] * count)

    def _count_alerts(self, user):
        """Return how many activities and e-mails the user has got."""
        activities = self.env['mail.activity'].search(
            [('user_id', '=', user.id), ('summary', 'like', "refill card codes")]
        )
        mails = self.env['mail.mail'].search(
            [
                ('recipient_ids', 'in', user.partner_id.ids),
                ('subject', 'like', "refill card codes"),
            ]
        )
        self.assertLessEqual(set(activities.mapped('res_model')), {'res.partner'})
        return len(activities), len(mails)

    def test_whoever_goes_on_while_locked_out_is_written_down_once_a_lock(self):
        with freeze_time(NOON) as clock:
            for locks in (1, 2):
                self._lock_out()
                for code in self._guesses(5):
                    self.assertEqual(self._get_reason(code), 'locked_out')
                self.assertEqual(self._count_attempts('locked_out'), locks)
                clock.tick(timedelta(minutes=15))
        self.assertEqual(self._count_attempts('unknown'), 10)

    def test_who_is_locked_out_is_nothing_to_tell(self):
        self._set(alert=3)
        self._refuse(2)
        self._refuse(10, reason='locked_out')
        self.env['refill.card.attempt'].sudo()._cron_alert()
        self.assertEqual(self._count_alerts(self.accountant), (0, 0))

    def test_managers_are_told_once_when_many_codes_are_refused(self):
        attempts = self.env['refill.card.attempt'].sudo()
        with freeze_time(NOON) as clock:
            self._refuse(199)
            attempts._cron_alert()
            self.assertEqual(self._count_alerts(self.accountant), (0, 0))
            self._refuse(1)
            attempts._cron_alert()
            self.assertEqual(self._count_alerts(self.accountant), (1, 1))
            self.assertEqual(self._count_alerts(self.clerk), (0, 0))
            for _ in range(3):
                clock.tick(timedelta(minutes=50))
                self._refuse(200)
                attempts._cron_alert()
            self.assertEqual(self._count_alerts(self.accountant), (1, 1))
            clock.tick(timedelta(minutes=119))
            attempts._cron_alert()
            self._refuse(200)
            attempts._cron_alert()
            self.assertEqual(self._count_alerts(self.accountant), (2, 2))

    def test_the_alert_says_how_many_and_holds_a_link(self):
        self._set(alert=3)
        self._refuse(4)
        self.env['refill.card.attempt'].sudo()._cron_alert()
        mail = self.env['mail.mail'].search(
            [('recipient_ids', 'in', self.accountant.partner_id.ids)]
        )
        self.assertRegex(mail.body_html, r"\b4\s+refill card codes were refused")
        self.assertIn('/odoo/refill-card-attempts', mail.body_html)
        activity = self.env['mail.activity'].search([('user_id', '=', self.accountant.id)])
        self.assertIn("4 codes were refused", activity.note)
        self.assertTrue(activity.with_user(self.accountant).res_name)

    def test_old_attempts_and_counts_are_vacuumed(self):
        with freeze_time('2026-01-01 12:00:00'):
            self._get_reason(self._guesses(1)[0])
        attempts = self.env['refill.card.attempt'].sudo().search([])
        lockout = self._get_lockout().sudo()
        with freeze_time('2026-04-01 11:59:59'):
            attempts._gc_attempts()
            lockout._gc_lockouts()
            self.assertTrue(attempts.exists() and lockout.exists())
        with freeze_time('2026-04-01 12:00:01'):
            attempts._gc_attempts()
            lockout._gc_lockouts()
            self.assertFalse(attempts.exists() or lockout.exists())

    def test_who_is_locked_out_for_long_is_not_forgotten(self):
        self._set(attempt_days=1, first_lock=3 * 24 * 60)
        with freeze_time(NOON) as clock:
            self._lock_out()
            clock.tick(timedelta(days=2))
            self.lockouts.sudo()._gc_lockouts()
            self.assertEqual(self._get_reason(self.card.sudo().code), 'locked_out')

    def test_a_lockout_goes_with_the_customer(self):
        self._get_portal_reason(self._guesses(1)[0])
        lockout = self._get_lockout()
        self.customer_user.unlink()
        self.customer.unlink()
        self.assertFalse(lockout.exists())

    def test_a_series_for_other_companies_does_not_matter_for_what_is_a_guess(self):
        card = self._generate_card(company_ids=[Command.set(self.other_company.ids)])
        self.assertEqual(self._get_reason(card.sudo().code), 'company')
        self.assertFalse(self._get_lockout().guesses)
