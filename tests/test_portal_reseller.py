from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time
from lxml import html
from odoo import http
from odoo.exceptions import UserError
from odoo.fields import Command, Date, Datetime
from odoo.tests import tagged
from odoo.tools import mute_logger

from .portal_common import PortalCommon

PAGE = '/my/refill/reseller'
NONE = "This is none of your cards."


class ResellerCommon(PortalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company.refill_card_portal = False
        cls.company.refill_card_reseller_portal = True
        cls.kiosk = cls.env['res.partner'].create({'name': "Kiosk", 'is_company': True})
        cls.seller = cls._new_seller('seller', cls.kiosk)
        cls.rival = cls.env['res.partner'].create({'name': "Rival", 'is_company': True})

    @classmethod
    def _new_seller(cls, login, reseller):
        """Return a portal user who is a contact of a reseller."""
        user = cls._new_user(login, 'base.group_portal')
        user.partner_id.parent_id = reseller
        return user

    def setUp(self):
        super().setUp()
        self._log_in(self.seller)

    def _generate_consigned(self, quantity=3, holder=None, **values):
        """Return the cards of a new series, which a reseller has."""
        cards = self._generate(quantity, **{'activation_required': True, **values}).card_ids.sudo()
        cards._consign(holder or self.kiosk)
        return cards

    def _settle(self, reseller=None):
        """Return the confirmed invoice for what the reseller owes until today."""
        moves = self.env['account.move'].with_user(self.accountant)
        today = Date.context_today(moves)
        invoice = moves._settle_refill_cards(self.company, today, reseller or self.kiosk)
        invoice.action_post()
        return invoice

    def _activate(self, typed, **kwargs):
        return self._send('activate', card=typed, **kwargs)

    def _send(self, action, url=PAGE, **data):
        """Send one of the page's forms as the user who is logged in; return what follows."""
        data = {'csrf_token': http.Request.csrf_token(self), **data}
        response = self.url_open(f'{url}/{action}', data=data)
        self.env.invalidate_all()
        return response

    def _get_told(self, response):
        """Return what the page says about the card that was typed."""
        page = html.fromstring(response.text)
        told = page.xpath("//div[@id='wrap']//*[@role='alert' or @role='status']")
        return ' '.join(' '.join(each.text_content() for each in told).split())


@tagged('post_install', '-at_install')
class TestResellerPage(ResellerCommon):
    """Who has the page, and what it says."""

    def _is_shown(self):
        status = self.url_open(PAGE).status_code
        self.assertIn(status, (200, 404))
        is_tile = f'href="{PAGE}"' in self.url_open('/my').text
        self.assertEqual(is_tile, status == 200)
        for action in ('activate', 'undo'):
            if status == 404:
                self.assertEqual(self._send(action, card='x', card_id='1').status_code, 404)
        self.assertEqual(self.url_open(f'{PAGE}/day').status_code, status)
        return status == 200

    def test_a_phone_writes_capitals_only_where_no_code_has_a_case_that_matters(self):
        self._generate_consigned(1)
        self.assertEqual(self._get_capitalization(PAGE, 'card'), 'characters')
        self._make_foreign_series(case='upper')
        self.assertEqual(self._get_capitalization(PAGE, 'card'), 'characters')
        self._make_foreign_series()
        self.assertEqual(self._get_capitalization(PAGE, 'card'), 'none')

    def test_whoever_is_not_logged_in_is_asked_to(self):
        self._generate_consigned()
        self.authenticate(None, None)
        for url in (PAGE, f'{PAGE}/page/1', f'{PAGE}/day'):
            response = self.url_open(url, allow_redirects=False)
            self.assertIn('/web/login', response.headers['Location'])

    def test_there_is_no_page_for_whoever_is_no_reseller(self):
        self._generate_consigned(holder=self.rival)
        self.assertFalse(self._is_shown())
        self._sell_cards(self._generate_card(), self.kiosk)
        self.assertFalse(self._is_shown(), "who bought a card is a customer")

    def test_there_is_no_page_until_the_company_turns_it_on(self):
        self._generate_consigned()
        self.company.refill_card_reseller_portal = False
        self.other_company.refill_card_reseller_portal = True
        self.assertFalse(self._is_shown())
        self.company.refill_card_reseller_portal = True
        self.assertTrue(self._is_shown())

    def test_there_is_no_page_for_staff_of_a_company_of_the_database(self):
        self._generate_consigned()
        self.employee.partner_id.parent_id = self.kiosk
        self._log_in(self.employee)
        self.assertFalse(self._is_shown())

    def test_whoever_agreed_or_sold_cards_by_activation_has_the_page(self):
        cards = self._generate_consigned(1)
        cards._activate()
        self.assertTrue(self._is_shown())
        cards._deactivate()
        cards._take_back()
        self.assertFalse(self._is_shown())
        self.env['refill.card.agreement'].create(
            {'partner_id': self.kiosk.id, 'company_id': self.company.id}
        )
        self.assertTrue(self._is_shown())
        self.seller.write(
            {
                'company_ids': [Command.set(self.other_company.ids)],
                'company_id': self.other_company.id,
            }
        )
        self.kiosk.company_id = self.other_company
        self.assertFalse(self._is_shown())

    def test_a_card_that_was_settled_makes_its_reseller_no_buyer(self):
        card = self._generate_consigned(1)
        card._activate()
        invoice = self._settle()
        self.assertEqual(card.invoice_line_id.move_id, invoice)
        self.assertTrue(self._is_shown())

    def test_the_page_tells_what_the_reseller_has_and_of_nobody_else(self):
        cards = self._generate_consigned(5)
        free = self._generate_card()
        theirs = self._generate_consigned(2, holder=self.rival)
        bought = self._generate_card()
        self._sell_cards(bought, self.kiosk)
        cards[0]._activate()
        cards[1]._activate()
        self._redeem(cards[1])
        text = self._get_text(self.url_open(PAGE))
        self.assertIn("Left to sell 3 cards, $ 75.00", text)
        self.assertIn("Used this month 1 card, $ 25.00", text)
        self.assertIn("Sold: 1 active, 1 used", text)
        self.assertIn("On consignment: 3 inactive", text)
        self.assertIn(bought.series_id.name, text)
        for card in (free, theirs[0]):
            self.assertNotIn(card.series_id.name, text)
        self.assertNotIn(self.customer.name, text)
        for card in (cards + free + theirs + bought).sudo():
            self.assertNotIn(card.code, text)

    def test_what_was_used_in_another_month_does_not_count(self):
        card = self._generate_consigned(1)
        card._activate()
        self._redeem(card)
        card._operating().used_on = Datetime.now() - timedelta(days=32)
        self.assertIn("Used this month No cards", self._get_text(self.url_open(PAGE)))

    def test_series_are_on_pages(self):
        for _number in range(3):
            self._generate_consigned(1)
        names = self.env['refill.card.series'].search([], limit=3).mapped('name')
        controller = 'odoo.addons.portal.controllers.portal.CustomerPortal._items_per_page'
        with patch(controller, 2):
            first = self._get_text(self.url_open(PAGE))
            second = self._get_text(self.url_open(f'{PAGE}/page/2'))
        self.assertIn(names[0], first)
        self.assertNotIn(names[2], first)
        self.assertIn(names[2], second)
        self.assertNotIn(names[0], second)

    def test_each_company_that_turned_the_page_on_is_told_apart(self):
        self.other_company.refill_card_reseller_portal = True
        manager = self._new_user(
            'their_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        theirs = self._generate_consigned(2, user=manager)
        self.assertEqual(theirs.series_id.company_id, self.other_company)
        self._generate_consigned(1)
        text = self._get_text(self.url_open(PAGE))
        self.assertIn(f"{self.other_company.name} Left to sell 2 cards", text)
        self.assertIn(f"{self.company.name} Left to sell 1 card", text)
        self._activate(theirs[0].name)
        self.assertEqual(theirs[0].terms, 'sold')
        self.other_company.refill_card_reseller_portal = False
        text = self._get_text(self.url_open(PAGE))
        self.assertNotIn(theirs.series_id.name, text)
        self.assertIn(NONE, self._get_told(self._activate(theirs[1].name)))

    def test_open_invoices_with_cards_are_listed(self):
        self._generate_consigned(1)
        cards = self._generate(3).card_ids
        ours = self._sell_cards(cards[0], self.kiosk)
        paid = self._sell_cards(cards[1], self.kiosk)
        theirs = self._sell_cards(cards[2], self.rival)
        plain = self._invoice(10, partner=self.kiosk)
        self._generate_consigned(1)._activate()
        settlement = self._settle()
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=paid.ids
        ).create({}).action_create_payments()
        text = self._get_text(self.url_open(PAGE))
        for own in (ours, settlement):
            self.assertIn(own.name, text)
        for other in (paid, theirs, plain):
            self.assertNotIn(other.name, text)
        self.assertTrue(self.url_open(f'/my/invoices/{ours.id}').ok)

    def test_a_statement_is_given_to_its_reseller_while_it_is_open(self):
        self._generate_consigned(1)._activate()
        settlement = self._settle()
        self._generate_consigned(1, holder=self.rival)._activate()
        theirs = self._settle(self.rival)._get_refill_card_statements()
        draft = self._generate_consigned(1)
        draft._activate()
        today = Date.context_today(draft)
        draft = self.env['account.move']._settle_refill_cards(self.company, today, self.kiosk)
        other = self.env['ir.attachment'].create(
            {'name': "Secret", 'res_model': 'account.move', 'res_id': settlement.id}
        )
        for file in theirs + draft._get_refill_card_statements() + other:
            self.assertEqual(self.url_open(f'{PAGE}/statement/{file.id}').status_code, 404)
        own = settlement._get_refill_card_statements()
        self.assertEqual(len(own), 2)
        page = self.url_open(PAGE).text
        for file in own:
            self.assertIn(f'{PAGE}/statement/{file.id}', page)
            response = self.url_open(f'{PAGE}/statement/{file.id}')
            self.assertEqual(response.content, file.raw)
            self.assertIn('attachment', response.headers['Content-Disposition'])
            self.assertIn('no-store', response.headers['Cache-Control'])


@tagged('post_install', '-at_install')
class TestResellerActivates(ResellerCommon):
    """Activating a card, and undoing it."""

    def test_foreign_serial_numbers_are_told_as_unknown_ones(self):
        own = self._generate_consigned(1)
        theirs = self._generate_consigned(1, holder=self.rival)
        free = self._generate_card(activation_required=True)
        own_series_number = own.name[:-1] + '2'
        sentences = {
            self._get_told(self._activate(typed))
            for typed in (theirs.name, free.name, own_series_number, '2020-0001-000001', 'x' * 3000)
        }
        [sentence] = sentences
        self.assertIn(NONE, sentence)
        self.assertEqual((theirs + free).mapped('state'), ['inactive'] * 2)
        self.assertFalse(self.env['refill.card.attempt'].search([]) - self._get_typos())

    def _get_typos(self):
        return self.env['refill.card.attempt'].search([('reason', '=', 'typo')])

    def test_guessed_codes_are_counted_and_locked_out(self):
        self._generate_consigned(1)
        self.env['ir.config_parameter'].set_param('refill_cards.guesses', 2)
        theirs = self._generate_consigned(3, holder=self.rival)
        for card in theirs[:2]:
            self.assertIn(NONE, self._get_told(self._activate(card.code)))
        self.assertIn("Too many wrong codes", self._get_told(self._activate(theirs[2].code)))
        attempts = self.env['refill.card.attempt'].search([], order='id')
        self.assertEqual(attempts.mapped('reason'), ['unknown', 'unknown', 'locked_out'])
        self.assertEqual(set(attempts.mapped('channel')), {'portal'})
        self.assertEqual(theirs.mapped('state'), ['inactive'] * 3)

    def test_a_card_that_cannot_be_sold_says_why(self):
        used, active, disabled, late, fine = self._generate_consigned(5)
        bought = self._generate_card(activation_required=True)
        self._sell_cards(bought, self.kiosk)
        (used + active)._activate()
        self._redeem(used)
        disabled._disable('lost')
        late._operating().valid_till = '2026-01-31'
        for card, sentence in (
            (used, "was used already"),
            (active, "works already"),
            (disabled, "was disabled"),
            (late, "was valid till"),
            (bought, "is one that you bought"),
        ):
            with self.subTest(sentence):
                before = card.state
                told = self._get_told(self._activate(card.name))
                self.assertIn(sentence, told)
                self.assertIn(card.name, told)
                self.assertEqual(card.state, before)
        self.assertEqual(fine.state, 'inactive')

    def test_no_form_is_taken_without_its_token_or_by_another_method(self):
        card = self._generate_consigned(1)
        with mute_logger('odoo.http'):
            self.assertEqual(
                self.url_open(f'{PAGE}/activate', {'card': card.name}).status_code, 400
            )
            self.assertEqual(self.url_open(f'{PAGE}/undo', {'card_id': card.id}).status_code, 400)
        self.assertEqual(self.url_open(f'{PAGE}/activate?card={card.name}').status_code, 405)
        token = http.Request.csrf_token(self)
        self.url_open(f'{PAGE}/activate?card={card.name}', data={'csrf_token': token})
        self.env.invalidate_all()
        self.assertEqual(card.state, 'inactive')

    def test_a_card_is_activated_by_its_serial_number_and_sold(self):
        card, other = self._generate_consigned(2, validity_days=30)
        response = self._activate(f' {card.name.replace("-", " ")}')
        self.assertRecordValues(
            card,
            [
                {
                    'state': 'active',
                    'terms': 'sold',
                    'holder_id': self.kiosk.id,
                    'handed_out_on': Date.context_today(card),
                    'valid_till': Date.context_today(card) + timedelta(days=30),
                }
            ],
        )
        event = card.event_ids[:1]
        self.assertRecordValues(
            event,
            [{'channel': 'portal', 'user_id': self.seller.id, 'partner_id': self.kiosk.id}],
        )
        self.assertIn("Sold by activation", event.summary)
        told = self._get_told(response)
        self.assertIn(f"Card {card.name} ($ 25.00) is sold. It works now.", told)
        self.assertIn("It is valid till", told)
        self.assertEqual(other.state, 'inactive')
        self.assertEqual(self._redeem(card).state, 'paid')

    def test_a_card_is_activated_by_the_code_or_link_on_it(self):
        cards = self._generate_consigned(2)
        self._activate(cards[0].code)
        response = self._activate(f'https://example.com/my/refill#{cards[1].code}')
        self.assertEqual(cards.mapped('terms'), ['sold'] * 2)
        self.assertNotIn(cards[1].code, response.text)
        self.assertFalse(self.env['refill.card.attempt'].search([]))

    def test_a_card_settled_by_use_works_once_it_is_activated(self):
        self.env['refill.card.agreement'].create(
            {'partner_id': self.kiosk.id, 'company_id': self.company.id, 'settled_by': 'use'}
        )
        card = self._generate_consigned(1)
        self.assertIn("works now", self._get_told(self._activate(card.name)))
        self.assertEqual((card.state, card.terms), ('active', 'consigned'))
        self._send('undo', card_id=card.id)
        self.assertEqual((card.state, card.terms), ('inactive', 'consigned'))

    def test_a_second_click_changes_nothing_and_says_the_same(self):
        card = self._generate_consigned(1)
        told = self._get_told(self._activate(card.name))
        self.assertEqual(self._get_told(self._activate(card.name)), told)
        self.assertEqual(len(card.event_ids.filtered(lambda event: event.new_state == 'active')), 1)
        undone = self._get_told(self._send('undo', card_id=card.id))
        self.assertIn("is in your stock again", undone)
        self.assertEqual(self._get_told(self._send('undo', card_id=card.id)), undone)
        self.assertEqual(card.state, 'inactive')

    def test_an_activation_is_undone_within_ten_minutes_only(self):
        card = self._generate_consigned(1)
        now = Datetime.now()
        with freeze_time(now - timedelta(minutes=11)):
            card.with_user(self.seller).sudo()._activate(channel='portal')
        card._operating().valid_till = Date.add(now.date(), days=30)  # which writes it
        self.env.flush_all()
        told = self._get_told(self._send('undo', card_id=card.id))
        self.assertIn("cannot be undone any more", told)
        self.assertEqual((card.state, card.terms), ('active', 'sold'))
        self.assertNotIn("Activated just now", self._get_text(self.url_open(PAGE)))

    def test_an_activation_is_undone_while_the_card_is_unused(self):
        card, used, other = self._generate_consigned(3)
        for each in (card, used):
            response = self._activate(each.name)
        self.assertIn("Activated just now", self._get_text(response))
        self._redeem(used)
        self.assertIn("cannot be undone", self._get_told(self._send('undo', card_id=used.id)))
        self.assertEqual((used.state, used.terms), ('used', 'sold'))
        self._send('undo', card_id=card.id)
        self.assertEqual((card.state, card.terms), ('inactive', 'consigned'))
        self.assertRecordValues(
            card.event_ids[:1], [{'channel': 'portal', 'user_id': self.seller.id}]
        )
        self._assert_refused('inactive', self._redeem, card)
        self.assertEqual(other.state, 'inactive')

    def test_a_colleague_may_undo_but_nobody_else_and_not_what_staff_did(self):
        card, by_staff, billed = self._generate_consigned(3)
        self._activate(card.name)
        self._activate(billed.name)
        by_staff._activate()
        billed._operating().reserved_line_id = self._invoice(25).invoice_line_ids
        self._generate_consigned(1, holder=self.rival)
        self._log_in(self._new_seller('rival', self.rival))
        self.assertEqual(self._send('undo', card_id=card.id).status_code, 404)
        self.assertEqual(card.state, 'active')
        self._log_in(self._new_seller('colleague', self.kiosk))
        for each in (by_staff, billed):
            self.assertIn("cannot be undone", self._get_told(self._send('undo', card_id=each.id)))
            self.assertEqual((each.state, each.terms), ('active', 'sold'))
        self._send('undo', card_id=card.id)
        self.assertEqual(card.state, 'inactive')
        for named in ('', 'x', '0', '-1', '9' * 30, '²'):
            self.assertEqual(self._send('undo', card_id=named).status_code, 404)

    def test_a_failure_is_told_and_changes_nothing(self):
        card = self._generate_consigned(1)
        cards = self.env.registry['refill.card']
        problem = "No."

        def fail(_cards, **kwargs):
            raise UserError(problem)

        with patch.object(cards, '_activate', fail):
            self.assertEqual(self._get_told(self._activate(card.name)), problem)
        self.assertEqual(card.state, 'inactive')


@tagged('post_install', '-at_install')
class TestResellerDay(ResellerCommon):
    """The sheet of what was activated on a day."""

    def test_the_sheet_lists_what_was_activated_that_day_with_its_total(self):
        cards = self._generate_consigned(5)
        others = self._generate_consigned(1, holder=self.rival)
        bought = self._generate_card(activation_required=True)
        self._sell_cards(bought, self.kiosk)
        self.seller.tz = 'Pacific/Auckland'
        with freeze_time('2026-05-01 12:30:00'):  # the second of May there
            (cards[:3] + others)._activate()
            cards[2]._deactivate()
            bought.sudo()._activate()
        with freeze_time('2026-05-02 11:30:00'):
            cards[3]._activate()
        with freeze_time('2026-05-02 12:30:00'):
            cards[4]._activate()
        self._redeem(cards[1])
        text = self._get_text(self.url_open(f'{PAGE}/day?day=2026-05-02'))
        for card in (cards[0], cards[1], cards[3]):
            self.assertIn(card.name, text)
        for card in (cards[2], cards[4], others, bought):
            self.assertNotIn(card.name, text)
        self.assertIn("Total 3 $ 75.00", text)
        self.assertNotIn(cards[0].code, text)

    def test_what_is_no_day_is_today(self):
        card = self._generate_consigned(1)
        self._activate(card.name)
        for day in ('', 'x', '2026-13-45', '9999-01-01', '%00'):
            with self.subTest(day=day):
                self.assertIn(card.name, self._get_text(self.url_open(f'{PAGE}/day?day={day}')))
        text = self._get_text(self.url_open(f'{PAGE}/day?day=0001-01-01'))
        self.assertIn("No card was activated that day", text)

    def test_staff_of_the_company_turn_the_page_on_in_settings(self):
        self.company.refill_card_reseller_portal = False
        administrator = self._new_user(
            'administrator', 'base.group_system', company_ids=[Command.set(self.company.ids)]
        )
        settings = self.env['res.config.settings'].with_user(administrator)
        settings.create({'refill_card_reseller_portal': True}).execute()
        self.assertTrue(self.company.refill_card_reseller_portal)
        self.assertFalse(self.other_company.refill_card_reseller_portal)
