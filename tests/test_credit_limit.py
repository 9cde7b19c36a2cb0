from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import tagged

from .test_settle import SettleCommon


@tagged('post_install', '-at_install')
class TestCreditLimit(SettleCommon):
    """A reseller's credit limit counts the cards that they have."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company.account_use_credit_limit = True
        cls.reseller.with_company(cls.company).credit_limit = 100

    def _get_to_invoice(self):
        reseller = self.reseller.with_user(self.accountant).with_company(self.company)
        reseller.invalidate_recordset(['credit_to_invoice'])
        return reseller.credit_to_invoice

    def _consign_by_window(self, cards):
        window = cards.with_user(self.accountant).action_hand_out()
        wizard = self.env[window['res_model']].with_user(self.accountant)
        wizard = wizard.browse(window['res_id'])
        wizard.write({'operation': 'consign', 'holder_id': self.reseller.id})
        return wizard.action_confirm()

    def test_cards_count_from_consignment_until_the_invoice_is_confirmed(self):
        cards = self._consign(2) + self._consign(1, activation_required=True)
        self.assertEqual(self._get_to_invoice(), 75)
        cards[0].with_user(self.accountant)._disable('lost')
        self.assertEqual(self._get_to_invoice(), 50)
        self._redeem(cards[1])
        cards[2].with_user(self.accountant)._activate()
        self.assertEqual(self._get_to_invoice(), 50)
        invoice = self._settle()
        self.assertEqual(self._get_to_invoice(), 50)
        invoice.action_post()
        self.assertEqual(self._get_to_invoice(), 0)
        self.assertEqual(self.reseller.with_company(self.company).credit, 50)

    def test_odoos_warning_on_an_invoice_counts_them(self):
        self._consign(3)
        invoice = self.env['account.move'].with_user(self.accountant)
        invoice = invoice.create(
            {
                'move_type': 'out_invoice',
                'partner_id': self.reseller.id,
                'invoice_line_ids': [
                    Command.create({'name': "x", 'price_unit': 20, 'tax_ids': [Command.clear()]})
                ],
            }
        )
        self.assertFalse(invoice.partner_credit_warning)
        invoice.invoice_line_ids.price_unit = 30
        invoice.invalidate_recordset()
        self.assertIn("105.00", invoice.partner_credit_warning)

    def test_a_settlement_counts_once(self):
        cards = self._consign(4)
        for card in cards:
            self._redeem(card)
        invoice = self._settle().with_user(self.accountant)
        self.assertFalse(invoice.partner_credit_warning)
        self.reseller.with_company(self.company).credit_limit = 99
        invoice.invalidate_recordset()
        self.assertIn("100.00", invoice.partner_credit_warning)

    def test_consigning_beyond_the_limit_is_refused_with_how_much(self):
        self._consign(3)
        cards = self._generate(2).card_ids
        with self.assertRaisesRegex(UserError, r"limit of.*100.*75.*50.*exceeded by.*25"):
            self._consign_by_window(cards)
        with self.assertRaises(UserError):
            cards.with_user(self.accountant)._consign(self.reseller)
        self.assertFalse(cards.holder_id)
        self._consign_by_window(cards[0])
        self.assertEqual(cards[0].holder_id, self.reseller)

    def test_what_is_due_counts_too(self):
        self._invoice(90, partner=self.reseller)
        with self.assertRaisesRegex(UserError, "exceeded by"):
            self._consign_by_window(self._generate_card())

    def test_cards_in_another_currency_are_converted(self):
        self._set_rate(4, '2026-01-01')
        cards = self._generate(16, currency_id=self.other_currency.id).card_ids
        self._consign_by_window(cards)
        self.assertEqual(self._get_to_invoice(), 100)
        with self.assertRaises(UserError):
            self._consign_by_window(self._generate_card(currency_id=self.other_currency.id))

    def test_nobody_is_limited_where_odoos_limit_is_off_or_not_given(self):
        self.reseller.with_company(self.company).credit_limit = 0
        self._consign_by_window(self._generate(9).card_ids)
        self.reseller.with_company(self.company).credit_limit = 1
        self.company.account_use_credit_limit = False
        self._consign_by_window(self._generate(9).card_ids)
        self.assertEqual(self._get_to_invoice(), 0)
