from odoo.api import SUPERUSER_ID
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Date, Domain
from odoo.tests import tagged

from .test_between_companies import BetweenCompaniesCommon
from .test_release import ReleaseCommon
from .test_settle import SettleCommon


class CurrencyCommon(SettleCommon):
    """Cards of 25 EUR of a company that keeps its books in USD, at rates that change."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gain = cls.company.income_currency_exchange_account_id
        cls.loss = cls.company.expense_currency_exchange_account_id
        cls.liability = cls.company._get_refill_card_method_line().payment_account_id
        cls.euro_product = cls.env['product.product'].create(
            {
                'name': "Card of 25 EUR",
                'type': 'service',
                'is_refill_card': True,
                'refill_card_price': 25,
                'refill_card_currency_id': cls.other_currency.id,
                'taxes_id': False,
            }
        )
        # EUR 25 are USD 12.50.
        cls._set_rate(cls, 2, Date.subtract(cls.today, days=9))

    def _stock(self, quantity, **values):
        values = {'currency_id': self.other_currency.id, **values}
        series = self._generate(quantity, **values)
        series.sudo().for_sale = True
        return series

    def _draft(self, quantity=1, **values):
        return (
            self.env['account.move']
            .with_user(self.accountant)
            .create(
                {
                    'move_type': 'out_invoice',
                    'partner_id': self.reseller.id,
                    'currency_id': self.other_currency.id,
                    'invoice_line_ids': [
                        Command.create(
                            {
                                'product_id': self.euro_product.id,
                                'quantity': quantity,
                                'price_unit': 25,
                            }
                        )
                    ],
                    **values,
                }
            )
        )

    def _sell(self, quantity=1, **values):
        invoice = self._draft(quantity, **values)
        invoice.action_post()
        return invoice

    def _sell_automatically(self, quantity):
        """Return an invoice that no person confirms."""
        invoice = self._draft(quantity).sudo()
        invoice.with_user(SUPERUSER_ID).action_post()
        return invoice

    def _return(self, cards):
        """Return the confirmed credit note for which these cards were chosen."""
        note = self._draft(len(cards), move_type='out_refund')
        cards.sudo()._reserve(note.invoice_line_ids, Domain('id', 'in', cards.ids))
        note.action_post()
        return note

    def _get_cards(self, invoice):
        return self.env['refill.card'].search([('invoice_line_id.move_id', '=', invoice.id)])

    def _later(self, rate):
        """Let the rate be another from today on."""
        rates = self.other_currency.rate_ids.filtered(lambda each: each.name == self.today)
        if rates:
            rates.rate = rate
        else:
            self._set_rate(rate, self.today)

    def _get_balance(self, account):
        return self.company.currency_id.round(super()._get_balance(account))

    def _sell_before(self, quantity=1, **values):
        """Return cards that were sold at USD 12.50 each, before the rate changed to four."""
        self._stock(quantity, **values)
        with self._on(Date.subtract(self.today, days=1)):
            cards = self._get_cards(self._sell(quantity))
        self._later(4)
        return cards

    def _activate_before(self, quantity=1):
        """Return cards that were sold by activation at USD 12.50 each, before the rate changed."""
        self._agree(settled_by='activation', company_id=self.company.id)
        cards = self._consign(
            quantity, currency_id=self.other_currency.id, activation_required=True
        )
        with self._on(Date.subtract(self.today, days=1)):
            cards._activate()
        self._later(4)
        return cards


@tagged('post_install', '-at_install')
class TestCurrency(CurrencyCommon):
    """What a card in another currency is worth in the books stays from its sale to its end."""

    # -------------------------------------------------------------------------
    # DOORS
    # -------------------------------------------------------------------------

    def test_nobody_types_what_cards_are_worth(self):
        [card] = self._sell_before()
        line = card.sudo().invoice_line_id.with_user(self.accountant)
        for records, vals in (
            (card.with_user(self.accountant), {'historical_value': 1}),
            (card.sudo(), {'historical_value': 1}),
            (line, {'refill_card_value': 1}),
        ):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                records.write(vals)

    def test_the_exchange_difference_stays_a_part_of_the_entry(self):
        [card] = self._sell_before()
        entry = self._redeem(card).move_id.with_user(self.accountant)
        lines = entry.line_ids.grouped('account_id')
        exchange, debit = lines[self.gain], lines[self.liability]
        receivable = lines[self.customer.property_account_receivable_id]
        update, delete = Command.update, Command.delete
        for commands in (
            [delete(exchange.id), update(debit.id, {'balance': 6.25})],
            [update(exchange.id, {'account_id': self.settlement_account.id})],
            [update(exchange.id, {'partner_id': self.stranger.id})],
            [update(exchange.id, {'balance': -5}), update(debit.id, {'balance': 11.25})],
            [update(receivable.id, {'balance': -6}), update(exchange.id, {'balance': -6.5})],
        ):
            with self.subTest(commands), self.assertRaises(UserError), self.env.cr.savepoint():
                entry.write({'line_ids': commands})
        self.assertEqual(len(entry.line_ids), 3)

    def test_without_an_account_for_exchange_differences_nothing_is_redeemed(self):
        [card] = self._sell_before()
        self.company.income_currency_exchange_account_id = False
        with self.assertRaisesRegex(UserError, "exchange gains"), self.env.cr.savepoint():
            self._redeem(card)
        self.assertEqual(card.state, 'active')

    # -------------------------------------------------------------------------
    # SOLD AND USED
    # -------------------------------------------------------------------------

    def test_each_card_of_a_sale_has_one_value(self):
        self._stock(3)
        self._later(3)
        invoice = self._sell(3)
        self.assertEqual(self._get_balance(self.liability), -24.99)
        cards = self._get_cards(invoice)
        self.assertEqual(cards.sudo().mapped('historical_value'), [8.33] * 3)
        self.assertEqual(self._get_balance(self.discount_account), -0.01)
        for card in cards:
            self._redeem(card)
        self.assertEqual(self._get_balance(self.liability), 0)

    def test_a_sold_card_is_used_at_the_value_of_its_sale(self):
        [first, second] = self._sell_before(2)
        receivable = self.customer.property_account_receivable_id
        for card, rate, account in ((first, 4, self.gain), (second, 1, self.loss)):
            self._later(rate)
            payment = self._redeem(card)
            self.assertEqual((payment.state, payment.amount), ('paid', 25))
            self.assertEqual(
                self._get_entry(payment.move_id),
                sorted(
                    [
                        (self.liability.name, 25, 12.5),
                        (receivable.name, -25, -25 / rate),
                        (account.name, 0, 25 / rate - 12.5),
                    ]
                ),
            )
        self.assertEqual(self._get_balance(self.liability), 0)

    def test_a_card_that_nobody_sold_is_used_at_the_rate_of_the_day(self):
        card = self._generate_card(currency_id=self.other_currency.id)
        with self._on(Date.subtract(self.today, days=1)):
            self._redeem(card)
        self.assertEqual(self._get_balance(self.liability), 12.5)
        self._later(4)
        self._undo(card)
        self.assertEqual(self._get_balance(self.liability), 0)
        self._redeem(card)
        self.assertEqual(self._get_balance(self.liability), 6.25)

    def test_what_is_undone_is_owed_as_before(self):
        [card] = self._sell_before()
        for undo in (self._undo, lambda card: card.payment_id.action_cancel()):
            payment = self._redeem(card)
            self.assertEqual(self._get_balance(self.liability), 0)
            undo(card)
            self.assertEqual(
                (payment.state, len(payment.move_id.reversal_move_ids.line_ids)), ('canceled', 3)
            )
            self.assertEqual(self._get_balance(self.liability), -12.5)
            self.assertEqual(self._balance(), 0)

    def test_a_draft_that_is_dated_otherwise_follows_the_rate_and_releases_the_same(self):
        [card] = self._sell_before()
        payment = self._redeem(card).with_user(self.accountant)
        receivable = self.customer.property_account_receivable_id
        for days, value in ((1, 12.5), (0, 6.25)):
            payment.action_draft()
            payment.date = Date.subtract(self.today, days=days)
            payment.action_post()
            lines = payment.move_id.line_ids.grouped('account_id')
            self.assertEqual(lines[self.liability].balance, 12.5)
            self.assertEqual(lines[receivable].balance, -value)
            self.assertEqual(len(payment.move_id.line_ids), 2 if days else 3)

    def test_a_rate_that_is_corrected_later_leaves_what_is_confirmed_as_it_is(self):
        [card] = self._sell_before()
        payment = self._redeem(card)
        self._later(8)
        self.company.income_currency_exchange_account_id = self.company_data[
            'default_account_revenue'
        ]
        before = self._get_entry(payment.move_id)
        invoice = self._invoice(25, currency=self.other_currency)
        self.assertEqual(invoice.payment_state, 'paid')
        self.assertEqual(self._get_entry(payment.move_id), before)
        self._undo(card)
        self.assertEqual(self._get_balance(self.liability), -12.5)

    # -------------------------------------------------------------------------
    # RETURNED
    # -------------------------------------------------------------------------

    def _credit_one(self, invoice):
        """Take back one card of an invoice; return the credit note."""
        note = invoice._reverse_moves([{'invoice_date': self.today}])
        note.invoice_line_ids.quantity = 1
        note.action_post()
        return note

    def test_returned_cards_are_released_at_the_value_of_their_sale(self):
        [card, used] = self._sell_before(2)
        self._redeem(used)
        invoice = card.sudo().invoice_line_id.move_id
        self.assertEqual(
            self._get_entry(self._credit_one(invoice)),
            sorted(
                [
                    (self.receivable.name, -25, -6.25),
                    (self.liability.name, 25, 6.25),
                    (self.liability.name, 0, 6.25),
                    (self.gain.name, 0, -6.25),
                ]
            ),
        )
        self.assertEqual(self._get_balance(self.liability), 0)

    def test_cards_that_were_sold_at_several_rates_are_returned_together(self):
        [old] = self._sell_before()
        self._stock(1)
        new = self._get_cards(self._sell())
        self._return(old | new)
        self.assertEqual(self._get_balance(self.liability), 0)
        self.assertEqual(self._get_balance(self.gain), -6.25)

    def test_what_is_credited_at_another_price_and_rate_is_booked_apart_from_the_difference(self):
        for price, rate, account in ((20, 1, self.loss), (30, 5, self.gain)):
            with self.subTest(price=price):
                self._stock(2)
                with self._on(Date.subtract(self.today, days=1)):
                    invoice = self._draft(2)
                    invoice.invoice_line_ids.price_unit = price
                    invoice.action_post()
                owed = self._get_balance(self.liability)
                self._later(rate)
                self.assertEqual(
                    self._get_entry(self._credit_one(invoice)),
                    sorted(
                        [
                            (self.receivable.name, -price, -price / rate),
                            (self.liability.name, price, price / rate),
                            (self.liability.name, 25 - price, (25 - price) / rate),
                            (self.discount_account.name, price - 25, (price - 25) / rate),
                            (self.liability.name, 0, 12.5 - 25 / rate),
                            (account.name, 0, 25 / rate - 12.5),
                        ]
                    ),
                )
                self.assertEqual(self._get_balance(self.liability), owed + 12.5)

    def test_what_is_rounded_for_each_card_may_outweigh_a_discount(self):
        self._stock(100, price=0.25)
        self._later(3)
        product = self.env['product.product'].create(
            {
                'name': "Card of 0.25 EUR",
                'type': 'service',
                'is_refill_card': True,
                'refill_card_price': 0.25,
                'refill_card_currency_id': self.other_currency.id,
                'taxes_id': False,
            }
        )
        line = {'product_id': product.id, 'quantity': 100, 'price_unit': 0.25, 'discount': 1}
        invoice = self._sell(invoice_line_ids=[Command.create(line)])
        self.assertEqual(
            self._get_entry(invoice),
            sorted(
                [
                    (self.receivable.name, 24.75, 8.25),
                    (self.liability.name, -24.75, -8.25),
                    (self.liability.name, -0.25, -0.08),
                    (self.discount_account.name, 0.25, 0.08),
                    (self.liability.name, 0, 0.33),
                    (self.discount_account.name, 0, -0.33),
                ]
            ),
        )
        self.assertEqual(self._get_cards(invoice).sudo().mapped('historical_value'), [0.08] * 100)
        self.assertEqual(self._get_balance(self.liability), -8)

    def test_a_difference_in_rates_and_what_is_rounded_may_go_to_one_account(self):
        self.company.expense_currency_exchange_account_id = self.discount_account
        self._stock(3)
        with self._on(Date.subtract(self.today, days=1)):
            invoice = self._sell(3)
        self._later(1.5)
        invoice._reverse_moves([{'invoice_date': self.today}]).action_post()
        self.assertEqual(self._get_balance(self.liability), 0)

    def test_cards_that_are_still_owed_are_returned_at_the_value_of_their_sale(self):
        with self._on(Date.subtract(self.today, days=1)):
            invoice = self._sell_automatically(2)
        self._later(4)
        self.assertEqual(invoice.invoice_line_ids.refill_cards_owed, 2)
        self._credit_one(invoice)
        self.assertEqual(self._get_balance(self.liability), -12.5)
        self._stock(1)
        self.env.ref('refill_cards.ir_cron_supply').method_direct_trigger()
        self._redeem(self._get_cards(invoice))
        self.assertEqual(self._get_balance(self.liability), 0)

    def test_an_invoice_that_is_confirmed_again_has_the_rate_of_its_new_day(self):
        [card] = self._sell_before()
        invoice = card.sudo().invoice_line_id.move_id
        invoice.button_draft()
        self.assertEqual(self._get_balance(self.liability), 0)
        invoice.invoice_date = self.today
        invoice.action_post()
        self.assertEqual(self._get_balance(self.liability), -6.25)
        self._redeem(card)
        self.assertEqual(self._get_balance(self.liability), 0)

    def test_cards_are_sold_again_at_another_rate(self):
        [card] = self._sell_before()
        self._return(card)
        invoice = self._draft()
        card.sudo()._reserve(invoice.invoice_line_ids, Domain('id', '=', card.id))
        invoice.action_post()
        self.assertEqual(self._get_balance(self.liability), -6.25)

    # -------------------------------------------------------------------------
    # SOLD BY ACTIVATION
    # -------------------------------------------------------------------------

    def test_what_activation_sold_is_used_and_billed_at_the_value_of_that_day(self):
        [used, unused] = self._activate_before(2)
        self.assertEqual(self._get_balance(self.liability), 0)
        self._redeem(used)
        self.assertEqual(self._get_balance(self.liability), 12.5)
        invoice = self._settle()
        invoice.action_post()
        self.assertEqual(self._get_balance(self.liability), -12.5)
        self.assertEqual(self._get_balance(self.settlement_account), 0)
        self._redeem(unused)
        self.assertEqual(self._get_balance(self.liability), 0)

    def test_what_is_deactivated_and_activated_again_has_the_value_of_the_new_day(self):
        [card] = self._activate_before()
        card._deactivate()
        card._activate()
        self._settle().action_post()
        self.assertEqual(self._get_balance(self.liability), -6.25)
        self._redeem(card)
        self.assertEqual(self._get_balance(self.liability), 0)


@tagged('post_install', '-at_install')
class TestCurrencyBetweenCompanies(CurrencyCommon, BetweenCompaniesCommon):
    """The daughter redeems cards in euro of a company that keeps its books in dollars."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rate = {'currency_id': cls.other_currency.id, 'company_id': cls.other_company.id}
        cls.env['res.currency.rate'].create({**rate, 'name': '2020-01-01', 'rate': 5})

    def _sell_abroad(self, quantity):
        """Return cards that were sold at USD 12.50 each, and that the daughter accepts."""
        return self._sell_before(quantity, company_ids=[Command.clear()])

    def _bill(self, invoice):
        """Confirm what the daughter bills, and the bill that the issuer gets."""
        invoice.action_post()
        bill = invoice.sudo().refill_card_bill_ids
        bill.with_user(self.accountant).with_company(self.company).action_post()
        return bill

    def test_the_issuer_is_billed_at_the_rate_of_the_day_and_releases_the_value_of_the_sale(self):
        cards = self._sell_abroad(2)
        self._redeem_there(*cards)
        self.assertEqual(self._get_balance(self.liability), -25)
        bill = self._bill(self._settle_there())
        vendor = self.other_company.partner_id.with_company(self.company)
        self.assertEqual(
            self._get_entry(bill),
            sorted(
                [
                    (self.liability.name, 50, 12.5),
                    (self.liability.name, 0, 12.5),
                    (self.gain.name, 0, -12.5),
                    (vendor.property_account_payable_id.name, -50, -12.5),
                ]
            ),
        )
        self.assertEqual(self._get_balance(self.liability), 0)

    def test_a_bill_that_is_dated_otherwise_releases_the_same(self):
        self._redeem_there(*self._sell_abroad(1))
        invoice = self._settle_there()
        invoice.action_post()
        bill = invoice.sudo().refill_card_bill_ids.with_user(self.accountant)
        bill = bill.with_company(self.company)
        bill.invoice_date = Date.subtract(self.today, days=1)
        bill.action_post()
        self.assertEqual(abs(bill.amount_total_signed), 12.5)
        self.assertEqual(self._get_balance(self.liability), 0)

    def test_what_is_undone_once_it_is_billed_is_owed_again_as_before(self):
        cards = self._sell_abroad(2)
        self._redeem_there(*cards)
        invoice = self._settle_there()
        self._bill(invoice)
        manager = self._new_user(
            'both',
            'account.group_account_manager',
            company_ids=[Command.set([self.company.id, self.other_company.id])],
        )
        self._undo(cards[0], user=manager)
        self._bill(self._settle_there())
        self.assertEqual(self._get_balance(self.liability), -12.5)
        self._redeem(cards[0])
        self.assertEqual(self._get_balance(self.liability), 0)

    def test_a_settlement_that_is_taken_back_is_taken_back_at_the_same_value(self):
        self._redeem_there(*self._sell_abroad(1))
        invoice = self._settle_there()
        self._bill(invoice)
        self._bill(invoice._reverse_moves([{'invoice_date': self.today}]))
        self.assertEqual(self._get_balance(self.liability), -12.5)
        self._bill(self._settle_there())
        self.assertEqual(self._get_balance(self.liability), 0)

    def test_consigned_cards_are_billed_on_at_the_rate_of_the_bill(self):
        cards = self._generate(
            1, currency_id=self.other_currency.id, company_ids=[Command.clear()]
        ).card_ids
        cards.sudo()._consign(self.reseller)
        self._redeem_there(cards)
        self._later(4)
        self._bill(self._settle_there())
        self.assertEqual(self._get_balance(self.settlement_account), 6.25)
        self._settle().action_post()
        self.assertEqual(self._get_balance(self.settlement_account), 0)


