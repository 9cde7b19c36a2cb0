"""Cards are sold on account once a second manager has approved it."""

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
