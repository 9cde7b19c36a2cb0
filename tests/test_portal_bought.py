from unittest.mock import patch

from lxml import html
from odoo import http
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import scan
from .test_portal_reseller import ResellerCommon

PAGE = '/my/refill/cards'


class BoughtCommon(ResellerCommon):
    def setUp(self):
        super().setUp()
        self._log_in(self.customer_user)

    def _buy(self, quantity=1, customer=None, works='confirmed', **values):
        """Return cards that an invoice sold."""
        cards = self._generate(quantity, **values).card_ids
        self._sell_cards(cards, customer or self.customer, works)
        self.env.flush_all()
        return cards.sudo()

    def _show(self, cards, action='show', password='refill_customer', **data):
        data = data or {'card_id': cards.id}
        return self._send(action, PAGE, password=password, **data)

    def _get_notes(self, cards):
        return [(event.note, event.channel) for event in cards.event_ids[:1]]


@tagged('post_install', '-at_install')
class TestBought(BoughtCommon):
    """What a customer sees of the cards that they bought."""

    def _is_shown(self, card):
        """Return whether the user who is logged in sees the card, by each door alike."""
        response = self.url_open(PAGE)
        is_listed = response.ok and card.name in response.text
        self.assertEqual(f'href="{PAGE}"' in self.url_open('/my').text, response.ok)
        by_invoice = self.url_open(f'{PAGE}?invoice_id={card.invoice_line_id.move_id.id}')
        self.assertEqual(by_invoice.ok and card.name in by_invoice.text, is_listed)
        for action in ('show', 'pdf'):
            response = self._show(card, action, self.env.user.login)
            self.assertEqual(response.ok, is_listed, action)
            self.assertNotIn(card.code, response.text)
        return is_listed

    def test_whoever_is_not_logged_in_is_asked_to(self):
        self._buy()
        self.authenticate(None, None)
        for url in (PAGE, f'{PAGE}/page/1'):
            response = self.url_open(url, allow_redirects=False)
            self.assertIn('/web/login', response.headers['Location'])

    def test_nobody_else_sees_what_a_customer_bought(self):
        card = self._buy()
        self.assertTrue(self._is_shown(card))
        colleague = self._new_seller('colleague', self.customer)
        self.assertEqual(colleague.partner_id.commercial_partner_id, self.customer)
        for user, is_shown in ((self.seller, False), (colleague, True)):
            self._log_in(user)
            self.assertEqual(self._is_shown(card), is_shown)
        self._buy(customer=self.kiosk)
        self._log_in(self.seller)
        self.assertFalse(self._is_shown(card))

    def test_what_a_colleague_was_invoiced_for_is_seen_by_all_contacts_of_the_company(self):
        card = self._buy(customer=self.seller.partner_id)
        self._log_in(self._new_seller('colleague', self.kiosk))
        self.assertTrue(self._is_shown(card))

    def test_staff_of_a_company_that_bought_cards_do_not_see_them_here(self):
        card = self._buy(customer=self.kiosk)
        self.employee.partner_id.parent_id = self.kiosk
        self._log_in(self.employee)
        self.assertFalse(self._is_shown(card))

    def test_what_was_not_bought_is_never_shown(self):
        consigned, given, free = self._generate(3, activation_required=True).card_ids.sudo()
        by_activation = self._generate_consigned(1, holder=self.customer)
        by_activation._activate()
        (consigned + given)._activate()
        consigned._consign(self.customer)
        given._give_away("Fair", self.customer)
        for card in (consigned, given, free, by_activation):
            self.assertFalse(self._is_shown(card))
        self._buy()
        for card in (consigned, given, free, by_activation):
            self.assertFalse(self._is_shown(card))

    def test_what_was_returned_is_not_shown_any_more(self):
        card = self._buy()
        invoice = card.invoice_line_id.move_id
        self.assertTrue(self._is_shown(card))
        invoice.button_draft()
        self.assertFalse(self._is_shown(card))
        self.assertEqual(self.url_open(f'{PAGE}?invoice_id={invoice.id}').status_code, 404)

    def test_cards_are_listed_without_their_codes_by_page_and_by_invoice(self):
        first, second = self._buy(2), self._buy(1)
        text = self._get_text(self.url_open(PAGE))
        for card in first + second:
            self.assertIn(card.name, text)
            self.assertNotIn(card.code, text)
        self.assertIn("Active", text)
        invoice = first.invoice_line_id.move_id
        text = self._get_text(self.url_open(f'{PAGE}?invoice_id={invoice.id}'))
        self.assertIn(first[0].name, text)
        self.assertNotIn(second.name, text)
        with patch('odoo.addons.portal.controllers.portal.CustomerPortal._items_per_page', 1):
            page = self.url_open(f'{PAGE}/page/2?invoice_id={invoice.id}')
        shown = [name for name in (first + second).mapped('name') if name in page.text]
        self.assertEqual(len(shown), 1)
        self.assertIn(shown[0], first.mapped('name'))
        for value in ('x', '-1', '9' * 30, '²', '%00'):
            self.assertIn(second.name, self.url_open(f'{PAGE}?invoice_id={value}').text)

    def test_the_page_of_an_invoice_leads_to_its_cards(self):
        invoice = self._buy().invoice_line_id.move_id
        link = f'{PAGE}?invoice_id={invoice.id}'
        self.assertIn(link, self.url_open(f'/my/invoices/{invoice.id}').text)
        plain = self._invoice(10)
        self.assertNotIn(PAGE, self.url_open(f'/my/invoices/{plain.id}').text)
        shared = invoice.get_portal_url()
        self.env.flush_all()
        self.authenticate(None, None)
        response = self.url_open(shared)
        self.assertTrue(response.ok)
        self.assertNotIn(PAGE, response.text)