@tagged('post_install', '-at_install')
class TestMovementsInCurrency(CurrencyCommon):
    """The audit log tells what each movement of a card is in the company's currency."""

    def _get_movements(self, card):
        events = card.event_ids.filtered('movement').sorted('id')
        return [(event.movement, event.balance) for event in events]

    def test_of_a_card_that_is_sold_used_given_back_and_returned(self):
        [card] = self._sell_before()
        self._redeem(card)
        self._undo(card)
        self._return(card)
        self.assertEqual(
            self._get_movements(card),
            [('sold', 12.5), ('redeemed', 12.5), ('given_back', 12.5), ('returned', 12.5)],
        )

    def test_of_a_card_that_nobody_sold(self):
        card = self._generate_card(currency_id=self.other_currency.id)
        with self._on(Date.subtract(self.today, days=1)):
            self._redeem(card)
        self._later(4)
        card.sudo().payment_id.action_cancel()
        self._undo(card)
        self._redeem(card)
        self.assertEqual(
            self._get_movements(card),
            [('redeemed', 12.5), ('given_back', 12.5), ('redeemed', 6.25)],
        )

    def test_of_a_card_that_activation_sells(self):
        [card] = self._activate_before()
        card._deactivate()
        card._activate()
        self.assertEqual(
            self._get_movements(card), [('sold', 12.5), ('returned', 12.5), ('sold', 6.25)]
        )

    def test_of_a_card_in_the_currency_of_the_company(self):
        card = self._generate_card()
        self._redeem(card)
        self.env.flush_all()
        self.cr.execute(
            'SELECT balance FROM refill_card_event WHERE card_id = %s AND movement IS NOT NULL',
            [card.id],
        )
        self.assertEqual(self.cr.fetchall(), [(None,)])


