"""A customer asks for another card in the portal, and managers decide."""

import base64
import io
import time
from unittest.mock import Mock, patch

from lxml import html
from odoo import http
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Date
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger
from PIL import Image, ImageOps

from ..refill_cards import codes
from .portal_common import PortalCommon

PAGE = '/my/refill/replacement'
CODE = 'QUICK-7K2?-????-R3TZ0'


def make_picture(file_format='JPEG', size=(40, 30), **values):
    file = io.BytesIO()
    Image.new('RGB', size, 'red').save(file, file_format, **values)
    return file.getvalue()


class RequestCommon(PortalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.customer.email = 'customer@example.com'
        cls.manager = cls._new_user('manager', 'account.group_account_manager')
        cls.daughter_manager = cls._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=cls.other_company.id
        )
        cls.requests = cls.env['refill.card.replacement.request']

    def _send(self, typed='2026-0001-000001', receipt=None, **data):
        """Send the form as the user who is logged in; return the page that follows."""
        values = {
            'csrf_token': http.Request.csrf_token(self),
            'typed': typed,
            'bought_at': "Kiosk at the station",
            'bought_on': '2026-01-31',
            **data,
        }
        files = {'receipt': ('receipt.jpg', receipt)} if receipt else None
        with mute_logger('odoo.http'):
            response = self.url_open(PAGE, data=values, files=files)
        self.env.invalidate_all()
        return response

    def _ask(self, typed='2026-0001-000001', **data):
        """Return the request that a customer makes."""
        before = self.requests.search([])
        self._send(typed, **data)
        return (self.requests.search([]) - before).ensure_one()

    def _as_manager(self, record):
        return record.with_user(self.manager).sudo(False)

    def _open_window(self, action):
        """Return the window that an action opens, as the manager."""
        windows = self.env[action['res_model']].with_user(self.manager)
        if action.get('res_id'):
            return windows.browse(action['res_id'])
        return windows.with_context(**action['context']).create({})

    def _find(self, request):
        """Return the action of the button for who has just typed their password."""
        identified = Mock(session=Mock(debug='', get=Mock(return_value=time.time())))
        with patch('odoo.addons.base.models.res_users.request', identified):
            return request.action_find()

    def _refuse(self, request, answer):
        window = self._open_window(self._as_manager(request).action_refuse())
        window.answer = answer
        return window.action_refuse()

    def _get_mails(self):
        mails = self.env['mail.mail'].search([])
        return mails.filtered(lambda mail: "Your request" in (mail.subject or ''))


