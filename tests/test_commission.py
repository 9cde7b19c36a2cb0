from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import html2plaintext

from .test_settle import SettleCommon


@tagged('post_install', '-at_install')
class TestCommission(SettleCommon):
    """Resellers who sell as agents are invoiced at face value, and bill their commission."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.commission_account = cls.company.refill_card_commission_account_id
        cls.tax = cls.company_data['default_tax_purchase']
        cls.env['refill.card.agreement'].create(
            {
                'partner_id': cls.reseller.id,
                'kind': 'commission',
                'percent': 10,
                'commission_tax_ids': [Command.set(cls.tax.ids)],
            }
        )

    @property
    def payable(self):
        return self.reseller.property_account_payable_id

    def _settle_used(self, quantity=4):
        for card in self._consign(quantity):
            self._redeem(card)
        return self._settle().with_user(self.accountant)

    def _get_bill(self, invoice):
        return invoice.sudo().refill_card_bill_ids

    def test_a_settlement_is_at_face_value_and_the_commission_a_draft_bill(self):
        invoice = self._settle_used()
        self.assertFalse(self._get_bill(invoice))
        invoice.action_post()
        self._assert_entry(invoice, (self.receivable, 100), (self.settlement_account, -100))
        bill = self._get_bill(invoice)
        self.assertRecordValues(
            bill,
            [
                {
                    'move_type': 'in_invoice',
                    'state': 'draft',
                    'partner_id': self.reseller.id,
                    'ref': invoice.name,
                    'amount_untaxed': 10,
                    'invoice_date': invoice.invoice_date,
                }
            ],
        )
        self.assertNotIn(self.accountant.partner_id, bill.message_partner_ids)
        note = html2plaintext("".join(invoice.message_ids.mapped('body')))
        self.assertIn("was made for the commission", note)
        self.assertIn(bill.display_name, note)
        bill.with_user(self.accountant).action_post()
        tax_account = self.tax.invoice_repartition_line_ids.account_id
        self._assert_entry(
            bill, (self.commission_account, 10), (tax_account, 1.5), (self.payable, -11.5)
        )

    def test_a_sale_to_an_agent_has_a_commission_and_its_return_takes_that_back(self):
        series = self._generate(4)
        series.sudo().for_sale = True
        product = self.env['product.product']._get_refill_card_product(25, series.currency_id)
        invoice = self.env['account.move'].with_user(self.accountant)
        invoice = invoice.create(
            {
                'move_type': 'out_invoice',
                'partner_id': self.reseller.id,
                'invoice_line_ids': [Command.create({'product_id': product.id, 'quantity': 4})],
            }
        )
        invoice.action_post()
        self._assert_entry(invoice, (self.receivable, 100), (self.liability, -100))
        self.assertEqual(self._get_bill(invoice).amount_untaxed, 10)
        note = invoice._reverse_moves([{'invoice_date': invoice.invoice_date}])
        note.invoice_line_ids.quantity = 1
        note.action_post()
        taken_back = self._get_bill(note)
        self.assertEqual((taken_back.move_type, taken_back.amount_untaxed), ('in_refund', 2.5))

    def test_invoices_without_cards_and_other_customers_have_none(self):
        self.assertFalse(self._get_bill(self._invoice(10, partner=self.reseller)))
        card = self._consign(holder=self.stranger)
        self._redeem(card)
        invoice = self._settle(self.stranger)
        invoice.action_post()
        self.assertFalse(self._get_bill(invoice))

    def test_a_draft_bill_goes_with_its_invoice_and_a_confirmed_one_keeps_it(self):
        invoice = self._settle_used()
        invoice.action_post()
        first = self._get_bill(invoice)
        invoice.button_draft()
        self.assertFalse(first.exists())
        invoice.action_post()
        bill = self._get_bill(invoice)
        bill.action_post()
        with self.assertRaisesRegex(UserError, "has a vendor bill"):
            invoice.button_draft()
        bill.button_draft()
        invoice.button_draft()
        self.assertEqual(bill.state, 'cancel')
        invoice.action_post()
        self.assertEqual(self._get_bill(invoice).state, 'draft')

    def test_commission_and_debt_are_netted_by_an_entry(self):
        invoice = self._settle_used()
        invoice.action_post()
        bill = self._get_bill(invoice)
        self.assertFalse(invoice.can_net_refill_card_commission)
        with self.assertRaisesRegex(UserError, "Confirm the bill"):
            invoice.action_net_refill_card_commission()
        bill.with_user(self.accountant).action_post()
        with self.assertRaises(AccessError):
            invoice.with_user(self.clerk).action_net_refill_card_commission()
        invoice.invalidate_recordset()
        self.assertTrue(invoice.can_net_refill_card_commission)
        invoice.action_net_refill_card_commission()
        self.assertEqual((bill.payment_state, bill.amount_residual), ('paid', 0))
        self.assertEqual(invoice.amount_residual, 88.5)
        lines = invoice.line_ids.matched_credit_ids.credit_move_id
        self._assert_entry(lines.move_id, (self.payable, 11.5), (self.receivable, -11.5))
        invoice.invalidate_recordset()
        self.assertFalse(invoice.can_net_refill_card_commission)
        with self.assertRaises(UserError):
            invoice.action_net_refill_card_commission()

    def test_in_another_currency_both_are_netted_without_a_rest(self):
        self._set_rate(2, '2026-01-01')
        for card in self._consign(4, currency_id=self.other_currency.id):
            self._redeem(card)
        invoice = self._settle().with_user(self.accountant)
        invoice.action_post()
        bill = self._get_bill(invoice)
        self.assertEqual(bill.currency_id, self.other_currency)
        bill.action_post()
        invoice.action_net_refill_card_commission()
        self.assertEqual(bill.payment_state, 'paid')
        self.assertEqual((invoice.amount_residual, invoice.amount_residual_signed), (88.5, 44.25))

    def test_where_the_bill_fails_the_invoice_stands_and_says_so(self):
        invoice = self._settle_used()
        self.company.refill_card_commission_account_id = False
        invoice.action_post()
        self.assertEqual(invoice.state, 'posted')
        self.assertFalse(self._get_bill(invoice))
        [activity] = invoice.activity_ids
        self.assertIn("commission", activity.summary)
        self.assertIn("Reseller Commissions", activity.note)