@tagged('post_install', '-at_install')
class TestCurrencyOfBefore(CurrencyCommon):
    """Cards that were sold and used before anything told what they are worth in the books."""

    def test_they_learn_the_value_of_their_sale_or_of_their_use(self):
        sold, used = self._sell_before(2)
        activated = self._activate_before()
        nobodys = self._generate_card(currency_id=self.other_currency.id)
        with self._on(Date.subtract(self.today, days=1)):
            self._redeem(nobodys)
        self._redeem(used)
        own = self._generate_card()
        self._redeem(own)
        cards = (sold + used + activated + nobodys).sudo()
        movements = cards.event_ids.filtered('movement')
        self.env.flush_all()
        self.cr.execute('UPDATE refill_card SET historical_value = NULL')
        self.cr.execute('UPDATE refill_card_event SET balance = NULL')
        self.cr.execute('UPDATE account_move_line SET refill_card_value = NULL')
        self.env.invalidate_all()
        for _again in range(2):
            self._migrate('19.0.1.4.0', 'post-values')
            self.assertEqual(cards.mapped('historical_value'), [12.5] * 4)
            self.assertEqual(movements.mapped('balance'), [12.5] * len(movements))
        self.assertFalse(own.sudo().historical_value)
        self._undo(used)
        self._redeem(used)
        self._settle().action_post()
        self._redeem(sold)
        self._redeem(activated)
        # What was redeemed without a sale.
        self.assertEqual(self._get_balance(self.liability), 12.5 + 25)


