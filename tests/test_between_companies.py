from unittest.mock import patch

from odoo.addons.account.models.account_move import AccountMove
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import tagged

from .test_settle import SettleCommon


class BetweenCompaniesCommon(SettleCommon):
    """The daughter redeems our cards."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_company.refill_card_accept_all = True
        cls.their_accountant = cls._new_user(
            'their_accountant', 'account.group_account_manager', company_id=cls.other_company.id
        )
        cls.their_settlement = cls.other_company.refill_card_settlement_account_id
        cls.gift = cls.company.refill_card_gift_account_id
        cls.issuer = cls.company.partner_id

    def _redeem_there(self, *cards):
        for card in cards:
            card._redeem(self.customer, self.other_company, channel='backend')

    def _make_cards(self, quantity):
        return self._generate(quantity, company_ids=[Command.clear()]).card_ids

    def _settle_there(self):
        return self._settle(
            self.issuer, user=self.their_accountant, company=self.other_company
        ).with_user(self.their_accountant)


@tagged('post_install', '-at_install')
class TestBetweenCompanies(BetweenCompaniesCommon):
    """A company that redeemed the cards of another one bills it."""

    def _get_bill(self, invoice):
        return invoice.sudo().refill_card_bill_ids

    def _redeem_one_of_each(self):
        """Return cards: not handed out, consigned, given away; all redeemed in the daughter."""
        cards = self._make_cards(4)
        cards[1:3].sudo()._consign(self.reseller)
        cards[3].sudo()._give_away("Fair", self.stranger)
        self._redeem_there(*cards)
        return cards

    def test_the_issuer_is_billed_and_gets_a_draft_bill_by_the_terms_of_its_cards(self):
        self._redeem_one_of_each()
        invoice = self._settle_there()
        self.assertEqual((invoice.partner_id, invoice.amount_total), (self.issuer, 100))
        self.assertFalse(self._get_bill(invoice))
        invoice.action_post()
        receivable = self.issuer.with_company(self.other_company).property_account_receivable_id
        self._assert_entry(invoice, (receivable, 100), (self.their_settlement, -100))
        bill = self._get_bill(invoice)
        self.assertRecordValues(
            bill,
            [
                {
                    'move_type': 'in_invoice',
                    'state': 'draft',
                    'company_id': self.company.id,
                    'partner_id': self.other_company.partner_id.id,
                    'ref': invoice.name,
                    'amount_total': 100,
                    'create_uid': self.env.ref('base.user_root').id,
                }
            ],
        )
        self.assertFalse(bill.message_partner_ids & self.their_accountant.partner_id)
        bill.with_user(self.accountant).with_company(self.company).action_post()
        vendor = self.other_company.partner_id.with_company(self.company)
        self._assert_entry(
            bill,
            (self.liability, 25),
            (self.settlement_account, 50),
            (self.gift, 25),
            (vendor.property_account_payable_id, -100),
        )

    def test_the_issuer_then_settles_with_the_reseller(self):
        self._redeem_one_of_each()
        invoice = self._settle_there()
        invoice.action_post()
        bill = self._get_bill(invoice).with_user(self.accountant).with_company(self.company)
        with self.assertRaisesRegex(UserError, "Nothing is owed"):
            self._settle()
        bill.action_post()
        of_reseller = self._settle()
        self.assertEqual(of_reseller.invoice_line_ids.quantity, 2)
        of_reseller.action_post()
        self._assert_entry(of_reseller, (self.receivable, 50), (self.settlement_account, -50))
        self.assertEqual(self._get_balance(self.settlement_account), 0)
        with self.assertRaisesRegex(UserError, "was billed to a reseller"):
            bill.button_draft()
        with self.assertRaisesRegex(UserError, "has a vendor bill"):
            invoice.button_draft()

    def test_a_company_that_is_a_reseller_too_owes_its_own_cards_in_full(self):
        theirs = self._generate(2, user=self.their_accountant).card_ids
        theirs.sudo()._consign(self.issuer)
        for card in theirs:
            card._redeem(self.customer, self.other_company, channel='backend')
        self._redeem_there(self._make_cards(1))
        agreement = self.env['refill.card.agreement'].create(
            {'company_id': self.other_company.id, 'partner_id': self.issuer.id, 'percent': 10}
        )
        drafts = self._settle_there()
        self.assertEqual(sorted(drafts.invoice_line_ids.mapped('price_subtotal')), [25, 45])
        drafts.action_post()
        self.assertEqual(self._get_bill(drafts).amount_total, 25)
        drafts.button_draft()
        drafts.unlink()
        agreement.kind = 'commission'
        invoice = self._settle_there()
        self.assertEqual(invoice.amount_total, 75)
        invoice.action_post()
        bills = {bill.company_id: bill.amount_total for bill in self._get_bill(invoice)}
        self.assertEqual(bills, {self.company: 25, self.other_company: 5})

    def test_entries_of_before_learn_on_what_terms_a_card_was_had(self):
        cards = self._redeem_one_of_each()
        mine = self._consign()
        self._redeem(mine)
        debits = (cards + mine).payment_id.move_id.line_ids.filtered('refill_card_debtor_id').sudo()
        told = [(line.refill_card_terms, line.refill_card_holder_id) for line in debits]
        self.assertEqual(len({*told}), 3)
        debits.write({'refill_card_terms': False, 'refill_card_holder_id': False})
        self._migrate('19.0.1.3.0', 'post-terms')
        self.assertEqual(
            [(line.refill_card_terms, line.refill_card_holder_id) for line in debits], told
        )

    def test_a_card_sold_by_activation_is_debited_on_the_liability(self):
        card = self._generate(1, company_ids=[Command.clear()], activation_required=True).card_ids
        card.sudo()._consign(self.reseller)
        card.with_user(self.accountant)._activate()
        self._redeem_there(card)
        invoice = self._settle_there()
        invoice.action_post()
        bill = self._get_bill(invoice)
        self.assertEqual(bill.invoice_line_ids.account_id, self.liability)
        self.assertEqual(self._settle().amount_total, 25)

    def test_who_redeemed_a_card_does_not_see_who_had_it(self):
        cards = self._make_cards(1)
        cards.sudo()._consign(self.reseller)
        self._redeem_there(cards)
        lines = self.env['account.move.line'].with_user(self.their_accountant)
        line = lines.search([('refill_card_debtor_id', '!=', False)])
        self.assertEqual(line.refill_card_debtor_id, self.issuer)
        self.assertFalse({'refill_card_holder_id', 'refill_card_terms'} & set(line.read()[0]))

    def test_the_draft_bill_goes_with_the_invoice_and_a_confirmed_one_keeps_it(self):
        self._redeem_there(self._make_cards(1))
        invoice = self._settle_there()
        invoice.action_post()
        bill = self._get_bill(invoice)
        invoice.button_draft()
        self.assertFalse(bill.exists())
        invoice.action_post()
        self._get_bill(invoice).action_post()
        with self.assertRaisesRegex(UserError, "has a vendor bill"):
            invoice.button_draft()
        with self.assertRaisesRegex(UserError, "has a vendor bill"):
            invoice.write({'state': 'cancel'})

    def test_a_credit_note_and_what_was_undone_are_mirrored_too(self):
        cards = self._redeem_one_of_each()
        invoice = self._settle_there()
        invoice.action_post()
        self._get_bill(invoice).action_post()
        note = invoice._reverse_moves([{'invoice_date': invoice.invoice_date}])
        note.action_post()
        taken_back = self._get_bill(note)
        self.assertEqual(taken_back.move_type, 'in_refund')
        taken_back.action_post()
        for account in (self.settlement_account, self.gift, self.liability):
            self.assertEqual(self._get_balance(account), 0, account.name)
        again = self._settle_there()
        again.action_post()
        self.assertEqual(self._get_bill(again).amount_total, 100)
        self._get_bill(again).action_post()
        manager = self._new_user(
            'both',
            'account.group_account_manager',
            company_ids=[Command.set([self.company.id, self.other_company.id])],
        )
        for card in (cards[1], cards[3]):
            self._undo(card, user=manager)
        lower = self._settle_there()
        self.assertEqual((lower.move_type, lower.amount_total), ('out_refund', 50))
        lower.action_post()
        bill = self._get_bill(lower)
        self.assertRecordValues(bill, [{'move_type': 'in_refund', 'amount_total': 50}])
        self.assertEqual(bill.invoice_line_ids.account_id, self.settlement_account + self.gift)
        bill.action_post()
        self.assertEqual(self._get_balance(self.settlement_account), 25)
        self.assertEqual(self._settle().invoice_line_ids.quantity, 1)

    def test_where_the_bill_fails_the_invoice_stands_and_the_issuers_accountants_are_told(self):
        self._redeem_there(self._make_cards(1))
        invoice = self._settle_there()
        journals = self.env['account.journal'].search(
            [('type', '=', 'purchase'), ('company_id', '=', self.company.id)]
        )
        journals.active = False
        invoice.action_post()
        self.assertEqual(invoice.state, 'posted')
        self.assertFalse(self._get_bill(invoice))
        activities = (
            self.env['mail.activity']
            .with_user(self.accountant)
            .search([('user_id', '=', self.accountant.id)])
        )
        self.assertEqual(activities.mapped('res_model'), ['res.partner'])
        self.assertIn(invoice.name, activities.note)
        told = self.env['mail.activity'].search([('res_model', '=', 'res.partner')])
        self.assertNotIn(self.their_accountant, told.user_id)

    def _mirror(self, invoice):
        """Make the bill that another addon would make of an invoice."""
        return self.env['account.move'].create(
            {
                'move_type': 'in_invoice',
                'company_id': self.company.id,
                'partner_id': self.other_company.partner_id.id,
                'ref': invoice.name,
            }
        )

    def _assert_mirrored_once(self, invoice):
        bills = self.env['account.move'].search(
            [('company_id', '=', self.company.id), ('ref', '=', invoice.name)]
        )
        self.assertEqual(len(bills), 1)
        self.assertFalse(self._get_bill(invoice))

    def test_where_another_addon_mirrored_the_invoice_there_is_no_second_bill(self):
        self._redeem_there(self._make_cards(1))
        invoice = self._settle_there()
        invoice.name = 'INV/2026/09999'
        self._mirror(invoice)
        invoice.action_post()
        self._assert_mirrored_once(invoice)

    def test_where_another_addon_mirrors_the_invoice_once_it_is_posted_its_bill_stays(self):
        self._redeem_there(self._make_cards(1))
        invoice = self._settle_there()
        original = AccountMove._post

        def post_and_mirror(moves, soft=True):
            posted = original(moves, soft)
            self._mirror(posted)
            return posted

        with patch.object(AccountMove, '_post', post_and_mirror):
            invoice.action_post()
        self._assert_mirrored_once(invoice)

    def test_only_the_superuser_reads_and_writes_what_a_bill_was_made_for(self):
        self._redeem_there(self._make_cards(1))
        invoice = self._settle_there()
        invoice.action_post()
        bill = self._get_bill(invoice).with_user(self.accountant)
        with self.assertRaises(UserError):
            bill.refill_card_origin_id = False
        with self.assertRaises(UserError):
            bill.invoice_line_ids.write({'quantity': 7})
        with self.assertRaises(UserError):
            bill.invoice_line_ids.write({'account_id': self.gift.id})
