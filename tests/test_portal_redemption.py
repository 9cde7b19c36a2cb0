import json
from unittest.mock import patch

from freezegun import freeze_time
from lxml import html
from odoo import http
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import tagged

from ..refill_cards.codes import ALPHABETS
from .portal_common import PortalCommon

CONTROLLER = 'odoo.addons.refill_cards.refill_cards.controllers.redemption'


@tagged('post_install', '-at_install')
class TestPortalRedemption(PortalCommon):
    # -------------------------------------------------------------------------
    # THE PAGE
    # -------------------------------------------------------------------------

    def test_whoever_is_not_logged_in_redeems_nothing(self):
        card = self._generate_card()
        self.authenticate(None, None)
        response = self._post(card.sudo().code)
        self.assertIn('/web/login', response.url)
        self.assertEqual(card.state, 'active')

    def test_nothing_is_redeemed_until_the_company_turns_it_on(self):
        card = self._generate_card()
        self.company.refill_card_portal = False
        self.assertEqual(self._post(card.sudo().code).status_code, 404)
        self.assertEqual(card.state, 'active')

    def test_the_page_learns_no_prefix(self):
        self._generate_card(prefix='SECRET')
        response = self.url_open('/my/refill')
        self.assertNotIn('SECRET', response.text)
        [form] = html.fromstring(response.text).xpath("//form[@data-formats]")
        self.assertIn(
            {'characters': ALPHABETS['base32'], 'length': 13}, json.loads(form.get('data-formats'))
        )

    def test_phones_capitalize_nothing_where_case_matters(self):
        series = self._generate_card().series_id.sudo()
        for case, told in (('upper', 'characters'), ('exact', 'none')):
            series.write({'is_foreign': True, 'code_case': case, 'code_forms': '8'})
            with self.subTest(case=case):
                field = self._get_field(self.url_open('/my/refill'))
                self.assertEqual(field.get('autocapitalize'), told)

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

    def test_a_payment_that_was_taken_back_is_no_result(self):
        card = self._generate_card()
        self._post(card.sudo().code)
        card.payment_id.action_cancel()
        self.assertURLEqual(self.url_open('/my/refill/done').url, '/my/refill')

    # -------------------------------------------------------------------------
    # A FORM SENT AGAIN
    # -------------------------------------------------------------------------

    def _open_reference(self):
        page = html.fromstring(self.url_open('/my/refill').text)
        [field] = page.xpath("//input[@name='reference']")
        return field.get('value')

    def test_each_form_has_a_reference_of_its_own(self):
        first, second = self._open_reference(), self._open_reference()
        self.assertGreater(len(first), 20)
        self.assertNotEqual(first, second)
        refused = self._post('x', reference=first)
        [field] = html.fromstring(refused.text).xpath("//input[@name='reference']")
        self.assertNotEqual(field.get('value'), first)

    def test_a_form_sent_again_gets_the_same_page(self):
        card, reference = self._generate_card(), self._open_reference()
        for _again in range(3):
            response = self._post(card.sudo().code, reference=reference)
            self.assertURLEqual(response.url, '/my/refill/done')
            self.assertEqual(self._get_alert(response), "Your card was redeemed.")
        self.assertEqual(self.env['account.payment'].search_count([('memo', '=', card.name)]), 1)
        self.assertFalse(self.env['refill.card.attempt'].search([]))

    def test_a_form_sent_again_leads_to_its_own_card_and_not_to_the_last_one(self):
        first, second = self._generate(2).card_ids
        reference = self._open_reference()
        self._post(first.sudo().code, reference=reference)
        self._post(second.sudo().code, reference=self._open_reference())
        response = self._post(first.sudo().code, reference=reference)
        self.assertIn(f"Payment {first.payment_id.name}", self._get_text(response))

    def test_a_form_that_the_back_button_brings_takes_another_card(self):
        cards, reference = self._generate(2).card_ids, self._open_reference()
        for card in cards:
            response = self._post(card.sudo().code, reference=reference)
            self.assertEqual(self._get_alert(response), "Your card was redeemed.")
        self.assertEqual(cards.mapped('state'), ['used', 'used'])

    def test_a_card_that_was_refused_is_judged_anew_when_its_form_is_sent_again(self):
        card = self._generate_card(activation_required=True)
        code, reference = card.sudo().code, self._open_reference()
        for _again in range(2):
            response = self._post(code, reference=reference)
            self._assert_not_redeemed(response, "This card is not active yet.", code)
        card.with_user(self.accountant)._activate()
        response = self._post(code, reference=reference)
        self.assertEqual(self._get_alert(response), "Your card was redeemed.")

    def test_a_form_of_somebody_else_is_another_one(self):
        card, reference = self._generate_card(), self._open_reference()
        self._post(card.sudo().code, reference=reference)
        self._log_in(self._new_user('other_customer', 'base.group_portal'))
        response = self._post(card.sudo().code, reference=reference)
        self._assert_not_redeemed(response, "This card was already used.", card.sudo().code)

    def test_any_reference_or_none_redeems_once(self):
        for reference in ('', 'x' * 100_000, '\x00\x01', '"><script>', b'\xff\xfe'):
            with self.subTest(reference=reference[:9]):
                card = self._generate_card()
                response = self._post(card.sudo().code, reference=reference)
                self.assertEqual(self._get_alert(response), "Your card was redeemed.")
                self.assertEqual(card.state, 'used')

    def test_a_form_sent_again_keeps_no_code(self):
        code = self._generate_card().sudo().code
        self._post(code, reference=code)
        self.env.flush_all()
        self.cr.execute("SELECT c::text FROM refill_card_call c")
        [[row]] = self.cr.fetchall()
        self.assertNotIn(code, row)
