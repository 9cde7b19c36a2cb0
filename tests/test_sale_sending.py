from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged

from ..refill_cards.models import account_move_sale_sending, refill_card_sending
from .common import scan
from .test_sale import SaleCommon
from .test_send import SendCase


@tagged('post_install', '-at_install')
class TestSaleSending(SaleCommon, SendCase):
    """Sold cards go out by e-mail once they work."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.product = cls._make_product(refill_card_by_mail=True)
        cls.buyer.email = 'buyer@example.com'
        cls.bookkeeper = cls._new_user('bookkeeper', 'account.group_account_invoice')
        cls.friend = cls.env['res.partner'].create(
            {'name': "Friend", 'email': 'friend@example.com'}
        )

    def _get_recipients(self):
        return [addresses for addresses, _content in self.mail_server.taken]

    def _pay(self, invoice):
        wizard = self.env['account.payment.register'].with_user(self.bookkeeper)
        wizard = wizard.with_context(active_model='account.move', active_ids=invoice.ids)
        wizard.create({})._create_payments()

    def test_what_cannot_be_sent_is_an_activity_and_the_invoice_is_confirmed(self):
        self._stock(9)
        self.buyer.email = False
        invoice = self._sell(2, user=self.bookkeeper)
        self.assertEqual(invoice.state, 'posted')
        self.assertIn("Buyer has no valid e-mail address", invoice.activity_ids.note)
        self.assertEqual(invoice.activity_ids.user_id, self.bookkeeper)
        self.buyer.email = 'buyer@example.com'
        layouts = type(self.env['refill.card.layout'])
        with patch.object(layouts, '_write_pdf', side_effect=UserError("Too small")):
            invoice = self._sell(2, user=self.bookkeeper)
        self.assertIn("Too small", invoice.activity_ids.note)
        self.assertEqual(set(self._get_cards(invoice).mapped('state')), {'active'})
        self.assertFalse(self._get_cards(invoice).sending_id)
        with patch.object(account_move_sale_sending, 'MAXIMUM', 1):
            self.assertIn("Up to 1 cards", self._sell(2).activity_ids.note)
        self._run_mail_queue()
        self.assertFalse(self._get_recipients())

    def test_only_cards_of_products_that_say_so_are_sent(self):
        self._stock(3)
        self._sell(1, product=self._make_product())
        self._sell(1, product=self._make_product(refill_card_works='paid'))
        self._run_mail_queue()
        self.assertFalse(self._get_recipients())

    def test_the_customer_gets_one_mail_with_one_pdf_once_the_invoice_is_confirmed(self):
        self._stock(3)
        contact = self.env['res.partner'].create(
            {'name': "Kim", 'parent_id': self.buyer.id, 'email': 'kim@example.com'}
        )
        invoice = self._sell(2, user=self.bookkeeper, partner_id=contact.id)
        cards = self._get_cards(invoice)
        self._run_mail_queue()
        self.assertEqual(self._get_recipients(), [['kim@example.com']])
        _name, content = self._get_attachment()
        links = scan(content)
        self.assertEqual(len(links), 2)
        for card, link in zip(cards.sudo(), links, strict=True):
            self.assertIn(card.code.replace('-', ''), link.replace('-', ''))
        self.assertEqual(set(cards.mapped('sent_state')), {'sent'})
        self._run_mail_queue()
        self.assertEqual(len(self._get_recipients()), 1)

    def test_cards_that_work_once_paid_are_sent_then_by_whoever_books_the_payment(self):
        self._stock(2)
        invoice = self._sell(2, refill_card_works='paid')
        self._run_mail_queue()
        self.assertFalse(self._get_recipients())
        self._pay(invoice)
        self._run_mail_queue()
        self.assertEqual(self._get_recipients(), [['buyer@example.com']])
        invoice.line_ids.remove_move_reconcile()
        self._pay(invoice)
        self._run_mail_queue()
        self.assertEqual(len(self._get_recipients()), 1, "they went out before")

    def test_a_gift_goes_to_somebody_else_with_a_message_on_its_day(self):
        self._stock(2)
        today = fields.Date.today()
        invoice = self._sell(
            1,
            product=self._make_product(),
            refill_card_recipient_id=self.friend.id,
            refill_card_message="Happy <birthday>\nCus",
            refill_card_send_on=today + timedelta(days=3),
        )
        cron = self.env.ref('refill_cards.ir_cron_send')
        cron.method_direct_trigger()
        self._run_mail_queue()
        self.assertFalse(self._get_recipients())
        with freeze_time(fields.Datetime.now() + timedelta(days=3)):
            cron.method_direct_trigger()
            cron.method_direct_trigger()
            self._run_mail_queue()
        self.assertEqual(self._get_recipients(), [['friend@example.com']])
        html = self._get_html()
        self.assertIn("Happy &lt;birthday&gt;", html)
        self.assertEqual(self._get_cards(invoice).sent_to_id, self.friend)

    def test_what_replaces_a_card_that_was_sent_goes_nowhere_by_itself(self):
        self._stock(1)
        product = self._make_product(refill_card_by_mail=True, refill_card_works='paid')
        invoice = self._sell(1, product=product, refill_card_send_on=fields.Date.today())
        self._pay(invoice)
        self._run_mail_queue()
        self.assertEqual(len(self._get_recipients()), 1)
        card = self._get_cards(invoice)
        for _number in range(2):  # what replaces the replacement, too
            card.with_user(self.accountant)._replace('stolen')
            card = card.replaced_by_id
        self.env.ref('refill_cards.ir_cron_send').method_direct_trigger()
        invoice.line_ids.remove_move_reconcile()
        self._pay(invoice)
        invoice._send_refill_cards()
        self._run_mail_queue()
        self.assertEqual((card.state, card.terms), ('active', 'sold'))
        self.assertEqual(len(self._get_recipients()), 1)

    def test_what_replaces_a_card_that_was_not_sent_is_sent_on_its_day(self):
        self._stock(1)
        today = fields.Date.today()
        invoice = self._sell(1, refill_card_send_on=today + timedelta(days=1))
        self._get_cards(invoice).with_user(self.accountant)._replace('damaged')
        with freeze_time(fields.Datetime.now() + timedelta(days=1)):
            self.env.ref('refill_cards.ir_cron_send').method_direct_trigger()
            self._run_mail_queue()
        self.assertEqual(self._get_recipients(), [['buyer@example.com']])

    def test_what_replaces_a_card_that_was_sent_to_somebody_is_not_sold_to_another(self):
        card = self._stock(1).card_ids
        self._send(card, self.friend)
        card.with_user(self.accountant)._replace('lost')
        self.assertEqual(card.replaced_by_id.state, 'active')
        with self.assertRaisesRegex(UserError, "cards are missing"):
            self._sell(1)

    def test_a_gift_that_was_used_or_returned_meanwhile_is_not_sent(self):
        self._stock(1)
        tomorrow = fields.Date.today() + timedelta(days=1)
        invoice = self._sell(1, refill_card_send_on=tomorrow)
        invoice._reverse_moves(cancel=True)
        with freeze_time(fields.Datetime.now() + timedelta(days=1)):
            self.env.ref('refill_cards.ir_cron_send').method_direct_trigger()
            self._run_mail_queue()
        self.assertFalse(self._get_recipients())

    def test_an_e_mail_that_fails_is_told_to_whoever_sold_the_cards(self):
        self._stock(1)
        invoice = self._sell(1, user=self.bookkeeper)
        self._run_mail_queue('refuse')
        sending = self._get_cards(invoice).sending_id
        self.assertEqual(sending.state, 'failed')
        self.assertEqual(self._get_activities(sending).user_id, self.bookkeeper)

    def test_cards_that_were_owed_are_sent_when_there_are_some(self):
        invoice = self._draft(2)
        self._stock(1)
        invoice.sudo().action_post()
        self._run_mail_queue()
        self._stock(1)
        self.env.ref('refill_cards.ir_cron_supply').method_direct_trigger()
        self._run_mail_queue()
        # Beside whoever is told that cards are owed.
        self.assertEqual(self._get_recipients().count(['buyer@example.com']), 2)
        self.assertEqual(set(self._get_cards(invoice).mapped('sent_state')), {'sent'})

    def test_a_person_who_is_erased_takes_the_message_along(self):
        self._stock(1)
        self._sell(1, refill_card_recipient_id=self.friend.id, refill_card_message="Happy birthday")
        self._run_mail_queue()
        sending = self.env['refill.card.sending'].search([('partner_id', '=', self.friend.id)])
        self.assertEqual(sending.message, "Happy birthday")
        with patch.object(refill_card_sending, 'filter_erased', lambda records: records):
            sending.sudo().unlink()
        self.assertFalse(sending.message)