@tagged('post_install', '-at_install')
class TestAsk(RequestCommon):
    def test_a_phone_writes_capitals_only_where_no_code_has_a_case_that_matters(self):
        for url, name in ((PAGE, 'typed'), ('/my/refill', 'code')):
            self.assertEqual(self._get_capitalization(url, name), 'characters')
        self.assertIn("Capital letters", self.url_open('/my/refill').text)
        self._make_foreign_series()
        for url, name in ((PAGE, 'typed'), ('/my/refill', 'code')):
            self.assertEqual(self._get_capitalization(url, name), 'none')
        self.assertIn("capital and small letters", self.url_open('/my/refill').text)

    def test_whoever_is_not_logged_in_is_asked_to(self):
        self.authenticate(None, None)
        response = self.url_open(PAGE, allow_redirects=False)
        self.assertIn('/web/login', response.headers['Location'])

    def test_a_customer_of_no_company_finds_no_form(self):
        self.company.refill_card_portal = False
        self.assertEqual(self.url_open(PAGE).status_code, 404)
        self.assertEqual(self._send().status_code, 404)
        self.assertFalse(self.requests.search([]))
        card = self._generate_card()
        self._sell_cards(card, self.customer)
        self.assertEqual(self.url_open(PAGE).status_code, 200)

    def test_the_answer_is_the_same_whatever_was_typed(self):
        used, other = self._generate(2).card_ids
        self._redeem(used, partner=self.stranger)
        answers = set()
        for typed in (
            *(used.name, other.name, f'{other.name[:-1]}9', '2026-9999-000001'),
            *(CODE, used.sudo().code, other.sudo().code, "I lost it", "<b>x</b>"),
        ):
            response = self._send(typed)
            answers.add(self._get_alert(response).replace(self.requests.search([])[0].name, ''))
            self.requests.search([]).sudo().unlink()
        self.assertEqual(len(answers), 1)
        self.assertFalse(self.env['refill.card.attempt'].search([]))
        self.assertFalse(self.env['refill.card.lockout'].search([('guesses', '>', 0)]))

    def test_what_is_missing_or_wrong_is_said_and_what_was_typed_stays(self):
        tomorrow = Date.to_string(Date.add(Date.today(), days=2))
        for data, sentence in (
            ({'typed': ' '}, "type the serial number"),
            ({'typed': 'x' * 200}, "type the serial number"),
            ({'bought_at': ''}, "where you bought"),
            ({'bought_at': 'x' * 300}, "where you bought"),
            ({'bought_on': ''}, "on which day"),
            ({'bought_on': 'yesterday'}, "on which day"),
            ({'bought_on': tomorrow}, "on which day"),
        ):
            with self.subTest(sentence=sentence):
                response = self._send(**data)
                self.assertIn(sentence, self._get_alert(response))
                kept = {'typed': '2026-0001-000001', 'bought_at': "Kiosk at the station", **data}
                for name in ('typed', 'bought_at'):
                    [field] = html.fromstring(response.text).xpath(f"//input[@name='{name}']")
                    self.assertEqual(field.get('value') or '', kept[name])
        self.assertFalse(self.requests.search([]))

    def test_nobody_asks_for_more_cards_before_some_were_answered(self):
        colleague = self._new_user('colleague', 'base.group_portal')
        colleague.partner_id.parent_id = self.customer
        requests = [self._ask() for _number in range(2)]
        self._log_in(colleague)
        self._ask()
        self.assertIn("asked for 3 cards already", self._get_alert(self._send()))
        self._refuse(requests[0], "No receipt")
        self._ask()

    def test_a_form_that_is_sent_twice_asks_once(self):
        for _number in range(2):
            self._send(reference='form')
        self.assertEqual(len(self.requests.search([])), 1)
        self._send('2026-0001-000002', reference='form')
        self.assertEqual(len(self.requests.search([])), 2)

    def test_a_customer_of_several_companies_says_which(self):
        self.other_company.refill_card_portal = True
        self.customer_user.company_ids += self.other_company
        self.assertIn("choose the company", self._get_alert(self._send()))
        self.assertIn("choose the company", self._get_alert(self._send(company_id='999999')))
        request = self._ask(company_id=str(self.other_company.id))
        self.assertEqual(request.company_id, self.other_company)

    def test_a_customer_sees_their_own_requests_only(self):
        request = self._ask()
        self.assertIn(request.name, self._get_text(self.url_open(PAGE)))
        other = self._new_user('other_customer', 'base.group_portal')
        self._log_in(other)
        self.assertNotIn(request.name, self._get_text(self.url_open(PAGE)))
        for user in (other, self.customer_user, self.clerk, self.daughter_manager):
            with self.assertRaises(AccessError):
                request.with_user(user).sudo(False).read(['serial'])

    def test_what_a_customer_types_is_no_html(self):
        markup = '<script>alert(1)</script>'
        request = self._ask('2026-0001-000001', bought_at=markup)
        self._refuse(request, markup)
        self.assertNotIn(markup, self.url_open(PAGE).text)
        self.assertNotIn(markup, self._get_mails().body_html)
        self.assertNotIn(markup, self._send(markup, bought_at='').text)

    # -------------------------------------------------------------------------
    # THE PHOTO
    # -------------------------------------------------------------------------

    def test_only_pictures_are_taken_for_photos(self):
        svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
        for content in (svg, b'%PDF-1.4', b'<html/>', make_picture('GIF'), make_picture()[:200]):
            with self.subTest(content[:8]):
                response = self._send(receipt=content)
                self.assertIn("cannot be read", self._get_alert(response))
        with patch('odoo.addons.refill_cards.refill_cards.photo.MAX_PIXELS', 1000):
            self.assertIn("cannot be read", self._get_alert(self._send(receipt=make_picture())))
        megabytes = 'odoo.addons.refill_cards.refill_cards'
        for place in ('models.refill_card_replacement_request', 'controllers.replacement'):
            self.startPatcher(patch(f'{megabytes}.{place}.MAX_MEGABYTES', 0))
        self.assertIn("cannot be read", self._get_alert(self._send(receipt=make_picture())))
        self.assertFalse(self.requests.search([]))

    def test_of_a_photo_nothing_stays_but_the_picture(self):
        exif = Image.Exif()
        exif[0x010E] = "at home"
        content = make_picture(exif=exif, comment=b'<script>') + b'<script>alert(1)</script>'
        for each in (content, make_picture('PNG')):
            request = self._ask(receipt=each)
            kept = base64.b64decode(request.receipt)
            self.assertEqual(Image.open(io.BytesIO(kept)).format, 'JPEG')
            self.assertNotIn(b'script', kept)
            self.assertNotIn(b'at home', kept)
            self.assertLessEqual(abs(Image.open(io.BytesIO(kept)).getpixel((5, 5))[0] - 255), 3)
            request.sudo().unlink()

    def test_a_photo_with_broken_data_of_its_camera_is_none(self):
        # Text where a number belongs, and that the picture lies on its side.
        text, side = b'\x01\x11\0\x02\0\0\0\x04abcd', b'\x01\x12\0\x03\0\0\0\x01\0\x06\0\0'
        exif = b'Exif\0\0MM\0*\0\0\0\x08\0\x02' + text + side + bytes(4)
        response = self._send(receipt=make_picture(exif=exif))
        self.assertIn("cannot be read", self._get_alert(response))

    def test_a_photo_that_lies_on_its_side_stands_after_it_was_made_smaller(self):
        exif = Image.Exif()
        exif[0x0112] = 6
        upright = ImageOps.exif_transpose
        sizes = []

        def turn(picture):
            sizes.append(picture.size)
            return upright(picture)

        with patch.object(ImageOps, 'exif_transpose', turn):
            request = self._ask(receipt=make_picture(size=(4000, 1000), exif=exif))
        picture = Image.open(io.BytesIO(base64.b64decode(request.receipt)))
        self.assertEqual(picture.size, (480, 1920))
        self.assertEqual(sizes, [(1920, 480)])

    def test_what_no_keyboard_types_is_left_out(self):
        card = self._generate_card()
        request = self._ask(f'{card.name}\0', bought_at="Kiosk\0")
        self.assertEqual((request.serial, request.bought_at), (card.name, "Kiosk"))

    def test_without_the_key_the_customer_reads_a_sentence_of_their_own(self):
        self.env['ir.config_parameter'].set_param('refill_cards.key', codes.generate_key())
        for typed in (CODE, '2026-0001-000001'):
            alert = self._get_alert(self._send(typed, reference='once'))
            self.assertIn("Cards cannot be asked for at the moment", alert)
        self.assertFalse(self.requests.search([]))

    def test_a_large_photo_is_made_smaller(self):
        request = self._ask(receipt=make_picture(size=(4000, 1000)))
        picture = Image.open(io.BytesIO(base64.b64decode(request.receipt)))
        self.assertEqual(picture.size, (1920, 480))

    # -------------------------------------------------------------------------
    # WHAT STAYS
    # -------------------------------------------------------------------------

    def test_what_can_be_read_of_a_code_is_in_no_table(self):
        card = self._generate_card()
        for typed in (CODE, card.sudo().code, f'{card.name} {card.sudo().code}'):
            request = self._ask(typed)
            self.assertTrue(request.has_characters)
            self.env.flush_all()
            query = (
                "SELECT request::text FROM refill_card_replacement_request request WHERE id = %s"
            )
            [[row]] = self.env.execute_query(SQL(query, request.id))
            self.assertNotIn(typed, row)
            self.assertNotIn(card.sudo().code[-5:], row)
            with self.assertRaises(AccessError):
                self._as_manager(request).read(['characters_sealed'])
            request.sudo().unlink()

    def test_what_a_customer_sent_goes_with_the_customer(self):
        request = self._ask(receipt=make_picture())
        files = self.env['ir.attachment'].search(
            [('res_model', '=', request._name), ('res_field', '=', 'receipt')]
        )
        self.assertTrue(files)
        self.customer_user.unlink()
        self.customer.unlink()
        self.assertFalse(request.exists() or files.exists())

    def test_each_manager_of_the_company_has_an_activity_until_one_has_answered(self):
        request = self._ask()
        asked = request.activity_ids.user_id
        self.assertIn(self.manager, asked)
        self.assertIn(self.accountant, asked)
        self.assertFalse((self.daughter_manager + self.clerk + self.customer_user) & asked)
        self.assertNotIn(self.customer, request.message_partner_ids)
        self._refuse(request, "No receipt")
        self.assertFalse(request.activity_ids)


