from datetime import datetime, timedelta

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from .common import RefillCardCommon

NOTHING = {'serial': None, 'amount': None, 'currency': None, 'valid_till': None}


@tagged('post_install', '-at_install')
class TestCheckCode(RefillCardCommon, HttpCase):
    """A program asks what a card is worth, before it is redeemed."""

    def setUp(self):
        super().setUp()
        self.cards = self.env['refill.card'].with_user(self.clerk)

    def _count(self, partner=None, **values):
        """Return the counts of wrong codes for the customer or an origin."""
        if partner:
            values['partner_id'] = partner.id
        domain = [(name, '=', value) for name, value in values.items()]
        lockout = self.env['refill.card.lockout'].search(domain)
        return lockout.guesses, lockout.typos

    def _make_unknown(self):
        card = self._generate_card()
        code = card.sudo().code
        card.sudo().unlink()
        return code

    def _set_limit(self, name, value):
        self.env['ir.config_parameter'].set_param(f'refill_cards.{name}', str(value))

    # -------------------------------------------------------------------------
    # GUESSING
    # -------------------------------------------------------------------------

    def test_who_may_not_redeem_checks_nothing(self):
        code = self._generate_card().sudo().code
        for user in (self.employee, self.customer_user, self.env.ref('base.public_user')):
            with self.subTest(user=user.sudo().login), self.assertRaises(AccessError):
                self.env['refill.card'].with_user(user).check_code(code)
        with self.assertRaisesRegex(AccessError, "in this company"):
            self.cards.check_code(code, company_id=self.other_company.id)

    def test_what_is_no_code_is_refused_and_counted_like_one_that_is_redeemed(self):
        for typed in ('x', '', None, 5, ['x']):
            with self.subTest(typed=typed):
                self._assert_refused('typo', self.cards.check_code, typed)
        self.assertEqual(self._count(origin=self.clerk.login), (0, 5))
        attempt = self.env['refill.card.attempt'].search([], limit=1)
        self.assertEqual((attempt.channel, attempt.user_id), ('api', self.clerk))

    def test_a_guess_counts_for_the_user_and_for_the_customer_that_is_named(self):
        self._assert_refused('unknown', self.cards.check_code, self._make_unknown())
        self.assertEqual(self._count(origin=self.clerk.login), (1, 0))
        customer_id = self.customer.id
        code = self._make_unknown()
        self._assert_refused('unknown', self.cards.check_code, code, partner_id=customer_id)
        self.assertEqual(self._count(origin=self.clerk.login), (2, 0))
        self.assertEqual(self._count(self.customer), (1, 0))

    def test_checking_and_redeeming_the_same_unknown_code_is_one_guess(self):
        code, customer_id = self._make_unknown(), self.customer.id
        self._assert_refused('unknown', self.cards.check_code, code, partner_id=customer_id)
        self._assert_refused('unknown', self.cards.redeem_code, code, customer_id)
        self.assertEqual(self._count(self.customer), (1, 0))

    def test_who_guessed_too_often_by_either_is_locked_out_of_both(self):
        self._set_limit('guesses', 2)
        card, customer_id = self._generate_card(), self.customer.id
        unknown = [self._make_unknown() for _number in range(2)]
        self._assert_refused('unknown', self.cards.redeem_code, unknown[0], customer_id)
        self._assert_refused('unknown', self.cards.check_code, unknown[1], partner_id=customer_id)
        code = card.sudo().code
        self._assert_refused('locked_out', self.cards.check_code, code, partner_id=customer_id)
        with self.assertRaisesRegex(UserError, "Too many wrong codes"):
            self.cards.redeem_code(code, customer_id)
        self.assertEqual(card.state, 'active')

    def test_a_caller_of_a_gateway_is_counted_instead_of_all(self):
        self._set_limit('address_guesses', 2)
        for _guess in range(2):
            self._assert_refused('unknown', self.cards.check_code, self._make_unknown(), '+1 202')
        code = self._generate_card().sudo().code
        self._assert_refused('locked_out', self.cards.check_code, code, '+1 202')
        self.assertTrue(self.cards.check_code(code, '+1 303')['redeemable'])

    def test_a_check_forgives_no_guess(self):
        code = self._generate_card().sudo().code
        partner_id = self.customer.id
        self._assert_refused(
            'unknown', self.cards.check_code, self._make_unknown(), partner_id=partner_id
        )
        self.cards.check_code(code, partner_id=partner_id)
        self.env.cr.postcommit.run()
        self.assertEqual(self._count(self.customer), (1, 0))

    # -------------------------------------------------------------------------
    # ANSWERS
    # -------------------------------------------------------------------------

    def test_a_card_that_cannot_be_redeemed_says_why_and_is_written_down(self):
        used, inactive, disabled, late = (
            self._generate_card(activation_required=number == 1) for number in range(4)
        )
        self._redeem(used)
        disabled.with_user(self.accountant)._disable('lost')
        late.sudo()._operating().valid_till = '2026-01-31'
        for card, reason, sentence in (
            (used, 'used', "This card was already used."),
            (inactive, 'inactive', "not active yet"),
            (disabled, 'disabled', "was disabled"),
            (late, 'expired', "01/31/2026"),
        ):
            with self.subTest(reason):
                answer = self.cards.check_code(card.sudo().code)
                self.assertEqual((answer['redeemable'], answer['reason']), (False, reason))
                self.assertIn(sentence, answer['message'])
                self.assertEqual((answer['serial'], answer['amount']), (card.name, 25))
                attempt = self.env['refill.card.attempt'].search([], limit=1)
                self.assertEqual((attempt.reason, attempt.card_id), (reason, card))

    def test_a_used_card_says_nothing_about_by_whom(self):
        card = self._generate_card()
        payment = self._redeem(card)
        for values in ({}, {'partner_id': self.stranger.id}):
            answer = str(self.cards.check_code(card.sudo().code, **values))
            for secret in (payment.name, self.customer.name, str(self.customer.id)):
                self.assertNotIn(secret, answer.replace(card.name, ''))
        own = self.cards.check_code(card.sudo().code, partner_id=self.customer.id)
        self.assertIn("already used for this account", own['message'])

    def test_of_a_card_out_of_sight_only_is_told_that_it_is_not_accepted(self):
        card = self._generate_card(
            user=self.env.user, company_ids=[Command.set(self.other_company.ids)]
        )
        answer = self.cards.check_code(card.sudo().code)
        message = f"This card is not accepted by {self.company.name}."
        refusal = {'redeemable': False, 'reason': 'company', 'message': message}
        self.assertEqual(answer, {**refusal, **NOTHING})

    def test_a_redeemable_card_says_what_it_is_worth_and_stays_as_it_is(self):
        card = self._generate_card(valid_till='2030-12-31')
        events = len(card.event_ids)
        for typed in (card.sudo().code, card.sudo().code.lower().replace('-', ' ')):
            self.assertEqual(
                self.cards.check_code(typed, partner_id=self.customer.id),
                {
                    'redeemable': True,
                    'reason': None,
                    'message': None,
                    'serial': card.name,
                    'amount': 25,
                    'currency': self.company.currency_id.name,
                    'valid_till': '2030-12-31',
                },
            )
        self.assertEqual((card.state, len(card.event_ids)), ('active', events))
        endless = self._generate_card(valid_till=False)
        self.assertIsNone(self.cards.check_code(endless.sudo().code)['valid_till'])

    def test_what_a_check_says_is_what_redeeming_does(self):
        cards = self._generate(4).card_ids
        cards[1].with_user(self.accountant)._disable('lost')
        self._redeem(cards[2])
        self.stranger.company_id = self.other_company
        for card, partner in ((c, p) for c in cards for p in (self.customer, self.stranger)):
            code = card.sudo().code
            answer = self.env['refill.card'].check_code(code, partner_id=partner.id)
            with self.subTest(answer=answer):
                try:
                    self._do_and_undo(code, partner)
                    reason = None
                except UserError as refused:
                    reason = refused.reason
                self.assertEqual(answer['reason'], reason)

    def _do_and_undo(self, code, partner):
        with self.env.cr.savepoint() as savepoint:
            self.env['refill.card'].redeem_code(code, partner.id)
            savepoint.rollback()
        self.env.invalidate_all()

    @mute_logger('odoo.http')
    def test_a_card_is_checked_over_json_2(self):
        card = self._generate_card()
        keys = self.env['res.users.apikeys'].with_user(self.clerk)
        key = keys._generate('rpc', "Test", datetime.now() + timedelta(days=1))

        def call(**body):
            headers = {'Authorization': f'Bearer {key}'}
            return self.url_open('/json/2/refill.card/check_code', json=body, headers=headers)

        refused = call(code='nonsense', caller='+1 202')
        self.assertEqual((refused.status_code, refused.json()['context']['reason']), (422, 'typo'))
        self.assertEqual(call(code=card.sudo().code).json()['serial'], card.name)
