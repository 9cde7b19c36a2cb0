from lxml import html
from odoo import http
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import mute_logger

from .portal_common import PortalCommon

ROUTES = (
    '/my/refill',
    '/my/refill/done',
    '/my/payments',
    '/my/payments/page/2',
    '/my/payments/1/receipt',
)


@tagged('post_install', '-at_install')
class TestPortal(PortalCommon):
    def test_whoever_is_not_logged_in_is_asked_to(self):
        self.authenticate(None, None)
        for url in ROUTES:
            with self.subTest(url=url):
                response = self.url_open(url, allow_redirects=False)
                self.assertEqual(response.status_code, 303)
                self.assertIn('/web/login', response.headers['Location'])

    def test_there_are_no_pages_until_the_company_turns_them_on(self):
        self.company.refill_card_portal = False
        for url in ROUTES[1:]:
            with self.subTest(url=url):
                self.assertEqual(self.url_open(url).status_code, 404)

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

    def test_what_the_customer_owes_is_due(self):
        self._invoice(12)
        self.assertIn("Due $ 12.00", self._get_text(self.url_open('/my/refill')))

    def test_a_balance_of_nothing_is_neither_credit_nor_due(self):
        self.assertIn("Balance $ 0.00", self._get_text(self.url_open('/my/refill')))

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
