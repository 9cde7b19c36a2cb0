from lxml import html
from odoo import http
from odoo.tests import HttpCase

from .common import RefillCardCommon


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

    def _get_capitalization(self, url, name):
        """Return how a phone's keyboard writes into a field of a page."""
        page = html.fromstring(self.url_open(url).text)
        [field] = page.xpath(f"//input[@name='{name}']")
        return field.get('autocapitalize')

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
