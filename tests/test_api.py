from datetime import datetime, timedelta

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.service.model import get_public_method
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestApi(RefillCardCommon, HttpCase):
    def _call(self, user, **body):
        key = (
            self.env['res.users.apikeys']
            .with_user(user)
            ._generate('rpc', "Test", datetime.now() + timedelta(days=1))
        )
        return self.url_open(
            '/json/2/refill.card/redeem_code',
            json=body,
            headers={'Authorization': f'Bearer {key}'},
        )

    @mute_logger('odoo.http')
    def test_without_a_key_nothing_is_redeemed(self):
        card = self._generate_card()
        response = self.url_open(
            '/json/2/refill.card/redeem_code',
            json={'code': card.sudo().code, 'partner_id': self.customer.id},
        )
        self.assertEqual(response.status_code, 401)
        self.assertEqual(card.state, 'active')

    @mute_logger('odoo.http')
    def test_a_refusal_has_a_reason_and_a_sentence(self):
        response = self._call(self.clerk, code='nonsense', partner_id=self.customer.id)
        self.assertEqual(response.status_code, 422)
        answer = response.json()
        self.assertEqual(answer['context'], {'reason': 'typo'})
        self.assertIn("not a card's code", answer['message'])

    @mute_logger('odoo.http')
    def test_who_has_no_right_is_refused(self):
        card = self._generate_card()
        for user in (self.employee, self.customer_user):
            with self.subTest(user=user.login):
                response = self._call(user, code=card.sudo().code)
                self.assertEqual(response.status_code, 403)
        self.assertEqual(card.state, 'active')

    @mute_logger('odoo.http')
    def test_the_service_behind_it_is_not_public(self):
        key = (
            self.env['res.users.apikeys']
            .with_user(self.clerk)
            ._generate('rpc', "Test", datetime.now() + timedelta(days=1))
        )
        for method in ('_redeem', '_redeem_code', '_change_state', '_log', '_seal'):
            self.assertTrue(hasattr(self.env['refill.card'], method))
            response = self.url_open(
                f'/json/2/refill.card/{method}',
                json={},
                headers={'Authorization': f'Bearer {key}'},
            )
            self.assertEqual(response.status_code, 404)
            with self.assertRaisesRegex(AccessError, "Private methods"):
                get_public_method(self.env['refill.card'], method)

    @mute_logger('odoo.http')
    def test_whose_answer_was_lost_learns_what_became_of_the_card(self):
        card = self._generate_card()
        code = card.sudo().code
        answer = self._call(self.clerk, code=code, partner_id=self.customer.id).json()
        again = self._call(self.clerk, code=code, partner_id=self.customer.id)
        self.assertEqual(again.status_code, 422)
        self.assertEqual(
            again.json()['context'],
            {'reason': 'used', 'used_for_this_customer': True, 'payment': answer['payment']},
        )
        other = self._call(self.clerk, code=code, partner_id=self.stranger.id)
        self.assertEqual(
            other.json()['context'], {'reason': 'used', 'used_for_this_customer': False}
        )

    @mute_logger('odoo.http')
    def test_a_company_that_the_user_may_not_use_is_refused_by_its_own_sentence(self):
        card = self._generate_card(
            company_ids=[Command.set((self.company + self.other_company).ids)]
        )
        for company_id in (self.other_company.id, 999_999_999):
            response = self._call(
                self.clerk,
                code=card.sudo().code,
                partner_id=self.customer.id,
                company_id=company_id,
            )
            self.assertEqual(response.status_code, 403)
            self.assertIn("in this company", response.json()['message'])
        self.assertEqual(card.state, 'active')

    # -------------------------------------------------------------------------
    # GATEWAYS
    # -------------------------------------------------------------------------

    def _guess(self, reason, caller, partner=None):
        series = self.env['refill.card.series'].search([], limit=1) or self._generate()
        fmt = series._get_format()
        cards = self.env['refill.card'].with_user(self.clerk)
        self._assert_refused(
            reason,
            cards.redeem_code,
            fmt.display(fmt.generate(1)[0]),
            (partner or self.env['res.partner'].create({'name': "X"})).id,
            caller=caller,
        )

    def test_a_gateway_names_its_caller_who_is_counted_instead_of_all(self):
        self._set_limits(address_guesses=3)
        for _guess in range(3):
            self._guess('unknown', ' +1 202 ')
        self._guess('locked_out', '+1 202')
        self._guess('unknown', '+1 303')
        self._guess('unknown', None)

    def test_a_caller_is_counted_for_their_own_gateway_whatever_they_are_called(self):
        self._set_limits(address_guesses=2)
        login = self.accountant.login
        for _guess in range(2):
            self._guess('unknown', login)
        self._guess('locked_out', login)
        cards = self.env['refill.card'].with_user(self.accountant)
        for caller in (login, None):
            code = self._generate_card().sudo().code
            self.assertTrue(cards.redeem_code(code, self.customer.id, caller=caller))

    def test_inventing_callers_does_not_open_unlimited_guessing(self):
        self._set_limits(address_guesses=2)
        for number in range(20):
            self._guess('unknown', str(number))
        self._guess('locked_out', 'one more')
        self._guess('unknown', None)

    def _set_limits(self, **limits):
        parameters = self.env['ir.config_parameter']
        for name, value in limits.items():
            parameters.set_param(f'refill_cards.{name}', str(value))

    def test_a_caller_is_a_short_text(self):
        card = self._generate_card()
        cards = self.env['refill.card'].with_user(self.clerk)
        for caller in ('', '  ', 'a' * 101, 'a\0b', 'a\nb', 5, False, ['x']):
            with self.subTest(caller=caller), self.assertRaisesRegex(UserError, "caller"):
                cards.redeem_code(card.sudo().code, self.customer.id, caller=caller)
        result = cards.redeem_code(card.sudo().code, self.customer.id, caller='+1 202')
        self.assertEqual(result['serial'], card.name)

    def test_a_card_is_redeemed_over_json_2(self):
        card = self._generate_card()
        response = self._call(
            self.clerk, code=card.sudo().code.lower(), partner_id=self.customer.id
        )
        self.assertEqual(response.status_code, 200)
        answer = response.json()
        self.assertEqual(answer['serial'], card.name)
        self.assertEqual(answer['balance'], 25)
        card.invalidate_recordset()
        self.assertEqual(card.state, 'used')
        self.assertEqual(card.event_ids.channel, 'api')
