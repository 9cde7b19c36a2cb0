from datetime import datetime

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import tagged

from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestApiOperations(RefillCardCommon):
    """A program activates and disables cards by their serial numbers."""

    def setUp(self):
        super().setUp()
        self.cards = self.env['refill.card'].with_user(self.accountant)

    def _activate(self, cards, **values):
        return self.cards.activate(cards[0].name, cards[-1].name, **values)

    def _disable(self, cards, reason='lost', **values):
        return self.cards.disable(cards[0].name, cards[-1].name, reason, **values)

    def _generate_cards(self, quantity, **values):
        return self._generate(quantity, **{'activation_required': True, **values}).card_ids

    def _get_reasons(self, answers):
        return [answer['reason'] for answer in answers]

    def test_who_does_not_manage_cards_changes_none(self):
        card = self._generate_cards(1)
        for user in (self.clerk, self.employee, self.customer_user):
            cards = card.browse().with_user(user)
            with self.subTest(user=user.login):
                with self.assertRaises(AccessError):
                    cards.activate(card.name, card.name)
                with self.assertRaises(AccessError):
                    cards.disable(card.name, card.name, 'lost')
        self.assertEqual(card.state, 'inactive')

    def test_cards_that_there_are_not_are_refused(self):
        card = self._generate_cards(1)
        for first, last in (('x', card.name), (card.name, 'x'), ('', ''), (card.name, '')):
            with self.subTest(first=first, last=last), self.assertRaises(UserError):
                self.cards.activate(first, last)
        other = self._generate_cards(1)
        with self.assertRaisesRegex(UserError, "not of one series"):
            self.cards.activate(card.name, other.name)
        self.assertEqual((card + other).mapped('state'), ['inactive', 'inactive'])

    def test_what_is_no_text_or_no_reason_is_refused_by_a_sentence(self):
        card = self._generate_cards(1)
        for value in (5, ['x'], {'a': 1}, True, datetime.now()):
            with self.subTest(value=value):
                for args in ((value, card.name), (card.name, value)):
                    with self.assertRaisesRegex(UserError, "is given as text"):
                        self.cards.activate(*args)
                for values in ({'reason': value}, {'note': value}):
                    with self.assertRaisesRegex(UserError, "is given as text"):
                        self._disable(card, **values)
        with self.assertRaisesRegex(UserError, "is one of: lost, stolen"):
            self._disable(card, 'payment')
        for note in (None, ' '):
            with self.assertRaisesRegex(UserError, "Say in the details"):
                self._disable(card, 'other', note=note)
        self.assertEqual(card.state, 'inactive')

    def test_more_than_1000_cards_are_refused(self):
        cards = self._generate_cards(1001)
        with self.assertRaisesRegex(UserError, "up to 1,000 cards"):
            self._activate(cards)
        self.assertEqual(len(self._activate(cards[1:])), 1000)
        self.assertEqual(set(cards.mapped('state')), {'inactive', 'active'})

    def test_each_card_that_cannot_be_activated_says_why_and_keeps_no_other_back(self):
        cards = self._generate_cards(6)
        new, active, used, disabled, late, last = cards
        self._activate(active + used)
        self._redeem(used)
        self._disable(disabled)
        late.sudo()._operating().valid_till = '2026-01-31'
        answers = self._activate(cards)
        self.assertEqual([answer['serial'] for answer in answers], cards.mapped('name'))
        self.assertEqual(
            self._get_reasons(answers), [None, 'active', 'used', 'disabled', 'expired', None]
        )
        self.assertEqual(
            [answer['state'] for answer in answers],
            ['active', 'active', 'used', 'disabled', 'inactive', 'active'],
        )
        self.assertIn("01/31/2026", answers[4]['message'])
        self.assertIsNone(answers[0]['message'])
        self.assertEqual((new + last).mapped('state'), ['active', 'active'])
        self.assertEqual(new.event_ids.channel, 'api')

    def test_each_card_that_cannot_be_disabled_says_why(self):
        cards = self._generate_cards(4)
        self._activate(cards[:2])
        self._redeem(cards[0])
        self._disable(cards[3])
        answers = self._disable(cards, 'other', note=" Fell into the river ")
        self.assertEqual(self._get_reasons(answers), ['used', None, None, 'disabled'])
        self.assertEqual(cards[1:3].mapped('disable_reason'), ['other', 'other'])
        event = cards[1].event_ids[0]
        self.assertEqual((event.channel, event.note), ('api', "Other: Fell into the river"))
        self.assertEqual(cards[3].disable_reason, 'lost')

    def test_cards_of_another_issuer_are_left_alone(self):
        card = self._generate(
            1,
            user=self.env.user,
            activation_required=True,
            company_ids=[Command.set((self.company + self.other_company).ids)],
        ).card_ids
        self.assertEqual(card.series_id.company_id, self.company)
        manager = self._new_user(
            'their_manager',
            'account.group_account_manager',
            company_id=self.other_company.id,
        )
        cards = self.env['refill.card'].with_user(manager)
        if card.with_user(manager).has_access('read'):
            [answer] = cards.activate(card.name, card.name)
            self.assertEqual(answer['reason'], 'company')
        else:
            with self.assertRaises(UserError):
                cards.activate(card.name, card.name)
        self.assertEqual(card.state, 'inactive')

    def test_days_count_from_the_activation_on(self):
        cards = self._generate_cards(2, validity_days=30, valid_till=False)
        day = self.company._get_refill_card_day()
        for answer in self._activate(cards):
            self.assertEqual((datetime.fromisoformat(answer['valid_till']).date() - day).days, 30)

    def test_a_range_is_named_either_way_round_and_as_people_type(self):
        cards = self._generate_cards(3)
        answers = self.cards.activate(cards[2].name.replace('-', ' '), cards[0].name)
        self.assertEqual([answer['serial'] for answer in answers], cards.mapped('name'))

    def test_a_repeated_call_changes_nothing_more(self):
        cards = self._generate_cards(2)
        first = self._activate(cards, reference='a')
        self.cards._deactivate(domain=None)
        cards.with_user(self.accountant)._deactivate()
        self.assertEqual(self._activate(cards, reference='a'), first)
        self.assertEqual(cards.mapped('state'), ['inactive', 'inactive'])
        with self.assertRaisesRegex(UserError, "used for another call"):
            self._disable(cards, reference='a')
        disabled = self._disable(cards, reference='b')
        self.assertEqual(self._disable(cards, reference='b'), disabled)
        self.assertEqual(self._get_reasons(disabled), [None, None])

    def test_a_thousand_cards_take_as_many_queries_as_ten(self):
        counts = []
        for quantity in (10, 1000):
            cards = self._generate_cards(quantity)
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self._activate(cards)
            counts.append(self.env.cr.sql_log_count - before)
        self.assertLessEqual(counts[1], counts[0] + 3)
