from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Date
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..refill_cards.refusals import RefillCardRefused
from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestRedeemCodes(RefillCardCommon):
    """Many cards are redeemed in one call, each one or not by itself."""

    def _redeem_codes(self, codes, user=None, **kwargs):
        cards = self.env['refill.card'].with_user(user or self.clerk)
        return cards.redeem_codes(codes, kwargs.pop('partner_id', self.customer.id), **kwargs)

    def _codes(self, quantity=3, **values):
        return self._generate(quantity, **values).card_ids.sudo().mapped('code')

    def _find(self, code):
        return self.env['refill.card'].sudo().search([('code', '=', code)])

    def _get_reasons(self, answers):
        return [answer.get('reason') for answer in answers]

    # -------------------------------------------------------------------------
    # WHO MAY, AND WHAT
    # -------------------------------------------------------------------------

    def test_whoever_may_not_redeem_redeems_none(self):
        codes = self._codes()
        for user in (self.employee, self.customer_user):
            with self.subTest(user.login), self.assertRaises(AccessError):
                self._redeem_codes(codes, user)
        with self.assertRaises(AccessError):
            self._redeem_codes(codes, company_id=self.other_company.id)

    def test_what_is_no_list_or_too_long_is_refused(self):
        for codes in ('ABCD', {'a': 'b'}, None, ['x'] * 1001):
            with self.subTest(type(codes).__name__), self.assertRaises(UserError):
                self._redeem_codes(codes)
        self.assertEqual(self._redeem_codes([]), [])

    # -------------------------------------------------------------------------
    # EACH BY ITSELF
    # -------------------------------------------------------------------------

    def test_every_refusal_is_told_where_it_belongs(self):
        used, disabled, good, other_good = self._codes(4)
        [inactive] = self._codes(1, activation_required=True)
        [elsewhere] = self._codes(1, company_ids=[Command.set(self.other_company.ids)])
        self._redeem_codes([used])
        self._change(self._find(disabled), 'disable', reason='lost')
        serial = self._find(good).name
        codes = [used, good, disabled, 'x', None, inactive, elsewhere, other_good, serial]
        answers = self._redeem_codes(codes)
        self.assertEqual(
            self._get_reasons(answers),
            ['used', None, 'disabled', 'typo', 'typo', 'inactive', 'company', None, 'typo'],
        )
        self.assertTrue(answers[0]['used_for_this_customer'])
        self.assertEqual(answers[0]['payment'], self._find(used).payment_id.name)
        for code, answer in zip(codes, answers, strict=True):
            self.assertNotIn(str(code), [*map(str, answer.values())])
            if 'reason' in answer:
                self.assertTrue(answer['message'].endswith('.'))
        attempts = self.env['refill.card.attempt'].search([('user_id', '=', self.clerk.id)])
        self.assertEqual(
            sorted(attempts.mapped('reason')),
            sorted(reason for reason in self._get_reasons(answers) if reason),
        )

    def test_answers_are_those_of_single_calls(self):
        code, other = self._codes(2)
        single = self.env['refill.card'].with_user(self.clerk).redeem_code(code, self.customer.id)
        [answer] = self._redeem_codes([other])
        self.assertEqual(answer.keys(), single.keys())
        self.assertEqual(answer['serial'], self._find(other).name)
        self.assertEqual((answer['amount'], answer['balance']), (25, 50))
        events = self._find(code).event_ids + self._find(other).event_ids
        ignored = ('id', 'card_id', 'serial', 'payment_id', 'display_name', 'summary', 'date')
        one, two = (
            {key: value for key, value in event.items() if key not in ignored}
            for event in events.read()
        )
        self.assertEqual(one, two)
        for each in (code, other):
            card = self._find(each)
            self.assertEqual(card.event_ids.payment_id, card.payment_id)
            self.assertEqual(card.payment_id.state, 'paid')
            self.assertEqual(card.used_by_id, self.clerk)

    def test_the_same_code_twice_is_used_the_second_time(self):
        code, other = self._codes(2)
        answers = self._redeem_codes([code, other, code.lower()])
        self.assertEqual(self._get_reasons(answers), [None, None, 'used'])
        self.assertTrue(answers[2]['used_for_this_customer'])
        self.assertEqual(answers[2]['payment'], answers[0]['payment'])
        self.assertEqual(self._balance(), 50)

    def test_cards_of_any_series_currency_and_terms_are_redeemed_together(self):
        codes = [
            *self._codes(2),
            *self._codes(2, price=40),
            *self._codes(2, currency_id=self.other_currency.id),
        ]
        self._find(codes[0])._give_away("Fair")
        self._find(codes[2])._consign(self.stranger)
        self._sell_cards(self._find(codes[1]), self.stranger)
        answers = self._redeem_codes([codes[index] for index in (4, 0, 2, 1, 5, 3)])
        self.assertEqual(self._get_reasons(answers), [None] * 6)
        self.assertEqual([answer['amount'] for answer in answers], [25, 25, 40, 25, 25, 40])
        for code in codes:
            card = self._find(code)
            debit = card.payment_id.move_id.line_ids.filtered(lambda line: line.amount_currency > 0)
            self.assertEqual(debit.refill_card_series_id, card.series_id)
            self.assertEqual(
                debit.refill_card_debtor_id.id, card.holder_id.id * (card.terms == 'consigned')
            )
        accounts = [self._find(code).payment_id.outstanding_account_id for code in codes[:3]]
        self.assertEqual(
            accounts,
            [
                self.company.refill_card_gift_account_id,
                self.company._get_refill_card_method_line().payment_account_id,
                self.company.refill_card_settlement_account_id,
            ],
        )

    def test_open_invoices_are_paid_oldest_due_first_and_once(self):
        later = self._invoice(30, '2026-02-01')
        first = self._invoice(30, '2026-01-01')
        answers = self._redeem_codes(self._codes(3))
        self.assertEqual((first.amount_residual, later.amount_residual), (0, 0))
        self.assertEqual(answers[-1]['balance'], 15)
        paid = [(each['name'], each['amount']) for answer in answers for each in answer['invoices']]
        self.assertEqual(
            paid, [(first.name, 25), (first.name, 5), (later.name, 20), (later.name, 10)]
        )

    # -------------------------------------------------------------------------
    # GUESSES
    # -------------------------------------------------------------------------

    def _unknown(self, quantity):
        codes = self._codes(quantity)
        cards = self.env['refill.card'].sudo()
        cards.union(*map(self._find, codes)).unlink()
        return codes

    def test_wrong_codes_count_and_a_lockout_in_the_middle_refuses_the_rest(self):
        unknown, good = self._unknown(5), self._codes(3)
        codes = [good[0], *unknown[:4], unknown[3], good[1], unknown[4], good[2], 'x', good[2]]
        answers = self._redeem_codes(codes)
        self.assertEqual(
            self._get_reasons(answers),
            [None, *['unknown'] * 5, None, 'unknown', *['locked_out'] * 3],
        )
        self.assertEqual(self._find(good[2]).state, 'active')
        lockout = self.env['refill.card.lockout'].search([('partner_id', '=', self.customer.id)])
        self.assertEqual((lockout.guesses, lockout.is_locked), (5, True))
        card = self.env['refill.card'].with_user(self.clerk)
        with self.assertRaises(RefillCardRefused):
            card.redeem_code(good[2], self.customer.id)
        attempts = self.env['refill.card.attempt'].search([('user_id', '=', self.clerk.id)])
        self.assertEqual(attempts.mapped('reason').count('locked_out'), 1, "once a lock")

    def test_refusals_are_written_down_in_one_go_before_anything_is_booked(self):
        good, other, used, disabled = self._codes(4)
        self._redeem_codes([used])
        self._change(self._find(disabled), 'disable', reason='lost')
        attempts, cards = self.registry['refill.card.attempt'], self.registry['refill.card']
        create, turn = attempts.create, cards._turn_into_payments
        written = []

        def count_written(records, values):
            written.append(len(values))
            return create(records, values)

        def book(records, *args, **kwargs):
            written.append('booked')
            return turn(records, *args, **kwargs)

        with (
            patch.object(attempts, 'create', count_written),
            patch.object(cards, '_turn_into_payments', book),
        ):
            self._redeem_codes([good, *self._unknown(2), 'x', used, disabled, good, other, other])
        self.assertEqual(written, [5, 'booked', 2])

    def test_typing_errors_count_too(self):
        answers = self._redeem_codes(['x'] * 60 + self._codes(1))
        self.assertEqual(self._get_reasons(answers), ['typo'] * 60 + ['locked_out'])

    # -------------------------------------------------------------------------
    # WHAT CANNOT BE BOOKED
    # -------------------------------------------------------------------------

    def _failing(self, *codes, error):
        """Let the entries of these cards fail once they were numbered."""
        names = [self._find(code).name for code in codes]
        moves = self.env.registry['account.move']
        post = moves._post

        def fail(moves, soft=True):
            posted = post(moves, soft)
            if set(moves.mapped('ref')) & set(names):
                raise error
            return posted

        return patch.object(moves, '_post', fail)

    def test_the_others_are_redeemed_where_some_cannot_be_booked(self):
        codes = self._codes(7)
        before = self._redeem(self._generate_card()).move_id.sequence_number
        for error, message in ((UserError("Not today."), "Not today."), (KeyError('x'), "log")):
            bad = codes[1], codes[-1]
            logger = 'odoo.addons.refill_cards.refill_cards.models.refill_card_redemption_bulk'
            with self._failing(*bad, error=error), mute_logger(logger):
                answers = self._redeem_codes(codes)
            for code, answer in zip(codes, answers, strict=True):
                if code in bad:
                    self.assertEqual(answer['reason'], 'error')
                    self.assertIn(message, answer['message'])
                    self.assertEqual(self._find(code).state, 'active')
                    self.assertFalse(self._find(code).event_ids)
            codes = [*bad, *self._codes(3)]
        payments = self.env['account.payment'].search(
            [('refill_card_ids.series_id', '!=', False), ('company_id', '=', self.company.id)]
        )
        numbers = sorted(payments.move_id.mapped('sequence_number'))
        self.assertEqual(numbers, list(range(before, before + len(numbers))), "no gap")

    def test_without_a_journal_the_error_says_what_to_configure(self):
        codes = self._codes()
        self.company._get_refill_card_method_line().journal_id.active = False
        with self.assertRaisesRegex(UserError, "has no journal for refill cards"):
            self._redeem_codes(codes)

    def test_a_card_that_has_no_account_is_told_and_the_others_are_redeemed(self):
        codes = self._codes(3)
        self._find(codes[1])._give_away("Fair")
        self.company.refill_card_gift_account_id = False
        answers = self._redeem_codes(codes)
        self.assertEqual(self._get_reasons(answers), [None, 'error', None])
        self.assertIn("no account", answers[1]['message'])

    # -------------------------------------------------------------------------
    # REFERENCES
    # -------------------------------------------------------------------------

    def test_a_call_that_is_repeated_gets_the_same_answers(self):
        codes = [*self._codes(2), 'x']
        first = self._redeem_codes(codes, reference='R1')
        self.assertEqual(self._redeem_codes(codes, reference='R1'), first)
        self.assertEqual(self._balance(), 50)
        with self.assertRaises(RefillCardRefused) as refused:
            self._redeem_codes(codes[:2], reference='R1')
        self.assertEqual(refused.exception.reason, 'reference')

    def test_a_thousand_codes_are_taken(self):
        codes = self._codes(2)
        answers = self._redeem_codes(codes * 500)
        self.assertEqual(self._get_reasons(answers), [None, None, *['used'] * 998])
        self.assertEqual(self._find(codes[0]).payment_id.date, Date.today())