@tagged('post_install', '-at_install')
class TestAnswer(RequestCommon):
    def test_who_does_not_manage_cards_answers_no_request(self):
        request = self._ask()
        for user in (self.clerk, self.daughter_manager, self.customer_user):
            theirs = request.with_user(user).sudo(False)
            for call in (
                lambda r=theirs: r.action_replace(),
                lambda r=theirs: self._find(r),
                lambda r=theirs: r._refuse("x"),
                lambda r=theirs: r.write({'state': 'refused'}),
            ):
                with self.assertRaises(AccessError):
                    call()
        windows = self.env['refill.card.refuse'].with_user(self.daughter_manager)
        with self.assertRaises(AccessError):
            windows.create({'request_id': request.id, 'answer': "x"})
        windows = self.env['refill.card.replace'].with_user(self.daughter_manager)
        with self.assertRaises(AccessError):
            windows.create({'request_id': request.id})
        with self.assertRaises(AccessError):
            self._as_manager(request).write({'state': 'refused'})
        self.assertEqual(request.state, 'open')

    def test_a_refusal_says_why_to_the_customer(self):
        request = self._ask()
        with self.assertRaisesRegex(UserError, "Say why"):
            self._refuse(request, " ")
        self._refuse(request, "The card was used on 3 May.")
        self.assertEqual((request.state, request.decided_by_id), ('refused', self.manager))
        mail = self._get_mails()
        self.assertEqual(mail.recipient_ids, self.customer)
        self.assertIn("The card was used on 3 May.", mail.body_html)
        self.assertIn("The card was used on 3 May.", self._get_text(self.url_open(PAGE)))

    def test_a_request_is_answered_once(self):
        card = self._generate_card()
        request = self._ask(card.name)
        window = self._open_window(self._as_manager(request).action_replace())
        self._refuse(request, "No receipt")
        window.write({'reason': 'damaged', 'then': 'show'})
        for call in (window.action_confirm, lambda: self._refuse(request, "Once more")):
            with self.assertRaisesRegex(UserError, "just answered"), self.cr.savepoint():
                call()
        self.assertEqual((card.state, len(self._get_mails())), ('active', 1))

    def test_the_card_with_the_serial_number_is_replaced_and_the_customer_told(self):
        card = self._generate_card()
        request = self._ask(card.name.replace('-', ' '))
        mine = self._as_manager(request)
        self.assertEqual((mine.found_id, mine.found_state), (card, 'active'))
        window = self._open_window(mine.action_replace())
        self.assertEqual((window.request_id, window.then), (request, 'send'))
        window.reason = 'damaged'
        action = window.action_confirm()['params']['next']
        new = card.replaced_by_id
        self.assertEqual((request.state, request.card_id), ('replaced', card))
        self.assertEqual((mine.new_card_id, mine.found_id), (new, card))
        mail = self._get_mails()
        self.assertIn(new.name, mail.body_html)
        self.assertNotIn(new.sudo().code, mail.body_html)
        self.assertIn(new.name, self._get_text(self.url_open(PAGE)))
        sending = self._open_window(action)
        self.assertEqual((sending.card_ids, sending.partner_ids), (new, self.customer))

    def test_a_card_is_found_by_what_the_customer_could_read(self):
        card, *_others = self._generate(3).card_ids
        code = card.sudo().code
        request = self._ask(f'{code[:-2]}??')
        mine = self._as_manager(request)
        self.assertFalse(mine.found_id)
        with self.assertRaisesRegex(UserError, "Find the card"):
            mine.action_replace()
        action = self._find(mine)
        find = self.env['refill.card.find'].with_user(self.manager)
        find = find.with_context(**action['context'])
        find = find.create({'series_id': card.series_id.id, 'typed': False})
        found = find.action_find()
        cards = self.env['refill.card'].with_user(self.manager).search(found['domain'])
        self.assertEqual(cards, card)
        action = cards.with_context(**found['context']).action_replace()
        window = self._open_window(action)
        window.write({'reason': 'illegible', 'then': 'show'})
        window.action_confirm()
        self.assertEqual((request.state, request.card_id), ('replaced', card))
        self.assertFalse(request.has_characters)

    def test_what_a_customer_could_read_is_looked_for_and_shown_to_nobody(self):
        card, *_others = self._generate(3).card_ids
        code = card.sudo().code
        for typed in (code, f'{card.name} {code}'):
            request = self._ask(typed)
            action = self._find(self._as_manager(request))
            self.assertNotIn(code[-6:], str(action))
            windows = self.env['refill.card.find'].with_user(self.manager)
            windows = windows.with_context(**action['context'])
            values = windows.onchange({}, [], {'typed': {}, 'series_id': {}})['value']
            self.assertFalse(values.get('typed'))
            window = windows.create({'series_id': card.series_id.id, 'typed': False})
            self.assertFalse(window.typed)
            self.assertEqual(window.candidate_ids, card)
            self.assertIn("1 found", card.series_id.message_ids[0].body)
            request.sudo().unlink()
        other = self._as_manager(self._ask("I lost it"))
        windows = windows.with_context(default_request_id=other.id)
        with self.assertRaisesRegex(UserError, "do not look like this"):
            windows.create({'series_id': card.series_id.id, 'typed': False})

    def test_managers_are_warned_where_the_card_was_sold_to_somebody_else(self):
        one, other, stock = self._generate(3).card_ids
        self._sell_cards(one, self.customer)
        self._sell_cards(other, self.stranger)
        for card, is_of_another in ((one, False), (other, True), (stock, False)):
            request = self._as_manager(self._ask(card.name))
            self.assertEqual(request.is_of_another, is_of_another)

    def test_a_request_is_about_one_card(self):
        cards = self._generate(2).card_ids
        request = self._ask(cards[0].name)
        windows = self.env['refill.card.replace'].with_user(self.manager)
        window = windows.create(
            {'card_ids': cards.ids, 'request_id': request.id, 'reason': 'damaged'}
        )
        with self.assertRaisesRegex(UserError, "about one card"):
            window.action_confirm()

    def test_a_customer_without_an_address_reads_the_answer_in_the_portal(self):
        request = self._ask()
        self.customer.email = False
        self._refuse(request, "No receipt")
        self.assertFalse(self._get_mails())
        self.assertIn("No receipt", self._get_text(self.url_open(PAGE)))

    def test_cards_that_were_bought_show_which_one_they_replace(self):
        card = self._generate_card(company_ids=[Command.clear()])
        self._sell_cards(card, self.customer)
        card.with_user(self.accountant)._replace('damaged')
        text = self._get_text(self.url_open('/my/refill/cards'))
        self.assertIn(f"{card.replaced_by_id.name} Replaces {card.name}", text)
