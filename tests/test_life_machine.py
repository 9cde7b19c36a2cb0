from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import ClassVar

from freezegun import freeze_time
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from odoo.exceptions import UserError
from odoo.fields import Command, Date
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger

from ..refill_cards.models.refill_card import DISABLE_REASONS
from ..refill_cards.models.refill_card_life import TRANSITIONS
from .common import RefillCardCommon

CARDS = st.integers(0, 4)
OPERATIONS = st.sampled_from(
    ['activate', 'deactivate', 'disable', 'enable', 'extend', 'companies', 'disable', 'activate']
)
ACTIONS = [
    *(['redeem'] * 5 + ['undo'] * 2 + ['change'] * 4 + ['books'] * 3 + ['bill'] * 3),
    *(['hand out'] * 2 + ['rare']),
]
# Mostly somebody who may.
WHO = st.sampled_from([0, 0, 0, 1, 2, 3])
MOSTLY = st.sampled_from([True, True, True, False])
IN_BOOKS = (
    *('cancel', 'draft', 'post', 'delete', 'reverse', 'reject', 'amount', 'draft reversal'),
    *('delete entry', 'force delete', 'payment state', 'entry state', 'duplicate', 'by hand'),
    *('another account', 'another customer', 'another receivable', 'split', 'swap'),
)
BILLS = ('confirm', 'confirm', 'reset', 'post', 'give', 'cancel', 'reverse')
SETTINGS = settings(
    max_examples=20,
    stateful_step_count=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class LifeOfCards(RuleBasedStateMachine):
    """Anybody does anything to five cards of two series, in two companies."""

    case: ClassVar[RefillCardCommon]
    successes: ClassVar[Counter]

    def __init__(self):
        super().__init__()
        case = self.case
        self.env = case.env
        self.savepoint = self.env.cr.savepoint()
        self.users = [case.accountant, case.clerk, case.daughter_clerk, case.daughter_manager]
        self.customers = [case.customer, case.stranger]
        both = [Command.set((case.company + case.other_company).ids)]
        one = case._generate(2, activation_required=True, company_ids=both)
        other = case._generate(3, price=40, valid_till=Date.today() + timedelta(days=5))
        self.cards = (one.card_ids + other.card_ids).with_user(case.env.user)
        self.values = {card.id: card.price for card in self.cards}
        self.born = dict(zip(self.cards.ids, self.cards.mapped('state'), strict=True))
        self.payments = self.env['account.payment']
        self.invoices = self.env['account.move']
        self.used_before = {}

    def teardown(self):
        self.env.invalidate_all()
        self.savepoint.close(rollback=True)
        self.env.invalidate_all()

    def _try(self, action, function):
        """Do something as a request does: all of it, or nothing."""
        with suppress(UserError), mute_logger('odoo.sql_db'), self.env.cr.savepoint():
            function()
            self.env.flush_all()
            self.successes[action] += 1
        self.env.invalidate_all()

    def _card(self, index, *states):
        """Return a card, rather one in these states."""
        cards = self.cards.exists()
        cards = cards.filtered(lambda card: card.state in states) or cards
        return cards[index % len(cards)] if cards else cards

    # -------------------------------------------------------------------------
    # WHAT PEOPLE DO
    # -------------------------------------------------------------------------

    # A single rule, as hypothesis leaves some rules out of each example.
    @rule(
        action=st.sampled_from(ACTIONS),
        index=CARDS,
        who=WHO,
        likely=MOSTLY,
        customer=st.integers(0, 1),
        operation=OPERATIONS,
        reason=st.sampled_from([key for key, _label in DISABLE_REASONS]),
        days=st.integers(0, 3),
        steps=st.lists(st.sampled_from(IN_BOOKS), min_size=1, max_size=3),
        what=st.sampled_from(['look', 'delete', 'expire', 'lock', 'open', 'open']),
        bills=st.lists(st.sampled_from(BILLS), min_size=1, max_size=3),
    )
    def act(
        self, action, index, who, likely, customer, operation, reason, days, steps, what, bills
    ):
        match action:
            case 'redeem':
                self.redeem(index, who, customer, likely)
            case 'change':
                self.change(index, who, operation, reason, days)
            case 'hand out' if days == 3:
                self.replace(index, who)
            case 'hand out':
                self.hand_out(index, who, days)
            case 'undo':
                self.undo(index, who, likely)
            case 'books':
                self.change_the_books(index, steps)
            case 'bill':
                self.bill(index, who, customer, bills)
            case 'rare':
                self.do_what_is_rare(index, who, what)

    def redeem(self, index, who, customer, live):
        if card := self._card(index, *['active'] * live):
            self._try(
                'redeem', lambda: self._redeem(card, self.customers[customer], self.users[who])
            )

    def _redeem(self, card, customer, user):
        self.payments += self.case._redeem(card, customer, user)

    def change(self, index, who, operation, reason, days):
        states = self.case.env['refill.card']._get_operation_states()[operation]
        cards = self._card(index, *states) + self._card(index + who, 'used')
        values = {'reason': reason, 'reason_text': "x", 'company_ids': self.case.company.ids}
        values['valid_till'] = Date.today() + timedelta(days=days)
        if cards:
            cards = cards.with_user(self.users[who])
            self._try(operation, lambda: self.case._change(cards, operation, **values))

    def hand_out(self, index, who, way):
        """Consign a card, give it away, or take it back."""
        card = self._card(index, 'inactive', 'active').with_user(self.users[who])
        reseller = self.case.partner_a
        ways = [
            lambda: card._consign(reseller),
            lambda: card._give_away("Fair"),
            lambda: card._take_back(),
        ]
        if card:
            self._try('hand out', ways[way])

    def replace(self, index, who):
        """Replace a card; the new one is one of ours from then on."""
        if not (card := self._card(index, 'inactive', 'active', 'disabled')):
            return
        self._try('replace', lambda: self._replace(card, self.users[who]))
        for new in card.exists().replaced_by_id - self.cards:
            self.cards += new
            self.born[new.id] = 'inactive' if new.series_id.activation_required else 'active'
            self.values[new.id] = self.values[card.id]

    def _replace(self, card, user):
        windows = self.env['refill.card.replace'].with_user(user)
        windows.create({'card_ids': card.ids, 'reason': 'damaged', 'then': 'show'}).action_confirm()

    def undo(self, index, who, used):
        if card := self._card(index, *['used'] * used):
            self._try('undo', lambda: self.case._undo(card, user=self.users[who]))

    def bill(self, index, who, customer, steps):
        """Confirm an invoice in head office, its branch or another company, or change one."""
        case = self.case
        company = (case.company, case.branch, case.other_company, case.company)[who]
        for step in steps:
            self.invoices = self.invoices.exists()
            invoice = self.invoices[index % len(self.invoices or [0]) :][:1]
            if step == 'confirm':
                amount, payer = 10 + 7 * index, self.customers[customer]
                self._try(step, lambda a=amount, p=payer: self._confirm(a, p, company))
            elif invoice:
                self._try(f'bill {step}', lambda i=invoice, s=step: self._change_bill(i, s))

    def _confirm(self, amount, customer, company):
        line = Command.create({'name': "Month", 'price_unit': amount, 'tax_ids': False})
        values = {'move_type': 'out_invoice', 'partner_id': customer.id, 'invoice_line_ids': [line]}
        invoice = self.env['account.move'].with_company(company).create(values)
        invoice.action_post()
        self.invoices += invoice

    def _change_bill(self, invoice, what):
        [other] = [customer for customer in self.customers if customer != invoice.partner_id]
        {
            'reset': invoice.button_draft,
            'post': invoice.action_post,
            'give': lambda: invoice.write({'partner_id': other.id}),
            'cancel': invoice.button_cancel,
            'reverse': lambda: invoice._reverse_moves(cancel=True),
        }[what]()

    def do_what_is_rare(self, index, who, what):
        card, company = self._card(index).with_user(self.users[who]), self.case.company
        if card or what in ('expire', 'lock', 'open'):
            self._try(
                what,
                {
                    'look': card.action_show_code,
                    'delete': card.unlink,
                    'expire': self._expire,
                    'lock': lambda: company.write({'fiscalyear_lock_date': Date.today()}),
                    'open': lambda: company.write({'fiscalyear_lock_date': False}),
                }[what],
            )

    def _expire(self):
        with freeze_time(Date.today() + timedelta(days=7)):
            self.env.ref('refill_cards.ir_cron_expire').method_direct_trigger()

    def change_the_books(self, number, steps):
        self.payments = self.payments.exists()
        if not self.payments:
            return
        payment = self.payments[number % len(self.payments)].with_user(self.case.accountant)
        for step in steps:
            if payment.exists():
                self._try('books', lambda what=step: self._change_books(payment, what))

    def _change_books(self, payment, what):
        move, case = payment.move_id, self.case
        credit, debit = move.line_ids.sorted('balance')[:1], move.line_ids.sorted('balance')[1:]
        expense = case.company_data['default_account_expense']
        {
            'cancel': payment.action_cancel,
            'draft': payment.action_draft,
            'post': payment.action_post,
            'delete': payment.unlink,
            'reverse': lambda: move._reverse_moves(cancel=True),
            'reject': payment.action_reject,
            'amount': lambda: payment.write({'amount': 999}),
            'draft reversal': move.reversal_move_ids.button_draft,
            'delete entry': move.unlink,
            'force delete': move.with_context(force_delete=True).unlink,
            'payment state': lambda: payment.write({'state': 'canceled'}),
            'entry state': lambda: move.write({'state': 'draft'}),
            'duplicate': lambda: move.copy().action_post(),
            'by hand': lambda: self._book_by_hand(move),
            'another account': lambda: debit.write({'account_id': expense.id}),
            'another customer': lambda: credit.write({'partner_id': case.partner_a.id}),
            'another receivable': lambda: credit.write({'account_id': case.receivable.id}),
            'split': lambda: self._split(move, debit, expense),
            'swap': lambda: self._swap(payment),
        }[what]()

    def _book_by_hand(self, move):
        lines = [
            Command.create(
                {
                    'account_id': line.account_id.id,
                    'partner_id': line.partner_id.id,
                    'balance': line.balance,
                }
            )
            for line in move.line_ids
        ]
        values = {'journal_id': move.journal_id.id, 'line_ids': lines}
        move.create(values).action_post()

    def _split(self, move, debit, account):
        move.line_ids = [
            Command.update(debit.id, {'balance': 1, 'amount_currency': 1}),
            Command.create({'account_id': account.id, 'balance': debit.balance - 1}),
        ]

    def _swap(self, payment):
        case = self.case
        bank = payment.create(
            {
                'amount': payment.amount,
                'partner_id': case.partner_a.id,
                'journal_id': case.company_data['default_journal_bank'].id,
            }
        )
        bank.action_post()
        line = payment.payment_method_line_id
        bank.write({'journal_id': payment.journal_id.id, 'payment_method_line_id': line.id})

    # -------------------------------------------------------------------------
    # WHAT STAYS TRUE
    # -------------------------------------------------------------------------

    @invariant()
    def the_tally_is_what_a_recount_finds(self):
        self.case._assert_tally_is_right()

    @invariant()
    def payments_are_the_used_cards(self):
        cards = self.cards.exists()
        used = cards.filtered(lambda card: card.state == 'used')
        assert len(used.payment_id) == len(used)
        assert not (cards - used).payment_id
        for card in used:
            assert card.payment_id.amount == self.values[card.id] == card.price
            assert card.payment_id.state in ('paid', 'draft')
            assert card.payment_id.partner_id == card.partner_id

    @invariant()
    def balances_are_what_was_posted(self):
        case = self.case
        used = self.cards.exists().filtered(lambda card: card.payment_id.move_id.state == 'posted')
        for company in case.company + case.other_company:
            for customer in self.customers:
                theirs = used.filtered(
                    lambda card, c=customer, b=company: (
                        card.partner_id == c and card.used_company_id == b
                    )
                )
                billed = self._get_billed(customer, company)
                assert case._balance(customer, company) == sum(theirs.mapped('price')) - billed
            here = used.filtered(lambda card, b=company: card.used_company_id == b)
            owed = here.filtered(
                lambda card, b=company: card.series_id.company_id != b or card.terms == 'consigned'
            )
            given = (here - owed).filtered(lambda card: card.terms == 'given')
            for account, cards in (
                (company._get_refill_card_method_line().payment_account_id, here - owed - given),
                (company.refill_card_settlement_account_id, owed),
                (company.refill_card_gift_account_id, given),
            ):
                assert self._get_debited(account) == {
                    customer: sum(theirs.mapped('price'))
                    for customer, theirs in cards.grouped('partner_id').items()
                }

    def _get_debited(self, account):
        """Return what is posted on an account, by customer."""
        domain = [('account_id', '=', account.id), ('parent_state', '=', 'posted')]
        groups = self.env['account.move.line']._read_group(domain, ['partner_id'], ['balance:sum'])
        return {customer: value for customer, value in groups if value}

    def _get_billed(self, customer, company):
        domain = [
            ('partner_id', '=', customer.id),
            ('company_id', 'child_of', company.id),
            ('move_type', 'in', ['out_invoice', 'out_refund']),
            ('state', '=', 'posted'),
        ]
        return sum(self.env['account.move'].search(domain).mapped('amount_total_signed'))

    @invariant()
    def credit_pays_its_own_customer(self):
        posted = self.invoices.exists().filtered(lambda invoice: invoice.state == 'posted')
        for invoice in posted:
            payers = invoice.line_ids.matched_credit_ids.credit_move_id.partner_id
            assert payers <= invoice.partner_id

    @invariant()
    def every_state_is_told_by_the_history(self):
        self.env.flush_all()
        for card in self.cards.exists():
            state = self.born[card.id]
            for old, new in self.env.execute_query(
                SQL(
                    "SELECT old_state, new_state FROM refill_card_event WHERE card_id = %s"
                    " ORDER BY id",
                    card.id,
                )
            ):
                assert old == state
                assert old == new or (old, new) in TRANSITIONS
                state = new
            assert state == card.state

    @invariant()
    def replaced_cards_are_dead_and_the_new_ones_are_worth_as_much(self):
        for card in self.cards.exists().filtered(lambda card: card.disable_reason == 'replaced'):
            assert (card.state, card.terms, card.used_on) == ('disabled', False, False)
            if new := card.replaced_by_id:
                assert (new.replaces_id, new.price) == (card, card.price)

    @invariant()
    def what_was_replaced_is_counted_nowhere_else(self):
        series_sudo = self.cards.exists().series_id.sudo()
        which = [('series_id', 'in', series_sudo.ids)]
        every = self.env['refill.card'].sudo().search(which)
        alive = every.filtered(lambda card: card.disable_reason != 'replaced')
        measures = ['card_count:sum', 'amount:sum', 'replaced_count:sum']
        [told] = self.env['refill.card.report'].sudo()._read_group(which, [], measures)
        counted = (len(alive), sum(alive.mapped('price')), len(every - alive))
        assert tuple(each or 0 for each in told) == counted
        counts = [sum(series_sudo.mapped(name)) for name in ('card_count', 'replaced_count')]
        assert counts == [len(alive), len(every - alive)]

    @invariant()
    def nothing_used_was_changed(self):
        now = {
            card: (card.valid_till, card.series_id, card.partner_id, card.used_on, card.payment_id)
            for card in self.cards.exists()
            if card.state == 'used'
        }
        gone = self.used_before.keys() - set(self.cards.exists())
        assert not gone, "a used card was deleted"
        for card in now.keys() & self.used_before.keys():
            assert now[card] == self.used_before[card]
        self.used_before = now


@tagged('post_install', '-at_install')
class TestLifeMachine(RefillCardCommon):
    def test_whatever_anybody_does_the_books_are_the_used_cards(self):
        company = {'company_id': self.other_company.id}
        group = 'refill_cards.group_refill_card_user'
        self.daughter_clerk = self._new_user('daughter_clerk', group, **company)
        group = 'account.group_account_manager'
        self.daughter_manager = self._new_user('daughter_manager', group, **company)

        self.receivable = self.company_data['default_account_receivable'].copy()
        self.branch = self._create_company(name="Branch", parent_id=self.company.id)
        self.cr.precommit.run()  # loads the root company's chart of accounts

        class Machine(LifeOfCards):
            case = self
            successes = Counter()

        run_state_machine_as_test(Machine, settings=SETTINGS)
        expected = {'redeem', 'undo', 'disable', 'enable', 'extend', 'books', 'confirm', 'hand out'}
        expected |= {'replace'}
        expected |= {f'bill {step}' for step in set(BILLS) - {'confirm'}}
        self.assertFalse(expected - Machine.successes.keys(), "never succeeded")
