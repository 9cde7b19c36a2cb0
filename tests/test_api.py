from datetime import datetime, timedelta

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
        for method in ('_redeem', '_redeem_code', '_change_state', '_get_sealer'):
            response = self.url_open(
                f'/json/2/refill.card/{method}',
                json={},
                headers={'Authorization': f'Bearer {key}'},
            )
            self.assertGreaterEqual(response.status_code, 400)
            self.assertLess(response.status_code, 500)

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
