from datetime import date

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Domain
from odoo.tests import tagged

from ..refill_cards.models.refill_card_life import TRANSITIONS
from .common import RefillCardCommon

BECOMES = {
    'activate': {'active'},
    'deactivate': {'inactive'},
    'disable': {'disabled'},
    'enable': {'inactive', 'active', 'expired'},
    'extend': {'inactive', 'active'},
    'replace': {'disabled'},
}


@tagged('post_install', '-at_install')
class TestOperations(RefillCardCommon):
    """What is done to cards, by whichever door."""

    def setUp(self):
        super().setUp()
        self.cards = self.env['refill.card']
        self.managed = self.cards.with_user(self.accountant)

    def _make_one_of_each(self):
        """Return cards in every state, also such as stay, by what was done to them."""
        series = self._generate(8, activation_required=True)
        new, active, used, taken, lost, was_active, late, expired = series.card_ids
        self._change(active + used + taken + was_active + expired, 'activate')
        self._redeem(used)
        self._redeem(taken).action_cancel()
        self._change(lost + was_active, 'disable', reason='lost')
        (late + expired).sudo()._operating().valid_till = date(2026, 1, 1)
        expired.sudo()._change_state('expired', channel='automatic')
        self.assertEqual(
            series.card_ids.mapped('state'),
            [*('inactive', 'active', 'used', 'disabled', 'disabled', 'disabled'), 'inactive']
            + ['expired'],
        )
        return new, active, used, taken, lost, was_active, late, expired

    def _operate(self, cards, operation, domain=None):
        match operation:
            case 'disable':
                return cards._disable('lost', domain=domain)
            case 'extend':
                return cards._extend(date(2050, 1, 1), domain)
            case 'replace':
                return cards._replace('damaged', domain=domain)
            case 'companies':
                return cards._move_to_companies(self.other_company, domain)
        return getattr(cards, f'_{operation}')(domain)

    def _preview(self, cards, operation):
        """Return how many cards the window says that it changes."""
        if operation == 'replace':
            windows = self.env['refill.card.replace'].with_user(self.accountant)
            return windows.create({'card_ids': cards.ids}).card_count
        window = self._wizard(cards, operation, reason='lost', valid_till=date(2050, 1, 1))
        window.company_ids = self.other_company
        return window.card_count

    def test_operations_start_where_the_states_allow_it(self):
        for operation, states in self.cards._get_operation_states().items():
            self.assertLessEqual(set(states), {'inactive', 'active', 'expired', 'disabled'})
            reached = BECOMES.get(operation, set())
            for old in states:
                found = {new for new in reached if (old, new) in TRANSITIONS or old == new}
                self.assertTrue(found or not reached, (operation, old))

    def test_an_operation_changes_what_its_preview_counts_and_nothing_else(self):
        changed = {
            'activate': [0],
            'deactivate': [1],
            'disable': [0, 1, 6],
            'enable': [4, 5],
            'extend': [0, 1, 6, 7],
            'companies': [0, 1, 4, 5, 6, 7],
            'replace': [0, 1, 4, 5],
        }
        for operation, expected in changed.items():
            with self.subTest(operation=operation), self.env.cr.savepoint() as savepoint:
                cards = self.cards.union(*self._make_one_of_each())
                self.assertEqual(self._preview(cards, operation), len(expected))
                domain = Domain('id', 'in', cards.ids)
                self.assertEqual(self._operate(self.managed, operation, domain), len(expected))
                references = [card.event_ids[:1].reference for card in cards]
                last = references[expected[0]]
                self.assertEqual(
                    [number for number, each in enumerate(references) if each == last], expected
                )
                savepoint.rollback()
                self.env.invalidate_all()

    def test_an_alternative_among_the_cards_does_not_open_the_others(self):
        new, active, used, *_others = self._make_one_of_each()
        other = self._generate_card()
        either = Domain('id', '=', used.id) | Domain('id', '=', active.id)
        self.assertEqual(self.managed._disable('lost', domain=either), 1)
        self.assertEqual((used.state, new.state, other.state), ('used', 'inactive', 'active'))
        self.assertEqual(self.managed._extend(date(2050, 1, 1), either | Domain('id', '=', 0)), 0)

    def test_operations_are_for_managers_of_the_issuer_and_for_the_server(self):
        card = self._generate_card(company_ids=[Command.clear()])
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        for operation in BECOMES:
            with self.subTest(operation=operation):
                with self.assertRaises(AccessError):
                    self._operate(card.with_user(self.clerk), operation)
                self.assertEqual(self._operate(card.with_user(manager), operation), 0)
        self.assertEqual(card.state, 'active')
        self.assertEqual(card.sudo()._disable('stolen', "From the counter"), 1)
        event = card.event_ids[:1]
        self.assertEqual((event.new_state, event.note), ('disabled', "Stolen: From the counter"))
        self.assertTrue(event.reference)

    def test_no_column_of_a_card_is_written_by_hand(self):
        card = self._generate_card()
        fields_ = [
            name
            for name, field in self.cards._fields.items()
            if 'refill_cards' in field._modules and name != 'valid_till'
        ]
        self.assertIn('sending_id', fields_)
        for name in fields_:
            for cards in (card.with_user(self.accountant), card.sudo()):
                with self.subTest(name=name), self.assertRaises(AccessError):
                    cards.write({name: False})
        for forged in (True, 'card', {'reference': 'x'}):
            told = card.sudo().with_context(refill_card_operation=forged)
            with self.assertRaises(AccessError):
                told.write({'state': 'used'})

    def test_the_superuser_changes_a_last_day_as_anybody_does(self):
        card, used = self._generate(2).card_ids
        card.sudo().valid_till = date(2050, 1, 1)
        self.assertIn("2050-01-01", card.event_ids[:1].note)
        with self.assertRaisesRegex(UserError, "has passed"):
            card.sudo().valid_till = date(2020, 1, 1)
        self._redeem(used)
        with self.assertRaisesRegex(UserError, "part of the books"):
            used.sudo().valid_till = date(2050, 1, 1)

    def test_a_range_over_cards_that_moved_is_one_range_in_every_window(self):
        series = self._generate(5)
        names = series.card_ids.mapped('name')
        moved = series.card_ids[1:3]
        self._change(moved, 'companies', company_ids=self.other_company.ids)
        self.assertNotEqual(moved.series_id, series)
        self.assertEqual(self._range(names[0], names[3], operation='deactivate').card_count, 4)
        for values in ({}, {'series_ids': [Command.set((series + moved.series_id).ids)]}):
            wizards = self.env['refill.card.export.wizard'].with_user(self.accountant)
            window = wizards.create({'first': names[0], 'last': names[3], **values})
            self.assertEqual((window.card_count, window.problem), (4, False))
            export = self.env['refill.card.export'].browse(window._export()['res_id'])
            rows = self.cards.search(export._get_cards_domain())
            self.assertEqual(sorted(rows.mapped('name')), names[:4])
        sends = self.env['refill.card.send'].with_user(self.accountant)
        window = sends.create({'first': names[3], 'last': names[1]})
        self.assertEqual(window._get_cards().mapped('name'), names[1:4])

    def test_only_the_write_of_an_operation_is_past_the_refusal(self):
        card = self._generate_card()
        written = card.sudo()._operating()
        written.sending_id = False
        with self.assertRaises(AccessError):
            written.state = 'disabled'
        hidden = [Command.update(card.id, {'state': 'disabled'})]
        with self.assertRaises(AccessError):
            card.series_id.sudo().write({'price': 30, 'card_ids': hidden})

    def test_a_window_extends_the_cards_that_it_counts(self):
        day = date(2050, 1, 1)
        wizards = self.env['refill.card.change'].with_user(self.accountant)
        for fname in ('card_ids', 'first_id', 'last_id'):
            series = self._generate(3)
            card = series.card_ids[0 if fname == 'last_id' else 2]
            narrower = {fname: [Command.set(card.ids)] if fname == 'card_ids' else card.id}
            both = {'series_ids': [Command.set(series.ids)], **narrower}
            window = wizards.create({**both, 'operation': 'extend', 'valid_till': day})
            with self.subTest(fname):
                self.assertEqual(window.card_count, 1)
                self.assertEqual(window.selected, card.name if fname == 'card_ids' else False)
                self.assertEqual(window._apply(), 1)
                self.assertEqual(card.valid_till, day)
                self.assertNotIn(day, (series.card_ids - card).mapped('valid_till'))
                self.assertNotEqual(series.valid_till, day)

    def test_a_window_about_whole_series_does_not_count_their_cards_to_name_them(self):
        series = self._generate()
        wizards = self.env['refill.card.export.wizard'].with_user(self.accountant)
        window = wizards.create({'series_ids': [Command.set(series.ids)]})
        window._get_series()
        with self.assertQueryCount(0):
            self.assertEqual(window._get_series(), series)
