from collections import Counter
from contextlib import suppress
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from odoo.exceptions import UserError
from odoo.fields import Command, Date
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..refill_cards.models.refill_card_replacement import HANDED_OVER
from .test_life_machine import SETTINGS as LIFE
from .test_sale import SaleCommon

ACTIONS = [
    *(['sell'] * 3 + ['redeem'] * 4 + ['undo'] * 2 + ['consign'] * 3 + ['give away', 'take back']),
    *(['activate'] * 2 + ['deactivate', 'disable', 'enable', 'replace'] + ['settle'] * 5),
    *(['invoice'] * 6),
]
IN_INVOICES = (
    *('post', 'reset', 'cancel', 'reverse', 'credit one', 'delete', 'pay', 'unpay', 'quantity'),
    *('post', 'post', 'pay'),
)
SETTINGS = settings(LIFE, stateful_step_count=35)
# Mostly somebody who may.
MOSTLY = st.sampled_from([True, True, True, True, False])


class MoneyOfCards(RuleBasedStateMachine):
    """Seven cards are sold, handed out, redeemed in two companies, billed and taken back.

    Some are in another currency, whose rate changes with each step.
    """

    case: ClassVar[SaleCommon]
    successes: ClassVar[Counter]

    def __init__(self):
        super().__init__()
        case = self.case
        self.env = case.env
        self.savepoint = self.env.cr.savepoint()
        both = [Command.set((case.company + case.other_company).ids)]
        values = {'user': case.accountant, 'company_ids': both}
        euro = {'currency_id': case.other_currency.id}
        series = case._stock(2, **values) | case._stock(1, activation_required=True, **values)
        series |= case._stock(2, **values, **euro)
        series |= case._stock(2, activation_required=True, **values, **euro)
        self.cards = series.card_ids.with_user(case.env.user)
        self.invoices = self.env['account.move']
        self.companies = case.company + case.other_company
        # Of each used card, where it was redeemed and what that debits, by its terms then.
        self.debits = {}
        # Of each payment that is the issuer's liability, what its card was worth.
        self.values = {}
        self.steps = 0
        self.rates = self.env['res.currency.rate'].create(
            [
                {**rate, 'name': Date.today(), 'company_id': company.id, 'rate': 2}
                for company in self.companies
                for rate in [{'currency_id': case.other_currency.id}]
            ]
        )

    def teardown(self):
        self._roll_back()

    def _roll_back(self):
        self.env.invalidate_all()
        self.savepoint.close(rollback=True)
        self.env.invalidate_all()

    def _try(self, action, function):
        """Do something as a request does: all of it, or nothing."""
        self.steps += 1
        self.rates.rate = (2, 3, 1.7, 7)[self.steps % 4]
        with suppress(UserError), mute_logger('odoo.sql_db'), self.env.cr.savepoint():
            function()
            self.env.flush_all()
            self.successes[action] += 1
            posted = self._get_bills().filtered(lambda move: move.state == 'posted')
            self.successes['bill'] += bool(posted)
        self.env.invalidate_all()

    # -------------------------------------------------------------------------
    # WHAT PEOPLE DO
    # -------------------------------------------------------------------------

    # A single rule, as hypothesis leaves some rules out of each example.
    @rule(
        action=st.sampled_from(ACTIONS),
        index=st.integers(0, 6),
        second=st.integers(0, 2),
        abroad=st.booleans(),
        may=MOSTLY,
        steps=st.lists(st.sampled_from(IN_INVOICES), min_size=1, max_size=3),
    )
    def act(self, action, index, second, abroad, may, steps):
        case = self.case
        user = case.accountant if may else case.clerk
        cards = (self.cards[index] | self.cards[(index + second) % 7]).with_user(user)
        company = case.other_company if abroad else case.company
        reseller = (case.by_use, case.by_activation, case.buyer)[second]
        if action == 'invoice':
            for step in steps:
                if self.invoices.exists():
                    self._try(step, lambda s=step: self._change_invoice(index, s))
            return
        active = self.cards.filtered(lambda card: card.state == 'active') or self.cards
        function = {
            'sell': lambda: self._sell(second + 1, reseller, user, index, automatic=abroad),
            'redeem': lambda: self._redeem(active[index % len(active)], company),
            'undo': lambda: case._undo(cards[0]),
            'consign': lambda: cards._consign(reseller),
            'give away': lambda: cards._give_away("Fair"),
            'take back': cards._take_back,
            'activate': cards._activate,
            'deactivate': cards._deactivate,
            'disable': lambda: cards._disable('lost'),
            'enable': cards._enable,
            'replace': lambda: cards._replace('damaged'),
            'settle': lambda: self._settle(company, second),
        }[action]
        self._try(action, function)
        self.cards = self.cards.union(*(card.replaced_by_id or card for card in self.cards))

    def _sell(self, quantity, customer, user, index, *, automatic):
        case = self.case
        product = (case.product, case.euro_product)[index % 2]
        currency = (case.company.currency_id, case.other_currency)[index % 3 // 2]
        values = {'partner_id': customer.id, 'currency_id': currency.id}
        invoice = case._draft(quantity, price=20, product=product, user=user, **values)
        if automatic:
            invoice.sudo().action_post()
        else:
            invoice.action_post()
        self.invoices += invoice

    def _redeem(self, card, company):
        case = self.case
        issued_here = card.series_id.company_id == company
        by_terms = {'consigned': 'S', 'given': 'G'}.get(card.terms, 'L')
        accountant = self.env['refill.card'].with_user(case.accountant)
        accountant.redeem_code(card.sudo().code, case.customer.id, company.id)
        self.debits[card.id] = (company, by_terms if issued_here else 'S')
        if by_terms == 'L':
            self.values[card.sudo().payment_id.id] = self._get_value(card)

    def _settle(self, company, further):
        """Settle; confirm the invoices, and the bills of the other company, too."""
        window = self.env['refill.card.settle'].with_user(self.case.accountant)
        window = window.with_company(company)
        window = window.create({'company_id': company.id, 'day': Date.today()})
        action = window.action_settle()
        domain = action.get('domain') or [('id', '=', action['res_id'])]
        settled = self.env['account.move'].search(domain)
        self.invoices += settled
        if further:
            settled.action_post()
        if further == 2:
            bills = self._get_bills()
            bills.invoice_date = Date.today()
            bills.filtered(lambda move: move.state == 'draft').action_post()

    def _get_bills(self):
        bills = [('move_type', '=', 'in_invoice'), ('company_id', 'in', self.companies.ids)]
        return self.env['account.move'].search(bills)

    def _change_invoice(self, index, what):
        self.invoices = self.invoices.exists()
        move = self.invoices[index % len(self.invoices)].with_user(self.case.accountant)
        move = move.with_company(move.company_id)
        {
            'post': move.action_post,
            'reset': move.button_draft,
            'cancel': move.button_cancel,
            'reverse': lambda: self._reverse(move),
            'credit one': lambda: self._reverse(move, quantity=1),
            'delete': move.unlink,
            'pay': lambda: self._pay(move),
            'unpay': lambda: move.line_ids.remove_move_reconcile(),
            'quantity': lambda: move.invoice_line_ids[:1].write({'quantity': 1 + index % 3}),
        }[what]()
        self.invoices |= self._get_bills()

    def _reverse(self, move, quantity=None):
        note = move._reverse_moves(cancel=not quantity)
        if quantity:
            note.invoice_line_ids.quantity = quantity
            note.action_post()
        self.invoices += note.with_user(self.env.user)

    def _pay(self, move):
        payments = self.env['account.payment.register'].with_company(move.company_id)
        payments = payments.with_context(active_model='account.move', active_ids=move.ids)
        payments.create({}).action_create_payments()

    # -------------------------------------------------------------------------
    # WHAT STAYS TRUE
    # -------------------------------------------------------------------------

    def _get_value(self, card):
        """Return what a card that was sold or used is worth in the books."""
        return card.sudo().historical_value or card.price

    def _get_used(self, company, account):
        """Return what was booked for used cards that debit an account, by their terms."""
        used = self.cards.filtered(lambda card: card.state == 'used').sudo()
        used = used.filtered(lambda card: self.debits[card.id] == (company, account))
        debits = used.payment_id.move_id.line_ids.filtered(lambda line: line.amount_currency > 0)
        return self._total(debits)

    def _total(self, lines):
        return round(sum(lines.mapped('balance')), 2)

    def _get_lines(self, account):
        domain = [('account_id', '=', account.id), ('parent_state', '=', 'posted')]
        return self.env['account.move.line'].search(domain)

    @invariant()
    def the_tally_is_what_a_recount_finds(self):
        self.case._assert_tally_is_right()

    @invariant()
    def liability_is_what_was_sold_and_not_used(self):
        for company in self.companies:
            liability = company._get_refill_card_method_line().payment_account_id
            lines = self._get_lines(liability)
            sold = self.cards.filtered(
                lambda card, c=company: card.sudo().invoice_line_id.company_id == c
            )
            owed = sum(
                line.refill_cards_owed * (line._get_refill_card_unit_value() or 25)
                for line in lines.filtered('refill_cards_owed')
            )
            used = self.cards.filtered(
                lambda card, c=company: card.state == 'used' and self.debits[card.id] == (c, 'L')
            )
            bills = lines.filtered(lambda line: line.move_type in ('in_invoice', 'in_refund'))
            expected = sum(map(self._get_value, sold)) + owed - sum(map(self._get_value, used))
            assert -self._total(lines - bills) == round(expected, 2)

    @invariant()
    def bills_release_what_the_cards_redeemed_elsewhere_were_worth(self):
        for bill in self._get_bills().sudo().filtered(lambda move: move.state == 'posted'):
            invoice = bill.refill_card_origin_id
            if invoice.reversed_entry_id or invoice._get_reversals_of_settlement():
                continue
            claimed = self.env['account.move.line'].search(
                [('refill_card_bill_line_id', 'in', invoice.line_ids.ids)]
            )
            value = 0
            for line in claimed:
                entry = line.move_id.reversed_entry_id or line.move_id
                sign = 1 if entry == line.move_id else -1
                value += sign * self.values.get(entry.origin_payment_id.id, 0)
            liability = bill.company_id._get_refill_card_method_line().payment_account_id
            lines = bill.line_ids.filtered(lambda line, a=liability: line.account_id == a)
            assert self._total(lines) == round(value, 2)

    @invariant()
    def what_is_to_be_settled_is_what_was_used_and_not_billed(self):
        for company in self.companies:
            lines = self._get_lines(company.refill_card_settlement_account_id)
            redeemed = lines.filtered('payment_id')
            taken_back = lines.filtered('move_id.reversed_entry_id.origin_payment_id')
            assert self._total(redeemed | taken_back) == self._get_used(company, 'S')
            unbilled = lines.filtered(
                lambda line: (
                    line.refill_card_debtor_id
                    and line.refill_card_bill_line_id.parent_state != 'posted'
                )
            )
            assert self._total(lines) == self._total(unbilled)

    @invariant()
    def gifts_are_the_given_cards_that_were_used(self):
        for company in self.companies:
            lines = self._get_lines(company.refill_card_gift_account_id)
            lines = lines.filtered(lambda line: line.move_type == 'entry')
            assert self._total(lines) == self._get_used(company, 'G')

    @invariant()
    def each_card_is_sold_by_one_line_that_counts_it(self):
        self.env.flush_all()
        for card in self.cards.sudo():
            line = card.invoice_line_id
            assert not line or (line.parent_state == 'posted' and card.terms == 'sold')
            assert bool(card.holder_id) or card.terms in (False, 'given')
            assert not card.reserved_line_id or card.reserved_line_id.parent_state == 'draft'
        posted = self.invoices.exists().filtered(lambda move: move.state == 'posted')
        lines = posted.sudo().line_ids.filtered(lambda line: line.refill_card_role == 'sale')
        sold = sum(-line.move_id.direction_sign * line.quantity for line in lines)
        held = self.cards.sudo().filtered(lambda card: card.invoice_line_id in lines)
        told = [(line.move_type, line.quantity, line.refill_cards_owed) for line in lines]
        assert sold == len(held) + sum(lines.mapped('refill_cards_owed')), told

    @invariant()
    def nobody_has_a_card_that_was_replaced(self):
        replaced = [('replaced_by_id', 'in', self.cards.ids)]
        for card in self.env['refill.card'].sudo().search(replaced):
            assert not any(card[fname] for fname in HANDED_OVER)

    @invariant()
    def entries_balance_and_prepaid_credit_pays_no_cards(self):
        for move in self.invoices.exists().sudo():
            assert not move.company_currency_id.round(sum(move.line_ids.mapped('balance')))
            assert not move._get_refill_card_partials()


class MoneyCommon(SaleCommon):
    """Resellers with whom something is agreed on."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.by_use, cls.by_activation = cls.env['res.partner'].create(
            [{'name': "By use", 'is_company': True}, {'name': "By activation", 'is_company': True}]
        )
        cls.euro_product = cls._make_product(refill_card_currency_id=cls.other_currency.id)
        agreement = {'company_id': cls.company.id, 'kind': 'discount', 'percent': 10}
        cls.env['refill.card.agreement'].create(
            [
                {**agreement, 'partner_id': cls.by_use.id, 'settled_by': 'use'},
                {**agreement, 'partner_id': cls.by_activation.id, 'settled_by': 'activation'},
            ]
        )


@tagged('post_install', '-at_install')
class TestMoneyMachine(MoneyCommon):
    def test_whatever_anybody_does_the_ledger_explains_each_cent(self):
        class Machine(MoneyOfCards):
            case = self
            successes = Counter()

        run_state_machine_as_test(Machine, settings=SETTINGS)
        self.assertTrue(Machine.successes['bill'], Machine.successes)
        expected = {*ACTIONS, *IN_INVOICES} - {'invoice'}
        self.assertFalse(expected - Machine.successes.keys(), "never succeeded")
