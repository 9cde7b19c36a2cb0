"""Cards are generated, activated and given back once a second manager has approved it."""

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import tagged

from .test_approval import LIMIT, ApprovalCommon


@tagged('post_install', '-at_install')
class TestGeneration(ApprovalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._limit('generation')

    def test_no_door_generates_more_alone(self):
        count = self._count_series()
        cards = self.env['refill.card'].with_user(self.accountant)
        self._assert_waits(self._open_generate().action_generate(), 'generation', LIMIT)
        answer = cards.generate(41, 25)
        self.assertEqual((answer['state'], answer['series_id']), ('waiting', None))
        self.assertEqual(self.approvals.browse(answer['approval_id']).amount, 41 * 25)
        code = "env['refill.card.generate'].create({'quantity': 42, 'price': 25}).action_generate()"
        action = self.env['ir.actions.server'].create(
            {
                'name': "x",
                'model_id': self.env['ir.model']._get_id('refill.card'),
                'state': 'code',
                'code': code,
                'group_ids': [Command.link(self.env.ref('account.group_account_manager').id)],
            }
        )
        action.with_user(self.accountant).run()
        self.assertEqual(self._count_series(), count)
        self.assertEqual(len(self._get_waiting()), 3)

    def test_superuser_code_of_another_addon_asks_nobody(self):
        windows = self.env['refill.card.generate'].with_user(self.accountant).sudo()
        action = windows.create({'quantity': 100, 'price': 25}).action_generate()
        self.assertTrue(action['domain'])
        self.assertFalse(self._get_waiting())

    def test_what_cannot_be_generated_is_not_asked_for(self):
        for values in ({'quantity': 2_000_000}, {'price': -1}, {'code_length': 8}):
            with self.assertRaises(ValidationError):
                self._open_generate(**values).action_generate()
        self.assertFalse(self._get_waiting())

    def test_who_does_not_manage_cards_asks_for_nothing(self):
        with self.assertRaises(AccessError):
            self.env['refill.card'].with_user(self.clerk).generate(100, 25)

    def test_what_was_approved_is_what_is_generated(self):
        window = self._open_generate(prefix='FIRST', activation_required=True, validity_days=90)
        approval = self._assert_waits(window.action_generate(), 'generation', LIMIT)
        window.write({'quantity': 4000, 'prefix': 'OTHER'})
        self.assertIn('FIRST', approval.details)
        approval.action_approve()
        series = self.env['refill.card.series'].search([], limit=1)
        self.assertRecordValues(
            series,
            [{'quantity': 40, 'prefix': 'FIRST', 'validity_days': 90, 'valid_till': False}],
        )

    def test_a_higher_face_value_is_generated_value(self):
        series = self._generate(30)
        with self.assertRaisesRegex(UserError, "another manager has to approve"):
            series.price = 40
        series.price = 30
        self.assertEqual(series.price, 30)
        series.price = 20

    def test_a_series_within_the_limit_is_not_enlarged_afterwards(self):
        series = self._generate(30)
        for call in (
            lambda: series.write({'quantity': 50}),
            lambda: series.web_save({'quantity': 50}, {}),
            lambda: series.write({'generated': 10, 'state': 'generating'}),
            lambda: series.create({'quantity': 50, 'price': 25}),
            lambda: series.copy({'quantity': 50}),
        ):
            with self.assertRaises(UserError), self.env.cr.savepoint():
                call()
        self.assertEqual((series.quantity, len(series.card_ids)), (30, 30))

    def test_a_repeated_call_asks_once(self):
        cards = self.env['refill.card'].with_user(self.accountant)
        first = cards.generate(41, 25, reference='order 7')
        self.assertEqual(cards.generate(41, 25, reference='order 7'), first)
        self.assertEqual(len(self._get_waiting()), 1)

    def test_what_is_made_to_order_by_an_invoice_is_generated(self):
        product = self._make_product(refill_card_source='made')
        invoice = self._draft(40, product=product, refill_card_works='paid')
        action = invoice.action_post()
        approval = self._assert_waits(action, 'generation', LIMIT)
        self.assertEqual(invoice.state, 'draft')
        self.assertFalse(self._count_series())
        approval.action_approve()
        self.assertEqual((invoice.state, len(self._get_cards(invoice))), ('posted', 40))


@tagged('post_install', '-at_install')
class TestActivation(ApprovalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._limit('activation')
        cls.series = cls._generate(60, activation_required=True)

    def _ask(self, records=None):
        action = self._change(self.series if records is None else records, 'activate')
        return self._assert_waits(
            action, 'activation', 25 * len(self.series.card_ids if records is None else records)
        )

    def _count_active(self):
        return self.env['refill.card'].search_count(
            [('series_id', '=', self.series.id), ('state', '=', 'active')]
        )

    def test_no_door_activates_more_alone(self):
        cards = self.series.card_ids
        self._ask()
        self._ask(cards[:40])
        window = self._range(cards[0].name, cards[49].name, operation='activate')
        self._assert_waits(window.action_confirm(), 'activation', 50 * 25)
        with self.assertRaises(UserError), self.env.cr.savepoint():
            cards._activate()
        answers = cards.browse().activate(cards[0].name, cards[44].name)
        self.assertEqual({answer['reason'] for answer in answers}, {'approval'})
        self.assertIn("another manager", answers[0]['message'])
        self.assertEqual(len(self._get_waiting()), 4)
        self.assertEqual(self._count_active(), 0)
        self.assertFalse(cards.event_ids)

    def test_one_after_the_other_is_not_less(self):
        cards = self.series.card_ids
        for card in cards[:39]:
            card._activate()
        self._change(cards[39], 'activate')
        self.assertEqual(self._count_active(), 39)
        self.assertEqual(self._get_waiting().day_amount, LIMIT)

    def test_a_sale_and_superuser_code_activate_as_ever(self):
        self._sell_cards(self.series.card_ids[:45], self.buyer, works='confirmed')
        self.assertEqual(self._count_active(), 45)
        self.series.card_ids.sudo()._activate()
        self.assertEqual(self._count_active(), 60)
        self.assertFalse(self._get_waiting())

    def test_the_cards_that_were_approved_are_activated_and_no_others(self):
        cards = self.series.card_ids
        approval = self._ask(cards[5:45])
        self.assertEqual(approval.card_count, 40)
        self.assertIn(f'{cards[5].name} – {cards[44].name}', approval.details)
        approval.action_approve()
        self.assertEqual(set(cards[5:45].mapped('state')), {'active'})
        self.assertEqual(self._count_active(), 40)
        event = cards[5].event_ids[0]
        self.assertEqual((event.user_id, event.reference), (self.accountant, approval.name))

    def test_cards_that_join_the_series_later_are_not_activated_along(self):
        approval = self._ask()
        self.series.sudo()._add_cards(5)
        approval.action_approve()
        self.assertEqual(self._count_active(), 60)

    def test_nothing_is_done_once_a_card_has_changed(self):
        cards = self.series.card_ids

        def change_value():
            self.series.sudo().price = 26

        for number, change in enumerate(
            (
                lambda: cards[7].sudo()._activate(),
                lambda: cards[8].sudo()._disable('lost'),
                lambda: cards[9].write({'valid_till': '2029-01-01'}),
                lambda: cards[10].sudo()._consign(self.stranger),
                lambda: cards[11].unlink(),
                change_value,
            )
        ):
            with self.subTest(number), self.env.cr.savepoint() as savepoint:
                approval = self._ask()
                change()
                before = self._count_active()
                with (
                    self.assertRaisesRegex(UserError, "Something has changed"),
                    self.env.cr.savepoint(),
                ):
                    approval.action_approve()
                self.assertEqual(self._count_active(), before)
                self.assertEqual(approval.state, 'waiting')
                savepoint.rollback()
                self.env.invalidate_all()

    def test_nothing_is_done_once_the_cards_would_last_longer(self):
        self.series = self._generate(40, activation_required=True, validity_days=90)
        approval = self._ask()
        self.series.sudo().validity_days = 900
        with self.assertRaisesRegex(UserError, "Something has changed"):
            approval.action_approve()

    def test_cards_of_several_companies_are_activated_by_themselves(self):
        self.accountant.company_ids += self.other_company
        daughter = self.accountant.with_company(self.other_company)
        windows = self.env['refill.card.generate'].with_user(daughter)
        windows = windows.with_context(allowed_company_ids=self.other_company.ids)
        values = {'quantity': 1, 'price': 25, 'activation_required': True}
        windows.create(values).action_generate()
        theirs = self.env['refill.card.series'].search([], limit=1)
        both = (self.series + theirs).with_user(self.accountant)
        both = both.with_context(allowed_company_ids=(self.company + self.other_company).ids)
        with self.assertRaisesRegex(UserError, "each company by themselves"):
            self._change(both, 'activate')


@tagged('post_install', '-at_install')
class TestUndo(ApprovalCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._limit('undo', 50)

    def setUp(self):
        super().setUp()
        self.cards = self._generate(3).card_ids.with_user(self.accountant)
        for card in self.cards:
            self._redeem(card)

    def test_no_door_undoes_more_alone(self):
        self._undo(self.cards[0])
        self.assertEqual(self.cards[0].state, 'active')
        self._assert_waits(self._undo(self.cards[1]), 'undo', 25)
        with self.assertRaises(UserError), self.env.cr.savepoint():
            self.cards[1]._undo("Wrong customer")
        self.assertEqual((self.cards[1].state, self._balance()), ('used', 50))

    def test_it_is_undone_once_it_is_approved(self):
        self._limit('undo', 0)
        approval = self._assert_waits(self._undo(self.cards[0]), 'undo', 25)
        self.assertIn("Wrong customer", approval.details)
        approval.action_approve()
        self.assertEqual((self.cards[0].state, self._balance()), ('active', 50))
        self.assertEqual(self.cards[0].event_ids[0].user_id, self.accountant)

    def test_a_card_that_was_given_back_meanwhile_stays_as_it_is(self):
        self._limit('undo', 0)
        approval = self._assert_waits(self._undo(self.cards[0]), 'undo', 25)
        self.cards[0].sudo().payment_id.action_cancel()
        self.assertEqual(self.cards[0].state, 'disabled')
        with self.assertRaisesRegex(UserError, "Something has changed"):
            approval.action_approve()

    def test_superuser_code_undoes_as_ever(self):
        self._limit('undo', 0)
        self.cards[0].sudo()._undo("Wrong customer")
        self.assertEqual(self.cards[0].state, 'active')
