from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Domain
from odoo.tests import tagged
from odoo.tools import SQL

from .test_sale import SaleCommon

MADE = 'odoo.addons.refill_cards.refill_cards.models.refill_card_series_made'


@tagged('post_install', '-at_install')
class TestSaleDoors(SaleCommon):
    """Whatever somebody sends who keeps books and manages no cards, L is the value of cards."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.biller = cls._new_user('biller', 'account.group_account_invoice')

    def _assert_explained(self):
        """Assert that the liability is the value of the cards that were sold."""
        self.env.flush_all()
        lines = self.env['account.move.line'].search(
            [('account_id', '=', self.liability.id), ('parent_state', '=', 'posted')]
        )
        sold = self.env['refill.card'].search([('terms', '=', 'sold')])
        self.assertAlmostEqual(-sum(lines.mapped('balance')), sum(sold.mapped('price')))

    def _credit(self, invoice, partner=None):
        note = invoice._reverse_moves()
        if partner:
            note.partner_id = partner
        note.action_post()
        return note

    # -------------------------------------------------------------------------
    # ROLES
    # -------------------------------------------------------------------------

    def test_nobody_types_that_a_line_is_not_about_cards(self):
        self._stock(2)
        typed = self._draft(user=self.biller, line={'refill_card_role': False})
        written = self._draft(user=self.biller)
        written.invoice_line_ids.refill_card_role = False
        for invoice in (typed, written):
            invoice.action_post()
            self.assertEqual(len(self._get_cards(invoice)), 1)

    def test_no_bill_or_entry_sells_cards(self):
        self._stock(1)
        line = {
            'product_id': self.product.id,
            'refill_card_role': 'sale',
            'account_id': self.liability.id,
            'tax_ids': False,
        }
        bill = self._draft(
            user=self.biller, move_type='in_invoice', invoice_date='2026-01-01', line=line
        )
        bill.action_post()
        self.assertFalse(self._get_cards(bill))

    def test_a_confirmed_invoice_gets_no_further_line_about_cards(self):
        self._stock(2)
        invoice = self._sell()
        line = {'product_id': self.product.id, 'quantity': 1}
        lines = self.env['account.move.line'].with_user(self.biller)
        draft = self._draft(user=self.biller)
        for add in (
            lambda: lines.create({**line, 'move_id': invoice.id}),
            lambda: (
                invoice.with_user(self.biller)
                .with_context(skip_readonly_check=True)
                .write({'invoice_line_ids': [Command.create(line)]})
            ),
            lambda: draft.invoice_line_ids.write({'move_id': invoice.id}),
        ):
            with self.assertRaisesRegex(UserError, "confirmed"), self.env.cr.savepoint():
                add()

    def test_a_confirmed_invoice_stays_what_it_is_for_its_cards(self):
        self._stock(1)
        invoice = self._sell()
        for values in (
            {'move_type': 'entry'},
            {'move_type': 'out_refund'},
            {'payment_state': 'paid'},
            {'refill_card_works': 'paid'},
            {'currency_id': self.other_currency.id},
            {'invoice_currency_rate': 2},
            {'partner_id': self.customer.id},
        ):
            writer = invoice.with_user(self.biller).with_context(skip_readonly_check=True)
            with self.subTest(values=values), self.assertRaisesRegex(UserError, "confirmed"):
                with self.env.cr.savepoint():
                    writer.write(values)

    def test_no_line_about_cards_is_deleted_once_confirmed(self):
        self._stock(1)
        invoice = self._sell(price=20)
        note = self._credit(invoice)
        for record in (invoice.invoice_line_ids, note.invoice_line_ids, invoice, note):
            record = record.with_user(self.biller).with_context(force_delete=True)
            with self.assertRaisesRegex(UserError, "confirmed"), self.env.cr.savepoint():
                record.unlink()

    def test_nobody_writes_off_by_hand_what_is_owed_or_waits_for_money(self):
        self._stock(1)
        self.product.refill_card_works = 'paid'
        invoice = self._draft(2)
        invoice.sudo().action_post()
        line = invoice.invoice_line_ids.with_user(self.biller)
        for values in ({'refill_cards_owed': 0}, {'refill_card_payment': False}):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                line.write(values)

    # -------------------------------------------------------------------------
    # WHO GETS AND GIVES BACK
    # -------------------------------------------------------------------------

    def test_a_receipt_that_names_nobody_sells_cards_that_come_back_to_anybody(self):
        self._stock(1)
        receipt = self._sell(move_type='out_receipt', partner_id=False)
        cards = self._get_cards(receipt)
        self.assertEqual((cards.terms, cards.holder_id.ids), ('sold', []))
        self._credit(receipt, self.buyer)
        self.assertFalse(cards.terms)

    def test_a_credit_note_takes_no_cards_of_another_customer(self):
        self._stock(1)
        invoice = self._sell()
        with self.assertRaisesRegex(UserError, "say which cards"), self.env.cr.savepoint():
            self._credit(invoice, self.customer)
        typed = self._draft(
            user=self.biller,
            move_type='out_refund',
            partner_id=self.customer.id,
            reversed_entry_id=invoice.id,
        )
        with self.assertRaisesRegex(UserError, "say which cards"):
            typed.action_post()

    def test_a_credit_note_takes_cards_of_a_customer_who_belongs_to_another_now(self):
        self._stock(1)
        invoice = self._sell()
        cards = self._get_cards(invoice)
        head = self.env['res.partner'].create({'name': "Head", 'is_company': True})
        self.buyer.write({'is_company': False, 'parent_id': head.id})
        self.assertEqual(cards.holder_id, head)
        self._credit(invoice)
        self.assertFalse(cards.terms)

    def test_only_who_manages_cards_says_where_sold_ones_are_sent(self):
        self._stock(1)
        invoice = self._sell()
        for values in (
            {'refill_card_recipient_id': self.customer.id},
            {'refill_card_send_on': '2026-01-01'},
        ):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                invoice.with_user(self.biller).write(values)
        invoice.with_user(self.accountant).refill_card_recipient_id = self.customer
        draft = self._draft(user=self.biller)
        draft.refill_card_recipient_id = self.customer

    # -------------------------------------------------------------------------
    # STOCK
    # -------------------------------------------------------------------------

    def test_a_card_that_somebody_got_by_mail_is_not_sold_as_the_next_one(self):
        self.customer.email = 'customer@example.com'
        cards = self._stock(1).card_ids.with_user(self.accountant)
        layouts = self.env['refill.card.layout'].with_user(self.accountant)
        cards._send([self.customer.with_user(self.accountant)], layouts._get_default())
        with self.assertRaisesRegex(UserError, "missing"):
            self._sell()

    def test_a_draft_that_sells_something_else_lets_its_cards_go(self):
        service = self.env['product.product'].create({'name': "Service", 'type': 'service'})
        for change in (
            lambda draft: draft.invoice_line_ids.write({'product_id': service.id}),
            lambda draft: draft.write({'move_type': 'entry'}),
        ):
            cards = self._stock(1).card_ids
            draft = self._draft()
            self.env['refill.card']._reserve(draft.invoice_line_ids, Domain('id', 'in', cards.ids))
            change(draft)
            self.env.flush_all()
            self.assertFalse(cards.sudo().reserved_line_id)

    def test_cards_that_waited_for_money_are_disabled_as_returned(self):
        self._stock(1)
        self.product.refill_card_works = 'paid'
        invoice = self._sell()
        cards = self._get_cards(invoice)
        payments = self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        )
        payments.create({})._create_payments()
        invoice.line_ids.remove_move_reconcile()
        self.assertEqual(cards.disable_reason, 'unpaid')
        self._credit(invoice)
        self.assertEqual((cards.disable_reason, cards.terms), ('returned', False))

    def test_a_card_whose_day_is_over_is_not_in_stock(self):
        series = self._stock(1)
        self.env.flush_all()
        self.env.cr.execute(SQL("UPDATE refill_card SET valid_till = '2020-01-01'"))
        self.env.invalidate_all()
        self.assertEqual(series.card_ids.state, 'active')
        with self.assertRaisesRegex(UserError, "missing"):
            self._sell()

    def test_no_card_is_sold_at_a_price_below_zero(self):
        self._stock(1)
        draft = self._draft(price=-5)
        draft.write({'invoice_line_ids': [Command.create({'name': "Other", 'price_unit': 100})]})
        with self.assertRaisesRegex(UserError, "below zero"):
            draft.action_post()

    def test_cards_that_another_credit_note_names_are_not_taken(self):
        self._stock(1)
        invoice = self._sell()
        named = self._draft(move_type='out_refund')
        chosen = Domain('id', 'in', self._get_cards(invoice).ids)
        self.env['refill.card']._reserve(named.invoice_line_ids, chosen)
        with self.assertRaisesRegex(UserError, "only 0 of these"), self.env.cr.savepoint():
            self._credit(invoice)
        named.action_post()

    def test_cards_that_another_company_issued_are_not_sold_whoever_chose_them(self):
        abroad = self._new_user(
            'abroad', 'account.group_account_manager', company_id=self.other_company.id
        )
        cards = self._stock(1, user=abroad, currency_id=self.company.currency_id.id).card_ids
        draft = self._draft()
        self.env['refill.card']._reserve(draft.invoice_line_ids, Domain('id', 'in', cards.ids))
        with self.assertRaisesRegex(UserError, "another company"):
            draft.action_post()

    # -------------------------------------------------------------------------
    # OWED
    # -------------------------------------------------------------------------

    def test_the_oldest_sale_gets_its_cards_first(self):
        first, second = self._draft(), self._draft()
        for invoice in (first, second):
            invoice.sudo().action_post()
        self._supply()
        self.assertEqual((len(self._get_cards(first)), len(self._get_cards(second))), (1, 0))

    def _supply(self):
        self._stock(1)
        self.env.ref('refill_cards.ir_cron_supply').method_direct_trigger()

    def test_cards_that_follow_leave_alone_those_that_were_handed_out(self):
        first = self._stock(1).card_ids
        invoice = self._draft(2)
        invoice.sudo().action_post()
        first.with_user(self.accountant)._deactivate()
        self._supply()
        cards = self._get_cards(invoice)
        self.assertEqual((first.state, (cards - first).state), ('inactive', 'active'))

    def test_cards_wait_for_money_also_when_the_product_says_otherwise_meanwhile(self):
        self._stock(1)
        self.product.refill_card_works = 'paid'
        invoice = self._draft(2)
        invoice.sudo().action_post()
        self.product.refill_card_works = 'confirmed'
        self._supply()
        self.assertEqual(self._get_cards(invoice).mapped('state'), ['inactive'] * 2)
        self.assertEqual(invoice.invoice_line_ids.refill_card_payment, 'open')

    def test_nobody_is_told_of_cards_that_are_owed_no_more(self):
        for stop in (lambda invoice: invoice.button_draft(), self._credit):
            self._stock(1)
            invoice = self._draft(2)
            invoice.sudo().action_post()
            self.assertTrue(invoice.activity_ids)
            stop(invoice)
            self.assertFalse(invoice.activity_ids)

    # -------------------------------------------------------------------------
    # MADE TO ORDER
    # -------------------------------------------------------------------------

    def test_what_is_ordered_is_made_as_the_product_says_now(self):
        product = self._make_product(refill_card_source='made')
        draft = self._sell(product=product)
        draft.button_draft()
        draft.unlink()
        for values, expected in (
            ({'refill_card_price': 50}, {'price': 50}),
            ({'refill_card_prefix': 'NEW'}, {'prefix': 'NEW'}),
            ({'refill_card_works': 'now'}, {'activation_required': False}),
            (
                {'refill_card_company_ids': [Command.set(self.company.ids)]},
                {'company_ids': self.company.ids},
            ),
        ):
            with self.subTest(values=values):
                product.write(values)
                invoice = self._sell(product=product)
                self.assertRecordValues(self._get_cards(invoice).series_id, [expected])
                invoice.button_draft()
                invoice.unlink()

    def test_cards_that_wait_for_money_are_made_inactive(self):
        product = self._make_product(refill_card_source='made', refill_card_works='paid')
        cards = self._get_cards(self._sell(product=product))
        self.assertTrue(cards.series_id.activation_required)
        self.assertEqual(cards.state, 'inactive')

    def test_a_series_that_is_full_is_followed_by_another(self):
        product = self._make_product(refill_card_source='made')
        with patch(f'{MADE}.MAX_QUANTITY', 3):
            cards = self._get_cards(self._sell(2, product=product))
            cards |= self._get_cards(self._sell(5, product=product))
        self.assertEqual(cards.series_id.mapped('quantity'), [3, 3, 1])

    def test_cards_are_ordered_after_some_moved_to_a_series_of_their_own(self):
        product = self._make_product(refill_card_source='made')
        first = self._get_cards(self._sell(3, product=product))
        first[0].with_user(self.accountant)._move_to_companies(self.other_company)
        self.assertEqual(len(self._get_cards(self._sell(2, product=product))), 2)

    # -------------------------------------------------------------------------
    # ROUNDING
    # -------------------------------------------------------------------------

    def test_the_liability_is_exact_where_the_price_in_another_currency_is_rounded(self):
        self._stock(4)
        rate = Command.create({'name': '2000-01-01', 'rate': 0.333})
        currency = self.env['res.currency'].create(
            {'name': 'ZZZ', 'symbol': 'Z', 'rounding': 0.01, 'rate_ids': [rate]}
        )
        for price in (8.33, 8.32, 8.34, 8):
            self._sell(price=price, currency_id=currency.id)
            self._assert_explained()

    def test_the_liability_is_exact_where_taxes_are_rounded_globally(self):
        self.company.tax_calculation_rounding_method = 'round_globally'
        self._stock(3)
        invoice = self._draft(1, price=33.335)
        more = {'product_id': self.product.id, 'quantity': 1, 'price_unit': 33.335}
        invoice.write({'invoice_line_ids': [Command.create(more), Command.create(more)]})
        invoice.action_post()
        self._assert_explained()

    def test_an_amount_typed_in_the_currency_of_the_company_is_not_confirmed(self):
        self._stock(1)
        invoice = self._draft(price=40, currency_id=self.other_currency.id, user=self.biller)
        lines = invoice.line_ids.grouped('display_type')
        typed = [
            Command.update(lines['product'].id, {'balance': -1}),
            Command.update(
                lines['payment_term'].id,
                {'balance': 1 - sum(lines['discount'].mapped('balance'))},
            ),
        ]
        invoice.with_context(skip_invoice_sync=True).write({'line_ids': typed})
        with self.assertRaisesRegex(UserError, "face value"):
            invoice.action_post()
