from freezegun import freeze_time
from odoo.exceptions import UserError
from odoo.fields import Date
from odoo.tests import tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestActivation(RefillCardCommon):
    """Resellers who settle by activation: their cards are sold as they are activated."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.reseller = cls.env['res.partner'].create({'name': "Kiosk", 'is_company': True})
        cls.manager = cls._new_user('manager', 'refill_cards.group_refill_card_manager')

    def _generate_consigned(self, quantity=3, **values):
        """Return a series whose cards the reseller has, as a manager who keeps no books sees it."""
        series = self._generate(quantity, **{'activation_required': True, **values})
        series.card_ids.sudo()._consign(self.reseller)
        return series.with_user(self.manager)

    def test_a_card_that_cannot_be_activated_is_not_sold(self):
        series = self._generate_consigned(3, valid_till=Date.today())
        late, disabled, active = series.card_ids
        late.sudo()._operating().valid_till = '2026-01-31'
        self._change(disabled, 'disable', reason='lost')
        self._change(active, 'activate')
        self._change(active, 'disable', reason='lost')
        with self.assertRaisesRegex(UserError, "none of these cards can be changed"):
            self._change(series, 'activate')
        self.assertEqual(series.card_ids.mapped('terms'), ['consigned', 'consigned', 'sold'])

    def test_activation_sells_a_resellers_cards_through_every_door(self):
        series = self._generate_consigned(6)
        with freeze_time('2027-05-01'):
            names = series.card_ids.mapped('name')
            self._change(series.card_ids[0], 'activate')
            self._range(names[1], names[2], operation='activate').action_confirm()
            series.card_ids[3]._activate()
            self._change(series, 'activate')
            self.assertRecordValues(
                series.card_ids,
                [
                    {
                        'state': 'active',
                        'terms': 'sold',
                        'holder_id': self.reseller.id,
                        'handed_out_on': Date.to_date('2027-05-01'),
                    }
                ]
                * 6,
            )
        self.assertFalse(series.card_ids.sudo().invoice_line_id)
        self.assertFalse(self.env['account.move'].search([('partner_id', '=', self.reseller.id)]))
        event = series.card_ids[5].event_ids[:1]
        self.assertRecordValues(event, [{'old_state': 'inactive', 'new_state': 'active'}])
        self.assertIn("Sold by activation", event.summary)
        self.assertEqual(event.partner_id, self.reseller)

    def test_activation_sells_nothing_that_no_reseller_has(self):
        series = self._generate(3, activation_required=True)
        free, given, consigned = series.card_ids
        given.sudo()._give_away("Fair", self.reseller)
        consigned.sudo()._consign(self.reseller)
        self._change(series, 'activate')
        self.assertEqual(series.card_ids.mapped('terms'), [False, 'given', 'sold'])
        self.assertEqual(free.event_ids[:1].summary, "Activated")
        self.assertFalse(free.handed_out_on or free.event_ids[:1].partner_id)

    def test_the_agreement_decides_whether_activation_sells(self):
        agreements = self.env['refill.card.agreement'].with_user(self.accountant)
        agreement = agreements.create({'partner_id': self.reseller.id})
        for settled_by, is_needed, terms in (
            ('series', True, 'sold'),
            ('series', False, 'consigned'),
            ('use', True, 'consigned'),
            ('activation', False, 'sold'),
        ):
            with self.subTest(settled_by=settled_by, is_needed=is_needed):
                agreement.settled_by = settled_by
                card = self._generate_consigned(1, activation_required=is_needed).card_ids
                if not is_needed:
                    self._change(card, 'deactivate')
                    self.assertEqual(card.terms, 'consigned')
                self._change(card, 'activate')
                self.assertEqual((card.state, card.terms), ('active', terms))

    def test_an_agreement_with_another_company_or_reseller_decides_nothing(self):
        agreements = self.env['refill.card.agreement']
        for values in (
            {'partner_id': self.customer.id, 'company_id': self.company.id},
            {'partner_id': self.reseller.id, 'company_id': self.other_company.id},
        ):
            agreements.create({**values, 'settled_by': 'use'})
        card = self._generate_consigned(1).card_ids
        self._change(card, 'activate')
        self.assertEqual(card.terms, 'sold')

    def test_what_is_active_already_stays_on_consignment(self):
        card = self._generate_consigned(1, activation_required=False).card_ids
        self._redeem(card)
        self._undo(card)
        self._change(card, 'disable', reason='lost')
        self._change(card, 'enable')
        self.assertEqual((card.state, card.terms), ('active', 'consigned'))

    def test_a_card_whose_activation_is_taken_back_is_on_consignment_again(self):
        series = self._generate_consigned()
        kept, used, card = series.card_ids
        self._change(series, 'activate')
        self._redeem(used)
        self._change(used + card, 'deactivate')
        self.assertEqual(series.card_ids.mapped('state'), ['active', 'used', 'inactive'])
        self.assertEqual(series.card_ids.mapped('terms'), ['sold', 'sold', 'consigned'])
        self.assertEqual(card.holder_id, self.reseller)
        event = card.event_ids[:1]
        self.assertEqual(event.summary, "Deactivated: On consignment again")
        self.assertEqual(event.partner_id, self.reseller)
        self._change(card, 'activate')
        self.assertEqual(card.terms, 'sold')
        self.assertEqual(kept.event_ids.mapped('new_state').count('active'), 1)

    def test_a_card_that_is_billed_stays_sold_when_it_is_deactivated(self):
        series = self._generate_consigned()
        billed, reserved, card = series.card_ids
        self._change(series, 'activate')
        line = self._invoice(50, partner=self.reseller).invoice_line_ids
        billed.sudo()._operating().invoice_line_id = line
        reserved.sudo()._operating().reserved_line_id = line
        self._change(series, 'deactivate')
        self.assertEqual(series.card_ids.mapped('state'), ['inactive'] * 3)
        self.assertEqual(series.card_ids.mapped('terms'), ['sold', 'sold', 'consigned'])
        self._change(series, 'activate')
        self.assertEqual(series.card_ids.mapped('terms'), ['sold'] * 3)

    def test_sold_cards_are_neither_consigned_nor_given_away_nor_taken_back(self):
        series = self._generate_consigned()
        self._change(series, 'activate')
        cards = series.card_ids.sudo()
        self.assertEqual(cards._consign(self.customer), 0)
        self.assertEqual(cards._give_away("Fair"), 0)
        self.assertEqual(cards._take_back(), 0)
        self.assertEqual(set(cards.mapped('terms')), {'sold'})

    def test_the_redemption_of_a_sold_card_debits_the_liability(self):
        card = self._generate_consigned(1).card_ids
        self._change(card, 'activate')
        payment = self._redeem(card)
        liability = self.company._get_refill_card_method_line().payment_account_id
        [debit] = payment.move_id.line_ids.filtered('debit')
        self.assertRecordValues(
            debit,
            [
                {
                    'account_id': liability.id,
                    'debit': 25,
                    'refill_card_series_id': card.series_id.id,
                    'refill_card_debtor_id': False,
                }
            ],
        )
        self._undo(card)
        self.assertEqual((card.state, card.terms), ('active', 'sold'))