@tagged('post_install', '-at_install')
class TestBoughtCodes(BoughtCommon):
    """Codes and PDFs of cards that were bought."""

    def _is_refused(self, response, card):
        self.assertNotIn(card.code, response.text)
        self.assertNotIn('application/pdf', response.headers['Content-Type'])
        return "only while the card works" in response.text

    def test_codes_are_shown_only_while_cards_work(self):
        used, disabled, inactive, unpaid = (
            self._buy(activation_required=True, works=works)
            for works in ('confirmed', 'confirmed', 'now', 'paid')
        )
        self._redeem(used)
        disabled._disable('lost')
        for card, state in (
            (used, 'used'),
            (disabled, 'disabled'),
            (inactive, 'inactive'),
            (unpaid, 'inactive'),
        ):
            self.assertEqual(card.state, state)
            for action in ('show', 'pdf'):
                with self.subTest(state=state, action=action):
                    self.assertTrue(self._is_refused(self._show(card, action), card))
            invoice = card.invoice_line_id.move_id
            response = self._show(card, 'pdf', invoice_id=invoice.id)
            self.assertTrue(self._is_refused(response, card))
            self.assertNotIn("Code shown", card.event_ids.mapped('note'))
        page = html.fromstring(self.url_open(PAGE).text)
        self.assertFalse(page.xpath(f"//form[@action='{PAGE}/show']"))
        self.assertEqual(self._get_text(self.url_open(PAGE)).count("once its invoice is paid"), 1)

    def test_codes_are_shown_only_to_whoever_typed_their_password(self):
        card = self._buy()
        for action in ('show', 'pdf'):
            for password in ('', 'wrong', 'refill_seller'):
                with (
                    self.subTest(action=action, password=password),
                    mute_logger('odoo.addons.base.models.res_users'),
                ):
                    response = self._show(card, action, password)
                    self.assertNotIn(card.code, response.text)
                    self.assertIn("Your password, please", response.text)
                    is_wrong = "not the password" in response.text
                    self.assertEqual(is_wrong, bool(password))
        self.assertFalse(card.event_ids.filtered(lambda event: event.channel == 'portal'))
        self.assertIn(card.code, self._show(card).text)
        self.assertIn(card.code, self._show(card, password='').text)

    def test_no_form_is_taken_without_its_token_or_by_another_method(self):
        card = self._buy()
        self._show(card)
        for action in ('show', 'pdf'):
            with mute_logger('odoo.http'):
                response = self.url_open(f'{PAGE}/{action}', data={'card_id': card.id})
            self.assertEqual(response.status_code, 400)
            url = f'{PAGE}/{action}?card_id={card.id}'
            self.assertEqual(self.url_open(url).status_code, 405)
            token = http.Request.csrf_token(self)
            self.assertEqual(self.url_open(url, data={'csrf_token': token}).status_code, 404)

    def test_a_code_that_is_shown_is_written_down(self):
        card, other = self._buy(2)
        response = self._show(card)
        self.assertIn(card.code, self._get_text(response))
        self.assertNotIn(other.code, response.text)
        self.assertIn('no-store', response.headers['Cache-Control'])
        event = card.event_ids[:1]
        self.assertRecordValues(
            event,
            [{'note': "Code shown", 'channel': 'portal', 'user_id': self.customer_user.id}],
        )
        self.assertTrue(card.series_id.is_frozen)
        self.assertNotIn("Code shown", other.event_ids.mapped('note'))

    def test_cards_are_given_as_a_pdf_again_which_is_written_down(self):
        cards = self._buy(3)
        self._redeem(cards[2])
        response = self._show(cards[0], 'pdf')
        self.assertEqual(response.headers['Content-Type'], 'application/pdf')
        self.assertIn('no-store', response.headers['Cache-Control'])
        [link] = scan(response.content)
        self.assertIn(cards[0].code, link)
        self.assertEqual(self._get_notes(cards[0]), [("PDF with the code made", 'portal')])
        self.assertNotEqual(self._get_notes(cards[1]), [("PDF with the code made", 'portal')])
        invoice = cards.invoice_line_id.move_id
        links = scan(self._show(cards, 'pdf', invoice_id=invoice.id).content)
        self.assertEqual(len(links), 2)
        for card, link in zip(cards[:2], links, strict=True):
            self.assertIn(card.code, link)
        self.assertEqual(self._get_notes(cards[1]), [("PDF with the code made", 'portal')])

    def test_too_many_cards_for_a_pdf_are_refused(self):
        cards = self._buy(3)
        with patch('odoo.addons.refill_cards.refill_cards.models.refill_card_bought.MAX_CARDS', 2):
            invoice = cards.invoice_line_id.move_id
            response = self._show(cards, 'pdf', invoice_id=invoice.id)
        self.assertIn("More than 2 cards do not fit", response.text)

    def test_a_card_that_cannot_be_printed_is_refused_with_a_sentence(self):
        card = self._buy()
        card.series_id.layout_id.sudo().write({'show_qr': True})
        layouts = self.env.registry['refill.card.layout']
        with patch.object(layouts, '_get_print_problem', lambda *_args: "It does not fit."):
            response = self._show(card, 'pdf')
        self.assertIn("It does not fit.", response.text)
        self.assertNotEqual(self._get_notes(card), [("PDF with the code made", 'portal')])
