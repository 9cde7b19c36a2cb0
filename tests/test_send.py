import email
import email.policy
import socket
from datetime import timedelta
from io import BytesIO
from unittest.mock import patch

import pypdf
from aiosmtpd.controller import Controller
from freezegun import freeze_time
from lxml import etree
from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger
from odoo.tools.safe_eval import safe_eval

from ..refill_cards.models import refill_card_sending
from .common import RefillCardCommon, scan

SENDING = 'odoo.addons.mail.models.mail_mail'


class MailServer:
    """A mail server on this machine: it takes what it gets, refuses it, or dies while it does."""

    def __init__(self):
        self.taken = []
        self.does = 'take'

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  # aiosmtpd's name
        if self.does == 'refuse':
            return '550 5.1.1 <x@example.com>: there is no such mailbox'
        if self.does == 'die':
            server.transport.abort()
            return '451 never heard'
        self.taken.append((envelope.rcpt_tos, envelope.content))
        return '250 taken'

    def get_messages(self):
        return [
            email.message_from_bytes(content, policy=email.policy.default)
            for _addresses, content in self.taken
        ]


def run_mail_server(test_class):
    """Run a mail server until the tests of a class are over; return it and its port."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    mail_server = MailServer()
    controller = Controller(mail_server, hostname='127.0.0.1', port=port)
    controller.start()
    test_class.addClassCleanup(controller.stop)
    return mail_server, port


class SendCase(RefillCardCommon):
    """Cards are sent through Odoo's queue to a real mail server."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.customer.write({'name': "Cus Tomer", 'email': 'customer@example.com'})
        cls.stranger.email = 'stranger@example.com'
        cls.company.email = 'cards@example.com'
        cls.mail_server, port = run_mail_server(cls)
        cls.env['ir.mail_server'].search([]).active = False
        cls.smtp = cls.env['ir.mail_server'].create(
            {'name': "Test", 'smtp_host': '127.0.0.1', 'smtp_port': port, 'sequence': 1}
        )
        cls.env['mail.mail'].sudo().search([]).unlink()  # sudo: what other tests have committed

    def setUp(self):
        super().setUp()
        self.mail_server.taken.clear()
        self.mail_server.does = 'take'
        # In tests Odoo sends nothing.
        self.patch(type(self.env['ir.mail_server']), '_disable_send', lambda *args: False)

    def _open(self, cards, partners, **values):
        """Open the window to send cards, and fill it in."""
        action = cards.action_send()
        wizard = cards.env[action['res_model']].browse(action['res_id'])
        wizard.write({'partner_ids': [Command.set(partners.ids)], **values})
        return wizard

    def _send(self, cards, partners, **values):
        """Send as somebody who has just typed their password; return the e-mails."""
        wizard = self._open(cards, partners, **values)
        # What asks for the password works over HTTP only.
        type(wizard).action_send.__wrapped__(wizard)
        return cards.sending_id

    def _run_mail_queue(self, does='take'):
        self.mail_server.does = does
        with mute_logger(SENDING):
            self.env.ref('mail.ir_cron_mail_scheduler_action').method_direct_trigger()
        self.env.invalidate_all()

    def _get_attachment(self):
        """Return name and content of what is attached to the only e-mail that the server took."""
        [message] = self.mail_server.get_messages()
        [attachment] = message.iter_attachments()
        self.assertEqual(attachment.get_content_type(), 'application/pdf')
        return attachment.get_filename(), attachment.get_content()

    def _get_html(self):
        [message] = self.mail_server.get_messages()
        return message.get_body(('html',)).get_content()

    def _get_activities(self, sending):
        return self.env['mail.activity'].search(
            [('res_model', '=', sending._name), ('res_id', 'in', sending.ids)]
        )


