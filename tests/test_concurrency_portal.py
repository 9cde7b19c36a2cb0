from unittest.mock import patch

import requests
from lxml import html
from odoo import http
from odoo.fields import Command
from odoo.service.security import compute_session_token
from odoo.tests import get_db_name, new_test_user, tagged
from odoo.tests.common import HOST, HttpCase

from .concurrency import ConcurrencyCase


@tagged('post_install', '-at_install')
class TestConcurrencyPortal(ConcurrencyCase):
    """One form, sent twenty times in the same moment to a real server."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with cls._committing() as env:
            env['res.company'].browse(cls.company_id).refill_card_portal = True
            user = new_test_user(
                env,
                login='refill_concurrent_customer',
                groups='base.group_portal',
                partner_id=cls.customer_id,
                company_id=cls.company_id,
                company_ids=[Command.set([cls.company_id])],
            )
            cls.user_id = user.id
        cls.addClassCleanup(cls._remove_customer)

    @classmethod
    def _remove_customer(cls):
        with cls._committing() as env:
            env['res.users'].browse(cls.user_id).unlink()

    def _delete_cards(self, env):
        env['refill.card.attempt'].search([('user_id', '=', self.user_id)]).unlink()
        env['refill.card.lockout'].search([('origin', '=', HOST)]).unlink()
        return super()._delete_cards(env)

    def _log_in(self):
        """Return the cookies of a new session of the customer's."""
        store = http.root.session_store
        session = store.new()
        with self._committing() as env:
            user = env(user=self.user_id)['res.users']
            session.update(http.get_default_session(), db=get_db_name(), uid=self.user_id)
            session.update(login=user.env.user.login, context=dict(user.context_get()))
            session.session_token = compute_session_token(session, user.env)
        store.save(session)
        self.addCleanup(store.delete, session)
        return {'session_id': session.sid}

    def _open_form(self, cookies):
        """Return the form's hidden fields, as a browser sends them."""
        response = requests.get(self._get_url(), cookies=cookies, timeout=60)
        inputs = html.fromstring(response.text).xpath("//form[@action='/my/refill']//input")
        return {
            each.get('name'): each.get('value')
            for each in inputs
            if each.get('type') == 'hidden' and not each.get('disabled')
        }

    def _get_url(self):
        return f'{HttpCase.base_url()}/my/refill'

    def _send(self, cookies, form):
        """Return what the page says that follows the form, and its address."""
        response = requests.post(self._get_url(), form, cookies=cookies, timeout=60)
        self.assertEqual(response.status_code, 200)
        page = html.fromstring(response.text)
        [alert] = page.xpath("//div[@id='wrap']//*[contains(concat(@class, ' '), 'alert ')]")
        return response.url, ' '.join(alert.text_content().split())

    def test_one_form_sent_twenty_times_at_once_is_one_payment_and_one_page(self):
        code, cookies = self._generate_code(), self._log_in()
        form = {**self._open_form(cookies), 'code': code}
        pages = self._at_once(lambda _number: self._send(cookies, form), range(20))
        self.assertEqual(set(pages), {(f'{self._get_url()}/done', "Your card was redeemed.")})
        self._assert_redeemed_once(code)
        with self._committing() as env:
            attempts = env['refill.card.attempt'].search([('user_id', '=', self.user_id)])
            self.assertFalse(attempts)

    def test_another_form_with_the_same_card_is_refused(self):
        code, cookies = self._generate_code(), self._log_in()
        for expected in ("Your card was redeemed.", "already used for this account"):
            _url, sentence = self._send(cookies, {**self._open_form(cookies), 'code': code})
            self.assertIn(expected, sentence)
        self._assert_redeemed_once(code)

    def test_a_form_sent_twice_is_judged_by_the_captcha_once(self):
        code, cookies = self._generate_code(), self._log_in()
        form = {**self._open_form(cookies), 'code': code}
        asked = []
        verify = self.registry['ir.http']._verify_request_recaptcha_token

        def spend(ir_http, action):
            asked.append(action)
            return verify(ir_http, action)

        with patch.object(self.registry['ir.http'], '_verify_request_recaptcha_token', spend):
            pages = [self._send(cookies, form) for _again in range(2)]
        self.assertEqual(pages[0], pages[1])
        self.assertEqual(asked, ['refill_card'])
