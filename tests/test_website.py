from unittest import SkipTest

from lxml import html
from odoo import http
from odoo.fields import Command
from odoo.tests import tagged

from .portal_common import PortalCommon


@tagged('post_install', '-at_install')
class TestWebsite(PortalCommon):
    """The portal's pages where Odoo has websites too: each has its company and languages."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if 'website' not in cls.env:
            raise SkipTest("Run it with the module Website: python3 sandbox test --beside website")
        cls.website = cls.env['website'].get_current_website()
        cls.other_company.refill_card_portal = True

    def test_a_card_of_another_company_than_the_website_s_is_refused_and_redeemed(self):
        self.customer_user.company_ids += self.other_company
        card = self._generate_card(
            user=self.env.user, company_ids=[Command.set(self.other_company.ids)]
        )
        code = card.sudo().code
        refused = self._post(code, company_id=self.company.id, is_typed_kept='1')
        self.assertIn("Please choose another company", self._get_alert(refused))
        redeemed = self._post(code, company_id=self.other_company.id)
        self.assertEqual(self._get_alert(redeemed), "Your card was redeemed.")
        self.assertEqual(card.payment_id.company_id, self.other_company)

    def test_a_customer_of_no_website_company_redeems_in_their_own(self):
        self.website.company_id = self.other_company
        card = self._generate_card()
        self.assertEqual(self._get_alert(self._post(card.sudo().code)), "Your card was redeemed.")
        self.assertEqual(card.payment_id.company_id, self.company)

    def test_who_signs_up_becomes_a_customer_of_the_website_s_company(self):
        self.website.write({'company_id': self.other_company.id, 'auth_signup_uninvited': 'b2c'})
        self.authenticate(None, None)
        data = {
            'csrf_token': http.Request.csrf_token(self),
            'login': 'new@example.com',
            'name': "New Customer",
            'password': 'refill_cards_123',
            'confirm_password': 'refill_cards_123',
        }
        self.url_open('/web/signup', data=data)
        user = self.env['res.users'].search([('login', '=', 'new@example.com')])
        self.assertEqual(user.company_id, self.other_company)
        self.authenticate(user.login, user.login)
        card = self._generate_card(user=self.env.user, company_ids=[Command.clear()])
        self.assertEqual(self._get_alert(self._post(card.sudo().code)), "Your card was redeemed.")
        self.assertEqual(card.payment_id.company_id, self.other_company)
        self.assertEqual(card.partner_id, user.partner_id)

    def test_the_pages_stay_in_the_language_of_the_address(self):
        self._activate_language('de_DE')
        card = self._generate_card(price=1234.5)
        self.assertIn("0,00", self._get_text(self.url_open('/de/my/refill')))
        for typed, sentence in ((f'{card.sudo().code}X', "typing errors"), (card.sudo().code, "")):
            page = html.fromstring(self.url_open('/de/my/refill').text)
            [form] = page.xpath("//form[@action='/de/my/refill']")
            response = self._post(typed, form.get('action'), is_typed_kept='1')
            self.assertIn('/de/my/refill', response.url)
            self.assertIn(sentence, self._get_alert(response))
        self.assertIn("1.234,50", self._get_text(response))
        self.assertIn("1.234,50", self._get_text(self.url_open('/de/my/payments')))

    def test_both_buttons_of_the_form_look_alike(self):
        page = html.fromstring(self.url_open('/my/refill').text)
        buttons = page.xpath("//form[hasclass('o_refill_card_form')]/div/button")
        self.assertEqual(len(buttons), 2)
        for button in buttons:
            self.assertNotIn('btn-lg', button.get('class').split())