@tagged('post_install', '-at_install')
class TestSend(SendCase):
    # -------------------------------------------------------------------------
    # REFUSALS
    # -------------------------------------------------------------------------

    def test_who_may_not_see_codes_sends_none(self):
        card = self._generate_card()
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        for user in (self.clerk, self.employee, self.customer_user, manager):
            wizards = self.env['refill.card.send'].with_user(user)
            values = {
                'card_ids': [Command.set(card.ids)],
                'partner_ids': [Command.set(self.customer.ids)],
            }
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                wizard = wizards.create(values)
                type(wizard).action_send.__wrapped__(wizard)
        self.assertFalse(card.sending_id)

    def test_a_manager_elsewhere_sends_no_card_that_they_see(self):
        """The one above cannot even name the card."""
        card = self._generate_card(company_ids=self.accountant.company_ids)
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        theirs = card.with_user(manager)
        self.assertTrue(theirs.has_access('read'))
        wizard = self.env['refill.card.send'].with_user(manager)
        wizard = wizard.create(
            {
                'card_ids': [Command.set(card.ids)],
                'partner_ids': [Command.set(self.customer.ids)],
                'layout_id': card.series_id.layout_id.id,
            }
        )
        with self.assertRaisesRegex(AccessError, "may not export the codes"):
            type(wizard).action_send.__wrapped__(wizard)

    def test_nobody_writes_by_hand_what_was_sent(self):
        card = self._generate_card()
        sending = self._send(card, self.customer)
        with self.assertRaises(AccessError):
            sending.with_user(self.accountant).email = 'evil@example.com'
        with self.assertRaises(AccessError):
            sending.with_user(self.accountant).unlink()
        with self.assertRaises(AccessError):
            sending.with_user(self.accountant).copy()
        with self.assertRaises(AccessError):
            card.sending_id = False
        with self.assertRaises(AccessError):
            sending.with_user(self.clerk).read(['partner_id'])
        with self.assertRaisesRegex(UserError, "cannot be deleted"):
            sending.sudo().unlink()

    def test_what_cannot_be_sent_says_why_and_nothing_is_sent(self):
        series = self._generate()
        asleep = self._generate_card(activation_required=True)
        self._redeem(series.card_ids[2])
        nobody = self.env['res.partner'].create({'name': "Nobody"})
        for cards, partners, sentence in (
            (series.card_ids, self.customer, "cannot be redeemed any more"),
            (asleep, self.customer, "is not active yet"),
            (series.card_ids[:2], nobody, "Nobody has no valid e-mail address"),
            (series.card_ids[:2], nobody.browse(), "one customer for all 2 cards"),
            (series.card_ids[0], self.customer + self.stranger, "one customer for all 1 cards"),
            (series.card_ids.browse(), self.customer, "Choose the cards"),
        ):
            with self.subTest(sentence=sentence), self.assertRaisesRegex(UserError, sentence):
                self._send(cards, partners)
        with self.assertRaisesRegex(UserError, "Choose the layout"):
            self._send(series.card_ids[0], self.customer, layout_id=False)
        self.assertFalse(series.card_ids.sent_to_id)
        self.assertFalse(self.env['mail.mail'].search([('subject', 'like', "Your refill card")]))

    def test_the_window_says_before_that_cards_cannot_be_sent_and_offers_no_button(self):
        series = self._generate()
        asleep = self._generate_card(activation_required=True)
        self._redeem(series.card_ids[2])
        for cards, sentence in (
            (series.card_ids[2], "cannot be redeemed any more"),
            (series.card_ids, "cannot be redeemed any more"),
            (asleep, "is not active yet"),
            (series.card_ids.browse(), "Choose the cards"),
        ):
            with self.subTest(sentence=sentence):
                self.assertIn(sentence, self._open(cards, self.customer).problem)
        window = self._open(series.card_ids[:2], self.customer)
        self.assertFalse(window.problem)
        arch = etree.fromstring(window.get_view(view_type='form')['arch'])
        hidden = arch.find('.//button[@name="action_send"]').get('invisible')
        shown = {'problem': False, 'sent_before': False, 'send_again': False}
        for values, expected in (
            ({}, False),
            ({'problem': "It was used."}, True),
            ({'sent_before': "Sent."}, True),
            ({'sent_before': "Sent.", 'send_again': True}, False),
        ):
            self.assertEqual(bool(safe_eval(hidden, {**shown, **values})), expected, values)

    def test_a_card_is_sent_on_its_last_day_and_not_after_it(self):
        today = fields.Date.today()
        card = self._generate_card(valid_till=today)
        with (
            freeze_time(fields.Datetime.now() + timedelta(days=2)),
            self.assertRaisesRegex(UserError, "cannot be redeemed any more"),
        ):
            self._send(card, self.customer)
        self.env.invalidate_all()
        self.assertEqual(self._send(card, self.customer).state, 'queued')

    def test_a_card_that_does_not_fit_on_the_layout_is_refused_at_once(self):
        card = self._generate_card()
        layout = card.series_id.layout_id
        layout.sudo().flush_recordset()
        self.env.cr.execute('UPDATE refill_card_layout SET rows = 40 WHERE id = %s', [layout.id])
        self.env.invalidate_all()
        with self.assertRaises(UserError):
            self._send(card, self.customer)

    # -------------------------------------------------------------------------
    # THE E-MAIL
    # -------------------------------------------------------------------------

    def test_a_customer_gets_all_cards_by_one_email_in_one_pdf(self):
        cards = self._generate(quantity=5).card_ids
        dear = self._generate_card(price=100, currency_id=self.other_currency.id)
        sending = self._send(cards + dear, self.customer)
        self.assertEqual((len(sending), sending.card_count), (1, 6))
        self._run_mail_queue()
        [(addresses, _content)] = self.mail_server.taken
        self.assertEqual(addresses, ['customer@example.com'])
        name, content = self._get_attachment()
        self.assertEqual(name, f'{cards.series_id.name}_{dear.series_id.name}.pdf')
        urls = scan(content)
        address = self.company._get_refill_card_address()
        self.assertEqual(
            sorted(urls), sorted(f'{address}#{card.sudo().code}' for card in cards + dear)
        )
        html = self._get_html()
        for card in cards + dear:
            self.assertIn(card.name, html)
            self.assertNotIn(card.sudo().code.rpartition('-')[2], html)
        self.assertIn(f'href="{address}"', html)

    def test_a_page_is_a_card(self):
        cards = self._generate(quantity=2, prefix='QUICK').card_ids
        self._send(cards, self.customer)
        self._run_mail_queue()
        name, content = self._get_attachment()
        self.assertEqual(name, f'{cards.series_id.name}_1-2.pdf')
        pages = pypdf.PdfReader(BytesIO(content)).pages
        self.assertEqual(len(pages), 2)
        for card, page in zip(cards, pages, strict=True):
            self.assertLess(float(page.mediabox.width), 300, "points: a card, not a sheet")
            lines = page.extract_text().splitlines()
            code = card.sudo().code
            self.assertIn(code, lines, "in one line")
            [link] = page['/Annots']
            address = self.company._get_refill_card_address()
            self.assertEqual(link.get_object()['/A']['/URI'], f'{address}#{code}')

    def test_the_layout_is_chosen_when_sending(self):
        card = self._generate_card()
        plastic = self.env.ref('refill_cards.refill_card_layout_plastic')
        self._send(card, self.customer, layout_id=plastic.id)
        self._run_mail_queue()
        [page] = pypdf.PdfReader(BytesIO(self._get_attachment()[1])).pages
        width, height = (float(side) / 72 * 25.4 for side in page.mediabox[2:])
        self.assertAlmostEqual(width, 85.6, delta=0.1)
        self.assertAlmostEqual(height, 53.98, delta=0.1)

    def test_each_customer_gets_their_own_cards(self):
        cards = self._generate(quantity=4).card_ids
        partners = self.customer + self.stranger
        self._send(cards[:2], partners)
        self._send(cards[2:], self.customer)
        self.assertEqual(cards[:2].mapped('sent_to_id'), partners)
        self.assertEqual(cards[2:].sent_to_id, self.customer)
        self._run_mail_queue()
        got = {}
        for message in self.mail_server.get_messages():
            [attachment] = message.iter_attachments()
            urls = scan(attachment.get_content())
            got.setdefault(message['To'].addresses[0].addr_spec, []).extend(urls)
        codes = [url.partition('#')[2] for url in got['stranger@example.com']]
        self.assertEqual(codes, [cards[1].sudo().code])
        self.assertEqual(len(got['customer@example.com']), 3)

    def test_the_mail_is_in_the_customers_language(self):
        self.env['res.lang']._activate_lang('fr_FR')
        template = self.env.ref('refill_cards.mail_template_refill_card_sending')
        template.with_context(lang='fr_FR').subject = "Votre carte"
        self.customer.lang = 'fr_FR'
        self._send(self._generate_card(), self.customer)
        self._run_mail_queue()
        [message] = self.mail_server.get_messages()
        self.assertEqual(message['Subject'], "Votre carte")
        self.assertIn('dir="ltr"', self._get_html().partition('<p>')[0])

    def test_a_mail_in_arabic_runs_from_right_to_left(self):
        self.env['res.lang']._activate_lang('ar_001')
        template = self.env.ref('refill_cards.mail_template_refill_card_sending')
        english = template.body_html
        arabic = english.replace("Dear", "عزيزي")
        template.with_context(lang='ar_001').body_html = arabic
        self.customer.lang = 'ar_001'
        card = self._generate_card()
        self._send(card, self.customer)
        self._run_mail_queue()
        html = self._get_html()
        self.assertIn("عزيزي", html)
        self.assertIn('dir="rtl"', html.partition('<p>')[0])
        self.assertRegex(html, rf'<span dir="ltr">\s*{card.name}\s*</span>')

    def test_a_mail_that_is_not_translated_runs_from_left_to_right(self):
        self.env['res.lang']._activate_lang('ar_001')
        self.customer.lang = 'ar_001'
        self._send(self._generate_card(), self.customer)
        self._run_mail_queue()
        self.assertIn('dir="ltr"', self._get_html().partition('<p>')[0])

    def test_the_text_of_a_template_sends_codes_to_nobody_else(self):
        template = self.env.ref('refill_cards.mail_template_refill_card_sending')
        template.write(
            {
                'email_to': 'evil@example.com',
                'email_cc': 'evil@example.com',
                'partner_to': str(self.stranger.id),
            }
        )
        self._send(self._generate_card(), self.customer)
        self._run_mail_queue()
        [(addresses, _content)] = self.mail_server.taken
        self.assertEqual(addresses, ['customer@example.com'])

    # -------------------------------------------------------------------------
    # NOTHING STAYS BEHIND
    # -------------------------------------------------------------------------

    def test_the_cards_are_never_in_a_table_or_a_file(self):
        attachments = self.env['ir.attachment'].sudo()
        stored = []
        self.patch(
            type(attachments), '_file_write', lambda _self, *args, **kwargs: stored.append(args)
        )
        before = attachments.search_count([])
        for does in ('refuse', 'die', 'take'):
            card = self._generate_card()
            sending = self._send(card, self.customer)
            mail = sending.sudo().mail_id
            self.assertFalse(mail.attachment_ids)
            self._run_mail_queue(does)
            body = card.sudo().code.rpartition('-')[2]
            for table in ('mail_mail', 'mail_message', 'ir_attachment', 'refill_card_sending'):
                self.env.cr.execute(f'SELECT 1 FROM {table} t WHERE t::text LIKE %s', [f'%{body}%'])
                self.assertFalse(self.env.cr.fetchall(), table)
        self.assertFalse(stored)
        self.assertEqual(attachments.search_count([]), before)
        self.assertEqual(scan(self._get_attachment()[1])[0].partition('#')[2], card.sudo().code)

    def test_a_mail_that_was_sent_is_gone_from_the_queue_whatever_the_template_says(self):
        template = self.env.ref('refill_cards.mail_template_refill_card_sending')
        template.auto_delete = False
        sending = self._send(self._generate_card(), self.customer)
        mail = sending.sudo().mail_id
        self._run_mail_queue()
        self.assertFalse(mail.exists())
        self.assertEqual(sending.state, 'sent')

    def test_a_mail_that_waits_is_shown_to_nobody(self):
        sending = self._send(self._generate_card(), self.customer)
        message = sending.sudo().mail_id.mail_message_id
        for user in (self.clerk, self.employee):
            messages = self.env['mail.message'].with_user(user)
            self.assertFalse(messages.search([('id', '=', message.id)]))

    # -------------------------------------------------------------------------
    # QUEUED, SENT, FAILED
    # -------------------------------------------------------------------------

    def test_sent_is_what_the_mail_server_took(self):
        card = self._generate_card()
        sending = self._send(card, self.customer)
        values = {'sent_to_id': self.customer.id, 'sent_state': 'queued', 'sent_on': False}
        self.assertRecordValues(card, [values])
        self._run_mail_queue()
        self.assertRecordValues(
            card, [{**values, 'sent_state': 'sent', 'sent_on': sending.sent_on}]
        )
        self.assertTrue(card.sent_on)
        self.assertFalse(self._get_activities(sending))
        self.assertIn("Sent by e-mail", card.event_ids[0].note)
        self.assertEqual(card.event_ids[0].user_id, self.accountant)
        self.assertEqual(card.event_ids[0].partner_id, self.customer)

    def test_what_the_mail_server_refuses_says_why_and_tells_the_sender(self):
        card = self._generate_card()
        sending = self._send(card, self.customer)
        self._run_mail_queue('refuse')
        self.assertEqual((card.sent_state, card.sent_on), ('failed', False))
        self.assertIn("there is no such mailbox", card.sent_problem)
        activity = self._get_activities(sending)
        self.assertEqual(activity.user_id, self.accountant)
        self.assertIn("there is no such mailbox", activity.note)
        self.assertTrue(activity.with_user(self.accountant).read(['note']))
        self._run_mail_queue()
        self.assertFalse(self.mail_server.taken, "not sent again by itself")

    def test_a_mail_server_out_of_reach_says_so(self):
        card = self._generate_card()
        self._send(card, self.customer)
        self.smtp.smtp_port = 1
        self._run_mail_queue()
        self.assertEqual(card.sent_state, 'failed')
        self.assertTrue(card.sent_problem)

    def test_what_was_refused_is_sent_again(self):
        card = self._generate_card()
        first = self._send(card, self.customer)
        self._run_mail_queue('refuse')
        action = first.with_user(self.accountant).action_send_again()
        wizard = card.env[action['res_model']].browse(action['res_id'])
        self.assertEqual(wizard.partner_ids, self.customer)
        self.assertFalse(wizard.sent_before)
        type(wizard).action_send.__wrapped__(wizard)
        self.assertFalse(self._get_activities(first))
        self.assertFalse(first.sudo().mail_id)
        self._run_mail_queue()
        self.assertEqual(card.sent_state, 'sent')
        self.assertNotEqual(card.sending_id, first)
        self.assertEqual(len(self.mail_server.taken), 1)

    def test_the_technical_retry_is_told_too(self):
        card = self._generate_card()
        sending = self._send(card, self.customer)
        self._run_mail_queue('refuse')
        sending.sudo().mail_id.action_retry()
        self._run_mail_queue('refuse')
        self.assertEqual(len(self._get_activities(sending)), 1)
        sending.sudo().mail_id.action_retry()
        self._run_mail_queue()
        self.assertEqual((card.sent_state, card.sent_problem), ('sent', False))
        self.assertFalse(self._get_activities(sending))

    def test_a_mail_server_that_dies_leaves_the_others_in_the_queue(self):
        cards = self._generate(quantity=2).card_ids
        self._send(cards, self.customer + self.stranger)
        self._run_mail_queue('die')
        self.assertEqual(cards.mapped('sent_state'), ['failed', 'queued'])
        self.assertIn("closed", cards[0].sent_problem)
        self._run_mail_queue()
        self.assertEqual(cards.mapped('sent_state'), ['failed', 'sent'])
        [(addresses, _content)] = self.mail_server.taken
        self.assertEqual(addresses, ['stranger@example.com'])

    def test_other_mail_goes_out_beside_cards(self):
        self._send(self._generate_card(), self.customer)
        other = self.env['mail.mail'].create(
            {'subject': "Other", 'email_to': 'x@example.com', 'email_from': 'y@example.com'}
        )
        self._run_mail_queue()
        self.assertEqual(other.state, 'sent')
        self.assertEqual(len(self.mail_server.taken), 2)

    def test_what_changed_meanwhile_is_not_sent(self):
        def redeem(card, _sending):
            self._redeem(card)

        def disable(card, _sending):
            self._change(card, 'disable', reason='lost')

        def lose_right(_card, _sending):
            self.accountant.group_ids = self.env.ref('refill_cards.group_refill_card_user')

        def redirect(_card, sending):
            sending.sudo().mail_id.email_to = 'evil@example.com'

        def copy(_card, sending):
            sending.sudo().mail_id.email_cc = 'evil@example.com'

        for change, words in (
            (redeem, "cannot be redeemed any more"),
            (disable, "cannot be redeemed any more"),
            (redirect, "e-mail address was changed"),
            (copy, "e-mail address was changed"),
            (lose_right, "may not export"),
        ):
            card = self._generate_card()
            sending = self._send(card, self.customer)
            change(card, sending)
            with self.subTest(words=words):
                self._run_mail_queue()
                self.assertEqual(sending.sudo().state, 'failed')
                self.assertIn(words, sending.sudo().problem)
                self.assertFalse(self.mail_server.taken)

    def test_a_new_address_of_the_customer_does_not_redirect_what_waits(self):
        self._send(self._generate_card(), self.customer)
        self.customer.email = 'evil@example.com'
        self._run_mail_queue()
        [(addresses, _content)] = self.mail_server.taken
        self.assertEqual(addresses, ['customer@example.com'])

    def test_a_mail_taken_out_of_the_queue_is_no_sent_one(self):
        for take_out in ('unlink', 'cancel'):
            card = self._generate_card()
            sending = self._send(card, self.customer)
            getattr(sending.sudo().mail_id, take_out)()
            self.env.invalidate_all()
            self.assertEqual(card.sent_state, 'failed')
            self.assertIn("taken out of the queue", card.sent_problem)
            self.assertTrue(self._get_activities(sending))

    def test_cards_are_found_by_their_email(self):
        cards = self._generate(quantity=4).card_ids
        self._send(cards[0], self.customer)
        self._run_mail_queue('refuse')
        self._send(cards[1], self.stranger)
        self._run_mail_queue()
        self._send(cards[2], self.customer)
        of_series = [('series_id', '=', cards.series_id.id)]
        for condition, found in (
            (('sent_state', '=', 'failed'), cards[0]),
            (('sent_state', '=', 'sent'), cards[1]),
            (('sent_state', '=', 'queued'), cards[2]),
            (('sent_state', '=', False), cards[3]),
            (('sent_state', '!=', False), cards[:3]),
            (('sent_state', 'in', ['sent', False]), cards[1] + cards[3]),
            (('sent_to_id', '=', self.stranger.id), cards[1]),
            (('sent_to_id', 'ilike', "stranger"), cards[1]),
            (('sent_to_id', '=', False), cards[3]),
            (('sent_on', '!=', False), cards[1]),
        ):
            with self.subTest(condition=condition):
                self.assertEqual(cards.search([*of_series, condition]), found)

    def test_a_manager_elsewhere_learns_nothing_of_it(self):
        card = self._generate_card(company_ids=self.accountant.company_ids)
        self._send(card, self.customer)
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        theirs = card.with_user(manager)
        self.assertRecordValues(theirs, [{'sent_to_id': False, 'sent_state': False}])
        self.assertFalse(theirs.search([('sent_to_id', '=', self.customer.id)]))
        self.assertFalse(theirs.search([('sent_state', '=', 'queued')]))
        self.assertIn(theirs, theirs.search([('sent_state', '=', False)]))
        self.assertNotIn(self.customer.name, ''.join(theirs.event_ids.mapped('summary')))

    def test_who_is_erased_is_named_no_more_and_gets_nothing(self):
        card = self._generate_card()
        sending = self._send(card, self.customer)
        with patch.object(refill_card_sending, 'filter_erased', lambda records: records):
            sending.sudo().unlink()
        self.env.invalidate_all()
        self.assertRecordValues(
            sending, [{'partner_id': False, 'email': False, 'problem': False, 'state': 'failed'}]
        )
        self.assertFalse(self._get_activities(sending))
        self._run_mail_queue()
        self.assertFalse(self.mail_server.taken)
        self.assertEqual(card.sending_id, sending)

    # -------------------------------------------------------------------------
    # ONCE
    # -------------------------------------------------------------------------

    def test_a_card_that_was_sent_asks_before_it_goes_to_another_customer(self):
        cards = self._generate(quantity=2).card_ids
        self._send(cards[0], self.customer)
        self._run_mail_queue()
        wizard = self._open(cards, self.stranger)
        self.assertIn(f"{cards[0].name}: sent to {self.customer.name} on", wizard.sent_before)
        self.assertNotRegex(wizard.sent_before, r'\d+:\d+:\d+')
        with self.assertRaisesRegex(UserError, f"sent to {self.customer.name} on"):
            type(wizard).action_send.__wrapped__(wizard)
        self.assertEqual(cards.mapped('sent_state'), ['sent', False])
        wizard.send_again = True
        type(wizard).action_send.__wrapped__(wizard)
        self.assertEqual(cards.sent_to_id, self.stranger)

    def test_what_waits_asks_too_and_then_only_the_second_gets_it(self):
        card = self._generate_card()
        first = self._send(card, self.customer)
        with self.assertRaisesRegex(UserError, f"on the way to {self.customer.name} since"):
            self._send(card, self.stranger)
        self._send(card, self.stranger, send_again=True)
        self.assertRecordValues(first, [{'state': 'failed', 'mail_id': False}])
        self._run_mail_queue()
        [(addresses, _content)] = self.mail_server.taken
        self.assertEqual(addresses, ['stranger@example.com'])

    def test_a_mail_of_which_one_card_was_sent_elsewhere_is_not_sent(self):
        cards = self._generate(quantity=2).card_ids
        first = self._send(cards, self.customer)
        self._send(cards[0], self.stranger, send_again=True)
        self._run_mail_queue()
        self.assertEqual(first.state, 'failed')
        self.assertIn("by another e-mail in the meantime", first.problem)
        [(addresses, _content)] = self.mail_server.taken
        self.assertEqual(addresses, ['stranger@example.com'])

    def test_what_may_have_arrived_asks(self):
        card = self._generate_card()
        self._send(card, self.customer)
        self._run_mail_queue('die')
        with self.assertRaisesRegex(UserError, f"may have reached {self.customer.name}"):
            self._send(card, self.stranger)

    def test_outside_the_queue_cards_wait_for_it(self):
        """Where nothing may be committed, a crash would have them sent twice."""
        sending = self._send(self._generate_card(), self.customer)
        with patch('odoo.modules.module.current_test', None):
            sending.sudo().mail_id.send()
        self.assertEqual(sending.state, 'queued')
        self.assertFalse(self.mail_server.taken)

    def test_the_window_shows_the_address_and_what_speaks_against_it(self):
        self.company.refill_card_address = 'http://cards.example.com'
        wizard = self._open(self._generate_card(), self.customer)
        self.assertEqual(wizard.address, 'http://cards.example.com/my/refill')
        self.assertIn("https", wizard.address_warning)


@tagged('post_install', '-at_install')
class TestSendDoors(SendCase, HttpCase):
    def test_cards_are_sent_only_after_the_own_password(self):
        wizard = self._open(self._generate_card(), self.customer)
        self.authenticate(self.accountant.login, self.accountant.login)
        action = self.make_jsonrpc_request(
            f'/web/dataset/call_button/{wizard._name}/action_send',
            {'model': wizard._name, 'method': 'action_send', 'args': [wizard.ids], 'kwargs': {}},
        )
        self.assertEqual(action['res_model'], 'res.users.identitycheck')
        self.assertFalse(wizard.card_ids.sending_id)
