"""The audit log tells on which day what is owed for a card changed in the books."""

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import date_utils

from .test_sale import SaleCommon


class MovementCommon(SaleCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.today = cls.company._get_refill_card_day()
        cls.earlier = date_utils.subtract(cls.today, days=40)

    def _get_movements(self, cards):
        """Return the movements of the cards, the oldest first, and their days."""
        events = self.env['refill.card.event'].search(
            [('card_id', 'in', cards.ids), ('movement', '!=', False)], order='id'
        )
        return [(event.movement, event.accounting_date) for event in events]


@tagged('post_install', '-at_install')
class TestMovements(MovementCommon):
    def test_cards_that_nobody_was_sold_have_no_movement(self):
        series = self._generate(2)
        self._change(series.card_ids[0], 'disable', reason='lost')
        self._change(series.card_ids[1], 'extend', valid_till=self.today)
        self.assertFalse(self._get_movements(series.card_ids))

    def test_a_sale_and_a_return_have_the_days_of_their_documents(self):
        self._stock(2)
        invoice = self._sell(2, invoice_date=self.earlier)
        cards = self._get_cards(invoice)
        self.assertEqual(self._get_movements(cards), [('sold', self.earlier)] * 2)
        self.assertEqual(cards.event_ids.move_id, invoice)
        note = invoice._reverse_moves([{'invoice_date': self.today}])
        note.action_post()
        movements = self._get_movements(cards)
        self.assertEqual(movements[2:], [('returned', self.today)] * 2)
        self.assertEqual(cards.event_ids.move_id, invoice + note)

    def test_a_series_of_which_something_was_owed_is_not_deleted(self):
        self._stock(1)
        invoice = self._sell(invoice_date=self.earlier)
        card = self._get_cards(invoice)
        invoice._reverse_moves([{'invoice_date': self.today}]).action_post()
        with self.assertRaisesRegex(UserError, "archive it instead"):
            card.series_id.with_user(self.accountant).unlink()

    def test_an_invoice_that_is_reset_counts_no_more_on_its_own_day(self):
        self._stock(1)
        invoice = self._sell(invoice_date=self.earlier)
        card = self._get_cards(invoice)
        invoice.button_draft()
        invoice.invoice_date = self.today
        invoice.action_post()
        self.assertEqual(
            self._get_movements(card),
            [('sold', self.earlier), ('returned', self.earlier), ('sold', self.today)],
        )

    def test_the_day_of_a_confirmed_sale_stays(self):
        self._stock(1)
        invoice = self._sell(invoice_date=self.earlier)
        # As a client could say it: Odoo itself lets that pass.
        invoice = invoice.with_context(skip_readonly_check=True)
        for vals in ({'date': self.today}, {'invoice_date': self.today}):
            with self.assertRaisesRegex(UserError, "is confirmed"):
                invoice.write(vals)
        invoice.write({'date': self.earlier})

    def test_cards_that_were_owed_are_sold_once_they_are_there(self):
        invoice = self._draft(2, invoice_date=self.earlier).sudo()
        invoice.action_post()
        self._stock(2)
        self.env.ref('refill_cards.ir_cron_supply').method_direct_trigger()
        cards = self._get_cards(invoice)
        self.assertEqual(self._get_movements(cards), [('sold', self.today)] * 2)
        invoice.button_draft()
        self.assertEqual(self._get_movements(cards)[2:], [('returned', self.today)] * 2)

    def test_a_redemption_and_what_takes_it_back_have_the_days_of_their_entries(self):
        card = self._generate_card()
        payment = self._redeem(card)
        self.assertEqual(self._get_movements(card), [('redeemed', payment.date)])
        self._undo(card)
        [reversal] = payment.move_id.reversal_move_ids
        self.assertEqual(self._get_movements(card)[1:], [('given_back', reversal.date)])
        again = self._redeem(card)
        again.with_user(self.accountant).action_cancel()
        self.assertEqual(card.state, 'disabled')
        self.assertEqual(
            [movement for movement, _day in self._get_movements(card)],
            ['redeemed', 'given_back'] * 2,
        )
        self._undo(card)  # gives the card back, and changes nothing of what is owed
        self.assertEqual(len(self._get_movements(card)), 4)

    def test_a_payment_that_is_confirmed_on_another_day_takes_its_movement_along(self):
        card = self._generate_card()
        payment = self._redeem(card).with_user(self.accountant)
        payment.action_draft()
        payment.date = self.earlier
        payment.action_post()
        self.assertEqual(payment.move_id.date, self.earlier)
        self.assertEqual(self._get_movements(card), [('redeemed', self.earlier)])

    def test_a_payment_that_is_deleted_counts_no_more_on_its_own_day(self):
        card = self._generate_card()
        payment = self._redeem(card).with_user(self.accountant)
        payment.action_draft()
        payment.date = self.earlier
        payment.unlink()
        self.assertEqual(
            self._get_movements(card), [('redeemed', self.earlier), ('given_back', self.earlier)]
        )

    def test_a_use_whose_payment_was_deleted_keeps_its_day(self):
        card = self._generate_card()
        payment = self._redeem(card).with_user(self.accountant)
        payment.action_draft()
        payment.date = self.earlier
        payment.unlink()
        before = self._get_movements(card)
        self._undo(card)
        again = self._redeem(card)
        self.assertEqual(self._get_movements(card), [*before, ('redeemed', again.move_id.date)])
        uses = card.event_ids.filtered(lambda event: event.movement == 'redeemed')
        self.assertEqual(uses.sorted('id').mapped('payment_id.id'), again.ids)

    def test_a_movement_tells_on_which_terms_the_card_was(self):
        consigned, given, sold, _nobodys = cards = self._generate(4).card_ids
        consigned._consign(self.buyer)
        given._give_away("Opening")
        self._sell_cards(sold, self.buyer)
        for card in cards:
            self._redeem(card)
            self._undo(card)
        for card, terms in zip(cards, ('consigned', 'given', 'sold', False), strict=True):
            movements = card.event_ids.filtered(
                lambda event: event.movement in ('redeemed', 'given_back')
            )
            self.assertEqual(movements.mapped('terms'), [terms] * 2)

    def test_activation_sells_and_takes_the_sale_back(self):
        self.env['refill.card.agreement'].create(
            {'partner_id': self.buyer.id, 'kind': 'discount', 'settled_by': 'activation'}
        )
        card = self._generate_card(activation_required=True)
        card._consign(self.buyer)
        self._change(card, 'activate')
        self.assertEqual(self._get_movements(card), [('sold', self.today)])
        self._change(card, 'deactivate')
        self.assertEqual(self._get_movements(card)[1:], [('returned', self.today)])

    def test_sold_cards_that_move_to_another_series_are_owed_there(self):
        series = self._generate(4)
        sold, redeemed, other, stays = series.card_ids
        self._sell_cards(sold + redeemed + stays, self.buyer)
        self._redeem(redeemed)
        self._change(sold + other, 'companies', company_ids=self.company.ids)
        self.assertNotEqual(sold.series_id, series)
        events = sold.event_ids.sorted('id').filtered('movement')
        self.assertEqual(
            [(event.movement, event.series_id) for event in events],
            [('sold', series), ('moved_out', series), ('moved_in', sold.series_id)],
        )
        self.assertFalse(self._get_movements(other))

    def test_an_update_finds_the_movements_of_before(self):
        cards = self._generate(6).card_ids
        undone, reset, given, sold, used, consigned = cards
        given._give_away("Opening")
        consigned._consign(self.buyer)
        self._sell_cards(sold + used, self.buyer)
        for card in (undone, reset, given, used, consigned):
            self._redeem(card)
        self._undo(undone)
        expected = {
            card: sorted(
                (e.movement, e.accounting_date, e.terms) for e in card.event_ids if e.movement
            )
            for card in cards
        }
        self.env.flush_all()
        self.cr.execute(
            """
            UPDATE refill_card_event SET movement = NULL, accounting_date = NULL, terms = NULL
             WHERE card_id = ANY(%s)
            """,
            [cards.ids],
        )
        self._migrate('19.0.1.4.0', 'post-movements')
        for card in cards:
            found = sorted(
                # On these terms, too, a redemption debits the liability.
                (event.movement, event.accounting_date, event.terms)
                for event in card.event_ids
                if event.movement
            )
            if card == used:  # it is not told whether a card was sold before it was used
                expected[card] = [(m, day, False) for m, day, _terms in expected[card]]
            self.assertEqual(found, expected[card])
