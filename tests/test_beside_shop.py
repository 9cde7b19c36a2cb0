from unittest import SkipTest

from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import tagged

from .test_sale import SaleCommon


@tagged('post_install', '-at_install')
class TestBesideShop(SaleCommon):
    """Sales orders and the web shop sell cards, without knowing of them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if 'payment_demo' not in cls.env['ir.module.module']._installed():
            raise SkipTest("The demo payment provider is not installed.")
        if 'sale.order' not in cls.env:
            raise SkipTest("Sales is not installed.")
        cls.env.user.group_ids += cls.env.ref('sales_team.group_sale_manager')
        cls.product.invoice_policy = 'order'
        cls.env['ir.config_parameter'].set_param('sale.automatic_invoice', 'True')
        provider = cls.env['payment.provider'].search([('code', '=', 'demo')], limit=1)
        cls.provider = provider.copy({'company_id': cls.company.id, 'state': 'test'})
        cls.provider.journal_id = cls.company_data['default_journal_bank']

    def _order(self, quantity):
        order = self.env['sale.order'].create(
            {
                'partner_id': self.buyer.id,
                'company_id': self.company.id,
                'order_line': [
                    Command.create({'product_id': self.product.id, 'product_uom_qty': quantity})
                ],
            }
        )
        self.assertFalse(order.order_line.tax_ids)
        return order

    def _pay(self, order):
        """Pay an order as a visitor of the shop does; return its invoice."""
        methods = self.provider.with_context(active_test=False).payment_method_ids
        transaction = self.env['payment.transaction'].create(
            {
                'provider_id': self.provider.id,
                'payment_method_id': methods[:1].id,
                'amount': order.amount_total,
                'currency_id': order.currency_id.id,
                'partner_id': order.partner_id.id,
                'operation': 'online_direct',
                'sale_order_ids': [Command.set(order.ids)],
            }
        )
        transaction._set_done()
        transaction.with_user(self.env.ref('base.public_user')).sudo()._post_process()
        return order.invoice_ids

    def test_who_pays_in_the_shop_gets_cards(self):
        series = self._stock(2, activation_required=True)
        self.product.refill_card_works = 'paid'
        invoice = self._pay(self._order(2))
        self.assertEqual(invoice.state, 'posted')
        self.assertIn(invoice.payment_state, ('paid', 'in_payment'))
        self._assert_booked(invoice, (self.receivable, 50), (self.liability, -50))
        self.assertEqual(series.card_ids.mapped('terms'), ['sold', 'sold'])
        self.assertEqual(series.card_ids.mapped('state'), ['active', 'active'])

    def test_who_pays_in_the_shop_when_there_are_too_few_gets_the_rest_later(self):
        series = self._stock(1)
        invoice = self._pay(self._order(3))
        self.assertEqual(invoice.state, 'posted')
        self.assertEqual(invoice.invoice_line_ids.refill_cards_owed, 2)
        self.assertFalse(invoice.activity_ids.user_id.share)
        self.assertEqual(self._get_cards(invoice), series.card_ids)
        self._stock(2)
        self.env.ref('refill_cards.ir_cron_supply').method_direct_trigger()
        self.assertEqual(len(self._get_cards(invoice)), 3)

    def test_cards_are_made_to_order_in_the_shop(self):
        self.product.refill_card_source = 'made'
        invoice = self._pay(self._order(2))
        self.assertEqual(self._get_cards(invoice).series_id.quantity, 2)

    def test_a_sales_order_that_a_person_invoices_is_refused_as_any_invoice(self):
        order = self._order(2)
        order.action_confirm()
        invoice = order.with_user(self.accountant).sudo()._create_invoices().sudo(False)
        with self.assertRaisesRegex(UserError, r"cards are missing \(2\)"), self.env.cr.savepoint():
            invoice.with_user(self.accountant).action_post()
        self._stock(2)
        invoice.with_user(self.accountant).action_post()
        self.assertEqual(len(self._get_cards(invoice)), 2)

    def test_a_down_payment_is_booked_and_no_card_follows_before_the_invoice(self):
        self._stock(2)
        order = self._order(2)
        order.action_confirm()
        wizard = self.env['sale.advance.payment.inv'].create(
            {
                'sale_order_ids': [Command.set(order.ids)],
                'advance_payment_method': 'percentage',
                'amount': 50,
            }
        )
        wizard.create_invoices()
        order.invoice_ids.action_post()
        self._assert_booked(order.invoice_ids, (self.receivable, 25), (self.liability, -25))
        self.assertFalse(self._get_cards(order.invoice_ids))
        final = order._create_invoices(final=True)
        final.action_post()
        self.assertEqual(final.amount_total, 25)
        self.assertEqual(len(self._get_cards(final)), 2)
        booked = (order.invoice_ids | final).line_ids.filtered(
            lambda line: line.account_id == self.liability
        )
        self.assertEqual(sum(booked.mapped('balance')), -50)
