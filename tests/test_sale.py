from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import tagged

from .common import RefillCardCommon


class SaleCommon(RefillCardCommon):
    """A product whose cards are in stock, and whoever buys them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.buyer = cls.env['res.partner'].create({'name': "Buyer", 'is_company': True})
        cls.liability = cls.company._get_refill_card_method_line().payment_account_id
        cls.discount = cls.company.refill_card_discount_account_id
        cls.receivable = cls.buyer.with_company(cls.company).property_account_receivable_id
        cls.product = cls._make_product()

    @classmethod
    def _make_product(cls, **values):
        return cls.env['product.product'].create(
            {
                'name': "Card of 25",
                'type': 'service',
                'is_refill_card': True,
                'refill_card_price': 25,
                'refill_card_currency_id': cls.company.currency_id.id,
                'list_price': 25,
                **values,
            }
        )

    def _stock(self, quantity=3, **values):
        series = self._generate(quantity, **values)
        series.sudo().for_sale = True
        return series

    def _draft(self, quantity=1, price=None, product=None, user=None, line=None, **values):
        """Return a draft invoice for cards, as the accountant types it."""
        line = {'product_id': (product or self.product).id, 'quantity': quantity, **(line or {})}
        if price is not None:
            line['price_unit'] = price
        return (
            self.env['account.move']
            .with_user(user or self.accountant)
            .create(
                {
                    'move_type': 'out_invoice',
                    'partner_id': self.buyer.id,
                    'invoice_line_ids': [Command.create(line)],
                    **values,
                }
            )
        )

    def _sell(self, quantity=1, **kwargs):
        invoice = self._draft(quantity, **kwargs)
        invoice.action_post()
        return invoice

    def _get_cards(self, invoice):
        return self.env['refill.card'].search([('invoice_line_id.move_id', '=', invoice.id)])

    def _assert_booked(self, move, *rows):
        """Assert what an entry books: account, balance, and the amount in its currency."""
        lines = move.line_ids.filtered(lambda line: line.account_id)
        booked = sorted(
            (line.account_id.code, line.balance, line.amount_currency) for line in lines
        )
        expected = sorted((row[0].code, row[1], row[2] if len(row) > 2 else row[1]) for row in rows)
        self.assertEqual(booked, expected)


@tagged('post_install', '-at_install')
class TestSale(SaleCommon):
    """Whoever is invoiced for a card gets it."""

    # -------------------------------------------------------------------------
    # REFUSALS
    # -------------------------------------------------------------------------

    def _assert_not_sold(self, sentence, invoice):
        with self.assertRaisesRegex(UserError, sentence), self.env.cr.savepoint():
            invoice.action_post()
        self.assertEqual(invoice.state, 'draft')
        self.assertFalse(self._get_cards(invoice))

    def test_too_few_cards_are_not_sold(self):
        self._stock(2)
        self._assert_not_sold(r"cards are missing \(1\)", self._draft(3))

    def test_no_half_card_and_no_negative_one_is_sold(self):
        self._stock(2)
        for quantity in (0.5, 0, -1, 1.01):
            other = {'name': "Service", 'price_unit': 100, 'tax_ids': False}
            with self.subTest(quantity=quantity):
                invoice = self._draft(quantity)
                invoice.write({'invoice_line_ids': [Command.create(other)]})
                self._assert_not_sold("whole numbers", invoice)

    def test_cards_are_not_sold_before_their_day(self):
        self._stock(2)
        tomorrow = fields.Date.add(fields.Date.context_today(self.product), days=2)
        self._assert_not_sold("in\\s+the future", self._draft(invoice_date=tomorrow))

    def test_a_card_bears_no_tax_when_it_is_sold(self):
        self._stock(2)
        tax = self.company_data['default_tax_sale']
        self._assert_not_sold("no tax is due", self._draft(line={'tax_ids': tax.ids}))

    def test_a_tax_on_top_where_the_product_says_so(self):
        self._stock(2)
        self.product.refill_card_taxed = True
        tax = self.company_data['default_tax_sale']
        invoice = self._sell(line={'tax_ids': tax.ids})
        self.assertEqual(invoice.amount_total, 28.75)
        included = tax.copy({'price_include_override': 'tax_included', 'name': "Included"})
        self._assert_not_sold("included", self._draft(line={'tax_ids': included.ids}))

    def test_cards_are_booked_on_the_liability_only(self):
        self._stock(2)
        account = self.company_data['default_account_revenue']
        self._assert_not_sold("are booked on", self._draft(line={'account_id': account.id}))

    def test_cards_of_another_face_value_currency_or_company_are_not_taken(self):
        self._stock(1, price=30)
        self._stock(1, currency_id=self.other_currency.id)
        self._generate(1)  # not for sale
        abroad = self._new_user(
            'abroad', 'account.group_account_manager', company_id=self.other_company.id
        )
        self._stock(1, user=abroad)
        self._assert_not_sold("missing", self._draft())

    def test_clerks_confirm_no_invoice(self):
        self._stock(1)
        invoice = self._draft()
        with self.assertRaises(AccessError):
            invoice.with_user(self.clerk).action_post()

    # -------------------------------------------------------------------------
    # BOOKINGS
    # -------------------------------------------------------------------------

    def test_a_sale_at_face_value(self):
        series = self._stock(3)
        invoice = self._sell(2)
        self._assert_booked(invoice, (self.receivable, 50), (self.liability, -50))
        cards = self._get_cards(invoice)
        self.assertEqual(cards, series.card_ids[:2])
        self.assertRecordValues(
            cards,
            [
                {
                    'terms': 'sold',
                    'holder_id': self.buyer.id,
                    'handed_out_on': invoice.date,
                    'state': 'active',
                    'reserved_line_id': False,
                }
            ]
            * 2,
        )
        self.assertEqual(
            cards.event_ids.filtered('note').mapped('note'), [f"Sold by {invoice.name}"] * 2
        )
        self.assertEqual(invoice.invoice_line_ids.refill_card_series_id, series)

    def test_a_receipt_sells_cards_too(self):
        self._stock(1)
        receipt = self._sell(move_type='out_receipt')
        self.assertEqual(len(self._get_cards(receipt)), 1)

    def test_a_dozen_are_twelve_cards(self):
        self._stock(12)
        dozen = self.env.ref('uom.product_uom_dozen')
        invoice = self._sell(line={'product_uom_id': dozen.id, 'price_unit': 300})
        self.assertEqual(len(self._get_cards(invoice)), 12)
        self._assert_booked(invoice, (self.receivable, 300), (self.liability, -300))

    def test_below_and_above_the_face_value_the_liability_is_the_face_value(self):
        self._stock(20)
        for price, discount in ((25, 10), (20, 0), (27, 0), (0, 0), (33.333, 7.5)):
            with self.subTest(price=price, discount=discount):
                invoice = self._sell(4, price=price, line={'discount': discount})
                total = invoice.amount_total
                self.assertAlmostEqual(total, 4 * price * (1 - discount / 100), delta=0.01)
                booked = invoice.line_ids.grouped('account_id')
                self.assertEqual(sum(booked[self.liability].mapped('balance')), -100)
                self.assertAlmostEqual(
                    sum(booked[self.discount].mapped('balance')), 100 - total, delta=0.001
                )

    def test_beside_the_discount_account_of_the_company(self):
        self._stock(2)
        expense = self.company_data['default_account_expense']
        self.company.account_discount_expense_allocation_id = expense
        service = {
            'name': "Service",
            'price_unit': 100,
            'discount': 10,
            'tax_ids': False,
            'account_id': self.company_data['default_account_revenue'].id,
        }
        invoice = self._draft(2, line={'discount': 10})
        invoice.write({'invoice_line_ids': [Command.create(service)]})
        invoice.action_post()
        balances = {
            account: sum(lines.mapped('balance'))
            for account, lines in invoice.line_ids.grouped('account_id').items()
        }
        self.assertEqual(balances[self.liability], -50)
        self.assertEqual(balances[self.discount], 5)
        self.assertEqual(balances[expense], 10)
        self.assertEqual(balances[self.receivable], 135)

    def test_a_sale_in_another_currency(self):
        self._stock(2)
        invoice = self._sell(2, price=40, currency_id=self.other_currency.id)
        rate = invoice.invoice_currency_rate
        self.assertNotEqual(rate, 1)
        booked = invoice.line_ids.grouped('account_id')
        self.assertEqual(sum(booked[self.liability].mapped('balance')), -50)
        self.assertEqual(sum(booked[self.liability].mapped('amount_currency')), -50 * rate)
        self.assertEqual(sum(invoice.line_ids.mapped('balance')), 0)

    def test_cards_in_another_currency_at_the_rate_of_the_sale(self):
        self._stock(2, currency_id=self.other_currency.id)
        product = self._make_product(refill_card_currency_id=self.other_currency.id)
        invoice = self._sell(2, price=25, product=product, currency_id=self.other_currency.id)
        value = self.other_currency._convert(
            50, self.company.currency_id, self.company, invoice.date
        )
        self._assert_booked(invoice, (self.receivable, value, 50), (self.liability, -value, -50))
        here = self._draft(1, price=10, product=product)
        self._stock(1, currency_id=self.other_currency.id)
        here.action_post()
        booked = here.line_ids.grouped('account_id')[self.liability]
        self.assertAlmostEqual(sum(booked.mapped('balance')), -value / 2, places=2)

    def test_no_fiscal_position_maps_the_liability(self):
        self._stock(1)
        account = self.company_data['default_account_revenue']
        position = self.env['account.fiscal.position'].create(
            {
                'name': "Abroad",
                'account_ids': [
                    Command.create(
                        {'account_src_id': self.liability.id, 'account_dest_id': account.id}
                    )
                ],
            }
        )
        invoice = self._sell(fiscal_position_id=position.id)
        self.assertEqual(invoice.invoice_line_ids.account_id, self.liability)

    def test_discount_lines_that_were_changed_are_not_posted(self):
        self._stock(1)
        invoice = self._draft(price=20)
        lines = invoice.line_ids.filtered(lambda line: line.display_type == 'discount')
        self.assertEqual(len(lines), 2)
        changes = [
            Command.update(
                line.id, {'balance': line.balance / 5, 'amount_currency': line.balance / 5}
            )
            for line in lines
        ]
        invoice.write({'line_ids': changes})
        self._assert_not_sold("not the face value", invoice)

    # -------------------------------------------------------------------------
    # STOCK
    # -------------------------------------------------------------------------

    def test_those_go_first_whose_last_day_comes_first(self):
        never = self._stock(1, valid_till=False)
        late = self._stock(1, valid_till='2071-12-31')
        soon = self._stock(1, valid_till='2070-12-31')
        for series in (soon, late, never):
            self.assertEqual(self._get_cards(self._sell()), series.card_ids)

    def test_from_the_series_of_the_product_only(self):
        self._stock(1)
        series = self._generate(1)
        self.product.refill_card_series_id = series
        self.assertEqual(self._get_cards(self._sell()), series.card_ids)
        self._assert_not_sold("missing", self._draft())

    def test_what_somebody_has_or_cannot_use_is_not_in_stock(self):
        series = self._stock(5)
        used, disabled, consigned, given, free = series.card_ids
        self._redeem(used)
        disabled._disable('lost')
        consigned._consign(self.buyer)
        given._give_away("Fair")
        self._assert_not_sold("missing", self._draft(2))
        self.assertEqual(self._get_cards(self._sell()), free)

    # -------------------------------------------------------------------------
    # WHEN THEY WORK
    # -------------------------------------------------------------------------

    def test_cards_work_once_the_invoice_is_confirmed(self):
        series = self._stock(1, activation_required=True)
        self._sell()
        self.assertEqual(series.card_ids.state, 'active')

    def test_cards_wait_for_the_payment_also_those_that_were_active(self):
        series = self._stock(2)
        waiting = self._stock(1, activation_required=True)
        self.product.refill_card_works = 'paid'
        self._sell(3)
        self.assertEqual((series + waiting).card_ids.mapped('state'), ['inactive'] * 3)

    def test_the_invoice_says_when_its_cards_work(self):
        waiting = self._stock(1, activation_required=True)
        self._sell(refill_card_works='now')
        self.assertEqual(waiting.card_ids.state, 'inactive')

    # -------------------------------------------------------------------------
    # MADE TO ORDER
    # -------------------------------------------------------------------------

    def test_cards_are_made_to_order_in_a_series_a_month(self):
        product = self._make_product(
            refill_card_source='made', refill_card_prefix='WEB', refill_card_valid_months=3
        )
        first = self._get_cards(self._sell(2, product=product))
        second = self._get_cards(self._sell(3, product=product))
        series = first.series_id
        self.assertEqual(second.series_id, series)
        self.assertEqual((series.quantity, series.prefix, series.price), (5, 'WEB', 25))
        self.assertEqual(series.product_id, product.product_tmpl_id)
        self.assertEqual((first + second).mapped('state'), ['active'] * 5)
        today = self.company._get_refill_card_day()
        last = fields.Date.end_of(fields.Date.add(today, months=3), 'month')
        self.assertEqual(series.valid_till, last)
        series.sudo().made_in = '2020-01-01'
        self.assertNotEqual(self._get_cards(self._sell(product=product)).series_id, series)

    def test_other_companies_accept_cards_where_whoever_chose_them_manages_cards(self):
        values = {'refill_card_source': 'made', 'refill_card_company_ids': self.other_company.ids}
        product = self._make_product(**values)
        sellers = self._new_user(
            'seller', 'account.group_account_manager', company_ids=self.company.ids
        )
        for chooser, accepted in ((self.env.user, True), (sellers, False)):
            with self.subTest(chooser=chooser.login):
                chooser.group_ids += self.env.ref('base.group_system')
                product.with_user(chooser).refill_card_source = 'stock'
                product.with_user(chooser).refill_card_source = 'made'
                series = self._get_cards(self._sell(product=product)).series_id
                self.assertEqual(series._is_available_to(self.other_company), accepted)
                series.sudo().made_in = False
        template = product.product_tmpl_id.with_user(sellers)
        template.write({'refill_card_maker_id': self.env.uid})
        self.env.invalidate_all()
        self.assertEqual(product.refill_card_maker_id, sellers)

    # -------------------------------------------------------------------------
    # OWED
    # -------------------------------------------------------------------------

    def test_an_automatic_sale_never_fails_and_missing_cards_follow(self):
        series = self._stock(1)
        invoice = self._draft(3)
        invoice.sudo().action_post()
        self.assertEqual(self._get_cards(invoice), series.card_ids)
        line = invoice.invoice_line_ids
        self.assertEqual(line.refill_cards_owed, 2)
        self._assert_booked(invoice, (self.receivable, 75), (self.liability, -75))
        self.assertEqual(invoice.activity_ids.summary, "Refill cards are owed")
        self._stock(1)
        self.env.ref('refill_cards.ir_cron_supply').method_direct_trigger()
        self.assertEqual((line.refill_cards_owed, len(self._get_cards(invoice))), (1, 2))
        self.assertTrue(invoice.activity_ids)
        self._stock(5)
        self.env.ref('refill_cards.ir_cron_supply').method_direct_trigger()
        self.assertEqual((line.refill_cards_owed, len(self._get_cards(invoice))), (0, 3))
        self.assertFalse(invoice.activity_ids)

    def test_nobody_writes_what_is_owed(self):
        self._stock(1)
        line = self._sell().invoice_line_ids
        with self.assertRaises(AccessError):
            line.refill_cards_owed = 10
        with self.assertRaises(AccessError):
            self._draft(line={'refill_cards_owed': 10})

    # -------------------------------------------------------------------------
    # TAKEN BACK
    # -------------------------------------------------------------------------

    def _get_doors(self):
        return {
            'reset': lambda move: move.button_draft(),
            'cancel': lambda move: move.button_cancel(),
            'bare state': lambda move: move.write({'state': 'draft'}),
            'reverse': lambda move: move._reverse_moves(cancel=True),
        }

    def test_unused_cards_go_back_to_stock(self):
        for door, take_back in self._get_doors().items():
            with self.subTest(door=door):
                waiting = self._stock(1, activation_required=True)
                active = self._stock(1)
                invoice = self._draft(2, refill_card_works='now')
                invoice.action_post()
                self.assertEqual(self._get_cards(invoice), (waiting + active).card_ids)
                take_back(invoice)
                self.assertRecordValues(
                    (waiting + active).card_ids,
                    [
                        {
                            'state': state,
                            'disable_reason': reason,
                            'terms': False,
                            'holder_id': False,
                        }
                        for state, reason in (('inactive', False), ('disabled', 'returned'))
                    ],
                )
                (waiting + active).sudo().for_sale = False

    def test_an_invoice_with_a_used_card_stays(self):
        for door, take_back in self._get_doors().items():
            with self.subTest(door=door):
                series = self._stock(2)
                invoice = self._sell(2)
                self._redeem(series.card_ids[0])
                with self.assertRaisesRegex(UserError, "were used"), self.env.cr.savepoint():
                    take_back(invoice)
                self.assertEqual(invoice.state, 'posted')
                self.assertEqual(series.card_ids.mapped('terms'), ['sold', 'sold'])

    def test_a_draft_that_is_confirmed_again_has_the_same_cards(self):
        self._stock(1)
        invoice = self._sell()
        cards = self._get_cards(invoice)
        self._stock(1, valid_till='2070-01-01')
        invoice.button_draft()
        invoice.action_post()
        self.assertEqual(self._get_cards(invoice), cards)
        self.assertEqual((cards.state, cards.terms), ('active', 'sold'))

    def test_a_deleted_draft_lets_its_cards_go(self):
        series = self._stock(1)
        invoice = self._sell()
        invoice.button_draft()
        self.assertTrue(series.card_ids.sudo().reserved_line_id)
        invoice.with_context(force_delete=True).unlink()
        self.assertFalse(series.card_ids.sudo().reserved_line_id)

    def test_a_credit_note_takes_the_newest_unused_cards(self):
        series = self._stock(4)
        invoice = self._sell(4, price=20)
        self._redeem(series.card_ids[3])
        note = self._credit(invoice, 2)
        self.assertEqual(series.card_ids.mapped('terms'), ['sold', False, False, 'sold'])
        balances = {
            account: sum(lines.mapped('balance'))
            for account, lines in note.line_ids.grouped('account_id').items()
        }
        self.assertEqual(balances, {self.liability: 50, self.discount: -10, self.receivable: -40})
        with self.assertRaisesRegex(UserError, "only 1 of these"), self.env.cr.savepoint():
            self._credit(invoice, 2)

    def _credit(self, invoice, quantity):
        wizard = (
            self.env['account.move.reversal']
            .with_user(self.accountant)
            .with_context(active_model='account.move', active_ids=invoice.ids)
            .create({'journal_id': invoice.journal_id.id})
        )
        note = self.env['account.move'].browse(wizard.refund_moves()['res_id'])
        note = note.with_user(self.accountant)
        note.invoice_line_ids.quantity = quantity
        note.action_post()
        return note

    def test_a_credit_note_that_is_typed_names_its_cards(self):
        series = self._stock(1)
        self._sell()
        note = self._draft(move_type='out_refund')
        self._assert_not_sold("say which cards come back", note)
        cards = self.env['refill.card']
        cards._reserve(note.invoice_line_ids, fields.Domain('id', 'in', series.card_ids.ids))
        note.action_post()
        self.assertFalse(series.card_ids.terms)

    def test_a_credit_note_stays_confirmed(self):
        self._stock(1)
        note = self._credit(self._sell(), 1)
        with self.assertRaisesRegex(UserError, "stays confirmed"):
            note.button_draft()

    def test_a_credit_note_that_is_reversed_sells_cards_again(self):
        self._stock(2)
        note = self._credit(self._sell(), 1)
        self.assertEqual(len(self._get_cards(note._reverse_moves(cancel=True))), 1)

    def test_an_invoice_whose_cards_were_returned_stays_confirmed(self):
        self._stock(2)
        for typed in (False, True):
            for door, take_back in self._get_doors().items():
                with self.subTest(typed=typed, door=door), self.env.cr.savepoint() as savepoint:
                    invoice = self._sell(2)
                    if typed:
                        note = self._draft(move_type='out_refund')
                        card = self._get_cards(invoice)[0]
                        domain = fields.Domain('id', '=', card.id)
                        card.sudo()._reserve(note.invoice_line_ids, domain)
                        note.action_post()
                    else:
                        self._credit(invoice, 1)
                    with self.assertRaisesRegex(UserError, "credit note took|only 1 of"):
                        take_back(invoice)
                    savepoint.rollback()
                    self.env.invalidate_all()

    def test_what_is_owed_is_credited_first(self):
        series = self._stock(1)
        invoice = self._draft(2)
        invoice.sudo().action_post()
        self._credit(invoice, 1)
        self.assertEqual(invoice.invoice_line_ids.refill_cards_owed, 0)
        self.assertEqual(series.card_ids.terms, 'sold')

    # -------------------------------------------------------------------------
    # FROZEN
    # -------------------------------------------------------------------------

    def test_what_cards_say_stays_once_somebody_has_one(self):
        for hand_out in (
            lambda series: self._sell(),
            lambda series: series.card_ids._consign(self.buyer),
            lambda series: series.card_ids._give_away("Fair"),
        ):
            series = self._stock(1)
            series.price = 26
            series.price = 25
            hand_out(series)
            self.assertTrue(series.card_ids.terms)
            with self.assertRaisesRegex(UserError, "handed out"):
                series.price = 26

    def test_posted_lines_about_cards_stay(self):
        self._stock(1)
        line = self._sell(price=20).invoice_line_ids
        other = self._make_product(name="Other")
        for values in (
            {'quantity': 2},
            {'price_unit': 10},
            {'product_id': other.id},
            {'product_id': False},
            {'account_id': self.company_data['default_account_revenue'].id},
            {'refill_card_role': False},
            {'discount': 10},
        ):
            for writer in (line, line.sudo()):
                with self.subTest(values=values, su=writer.env.su):
                    with self.assertRaisesRegex(UserError, "confirmed"), self.env.cr.savepoint():
                        writer.write(values)
        line.name = "What is printed may be changed"
        with self.assertRaises(UserError), self.env.cr.savepoint():
            line.with_context(force_delete=True).unlink()
        discount = line.move_id.line_ids.filtered(lambda each: each.display_type == 'discount')[0]
        with self.assertRaisesRegex(UserError, "confirmed"), self.env.cr.savepoint():
            discount.account_id = self.company_data['default_account_revenue']

    # -------------------------------------------------------------------------
    # PREPAID CREDIT
    # -------------------------------------------------------------------------

    def test_prepaid_credit_never_pays_for_cards(self):
        self._stock(1)
        card = self._generate_card()
        payment = self._redeem(card, self.buyer)
        invoice = self._sell()
        self.assertEqual(invoice.payment_state, 'not_paid')
        preview = self._generate_card()._preview_redemption(self.buyer, self.company)
        [(name, _amount, _currency, reason)] = preview['open']
        self.assertEqual(
            (name, reason), (invoice.name, "Refill cards are not paid by refill cards.")
        )
        credit = payment.move_id.line_ids.filtered('credit')
        with self.assertRaisesRegex(UserError, "not paid by refill cards"), self.env.cr.savepoint():
            invoice.js_assign_outstanding_line(credit.id)
        self.assertEqual(self._balance(self.buyer), 0)
        self.assertEqual(invoice.amount_residual, 25)
