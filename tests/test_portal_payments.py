from unittest.mock import patch
from urllib.parse import urlencode

import pypdfium2
from lxml import html
from odoo.tests import tagged

from .portal_common import PortalCommon

CONTROLLER = 'odoo.addons.refill_cards.refill_cards.controllers.payments'


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
