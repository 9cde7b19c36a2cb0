from datetime import timedelta

from freezegun import freeze_time
from odoo import fields
from odoo.addons.mail.tests.common import MailCase
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import tagged

from .common import RefillCardCommon, scan


@tagged('post_install', '-at_install')
class TestSend(RefillCardCommon, MailCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.customer.email = 'customer@example.com'
        cls.stranger.email = 'stranger@example.com'

    def _send(self, cards, partners):
        """Send as somebody who has just typed their password."""
        action = cards.action_send()
        wizard = cards.env[action['res_model']].browse(action['res_id'])
        wizard.partner_ids = partners
        # What asks for the password works over HTTP only.
        return type(wizard).action_send.__wrapped__(wizard)

    def _run_mail_queue(self):
        with self.mock_mail_gateway(mail_unlink_sent=True):
            self.env.ref('mail.ir_cron_mail_scheduler_action').method_direct_trigger()
        self.env.invalidate_all()

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

    def test_what_cannot_be_sent_says_why_and_nothing_is_sent(self):
        series = self._generate()
        self._redeem(series.card_ids[2])
        nobody = self.env['res.partner'].create({'name': "Nobody"})
        for cards, partners, sentence in (
            (series.card_ids, self.customer, "cannot be redeemed any more"),
            (series.card_ids[:2], nobody, "Nobody has no valid e-mail address"),
            (series.card_ids[:2], nobody.browse(), "one customer for all 2 cards"),
            (series.card_ids[0], self.customer + self.stranger, "one customer for all 1 cards"),
            (series.card_ids.browse(), self.customer, "Choose the cards"),
        ):
            with self.subTest(sentence=sentence), self.assertRaisesRegex(UserError, sentence):
                self._send(cards, partners)
        self.env.invalidate_all()
        with (
            freeze_time(fields.Datetime.now() + timedelta(days=500)),
            self.assertRaisesRegex(UserError, "cannot be redeemed any more"),
        ):
            self._send(series.card_ids[0], self.customer)
        self.assertFalse(series.card_ids.sent_to_id)
        self.assertFalse(self.env['mail.mail'].search([('subject', 'like', "Your refill card")]))

    def test_a_card_is_sent_as_pdf_and_remembers_to_whom(self):
        card = self._generate_card()
        self._send(card, self.customer)
        self.assertRecordValues(card, [{'sent_to_id': self.customer.id, 'state': 'active'}])
        self.assertEqual(card.sent_state, 'queued')
        self.assertIn(self.customer.name, card.event_ids[0].note)
        self._run_mail_queue()
        [mail] = self._mails
        self.assertIn('customer@example.com', mail['email_to'][0])
        self.assertIn(card.name, mail['body'])
        code = card.sudo().code
        self.assertNotIn(code.rpartition('-')[2], mail['body'])
        [(name, content, mimetype)] = mail['attachments']
        self.assertEqual((name, mimetype), (f'{card.name}.pdf', 'application/pdf'))
        self.assertEqual(scan(content), [f'{card.get_base_url()}/my/refill#{code}'])

    def test_nothing_of_a_sent_card_stays_behind(self):
        card = self._generate_card()
        attachments = self.env['ir.attachment'].sudo()
        before = attachments.search_count([])
        self._send(card, self.customer)
        self.assertGreater(attachments.search_count([]), before)
        self._run_mail_queue()
        self.assertEqual(attachments.search_count([]), before)

    def test_a_mail_that_waits_shows_its_card_to_nobody(self):
        card = self._generate_card()
        self._send(card, self.customer)
        mail = self.env['mail.mail'].search([('subject', 'like', "Your refill card")])
        self.assertTrue(mail.attachment_ids)
        for user in (self.clerk, self.employee):
            with self.assertRaises(AccessError):
                mail.attachment_ids.with_user(user).read(['raw'])
            messages = self.env['mail.message'].with_user(user)
            self.assertFalse(messages.search([('id', '=', mail.mail_message_id.id)]))

    def test_several_customers_get_one_card_each_and_one_gets_all(self):
        cards = self._generate(quantity=4).card_ids
        partners = self.customer + self.stranger
        self._send(cards[:2], partners)
        self.assertEqual(cards[:2].mapped('sent_to_id'), partners)
        self._send(cards[2:], self.customer)
        self.assertEqual(cards[2:].sent_to_id, self.customer)
        self._run_mail_queue()
        self.assertEqual(len(self._mails), 4)

    def test_the_mail_is_in_the_customers_language(self):
        self.env['res.lang']._activate_lang('fr_FR')
        template = self.env.ref('refill_cards.mail_template_refill_card')
        template.with_context(lang='fr_FR').subject = "Votre carte"
        self.customer.lang = 'fr_FR'
        self._send(self._generate_card(), self.customer)
        self.assertTrue(self.env['mail.mail'].search([('subject', '=', "Votre carte")]))