@tagged('post_install', '-at_install')
class TestCurrencySoldBefore(CurrencyCommon):
    """An opening balance says what cards in another currency are worth in the books."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.equity = cls.env['account.account'].create(
            {'name': "Sales of before", 'code': 'RCBEFORE', 'account_type': 'equity'}
        )

    def _open(self, count):
        """Return cards of which one was used at USD 12.50, and the opening for so many of them."""
        series = self._generate(4, currency_id=self.other_currency.id)
        with self._on(Date.subtract(self.today, days=1)):
            self._redeem(series.card_ids[0])
        self._later(4)
        window = self.env['refill.card.opening'].with_user(self.accountant)
        window = window.create({'account_id': self.equity.id, 'date': self.today})
        window.line_ids.filtered(lambda line: line.series_id == series).sold_count = count
        entry = self.env['account.move'].browse(window.action_state()['res_id'])
        return series.card_ids.sorted('number'), entry.with_user(self.accountant)

    def _say_worth(self, entry, balance):
        entry.button_draft()
        lines = entry.line_ids.grouped('refill_card_role')
        entry.write(
            {
                'line_ids': [
                    Command.update(lines['opening'].id, {'balance': -balance}),
                    Command.update(lines[False].id, {'balance': balance}),
                ]
            }
        )
        entry.action_post()

    def test_used_cards_are_worth_what_they_debited_and_the_others_the_rate_of_the_day(self):
        cards, _entry = self._open(3)
        self.assertEqual(cards.sudo().mapped('historical_value'), [12.5, 6.25, 6.25, 0])
        self.assertEqual(self._get_balance(self.liability), -12.5)
        openings = cards.event_ids.filtered(lambda event: event.movement == 'opening')
        self.assertEqual(sorted(openings.mapped('balance')), [6.25, 6.25, 12.5])
        self._later(5)
        for card in cards[1:3]:
            self._redeem(card)
        self.assertEqual(self._get_balance(self.liability), 0)

    def test_an_accountant_says_what_they_were_worth_to_the_cent(self):
        cards, entry = self._open(3)
        self._say_worth(entry, 12.5 + 15.01)
        self.assertEqual(cards.sudo().mapped('historical_value'), [12.5, 7.51, 7.5, 0])
        for card in cards[1:3]:
            self._redeem(card)
        self.assertEqual(self._get_balance(self.liability), 0)
        self._undo(cards[0])
        self.assertEqual(self._get_balance(self.liability), -12.5)

    def test_no_card_is_worth_nothing(self):
        _cards, entry = self._open(3)
        with self.assertRaisesRegex(UserError, "no longer books"), self.env.cr.savepoint():
            self._say_worth(entry, 12.51)

    def test_of_cards_that_were_all_used(self):
        cards, entry = self._open(1)
        self.assertEqual(self._get_balance(self.liability), 0)
        entry.button_draft()
        self.assertEqual(self._get_balance(self.liability), 12.5)
        entry.action_post()
        self.assertEqual(cards[0].sudo().historical_value, 12.5)


@tagged('post_install', '-at_install')
class TestCurrencyReleased(CurrencyCommon, ReleaseCommon):
    """Expired value is released, and brought back, as it was booked when the cards were sold."""

    def test_cards_of_one_series_that_were_sold_at_two_rates(self):
        till = Date.add(self.today, days=10)
        series = self._stock(2, valid_till=till)
        with self._on(Date.subtract(self.today, days=1)):
            first = self._get_cards(self._sell())
        self._later(4)
        self._sell()
        self.assertEqual(self._get_balance(self.liability), -18.75)
        self._later(5)
        with self._on(Date.add(self.today, days=45)):
            self._expire()
            entry = self._release()
            self._assert_entry(entry, (self.liability, 18.75), (self.income, -18.75))
            wizard = self._wizard(first.with_user(self.accountant), 'extend')
            wizard.valid_till = Date.add(self.today, days=90)
            wizard.action_confirm()
            self.assertEqual(self._get_balance(self.liability), -12.5)
            self._redeem(first)
            self.assertEqual(self._get_balance(self.liability), 0)
        movements = [
            (event.movement, event.balance)
            for event in series.card_ids.event_ids.filtered('movement').sorted('id')
        ]
        self.assertEqual(
            sorted(movements),
            [
                ('brought_back', 12.5),
                ('redeemed', 12.5),
                ('released', 6.25),
                ('released', 12.5),
                ('sold', 6.25),
                ('sold', 12.5),
            ],
        )
