import json
from unittest.mock import patch
from urllib.parse import urlencode

import pypdfium2
from freezegun import freeze_time
from lxml import html
from odoo import http
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from ..refill_cards.codes import ALPHABETS
from .common import RefillCardCommon

CONTROLLER = 'odoo.addons.refill_cards.refill_cards.controllers.portal'
ROUTES = (
    '/my/refill',
    '/my/refill/done',
    '/my/payments',
    '/my/payments/page/2',
    '/my/payments/1/receipt',
)


class PortalCommon(RefillCardCommon, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company.refill_card_portal = True
        if 'website' in cls.env:
            cls.env['website'].search([]).company_id = cls.company

    def setUp(self):
        super().setUp()
        self._log_in(self.customer_user)

    def _log_in(self, user):
        self.authenticate(user.login, user.login)

    def _post(self, code, url='/my/refill', **data):
        """Send the form as the user who is logged in and return the page that follows."""
        data = {'csrf_token': http.Request.csrf_token(self), 'code': code, **data}
        response = self.url_open(url, data=data)
        self.env.invalidate_all()
        return response

    def _get_alert(self, response):
        """Return the sentence in the page's only alert."""
        page = html.fromstring(response.text)
        [alert] = page.xpath("//div[@id='wrap']//*[contains(concat(@class, ' '), 'alert ')]")
        return alert.text_content().strip()

    def _get_text(self, response):
        """Return what the page says, with single plain spaces."""
        [part] = html.fromstring(response.text).xpath("//div[@id='wrap']")
        return ' '.join(part.text_content().split())

    def _get_field(self, response):
        """Return the form's field."""
        [field] = html.fromstring(response.text).xpath("//input[@name='code']")
        return field

    def _assert_not_redeemed(self, response, sentence, typed):
        """Assert that the page holds the form, with a sentence and what was typed."""
        self.assertEqual(response.status_code, 200)
        self.assertIn(sentence, self._get_alert(response))
        self.assertEqual(self._get_field(response).get('value'), typed)

    def _pay(self, amount, partner=None, company=None, **values):
        """Return a confirmed payment of the customer that came without a card."""
        company = company or self.company
        payments = self.env['account.payment'].with_company(company)
        payment = payments.create(
            {
                'amount': amount,
                'partner_id': (partner or self.customer).id,
                'payment_type': 'inbound',
                'partner_type': 'customer',
                'memo': f'Paid {amount}',
                **values,
            }
        )
        payment.action_post()
        return payment


@tagged('post_install', '-at_install')
class TestPortal(PortalCommon):
    # -------------------------------------------------------------------------
    # WHO AND WHERE
    # -------------------------------------------------------------------------

    def test_whoever_is_not_logged_in_is_asked_to(self):
        self.authenticate(None, None)
        for url in ROUTES:
            with self.subTest(url=url):
                response = self.url_open(url, allow_redirects=False)
                self.assertEqual(response.status_code, 303)
                self.assertIn('/web/login', response.headers['Location'])

    def test_whoever_is_not_logged_in_redeems_nothing(self):
        card = self._generate_card()
        self.authenticate(None, None)
        response = self._post(card.sudo().code)
        self.assertIn('/web/login', response.url)
        self.assertEqual(card.state, 'active')

    def test_there_are_no_pages_until_the_company_turns_them_on(self):
        self.company.refill_card_portal = False
        for url in ROUTES[1:]:
            with self.subTest(url=url):
                self.assertEqual(self.url_open(url).status_code, 404)

    def test_the_page_behind_the_qr_says_what_to_do_where_the_portal_is_off(self):
        self.company.refill_card_portal = False
        employee, clerk = self.employee, self.clerk
        for user, sentence in (
            (self.customer_user, "Nothing was taken from your card."),
            (employee, "Nothing was taken from your card."),
            (clerk, "Redeem the card for a customer in Refill Cards"),
        ):
            self._log_in(user)
            with self.subTest(user=user.login):
                response = self.url_open('/my/refill')
                self.assertEqual(response.status_code, 200)
                self.assertIn(sentence, self._get_alert(response))

    def test_staff_are_told_that_a_card_would_top_up_their_own_account(self):
        self._log_in(self.clerk)
        response = self.url_open('/my/refill')
        self.assertIn("You are logged in as staff", self._get_alert(response))

    def test_no_other_site_frames_a_page_and_no_browser_keeps_one(self):
        payment = self._pay(10)
        disabled = self._generate_card()
        self._redeem(disabled).action_cancel()
        code = disabled.sudo().code
        calls = [
            *(lambda url=url: self.url_open(url, allow_redirects=False) for url in ROUTES),
            lambda: self.url_open(f'/my/payments/{payment.id}/receipt'),
            lambda: self._post('nonsense', allow_redirects=False),
            lambda: self._post(code),
            lambda: self._post(code, is_typed_kept='1'),
            lambda: self.url_open('/my/refill', data={'code': code}),  # without a token
        ]
        self.company.refill_card_portal = True
        with mute_logger('odoo.http'):
            responses = [call() for call in calls]
            self._post(self._generate_card().sudo().code)
            responses.append(self.url_open('/my/refill/done'))
            self.company.refill_card_portal = False
            responses += [self.url_open(url, allow_redirects=False) for url in ROUTES]
        for response in [step for last in responses for step in (*last.history, last)]:
            with self.subTest(url=response.url, status=response.status_code):
                headers = response.headers
                self.assertEqual(headers.get('Content-Security-Policy'), "frame-ancestors 'self'")
                self.assertEqual(headers.get('X-Frame-Options'), 'SAMEORIGIN')
                self.assertIn('no-store', headers.get('Cache-Control', ''))

    def test_the_home_page_has_a_tile_for_the_payments(self):
        page = html.fromstring(self.url_open('/my').text)
        [tile] = page.xpath("//a[@href='/my/payments']")
        self.assertIn("Payments", tile.text_content())
        self.company.refill_card_portal = False
        self.assertNotIn('/my/payments', self.url_open('/my').text)

    def test_nothing_is_redeemed_until_the_company_turns_it_on(self):
        card = self._generate_card()
        self.company.refill_card_portal = False
        self.assertEqual(self._post(card.sudo().code).status_code, 404)
        self.assertEqual(card.state, 'active')

    def test_there_is_no_tile_until_the_company_turns_it_on(self):
        self.company.refill_card_portal = False
        self.assertNotIn('/my/refill', self.url_open('/my').text)

    def test_the_home_page_shows_a_tile_with_the_balance(self):
        self._pay(40)
        page = html.fromstring(self.url_open('/my').text)
        [tile] = page.xpath("//a[@href='/my/refill']")
        self.assertEqual(
            ' '.join(tile.text_content().split()), "Refill card Prepaid credit $ 40.00"
        )

    def test_other_methods_are_refused(self):
        card = self._generate_card()
        for method, url in (
            ('PUT', '/my/refill'),
            ('POST', '/my/refill/done'),
            ('POST', '/my/payments'),
            ('POST', '/my/payments/1/receipt'),
        ):
            with self.subTest(url=url):
                data = {'csrf_token': http.Request.csrf_token(self), 'code': card.sudo().code}
                response = self.url_open(url, data=data, method=method)
                self.assertEqual(response.status_code, 405)
        self.assertEqual(card.state, 'active')

    def test_the_company_s_help_is_shown_in_the_customer_s_language(self):
        self.assertNotIn('o_refill_card_help', self.url_open('/my/refill').text)
        self._activate_language('de_DE')
        self.company.refill_card_portal_help = "<p>Scratch the <b>silver</b> field.</p>"
        self.company.update_field_translations(
            'refill_card_portal_help',
            {'de_DE': {"Scratch the <b>silver</b> field.": "Rubbeln!"}},
        )
        self.assertIn("Scratch the <b>silver</b> field.", self.url_open('/my/refill').text)
        self.customer.lang = 'de_DE'
        self._log_in(self.customer_user)
        page = self.url_open('/my/refill').text
        self.assertIn("Rubbeln!", page)
        self.assertEqual(html.fromstring(page).get('lang'), 'de-DE')

    def test_the_page_learns_no_prefix(self):
        self._generate_card(prefix='SECRET')
        response = self.url_open('/my/refill')
        self.assertNotIn('SECRET', response.text)
        [form] = html.fromstring(response.text).xpath("//form[@data-formats]")
        self.assertIn(
            {'characters': ALPHABETS['base32'], 'length': 13}, json.loads(form.get('data-formats'))
        )

    def test_the_company_of_the_customer_decides_before_that_of_the_user(self):
        self.company.refill_card_portal = False
        self.other_company.refill_card_portal = True
        employer = self.env['res.partner'].create(
            {'name': "Employer", 'is_company': True, 'company_id': self.other_company.id}
        )
        self.customer.parent_id = employer
        card = self._generate_card(company_ids=[Command.clear()])
        self.assertEqual(self._post(card.sudo().code).status_code, 200)
        self.assertEqual(card.used_company_id, self.other_company)
        self.assertEqual(card.payment_id.partner_id, employer)

    # -------------------------------------------------------------------------
    # REFUSALS
    # -------------------------------------------------------------------------

    def test_a_form_from_elsewhere_redeems_nothing(self):
        card = self._generate_card()
        with self.assertLogs('odoo.http', 'WARNING'):
            response = self._post(card.sudo().code, csrf_token='')
        self.assertEqual(response.status_code, 400)
        self.assertEqual(card.state, 'active')

    def test_a_code_in_the_url_is_not_looked_at(self):
        card = self._generate_card()
        url = f'/my/refill?code={card.sudo().code}'
        self.assertFalse(self._get_field(self.url_open(url)).value)
        response = self.url_open(url, data={'csrf_token': http.Request.csrf_token(self)})
        self._assert_not_redeemed(response, "This is not a card's code.", '')
        self.env.invalidate_all()
        self.assertEqual(card.state, 'active')

    def test_an_empty_field_is_refused(self):
        self._assert_not_redeemed(self._post(''), "This is not a card's code.", '')

    def test_a_serial_number_is_recognized(self):
        card = self._generate_card()
        for typed in (card.name, card.name.replace('-', ' '), card.name.replace('-', '')):
            with self.subTest(typed=typed):
                response = self._post(typed)
                self._assert_not_redeemed(response, "This is the card's serial number.", typed)
                self.assertIn("scratch off", self._get_alert(response))
        for typed in (card.name[:-3], f'{card.name}12', 'x' + card.name, '1999-0001-000001'):
            with self.subTest(typed=typed):
                self._assert_not_redeemed(self._post(typed), "This is not a card's code.", typed)

    def test_a_typing_error_is_refused(self):
        code = self._generate_card().sudo().code
        typed = code[:-1] + ('0' if code[-1] != '0' else '1')
        self._assert_not_redeemed(self._post(typed), "This is not a card's code.", typed)

    def test_an_unknown_code_is_refused(self):
        card = self._generate_card()
        code = card.sudo().code
        card.sudo().unlink()
        response = self._post(code)
        self._assert_not_redeemed(response, "There is no card with this code.", code)

    def test_a_card_that_someone_else_used_is_refused_without_saying_who(self):
        card = self._generate_card()
        self._redeem(card, partner=self.stranger)
        response = self._post(card.sudo().code)
        self._assert_not_redeemed(response, "This card was already used.", card.sudo().code)
        self.assertNotIn("Stranger", response.text)

    def test_a_card_that_the_customer_used_is_refused_and_says_when(self):
        card = self._generate_card()
        self._redeem(card)
        response = self._post(card.sudo().code)
        sentence = "This card was already used for this account on"
        self._assert_not_redeemed(response, sentence, card.sudo().code)
        self.assertEqual(self.customer.credit, -25)

    def test_an_expired_card_is_refused(self):
        card = self._generate_card()
        card.sudo()._operating().valid_till = '2026-01-31'
        response = self._post(card.sudo().code)
        self._assert_not_redeemed(
            response, "This card was valid till 01/31/2026.", card.sudo().code
        )

    def test_a_disabled_card_is_refused(self):
        card = self._generate_card()
        self._redeem(card).action_cancel()
        response = self._post(card.sudo().code)
        sentence = "This card was disabled. Please ask whoever sold it to you."
        self._assert_not_redeemed(response, sentence, card.sudo().code)

    def test_a_card_that_is_not_active_yet_is_refused(self):
        card = self._generate_card(activation_required=True)
        response = self._post(card.sudo().code)
        sentence = "This card is not active yet. Please ask whoever sold it to you."
        self._assert_not_redeemed(response, sentence, card.sudo().code)
        self.assertEqual(card.state, 'inactive')

    def test_whoever_typed_too_many_codes_is_refused_and_told_until_when(self):
        self.env['ir.config_parameter'].set_param('refill_cards.guesses', 1)
        card, unknown = self._generate(2).card_ids
        code = unknown.sudo().code
        unknown.sudo().unlink()
        self.customer.tz = 'UTC'
        with freeze_time('2026-01-31 10:00:00'):
            self._log_in(self.customer_user)
            self._assert_not_redeemed(self._post(code), "There is no card with this code.", code)
            response = self._post(card.sudo().code)
        sentence = "Too many wrong codes. Please try again after"
        self._assert_not_redeemed(response, sentence, card.sudo().code)
        self.assertRegex(self._get_alert(response), r'after .*10:15')
        self.assertEqual(card.state, 'active')

    def test_a_card_for_other_companies_is_refused(self):
        card = self._generate_card(
            user=self.env.user, company_ids=[Command.set(self.other_company.ids)]
        )
        response = self._post(card.sudo().code)
        sentence = f"This card is not accepted by {self.company.name}."
        self._assert_not_redeemed(response, sentence, card.sudo().code)
        self.assertIn("ask whoever sold it to you", self._get_alert(response))

    def test_a_refusal_redirects_once_the_browser_keeps_what_was_typed(self):
        self._generate_card()
        disabled = self._generate_card()
        self._redeem(disabled).action_cancel()
        code = disabled.sudo().code
        data = {'csrf_token': http.Request.csrf_token(self), 'code': code, 'is_typed_kept': '1'}
        response = self.url_open('/my/refill', data=data, allow_redirects=False)
        self.assertEqual(response.status_code, 303)
        self.assertURLEqual(response.headers['Location'], '/my/refill')
        session = http.root.session_store.get(self.session.sid)
        self.assertIn("This card was disabled.", str(dict(session)))
        self.assertNotIn(code, str(dict(session)))
        response = self.url_open('/my/refill')
        self._assert_not_redeemed(response, "This card was disabled.", '')
        self.assertEqual(self._get_field(response).get('aria-invalid'), 'true')
        self.assertNotIn("disabled.", self._get_text(self.url_open('/my/refill')))
        self.assertEqual(self.env['refill.card.attempt'].search_count([]), 1)

    def test_a_company_without_a_journal_keeps_the_card_as_it_is(self):
        card = self._generate_card()
        self.company._get_refill_card_method_line().journal_id.active = False
        with self.assertLogs(CONTROLLER, 'WARNING') as logs:
            response = self._post(card.sudo().code)
        sentence = "Your card could not be redeemed right now. Nothing was taken from it"
        self._assert_not_redeemed(response, sentence, card.sudo().code)
        self.assertEqual(card.state, 'active')
        self.assertNotIn(card.sudo().code, ''.join(logs.output))

    def test_a_redemption_that_fails_half_way_leaves_nothing(self):
        card = self._generate_card()

        def fail(payment):
            raise UserError("The books are closed.")  # pylint: disable=translation-required

        with (
            patch.object(self.env.registry['account.payment'], 'action_post', fail),
            self.assertLogs(CONTROLLER, 'WARNING'),
        ):
            response = self._post(card.sudo().code)
        self._assert_not_redeemed(response, "Nothing was taken from it", card.sudo().code)
        self.assertNotIn("The books are closed.", response.text)
        self.assertEqual(card.state, 'active')
        self.assertFalse(
            self.env['account.payment'].search([('partner_id', '=', self.customer.id)])
        )

    def test_a_failed_captcha_is_a_sentence_and_redeems_nothing(self):
        card = self._generate_card()

        def refuse(ir_http, action):
            self.assertEqual(action, 'refill_card')
            raise UserError("Suspicious activity detected.")  # pylint: disable=translation-required

        with patch.object(self.env.registry['ir.http'], '_verify_request_recaptcha_token', refuse):
            response = self._post(card.sudo().code)
        self._assert_not_redeemed(response, "Suspicious activity detected.", card.sudo().code)
        self.assertEqual(card.state, 'active')

    def test_whatever_is_typed_is_answered_by_a_sentence_and_shown_as_text(self):
        for typed in (
            '"><script>alert(1)</script>',
            "'; DROP TABLE refill_card; --",
            '{{ 7 * 7 }} %s %(code)s ${7}',
            '\u202e\u0661\u0662\u0663 \N{GRINNING FACE} \N{LATIN SMALL LETTER SHARP S}',
            '../../etc/passwd',
        ):
            with self.subTest(typed=typed):
                response = self._post(typed)
                self._assert_not_redeemed(response, "This is not a card's code.", typed)
                self.assertNotIn('<script>alert(1)', response.text)

    def test_control_characters_and_broken_text_are_answered_by_a_sentence(self):
        for typed in ('\x00\x01\x1b[31m', b'\xff\xfe\x80', '\r\n\r\n'):
            with self.subTest(typed=typed):
                response = self._post(typed)
                self.assertEqual(response.status_code, 200)
                self.assertIn("This is not a card's code.", self._get_alert(response))

    def test_a_huge_text_is_answered_by_a_sentence_and_not_sent_back_whole(self):
        response = self._post('7' * 1_000_000)
        self._assert_not_redeemed(response, "This is not a card's code.", '7' * 128)

    def test_a_file_instead_of_a_code_is_answered_by_a_sentence(self):
        response = self.url_open(
            '/my/refill',
            data={'csrf_token': http.Request.csrf_token(self)},
            files={'code': ('code.txt', b'QUICK')},
        )
        self._assert_not_redeemed(response, "This is not a card's code.", '')

    # -------------------------------------------------------------------------
    # REDEMPTION
    # -------------------------------------------------------------------------

    def test_there_is_no_result_before_a_card_was_redeemed(self):
        response = self.url_open('/my/refill/done')
        self.assertURLEqual(response.url, '/my/refill')

    def test_a_redeemed_card_is_a_paid_payment_of_the_commercial_partner(self):
        employer = self.env['res.partner'].create({'name': "Employer", 'is_company': True})
        self.customer.parent_id = employer
        card = self._generate_card()
        response = self._post(card.sudo().code)
        self.assertEqual(response.status_code, 200)
        self.assertRecordValues(
            card,
            [
                {
                    'state': 'used',
                    'partner_id': self.customer.id,
                    'used_by_id': self.customer_user.id,
                    'used_company_id': self.company.id,
                }
            ],
        )
        self.assertRecordValues(
            card.payment_id, [{'state': 'paid', 'partner_id': employer.id, 'amount': 25}]
        )
        self.assertEqual(card.payment_id.move_id.state, 'posted')
        self.assertEqual(card.event_ids[:1].channel, 'portal')
        self.assertIn("Prepaid credit $ 25.00", self._get_text(response))

    def test_the_result_names_value_payment_invoices_and_balance(self):
        invoice = self._invoice(10)
        card = self._generate_card()
        response = self._post(card.sudo().code)
        self.assertEqual(self._get_alert(response), "Your card was redeemed.")
        text = self._get_text(response)
        self.assertIn("Prepaid credit $ 15.00", text)
        self.assertIn("Card's value $ 25.00", text)
        self.assertIn(f"Payment {card.payment_id.name}", text)
        self.assertIn(f"Invoices paid {invoice.name} $ 10.00", text)

    def test_money_is_written_the_way_of_the_users_language(self):
        self._activate_language('de_DE')
        self.customer.lang = 'de_DE'
        self._log_in(self.customer_user)
        card = self._generate_card(price=1234.5)
        self.assertIn("1.234,50", self._get_text(self._post(card.sudo().code)))

    def test_the_code_is_on_no_page_and_in_no_address_once_it_was_redeemed(self):
        code = self._generate_card().sudo().code
        response = self._post(code)
        self.assertURLEqual(response.url, '/my/refill/done')
        for step in (*response.history, response, self.url_open('/my/payments')):
            self.assertNotIn(code, step.url)
            self.assertNotIn(code, step.text)
            self.assertNotIn(code, str(step.headers))

    def test_the_result_can_be_reloaded(self):
        self._post(self._generate_card().sudo().code)
        response = self.url_open('/my/refill/done')
        self.assertEqual(self._get_alert(response), "Your card was redeemed.")
        self.assertEqual(self.env['account.payment'].search_count([('memo', '!=', False)]), 1)

    def test_result_list_and_receipt_are_gone_once_the_company_turns_the_portal_off(self):
        card = self._generate_card()
        self._post(card.sudo().code)
        urls = (
            '/my/refill/done',
            '/my/payments',
            f'/my/payments/{card.payment_id.id}/receipt',
        )
        for is_on, status in ((True, 200), (False, 404)):
            self.company.refill_card_portal = is_on
            for url in urls:
                with self.subTest(url=url, is_on=is_on):
                    self.assertEqual(self.url_open(url).status_code, status)

    def test_a_payment_that_was_taken_back_is_no_result(self):
        card = self._generate_card()
        self._post(card.sudo().code)
        card.payment_id.action_cancel()
        self.assertURLEqual(self.url_open('/my/refill/done').url, '/my/refill')

    def test_what_the_customer_owes_is_due(self):
        self._invoice(12)
        self.assertIn("Due $ 12.00", self._get_text(self.url_open('/my/refill')))

    def test_a_balance_of_nothing_is_neither_credit_nor_due(self):
        self.assertIn("Balance $ 0.00", self._get_text(self.url_open('/my/refill')))


@tagged('post_install', '-at_install')
class TestPortalPayments(PortalCommon):
    def _get_rows(self, url='/my/payments'):
        """Return the cells of the list as text."""
        response = self.url_open(url)
        self.assertEqual(response.status_code, 200)
        return [
            [' '.join(cell.text_content().split()) for cell in row.xpath('td')]
            for row in self._find_rows(response, 'o_refill_card_payments')
        ]

    def _get_totals(self, url):
        return [
            [' '.join(cell.text_content().split()) for cell in row.xpath('td')]
            for row in self._find_rows(self.url_open(url), 'o_refill_card_totals')
        ]

    def _find_rows(self, response, css_class):
        page = html.fromstring(response.text)
        return page.xpath(f"//*[contains(@class, '{css_class}')]//tbody/tr")

    def _get_comments(self, url='/my/payments'):
        return [row[4] for row in self._get_rows(url)]

    def test_a_stranger_s_payments_are_not_listed(self):
        self._pay(10, partner=self.stranger)
        self.assertFalse(self._get_rows())

    def test_payments_of_a_company_below_the_customer_are_not_listed(self):
        subsidiary = self.env['res.partner'].create(
            {'name': "Subsidiary", 'is_company': True, 'parent_id': self.customer.id}
        )
        self._pay(10, partner=subsidiary)
        self.assertFalse(self._get_rows())

    def test_payments_to_another_company_are_not_listed(self):
        self._pay(10, company=self.other_company)
        self.assertFalse(self._get_rows())

    def test_only_confirmed_money_received_from_the_customer_is_listed(self):
        self._pay(10).action_cancel()
        self._pay(20).action_draft()
        self._pay(30, payment_type='outbound')
        self._pay(40, partner_type='supplier')
        self.assertFalse(self._get_rows())

    def test_an_empty_list_says_what_to_do(self):
        response = self.url_open('/my/payments')
        self.assertIn("There are no payments yet.", self._get_alert(response))

    def test_a_bad_sorting_or_page_is_ignored(self):
        self._pay(10)
        for url in (
            '/my/payments?sortby=__class__',
            '/my/payments?sortby=',
            '/my/payments?filterby=__class__',
            '/my/payments?search_in=__class__&groupby=x',
            '/my/payments?search=%00',
            "/my/payments?sortby=amount;--",
            '/my/payments?page=abc',
            '/my/payments?page=-1',
            '/my/payments?page=%C2%B2',
            f'/my/payments?page={"9" * 5000}',
            '/my/payments/page/0',
            '/my/payments/page/99999999999999999999',
        ):
            with self.subTest(url=url):
                self.assertEqual(self._get_comments(url), ["Paid 10"])

    def test_a_payment_shows_date_number_type_comment_and_amount(self):
        card = self._generate_card()
        self._post(card.sudo().code)
        self._redeem(self._generate_card(), partner=self.stranger)
        date = card.payment_id.date.strftime('%m/%d/%Y')
        [row] = self._get_rows()
        number, serial = card.payment_id.name, card.name
        kind = f"Refill Card {number} {serial}"
        self.assertEqual(row, [date, number, kind, "$ 25.00", serial, '', ''])

    def test_a_payment_shows_the_invoices_that_it_paid(self):
        invoice, other = self._invoice(10), self._invoice(5, due='2026-02-01')
        self._invoice(10, partner=self.stranger)
        self._post(self._generate_card().sudo().code)
        [row] = self._get_rows()
        self.assertEqual(set(row[5].split(', ')), {invoice.name, other.name})

    def test_the_latest_payment_comes_first(self):
        self._pay(10, date='2026-01-01')
        self._pay(30, date='2026-03-01')
        self._pay(20, date='2026-02-01')
        self.assertEqual(self._get_comments(), ["Paid 30", "Paid 20", "Paid 10"])

    def test_payments_can_be_sorted_by_amount(self):
        self._pay(10)
        self._pay(30)
        self._pay(20)
        rows = self._get_comments('/my/payments?sortby=amount')
        self.assertEqual(rows, ["Paid 30", "Paid 20", "Paid 10"])

    def test_payments_are_filtered_by_type(self):
        self._pay(10)
        card = self._generate_card()
        self._post(card.sudo().code)
        self.assertEqual(self._get_comments('/my/payments?filterby=manual'), ["Paid 10"])
        self.assertEqual(self._get_comments('/my/payments?filterby=refill_card'), [card.name])

    def test_payments_are_searched_by_number_comment_and_invoice(self):
        invoice = self._invoice(25)
        card = self._generate_card()
        self._post(card.sudo().code)
        payment = self._pay(10)
        for search, found in (
            (invoice.name, [card.name]),
            (card.payment_id.name, [card.name]),
            (payment.name.lower(), ["Paid 10"]),
            ("paid", ["Paid 10"]),
            ("' OR true --", []),
        ):
            with self.subTest(search=search):
                url = f'/my/payments?{urlencode({"search": search})}'
                self.assertEqual(self._get_comments(url), found)

    def test_a_search_that_finds_nothing_leads_back_to_all(self):
        self._pay(10)
        response = self.url_open('/my/payments?search=nothing')
        self.assertIn("No payment fits.", self._get_alert(response))

    def test_totals_are_of_all_pages_of_what_is_filtered(self):
        for amount in (10, 20, 30):
            self._pay(amount)
        self._pay(5, currency_id=self.other_currency.id)
        self._post(self._generate_card().sudo().code)
        self._pay(99, partner=self.stranger)
        with patch('odoo.addons.portal.controllers.portal.CustomerPortal._items_per_page', 2):
            rows = self._get_totals('/my/payments')
            self.assertEqual(len(rows), 3)
            self.assertIn(["Manual Payment", "3", "$ 60.00"], rows)
            self.assertIn(["Refill Card", "1", "$ 25.00"], rows)
            self.assertEqual(
                self._get_totals('/my/payments?search=Paid+20'),
                [["Manual Payment", "1", "$ 20.00"]],
            )

    def test_sorting_filter_and_search_stay_on_the_other_pages(self):
        for amount in (10, 20, 30):
            self._pay(amount)
        with patch('odoo.addons.portal.controllers.portal.CustomerPortal._items_per_page', 2):
            query = 'sortby=amount&filterby=manual&search=Paid'
            page = html.fromstring(self.url_open(f'/my/payments?{query}').text)
            self.assertIn(
                f'/my/payments/page/2?{query}',
                page.xpath("//a[contains(@class, 'page-link')]/@href"),
            )
            self.assertEqual(self._get_comments(f'/my/payments/page/2?{query}'), ["Paid 10"])

    def test_many_payments_are_on_several_pages(self):
        for number in range(3):
            self._pay(10 + number)
        with patch('odoo.addons.portal.controllers.portal.CustomerPortal._items_per_page', 2):
            self.assertEqual(self._get_comments(), ["Paid 12", "Paid 11"])
            self.assertEqual(self._get_comments('/my/payments/page/2'), ["Paid 10"])

    def test_a_contact_sees_the_payments_of_the_whole_customer(self):
        employer = self.env['res.partner'].create({'name': "Employer", 'is_company': True})
        colleague = self.env['res.partner'].create({'name': "Colleague", 'parent_id': employer.id})
        self.customer.parent_id = employer
        self._pay(10, partner=colleague)
        self._pay(20, partner=employer)
        self.assertEqual(self._get_comments(), ["Paid 20", "Paid 10"])


@tagged('post_install', '-at_install')
class TestPortalReceipt(PortalCommon):
    def _get_receipt(self, payment):
        return self.url_open(f'/my/payments/{payment.id}/receipt')

    def _print(self):
        """Let Odoo print reports, which it does not do in tests."""
        reports = self.env.registry['ir.actions.report']
        prepare = reports._pre_render_qweb_pdf
        return patch.object(
            reports,
            '_pre_render_qweb_pdf',
            lambda report, *args, **kwargs: prepare(
                report.with_context(force_report_rendering=True), *args, **kwargs
            ),
        )

    def test_a_stranger_s_receipt_is_not_found(self):
        self.assertEqual(self._get_receipt(self._pay(10, self.stranger)).status_code, 404)

    def test_a_receipt_of_another_company_is_not_found(self):
        payment = self._pay(10, company=self.other_company)
        self.assertEqual(self._get_receipt(payment).status_code, 404)

    def test_there_is_no_receipt_of_what_was_taken_back(self):
        payment = self._pay(10)
        payment.action_cancel()
        self.assertEqual(self._get_receipt(payment).status_code, 404)

    def test_there_is_no_receipt_of_nonsense(self):
        for number in ('0', '99999999999999999999', '-1', 'abc', '1%20OR%201'):
            with self.subTest(number=number):
                response = self.url_open(f'/my/payments/{number}/receipt')
                self.assertEqual(response.status_code, 404)

    def test_a_server_that_cannot_print_says_so(self):
        payment = self._pay(10)
        reports = self.env.registry['ir.actions.report']
        with (
            self._print(),
            patch.object(reports, 'get_wkhtmltopdf_state', lambda report: 'install'),
            self.assertLogs(CONTROLLER, 'WARNING'),
        ):
            response = self._get_receipt(payment)
        self.assertEqual(response.status_code, 200)
        self.assertIn("cannot be made as a PDF", self._get_alert(response))

    def test_the_receipt_has_number_value_and_invoices(self):
        invoice = self._invoice(10)
        card = self._generate_card()
        result = self._post(card.sudo().code)
        payment = card.payment_id
        self.assertIn(f'href="/my/payments/{payment.id}/receipt"', result.text)
        receipt = self._get_receipt(payment).text  # In tests Odoo leaves it as HTML.
        for part in (payment.name, "25.00", card.name, invoice.name, "15.00", self.customer.name):
            self.assertIn(part, receipt)
        self.assertIn(self.company.name, receipt)

    def test_the_receipt_without_invoices_has_no_table_of_them(self):
        card = self._generate_card()
        self._post(card.sudo().code)
        page = html.fromstring(self._get_receipt(card.payment_id).text)
        self.assertFalse(page.xpath("//table[@name='invoices']"))
        [table] = page.xpath("//table[hasclass('o_refill_card_receipt')]")
        text = ' '.join(table.text_content().split())
        self.assertIn(f"Refill card {card.name}", text)
        self.assertRegex(text, r"Balance on \S+ \$ 25\.00")

    def test_the_receipt_is_a_pdf(self):
        payment = self._pay(10)
        with self._print():
            response = self._get_receipt(payment)
        self.assertEqual(response.headers['Content-Type'], 'application/pdf')
        self.assertIn(payment.name.replace('/', '_'), response.headers['Content-Disposition'])
        with pypdfium2.PdfDocument(response.content) as document:
            self.assertEqual(len(document), 1)


@tagged('post_install', '-at_install')
class TestPortalCompanies(PortalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_company.refill_card_portal = True

    def _get_choices(self):
        """Return the companies that the form offers."""
        page = html.fromstring(self.url_open('/my/refill').text)
        return {int(value) for value in page.xpath("//input[@name='company_id']/@value")}

    def _deal_with_both(self):
        self._pay(10, company=self.other_company)

    def test_a_company_that_the_customer_does_not_deal_with_is_refused(self):
        card = self._generate_card(company_ids=[Command.clear()])
        response = self._post(card.sudo().code, company_id=self.other_company.id)
        self._assert_not_redeemed(response, "Please choose the company", card.sudo().code)
        self.assertEqual(card.state, 'active')

    def test_nonsense_is_no_company(self):
        card = self._generate_card()
        for nonsense in ('', 'abc', '-1', '1 OR 1=1'):
            with self.subTest(nonsense=nonsense):
                response = self._post(card.sudo().code, company_id=nonsense)
                self._assert_not_redeemed(response, "Please choose the company", card.sudo().code)
        self.assertEqual(card.state, 'active')

    def test_with_several_companies_the_customer_must_choose(self):
        self._deal_with_both()
        self.assertEqual(self._get_choices(), {self.company.id, self.other_company.id})
        card = self._generate_card(company_ids=[Command.clear()])
        response = self._post(card.sudo().code)
        self._assert_not_redeemed(response, "Please choose the company", card.sudo().code)
        self.assertEqual(card.state, 'active')

    def test_a_company_without_portal_is_no_choice(self):
        self._deal_with_both()
        self.other_company.refill_card_portal = False
        self.assertFalse(self._get_choices())
        self.assertNotIn(self.other_company.name, self._get_text(self.url_open('/my/payments')))

    def test_drafts_are_no_dealings(self):
        self._pay(10, company=self.other_company).action_draft()
        self.assertFalse(self._get_choices())

    def test_a_contact_of_one_company_deals_with_no_other(self):
        self._deal_with_both()
        self.customer.company_id = self.company
        self.assertFalse(self._get_choices())

    def _make_branch(self, **values):
        """Return a branch of the company, with which the customer deals."""
        branch = self.env['res.company'].create(
            {'name': "Branch", 'parent_id': self.company.id, 'refill_card_portal': True, **values}
        )
        self.customer_user.company_ids += branch
        receivable = self.customer.property_account_receivable_id
        self.customer.with_company(branch).property_account_receivable_id = receivable
        return branch

    def _get_balances(self, url='/my/payments'):
        page = html.fromstring(self.url_open(url).text)
        return [
            ' '.join(balance.text_content().split())
            for balance in page.xpath("//*[contains(@class, 'o_refill_card_balance')]")
        ]

    def test_head_office_and_branch_are_one_line_and_no_question(self):
        branch = self._make_branch()
        self.customer.company_id = self.company
        self._pay(40)
        self._pay(30, company=branch)
        self.assertFalse(self._get_choices())
        for url in ('/my/payments', '/my/refill'):
            self.assertEqual(self._get_balances(url), ["Prepaid credit $ 70.00"])
        card = self._generate_card()
        self.assertEqual(self._get_alert(self._post(card.sudo().code)), "Your card was redeemed.")
        self.assertEqual(card.used_company_id, self.company)

    def test_a_card_that_only_the_branch_accepts_is_redeemed_there_without_a_question(self):
        branch = self._make_branch()
        card = self._generate_card(user=self.env.user, company_ids=[Command.set(branch.ids)])
        self.assertEqual(self._get_alert(self._post(card.sudo().code)), "Your card was redeemed.")
        self.assertEqual(card.used_company_id, branch)
        self.assertEqual(self.env['refill.card.attempt'].search_count([]), 0)

    def test_the_company_of_the_user_is_the_default_of_a_tree(self):
        branch = self._make_branch()
        self.customer_user.company_id = branch
        card = self._generate_card(company_ids=[Command.clear()])
        self._post(card.sudo().code)
        self.assertEqual(card.sudo().used_company_id, branch)

    def test_the_money_of_a_branch_without_portal_is_out_everywhere(self):
        branch = self._make_branch(refill_card_portal=False)
        self._pay(40)
        self._pay(30, company=branch)
        self.assertEqual(self._get_balances(), ["Prepaid credit $ 40.00"])
        text = self._get_text(self.url_open('/my/payments'))
        self.assertIn("Paid 40", text)
        self.assertNotIn("Paid 30", text)
        branch.refill_card_portal = True
        self.company.refill_card_portal = False
        self.assertEqual(self._get_balances(), ["Prepaid credit $ 30.00"])
        text = self._get_text(self.url_open('/my/payments'))
        self.assertIn("Paid 30", text)
        self.assertNotIn("Paid 40", text)

    def test_of_several_trees_each_is_one_line_and_one_is_chosen(self):
        self._deal_with_both()
        self._make_branch()
        self._pay(20)
        self.assertEqual(len(self._get_balances()), 2)
        page = html.fromstring(self.url_open('/my/refill').text)
        self.assertEqual(len(page.xpath("//input[@name='company_id']")), 2)
        [chosen] = page.xpath("//input[@name='company_id'][@checked]/@value")
        self.assertEqual(int(chosen), self.company.id)

    def test_a_card_that_the_chosen_company_refuses_can_be_tried_in_another(self):
        self._deal_with_both()
        card = self._generate_card(company_ids=[Command.set(self.company.ids)])
        response = self._post(card.sudo().code, company_id=self.other_company.id)
        self._assert_not_redeemed(response, "Please choose another company", card.sudo().code)
        [chosen] = html.fromstring(response.text).xpath("//input[@checked]/@value")
        self.assertEqual(int(chosen), self.other_company.id)

    def test_the_chosen_company_is_still_chosen_after_a_redirect(self):
        self._deal_with_both()
        card = self._generate_card(company_ids=[Command.set(self.company.ids)])
        response = self._post(card.sudo().code, company_id=self.other_company.id, is_typed_kept='1')
        self.assertEqual([step.status_code for step in response.history], [303])
        self._assert_not_redeemed(response, "Please choose another company", '')
        [chosen] = html.fromstring(response.text).xpath("//input[@checked]/@value")
        self.assertEqual(int(chosen), self.other_company.id)

    def test_the_chosen_company_books_the_payment(self):
        self._deal_with_both()
        card = self._generate_card(company_ids=[Command.clear()])
        response = self._post(card.sudo().code, company_id=self.other_company.id)
        self.assertEqual(self._get_alert(response), "Your card was redeemed.")
        self.assertEqual(card.used_company_id, self.other_company)
        self.assertEqual(card.payment_id.company_id, self.other_company)

    def test_balances_and_payments_of_all_companies_are_shown(self):
        self._deal_with_both()
        self._pay(20)
        text = self._get_text(self.url_open('/my/payments'))
        for company in (self.company, self.other_company):
            self.assertIn(f"{company.name}: Prepaid credit", text)
        self.assertIn("Paid 10", text)
        self.assertIn("Paid 20", text)
