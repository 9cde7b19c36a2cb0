"""Attacks on the portal's form and the API, by several customers and from several addresses."""

import random
from collections import Counter
from datetime import datetime, timedelta
from unittest.mock import patch
from urllib.parse import urlsplit

from freezegun import freeze_time
from lxml import html
from odoo import http
from odoo.tests import tagged
from odoo.tools import config, mute_logger

from .portal_common import PortalCommon

LOCKED_OUT = "Too many wrong codes. Please try again after"
UNKNOWN = "There is no card with this code."


class AttackCommon(PortalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.card = cls._generate_card()
        cls.format = cls.card.series_id._get_format()

    def setUp(self):
        super().setUp()
        # Odoo then believes what the proxy says about the address.
        self.startPatcher(patch.dict(config.options, proxy_mode=True))
        self.lookups = 0
        codes = self.env.registry['refill.card.code']
        original = codes._get_ids

        def get_ids(records, *args):
            self.lookups += 1
            return original(records, *args)

        self.startPatcher(patch.object(codes, '_get_ids', get_ids))

    def _guess(self):
        [body] = self.format.generate(1)
        return self.format.display(body)

    def _log_in_customers(self, count):
        """Return the sessions of as many new customers."""
        sessions = []
        for number in range(count):
            user = self._new_user(f'attacker{number}', 'base.group_portal')
            self.session = None  # or logging in would end the session before
            self._log_in(user)
            sessions.append((self.session, self.opener))
        return sessions

    def _post_from(self, address, code, session=None):
        """Send the form as the customer of a session, from an address behind the proxy."""
        if session:
            self.session, self.opener = session
        host = urlsplit(self.base_url()).netloc
        headers = {'X-Forwarded-Host': host, 'X-Forwarded-For': address}
        data = {'csrf_token': http.Request.csrf_token(self), 'code': code}
        return self.url_open('/my/refill', data=data, headers=headers, allow_redirects=False)

    def _get_sentence(self, response):
        self.assertEqual(response.status_code, 200, response.headers.get('Location'))
        return self._get_alert(response)


@tagged('post_install', '-at_install')
class TestGuessingPortal(AttackCommon):
    def _attack(self, requests):
        """Send guesses; return how often each sentence came.

        :param requests: pairs of a session and an address.
        """
        answers = Counter()
        for session, address in requests:
            looked_up = self.lookups
            sentence = self._get_sentence(self._post_from(address, self._guess(), session))
            known = LOCKED_OUT if sentence.startswith(LOCKED_OUT) else UNKNOWN
            self.assertIn(known, sentence)
            self.assertEqual(self.lookups - looked_up, int(known == UNKNOWN))
            answers[known] += 1
        return answers

    def test_of_thousands_of_guesses_as_many_are_looked_up_as_the_numbers_allow(self):
        sessions = self._log_in_customers(8)
        with freeze_time(datetime.now().replace(microsecond=0)) as clock:
            start = datetime.now()
            # Each customer has a country of addresses: only the customers count.
            answers = self._attack(
                (session, f'10.{number}.{turn}.1')
                for turn in range(150)
                for number, session in enumerate(sessions)
            )
            self.assertEqual(answers, {UNKNOWN: 8 * 5, LOCKED_OUT: 1200 - 8 * 5})
            # A quarter of an hour later, all from one address, whose limit comes first.
            clock.move_to(start + timedelta(minutes=15))
            requests = [(session, '192.0.2.1') for session in sessions] * 100
            answers = self._attack(requests[:400])
            self.assertEqual(answers, {UNKNOWN: 20, LOCKED_OUT: 380})
            # The address waits a minute after each further one, till ten minutes are over.
            for minute in range(1, 10):
                clock.move_to(start + timedelta(minutes=15 + minute))
                answers += self._attack(requests[minute : minute + 16])
            self.assertEqual(answers, {UNKNOWN: 29, LOCKED_OUT: 380 + 9 * 15})
            # Then the customers have guessed ten times, but for eleven guesses.
            clock.move_to(start + timedelta(minutes=25))
            answers = self._attack(requests[:300])
            self.assertEqual(answers, {UNKNOWN: 11, LOCKED_OUT: 289})
            self.assertEqual(self.lookups, 40 + 29 + 11)
            # Each lock of a customer or the address is written down once.
            attempts = Counter(self.env['refill.card.attempt'].search([]).mapped('reason'))
            self.assertEqual(attempts, {'unknown': 80, 'locked_out': 8 + 1 + 9 + 8 + 1})

    def test_an_address_that_guesses_is_slowed_for_all_customers_behind_it(self):
        *guessing, other = self._log_in_customers(5)
        with freeze_time(datetime.now()) as clock:
            self._attack([(session, '192.0.2.1') for session in guessing] * 5)
            sentence = self._get_sentence(
                self._post_from('192.0.2.1', self.card.sudo().code, other)
            )
            self.assertIn(LOCKED_OUT, sentence)
            clock.tick(timedelta(minutes=1))
            self.assertEqual(self._post_from('192.0.2.1', self.card.sudo().code).status_code, 303)

    def test_an_address_is_not_slowed_by_another(self):
        *guessing, other = self._log_in_customers(5)
        self._attack([(session, '192.0.2.1') for session in guessing] * 5)
        self.assertEqual(
            self._post_from('192.0.2.2', self.card.sudo().code, other).status_code, 303
        )

    def test_an_ipv4_address_written_as_ipv6_is_the_same(self):
        *guessing, other = self._log_in_customers(5)
        addresses = ('::ffff:192.0.2.1', '192.0.2.1')
        self._attack([(session, addresses[turn % 2]) for turn in range(5) for session in guessing])
        for address in (*addresses, '::FFFF:C000:0201'):
            with self.subTest(address=address):
                sentence = self._get_sentence(self._post_from(address, self._guess(), other))
                self.assertIn(LOCKED_OUT, sentence)
        self.assertIn(
            UNKNOWN, self._get_sentence(self._post_from('::ffff:192.0.2.2', self._guess(), other))
        )
        lockouts = self.env['refill.card.lockout'].search([('origin', '!=', False)])
        self.assertEqual(set(lockouts.mapped('origin')), {'192.0.2.1', '192.0.2.2'})

    def test_addresses_of_one_ipv6_network_are_one(self):
        *guessing, other = self._log_in_customers(5)
        requests = [(session, f'2001:db8:0:1::{turn}') for turn in range(5) for session in guessing]
        self._attack(requests)
        sentence = self._get_sentence(self._post_from('2001:db8:0:1:ffff::1', self._guess(), other))
        self.assertIn(LOCKED_OUT, sentence)
        self.assertIn(
            UNKNOWN, self._get_sentence(self._post_from('2001:db8:0:2::1', self._guess()))
        )

    def test_attempts_hold_the_address_that_the_proxy_names(self):
        for address in ('192.0.2.1', '2001:db8:0:1::7'):
            response = self._post_from(address, self._guess())
            self.assertIn(UNKNOWN, self._get_sentence(response))
        attempts = self.env['refill.card.attempt'].search([])
        self.assertEqual(attempts.mapped('ip_address'), ['2001:db8:0:1::7', '192.0.2.1'])

    def test_without_proxy_mode_nobody_chooses_their_address(self):
        config['proxy_mode'] = False
        self._post_from('192.0.2.1', self._guess())
        self.assertEqual(self.env['refill.card.attempt'].search([]).ip_address, '127.0.0.1')

    def test_a_code_in_the_search_field_of_the_list_is_a_guess(self):
        self._log_in(self.clerk)
        for code, found in ((self._guess(), []), (self.card.sudo().code, self.card.ids)):
            with self.assertLogs('odoo.http', 'WARNING'):  # that the list is asked for once more
                cards = self.make_jsonrpc_request(
                    '/web/dataset/call_kw/refill.card/web_search_read',
                    {
                        'model': 'refill.card',
                        'method': 'web_search_read',
                        'args': [[('code', 'ilike', code)], {'name': {}}],
                        'kwargs': {},
                    },
                )
            self.assertEqual([card['id'] for card in cards['records']], found)
        self.assertEqual(self.env['refill.card.attempt'].search([]).mapped('reason'), ['unknown'])
        lockouts = self.env['refill.card.lockout'].search([])
        self.assertRecordValues(lockouts, [{'origin': self.clerk.login, 'guesses': 1}])

    def test_a_refused_page_looks_the_same_whether_or_not_the_code_exists(self):
        used = self._generate_card()
        self._redeem(used, partner=self.stranger)
        pages = []
        for code in (self._guess(), used.sudo().code):
            response = self._post(code)
            page = html.fromstring(response.text)
            [alert] = page.xpath("//div[@id='refill_card_refusal']")
            alert.clear()
            [field] = page.xpath("//input[@name='code']")
            field.attrib['value'] = ''
            for name in ('csrf_token', 'reference'):  # of each form its own
                [token] = page.xpath(f"//form//input[@name='{name}']")
                token.attrib['value'] = ''
            [form] = page.xpath("//form[hasclass('o_refill_card_form')]/..")
            pages.append((response.status_code, response.url, html.tostring(form)))
        self.assertEqual(*pages)


@tagged('post_install', '-at_install')
class TestFuzzing(AttackCommon):
    """Whatever is sent is answered by a sentence: never by a crash, never as HTML."""

    SNIPPETS = (
        '',
        ' ',
        '\x00',
        'A\x00B',
        '7' * 5000,
        '\u202e\u0661\u0662',
        '\N{GRINNING FACE}' * 40,
        'ＱＵＩＣＫ',
        "' OR 1=1; --",
        '"><img src=x onerror=alert(1)>',
        '</textarea><script>alert(1)</script>',
        '%00%0d%0a',
        '{{7*7}}${7*7}<t t-out="7"/>',
        '\r\nSet-Cookie: x=y',
        '[]',
        '{"a": 1}',
        'null',
        'é\u0301\ufeff\u200d',
    )

    def setUp(self):
        super().setUp()
        for name in ('typos', 'guesses', 'address_guesses'):
            self.env['ir.config_parameter'].set_param(f'refill_cards.{name}', 100_000)
        self.random = random.Random(19)

    def _mix(self, count):
        """Return snippets, alone and put together."""
        mixed = (
            ''.join(self.random.choices([*self.SNIPPETS, self._guess()], k=3)) for _ in range(count)
        )
        return [*self.SNIPPETS, *mixed]

    def test_whatever_is_sent_to_the_portal_is_answered_by_a_sentence(self):
        for typed in self._mix(60):
            with self.subTest(typed=typed[:80]):
                response = self._post(typed)
                self.assertEqual(response.status_code, 200)
                self.assertTrue(self._get_alert(response))
                for dangerous in ('<img src=x', '<script>alert(1)', '<t t-out="7"'):
                    self.assertNotIn(dangerous, response.text)
                self.assertNotIn('x=y', response.headers.get('Set-Cookie', ''))

    @mute_logger('odoo.http')
    def test_forms_of_any_shape_are_answered_by_a_page(self):
        token = http.Request.csrf_token(self)
        for data in (
            {},
            {'code': ['a', 'b']},
            {'code[]': ['a', 'b']},
            {'code[x]': 'a'},
            {'code': 'a', 'captcha': 'x', 'context': '{}', 'partner_id': 'x', 'company_id': '-1'},
            {'code': 'a', 'db': 'x', 'debug': '\x00', 'lang': '../..'},
            {str(number): 'x' for number in range(500)},
        ):
            with self.subTest(data=str(data)[:80]):
                response = self.url_open('/my/refill', data={**data, 'csrf_token': token})
                self.assertEqual(response.status_code, 200)
                self.assertTrue(self._get_alert(response))
        for headers, body in (
            ({'Content-Type': 'application/json'}, b'{"code": ["a"]}'),
            ({'Content-Type': 'application/x-www-form-urlencoded; charset=utf-7'}, b'code=+ADw-'),
            ({'Content-Type': 'multipart/form-data'}, b'x'),
            ({'Content-Type': 'multipart/form-data; boundary=x'}, b'--x\r\n\r\n--x--'),
            ({'Content-Type': 'text/plain'}, b'\xff' * 10_000),
        ):
            with self.subTest(headers=headers):
                response = self.url_open('/my/refill', data=body, headers=headers)
                self.assertLess(response.status_code, 500)

    def _call(self, **body):
        self.authenticate(None, None)
        key = (
            self.env['res.users.apikeys']
            .with_user(self.clerk)
            ._generate('rpc', "Test", datetime.now() + timedelta(days=1))
        )
        return self.url_open(
            '/json/2/refill.card/redeem_code',
            json=body,
            headers={'Authorization': f'Bearer {key}'},
        )

    def _assert_answered(self, response):
        """Assert that the caller is told what was wrong."""
        self.assertIn(response.status_code, range(400, 500))
        self.assertTrue(response.json()['message'])
        self.assertNotIn('Traceback', response.json()['message'])

    @mute_logger('odoo.http')
    def test_whatever_the_api_gets_as_a_code_is_answered_by_a_reason(self):
        for code in (
            *self._mix(40),
            None,
            True,
            7,
            -1.5,
            10**400,
            [],
            ['a'],
            {},
            {'a': [1]},
            '\ud800',
        ):
            with self.subTest(code=str(code)[:80].encode('ascii', 'replace')):
                response = self._call(code=code, partner_id=self.customer.id)
                self._assert_answered(response)
                self.assertIn(
                    response.json()['context'].get('reason'), ('typo', 'unknown'), response.text
                )

    @mute_logger('odoo.http')
    def test_whatever_the_api_gets_as_a_customer_or_company_is_answered_by_a_sentence(self):
        code = self.card.sudo().code
        strange = (
            0,
            -1,
            2**31,
            2**63,
            10**400,
            1.5,
            True,
            '',
            'x',
            '1',
            "1'--",
            [],
            [1],
            {},
            '\x00',
        )
        for value in strange:
            for name in ('partner_id', 'company_id'):
                with self.subTest(name=name, value=str(value)[:40]):
                    self._assert_answered(self._call(code=code, **{name: value}))
        for body in ({}, {'code': code, 'x': 1}, {'code': code, 'ids': ['x']}):
            with self.subTest(body=str(body.keys())):
                self._assert_answered(self._call(**body))
        self.assertEqual(self.card.state, 'active')
