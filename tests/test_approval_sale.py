"""Cards are sold on account once a second manager has approved it."""

from datetime import timedelta

from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Domain
from odoo.tests import tagged

from .test_approval import LIMIT, ApprovalCommon


@tagged('post_install', '-at_install')
class TestSaleOnAccount(ApprovalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._limit('sale_on_account')
        cls.series = cls._generate(120)
        cls.series.sudo().for_sale = True

    def _ask(self, invoice):
        return self._assert_waits(invoice.action_post(), 'sale_on_account', LIMIT)

    def _count_sold(self):
        return self.env['refill.card'].search_count([('terms', '=', 'sold')])

    def test_no_door_sells_more_on_account_alone(self):
        invoice = self._draft(40)
        self._ask(invoice)
        cards = self.env['refill.card'].with_user(self.accountant)
        answer = cards.sell(self.buyer.id, product_id=self.product.id, quantity=41, confirm=True)
        self.assertEqual(answer['state'], 'draft')
        self.assertTrue(answer['approval_id'])
        for call in (
            lambda: invoice._post(),
            lambda: invoice.write({'state': 'posted'}),
            lambda: (invoice + invoice.copy()).action_post(),
            lambda: (
                self.env['validate.account.move']
                .with_user(self.accountant)
                .create({'move_ids': [Command.set(invoice.ids)]})
                .validate_move()
            ),
        ):
            with self.assertRaisesRegex(UserError, "another manager"), self.env.cr.savepoint():
                call()
        self.assertEqual((invoice.state, self._count_sold()), ('draft', 0))
        self.assertEqual(len(self._get_waiting()), 2)

    def test_a_bookkeeper_asks_and_a_manager_decides(self):
        bookkeeper = self._new_user('bookkeeper', 'account.group_account_invoice')
        invoice = self._draft(40, user=bookkeeper)
        action = invoice.action_post()
        approval = self.approvals.browse(action['res_id'])
        self.assertTrue(approval.with_user(bookkeeper).summary)
        with self.assertRaises(AccessError):
            approval.with_user(bookkeeper).action_approve()
        approval.with_user(self.second).action_approve()
        self.assertEqual((invoice.state, self._count_sold()), ('posted', 40))

    def test_cards_that_work_once_they_are_paid_are_not_sold_on_account(self):
        self._draft(50, refill_card_works='paid').action_post()
        self.assertEqual(self._count_sold(), 50)

    def test_cards_that_are_given_away_work_at_once_and_are_sold_on_account(self):
        for price in (0, 0.01, 12.4):
            with self.subTest(price):
                invoice = self._draft(40, price=price, refill_card_works='paid')
                self._ask(invoice).action_refuse()
        discount = Command.create({'name': "Discount", 'quantity': 1, 'price_unit': -1000})
        invoice = self._draft(40, refill_card_works='paid')
        invoice.invoice_line_ids = [discount]
        self._ask(invoice).action_refuse()
        goods = Command.create({'name': "Router", 'quantity': 1, 'price_unit': 1000})
        invoice = self._draft(40, price=0, refill_card_works='paid')
        invoice.invoice_line_ids = [goods]
        self._ask(invoice)
        self.assertEqual(self._count_sold(), 0)

    def test_a_discount_alone_gives_no_cards_away(self):
        self._draft(50, price=20, refill_card_works='paid').action_post()
        self.assertEqual(self._count_sold(), 50)

    def test_small_sales_within_a_day_add_up(self):
        self._draft(39).action_post()
        invoice = self._draft(1)
        self._assert_waits(invoice.action_post(), 'sale_on_account', 25)

    def test_superuser_code_sells_as_ever(self):
        self._draft(50).sudo().action_post()
        self.assertEqual(self._count_sold(), 50)

    def test_the_cards_that_were_chosen_when_it_was_asked_for_are_sold(self):
        invoice = self._draft(40)
        approval = self._ask(invoice)
        kept = self.env['refill.card'].search([('reserved_line_id', '!=', False)])
        self.assertEqual(len(kept), 40)
        self._generate(10, valid_till='2026-12-31').sudo().for_sale = True  # would be sold first
        approval.action_approve()
        self.assertEqual(self._get_cards(invoice), kept)
        self.assertEqual(invoice.state, 'posted')

    def test_nothing_is_sold_once_invoice_or_cards_have_changed(self):
        for number, change in enumerate(
            (
                lambda invoice: invoice.write({'partner_id': self.stranger.id}),
                lambda invoice: invoice.invoice_line_ids.write({'price_unit': 1}),
                lambda invoice: invoice.invoice_line_ids.write({'quantity': 41}),
                lambda invoice: invoice.write({'refill_card_works': 'now'}),
                lambda invoice: invoice.write({'refill_card_recipient_id': self.stranger.id}),
                lambda invoice: invoice.write({'refill_card_send_on': '2099-01-01'}),
                lambda invoice: invoice.write({'invoice_date_due': '2099-01-01'}),
                lambda invoice: self.product.write({'refill_card_works': 'now'}),
                lambda invoice: self.product.write({'refill_card_by_mail': True}),
                lambda invoice: self.buyer.write({'email': 'other@example.com'}),
                self._choose_others,
            )
        ):
            with self.subTest(number), self.env.cr.savepoint() as savepoint:
                invoice = self._draft(40)
                approval = self._ask(invoice)
                change(invoice)
                with (
                    self.assertRaisesRegex(UserError, "Something has changed"),
                    self.env.cr.savepoint(),
                ):
                    approval.action_approve()
                self.assertEqual((invoice.state, self._count_sold()), ('draft', 0))
                savepoint.rollback()
                self.env.invalidate_all()

    def _choose_others(self, invoice):
        cards, line = self.env['refill.card'], invoice.invoice_line_ids
        cards._free(line)
        cards._reserve(line, Domain('id', 'in', self.series.card_ids[-40:].ids))

    def test_what_the_job_confirms_is_judged_as_if_who_made_it_did(self):
        invoice = self._draft(40, auto_post='at_date')
        job = self.env.ref('base.user_root')
        with self.assertRaisesRegex(UserError, "another manager"), self.env.cr.savepoint():
            invoice.with_user(job)._post()
        self._draft(39, auto_post='at_date').with_user(job)._post()
        self.assertEqual(self._count_sold(), 39)

    def test_nobody_forges_who_left_an_invoice_to_the_job(self):
        job = self.env.ref('base.user_root')
        made_by_odoo = self._draft(40, user=job, company_id=self.company.id)
        made_by_odoo.with_user(self.accountant).auto_post = 'at_date'
        origin = self._draft(1, user=job, company_id=self.company.id)
        forged = self._draft(40, auto_post='at_date', auto_post_origin_id=origin.id)
        left_by_odoo = self._draft(40, user=job, company_id=self.company.id, auto_post='at_date')
        for invoice in (made_by_odoo, forged, left_by_odoo):
            with self.assertRaisesRegex(UserError, "another manager"), self.env.cr.savepoint():
                invoice.with_user(job)._post()
        with self.assertRaises(AccessError):
            forged.write({'refill_card_left_by_id': self.second.id})
        self._draft(39, user=job, company_id=self.company.id, auto_post='at_date').with_user(
            job
        )._post()
        self.assertEqual(self._count_sold(), 39)

    def test_what_recurs_is_judged_as_whoever_left_the_first_to_the_job(self):
        job = self.env.ref('base.user_root')
        day = fields.Date.subtract(fields.Date.context_today(self.product), months=1)
        first = self._draft(39, auto_post='monthly', date=day, invoice_date=day)
        first.with_user(job)._post()
        second = first.search([('auto_post_origin_id', '=', first.id), ('id', '!=', first.id)])
        self.assertEqual(second.state, 'draft')
        with self.assertRaisesRegex(UserError, "another manager"), self.env.cr.savepoint():
            second.with_user(job)._post()

    def test_it_is_approved_on_the_next_day_too(self):
        now = fields.Datetime.now()
        term = self.env.ref('account.account_payment_term_30days')
        for values in (
            {},
            {'invoice_payment_term_id': term.id},
            {'invoice_payment_term_id': False, 'invoice_date_due': '2099-01-01'},
        ):
            with freeze_time(now):
                approval = self._ask(self._draft(40, **values))
            with freeze_time(now + timedelta(hours=23)):
                approval.action_approve()
            self.assertEqual(approval.state, 'done')

    def test_whoever_approves_reads_who_gets_the_codes_by_email(self):
        self.stranger.email = 'stranger@example.com'
        values = {'refill_card_recipient_id': self.stranger.id, 'refill_card_send_on': '2099-01-31'}
        approval = self._ask(self._draft(40, **values))
        self.assertIn(f'"{self.stranger.name}" <stranger@example.com>', approval.details)
        self.assertIn("01/31/2099", approval.details)

    def _get_kept(self):
        return self.env['refill.card'].search([('reserved_line_id', '!=', False)])

    def test_what_is_not_approved_keeps_no_cards(self):
        for end in ('action_refuse', 'action_withdraw'):
            approval = self._ask(self._draft(40))
            self.assertEqual(len(self._get_kept()), 40)
            user = self.second if end == 'action_refuse' else self.accountant
            getattr(approval.with_user(user), end)()
            self.assertFalse(self._get_kept())
        self._ask(self._draft(40))
        with freeze_time(fields.Datetime.now() + timedelta(hours=25)):
            self.env.ref('refill_cards.ir_cron_lapse').method_direct_trigger()
        self.assertFalse(self._get_kept())

    def test_cards_stay_chosen_and_kept_for_another_approval_that_waits(self):
        invoice = self._draft(40)
        self._choose_others(invoice)
        self._ask(invoice).action_refuse()
        self.assertEqual(len(self._get_kept()), 40)
        other = self._draft(40)
        first = self._ask(other)
        other.refill_card_works = 'now'
        again = self._ask(other)
        first.action_refuse()
        self.assertEqual(len(self._get_kept()), 80)
        again.action_approve()
        self.assertEqual((other.state, len(self._get_kept())), ('posted', 40))

    def test_nobody_sends_sold_cards_elsewhere_alone(self):
        self.stranger.email = 'stranger@example.com'
        self._limit('sale_on_account', 10 * LIMIT)
        sold, fewer = self._draft(40), self._draft(39)
        (sold + fewer).action_post()
        self._limit('export')
        for values in (
            {'refill_card_recipient_id': self.stranger.id},
            {'refill_card_send_on': '2026-01-01'},
        ):
            with self.assertRaisesRegex(UserError, "who gets the codes"), self.env.cr.savepoint():
                sold.write(values)
        draft = self._draft(40)
        draft.refill_card_recipient_id = self.stranger
        fewer.refill_card_recipient_id = self.stranger
        with self.assertRaisesRegex(UserError, "who gets the codes"), self.env.cr.savepoint():
            fewer.refill_card_send_on = '2026-01-01'
        sold.sudo().refill_card_recipient_id = self.stranger

    def test_what_a_sale_sends_counts_as_the_sale(self):
        self._limit('export', 0)
        self.buyer.email = 'buyer@example.com'
        self.product.refill_card_by_mail = True
        invoice = self._draft(39)
        invoice.action_post()
        self.assertEqual(self._get_cards(invoice).sending_id.partner_id, self.buyer)
        self.assertFalse(self._get_waiting())

    def test_what_cannot_be_sold_is_not_asked_for(self):
        with self.assertRaisesRegex(UserError, r"cards are missing \(10\)"):
            self._draft(130).action_post()
        self.assertFalse(self._get_waiting())

    def test_other_invoices_are_confirmed_as_ever(self):
        sold = self._sell_cards(self.series.card_ids[:1], self.buyer)
        self._limit('sale_on_account', 0)
        invoice = self._invoice(5000, partner=self.buyer)
        self.assertEqual(invoice.state, 'posted')
        reversal = sold.with_user(self.accountant)._reverse_moves()
        reversal.action_post()
        self.assertEqual(reversal.state, 'posted')
        self.assertFalse(self._get_waiting())
