"""A card that is lost, damaged or misprinted: another one takes its place."""

from datetime import date, timedelta
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command, Date, Domain
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger
from psycopg2.errors import CheckViolation

from ..refill_cards.models.refill_card_replacement import HANDED_OVER
from .test_money_machine import MoneyCommon
from .test_roll_forward import RollForwardCommon


class ReplaceCommon(MoneyCommon):
    def _open_window(self, cards, user=None, **values):
        """Return the window that the button of cards opens."""
        action = cards.with_user(user or self.accountant).action_replace()
        window = self.env['refill.card.replace'].with_user(user or self.accountant)
        window = window.browse(action['res_id'])
        window.write({'reason': 'damaged', 'then': 'show', **values})
        return window

    def _replace(self, cards, user=None, **values):
        """Replace cards by the window; return the new ones, in the order of the old ones."""
        done = self._open_window(cards, user, **values).action_confirm()
        self.told = done['params']['message']
        return cards.sudo().replaced_by_id.sudo(False).with_user(self.accountant)

    def _assert_not_replaced(self, cards, sentence):
        with self.assertRaisesRegex(UserError, sentence):
            self._replace(cards)
        self.assertFalse(cards.sudo().replaced_by_id)

    def _notes(self, card):
        return card.event_ids.mapped('summary')


@tagged('post_install', '-at_install')
class TestReplace(ReplaceCommon):
    # -------------------------------------------------------------------------
    # WHO, AND WHICH
    # -------------------------------------------------------------------------

    def test_clerks_replace_no_card_nor_do_managers_of_other_companies(self):
        card = self._generate_card(company_ids=[Command.clear()])
        with self.assertRaises(AccessError):
            self._open_window(card, self.clerk)
        with self.assertRaises(AccessError):
            card.with_user(self.clerk)._replace('damaged')
        windows = self.env['refill.card.replace']
        with self.assertRaises(AccessError):
            windows.with_user(self.clerk).create({'card_ids': card.ids})
        manager = self._new_user(
            'their_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        with self.assertRaisesRegex(UserError, "1 issued by another company"):
            self._open_window(card, manager).action_confirm()
        self.assertEqual(card.with_user(manager)._replace('damaged'), 0)
        self.assertEqual(card.state, 'active')

    def test_who_replaces_says_why(self):
        card = self._generate_card()
        for values, sentence in (
            ({'reason': False}, "why the cards are replaced"),
            ({'reason': 'other'}, "Say in the details"),
            ({'reason': 'other', 'reason_text': ' '}, "Say in the details"),
        ):
            with self.assertRaisesRegex(UserError, sentence):
                self._replace(card, **values)
        new = self._replace(card, reason='other', reason_text="Chewed by a dog")
        self.assertIn("Chewed by a dog", self._notes(card)[0])
        self.assertIn("Chewed by a dog", self._notes(new)[0])

    def test_used_and_expired_cards_and_those_of_no_value_are_not_replaced(self):
        series = self._generate(5)
        used, taken, expired, over, cancelled = series.card_ids
        self._redeem(used)
        self._redeem(taken).action_cancel()
        (expired + over).sudo()._operating().valid_till = date(2026, 1, 1)
        expired.sudo()._change_state('expired', channel='automatic')
        self._change(cancelled, 'disable', reason='cancelled')
        for card, sentence in (
            (used, "1 used"),
            (taken, r"1 disabled \(payment taken back\)"),
            (expired, "1 past their last day"),
            (over, "1 past their last day"),
            (cancelled, r"1 disabled \(cancelled\)"),
        ):
            with self.subTest(sentence):
                self._assert_not_replaced(card, sentence)
        self.assertEqual(series.card_count, 5)

    def test_a_card_that_a_draft_names_is_not_replaced(self):
        card = self._generate_card(for_sale=True)
        window = self.env['refill.card.sell'].with_user(self.accountant)
        window = window.create({'card_ids': card.ids, 'partner_id': self.customer.id})
        draft = self.env['account.move'].browse(window.action_sell()['res_id'])
        self._assert_not_replaced(card, "1 kept for a draft")
        draft.action_post()
        self.assertEqual(self._replace(card).terms, 'sold')

    def test_cards_that_are_being_generated_are_not_replaced(self):
        card = self._generate_card()
        card.series_id.sudo().write({'quantity': 2, 'state': 'generating'})
        self._assert_not_replaced(card, "still being generated")

    # -------------------------------------------------------------------------
    # THE NEW CARD, AND THE OLD ONE
    # -------------------------------------------------------------------------

    def test_the_new_card_is_what_the_old_one_was_but_for_its_number_and_code(self):
        series = self._generate(2, valid_till=date(2050, 1, 1))
        card = series.card_ids[0]
        card.valid_till = date(2049, 1, 1)
        new = self._replace(card)
        self.assertEqual(new.name, f'{series.name}-000003')
        self.assertEqual((new.series_id, new.state, new.price), (series, 'active', card.price))
        self.assertEqual(new.valid_till, date(2049, 1, 1))
        self.assertNotEqual(new.sudo().code, card.sudo().code)
        self.assertEqual((card.replaced_by_id, new.replaces_id), (new, card))
        self.assertEqual((card.state, card.disable_reason), ('disabled', 'replaced'))
        self.assertEqual(series.quantity, 3)
        self.assertEqual(self._redeem(new).amount, 25)
        self._assert_tally_is_right()

    def test_the_old_card_is_refused_with_a_sentence_of_its_own(self):
        card = self._generate_card()
        self._replace(card)
        refused = self._assert_refused('disabled', self._redeem, card)
        self.assertIn("replaced by another one", str(refused))

    def test_the_old_card_never_works_again_by_any_door(self):
        card = self._generate_card()
        new = self._replace(card)
        self.assertFalse(card.can_change)
        for operation, values in (
            ('enable', {}),
            ('activate', {}),
            ('extend', {'valid_till': date(2050, 1, 1)}),
        ):
            with self.assertRaisesRegex(UserError, r"1 disabled \(replaced\)"):
                self._change(card, operation, **values)
        with self.assertRaisesRegex(UserError, "was replaced"):
            card.valid_till = date(2050, 1, 1)
        for user in (self.accountant, self.env.user):
            with self.assertRaisesRegex(UserError, "was replaced"):
                card.with_user(user).sudo().unlink()
        answer = self.env['refill.card'].with_user(self.accountant).activate(card.name, card.name)
        self.assertEqual(answer[0]['reason'], 'disabled')
        for state in ('active', 'inactive', 'expired', 'used'):
            self.assertEqual(card.sudo()._change_state(state), 0)
        restored = self.env['refill.card'].sudo()._restore(Domain('id', '=', card.id))
        self.assertEqual(restored, 0)
        self.assertEqual((card.state, card.replaced_by_id), ('disabled', new))

    def test_not_even_another_addons_sql_makes_the_old_card_work(self):
        card = self._generate_card()
        self._replace(card)
        self.env.flush_all()
        with self.assertRaises(CheckViolation), mute_logger('odoo.sql_db'), self.cr.savepoint():
            query = "UPDATE refill_card SET state = 'active' WHERE id = %s"
            self.env.cr.execute(SQL(query, card.id))

    def test_a_chain_of_cards_is_told_by_each_of_them(self):
        first = self._generate_card()
        second = self._replace(first)
        third = self._replace(second, reason='illegible')
        self.assertEqual(first.replaced_by_id, second)
        self.assertEqual((second.replaces_id, second.replaced_by_id), (first, third))
        self.assertEqual(third.replaces_id, second)
        self.assertIn(f"Replaced by {third.name}. Illegible", self._notes(second)[0])
        self.assertIn(f"Replaces {first.name}. Damaged", self._notes(second)[-1])
        self.assertEqual(first.event_ids[0].reference, second.event_ids[-1].reference)
        self.assertEqual(self._redeem(third).amount, 25)

    def test_a_new_card_waits_for_its_activation_as_the_old_one_did(self):
        inactive, active = self._generate(2, activation_required=True).card_ids
        self._change(active, 'activate')
        self.assertEqual(self._replace(inactive).state, 'inactive')
        self.assertEqual(self._replace(active).state, 'active')

    def test_cards_that_were_disabled_get_one_that_works(self):
        series = self._generate(3, activation_required=True)
        lost, stolen, returned = series.card_ids
        self._change(lost + returned, 'activate')
        self._change(lost + stolen, 'disable', reason='lost')
        invoice = self._sell_cards(returned, self.customer)
        invoice.button_draft()
        invoice.unlink()
        self.assertEqual((returned.state, returned.disable_reason), ('disabled', 'returned'))
        self.assertEqual(self._replace(lost).state, 'active')
        self.assertEqual(self._replace(stolen).state, 'inactive')
        new = self._replace(returned)
        self.assertEqual((new.state, new.terms), ('active', False))

    def test_the_history_tells_the_state_of_every_card(self):
        series = self._generate(4, activation_required=True)
        self._change(series.card_ids[:2], 'activate')
        self._change(series.card_ids[0], 'disable', reason='lost')
        self._replace(series.card_ids)
        for card in series.card_ids:
            with self.subTest(card.name):
                states = [event.new_state for event in card.event_ids if event.new_state]
                self.assertEqual(card.state, states[0])
                changes = card.event_ids.sorted('id')
                state = 'inactive'
                for event in changes:
                    self.assertEqual(event.old_state, state)
                    state = event.new_state

    # -------------------------------------------------------------------------
    # MANY, AND THEIR NUMBERS
    # -------------------------------------------------------------------------

    def test_a_box_is_replaced_at_once_and_the_window_says_what_it_leaves_alone(self):
        series = self._generate(10)
        cards = series.card_ids
        self._redeem(cards[3])
        windows = self.env['refill.card.replace'].with_user(self.accountant)
        window = windows.create(
            {'first': cards[1].name, 'last': cards[5].name, 'reason': 'misprinted', 'then': 'show'}
        )
        self.assertEqual((window.card_count, window.skipped), (4, "1 used"))
        done = window.action_confirm()
        self.assertIn("Cards changed: 4", done['params']['message'])
        new = self.env['refill.card'].search(done['params']['next']['domain'])
        replaced = cards[1] + cards[2] + cards[4] + cards[5]
        self.assertEqual(new.sorted('number').replaces_id, replaced)
        self.assertEqual(new.sorted('number').mapped('number'), [11, 12, 13, 14])
        self.assertEqual((series.active_count, series.replaced_count), (9, 4))
        self.assertEqual(len(replaced.event_ids.mapped('reference')), 4)
        self.assertEqual(len(set(replaced.event_ids.mapped('reference'))), 1)

    def test_a_whole_series_is_replaced(self):
        series = self._generate(3)
        windows = self.env['refill.card.replace'].with_user(self.accountant)
        window = windows.create({'series_ids': series.ids, 'reason': 'stolen', 'then': 'show'})
        window.action_confirm()
        self.assertEqual((series.active_count, series.replaced_count), (3, 3))

    def test_more_cards_than_one_waits_for_are_not_replaced_at_once(self):
        series = self._generate(3) | self._generate(2)
        at_once = 'odoo.addons.refill_cards.refill_cards.models.refill_card_series_replacement'
        windows = self.env['refill.card.replace'].with_user(self.accountant)
        values = {'series_ids': series.ids, 'reason': 'misprinted', 'then': 'show'}
        with patch(f'{at_once}.REPLACED_AT_ONCE', 4):
            with self.assertRaisesRegex(UserError, "Replace up to 4 cards at a time"):
                windows.create(values).action_confirm()
            self.assertEqual(sum(series.mapped('active_count')), 5)
            self.assertEqual(len(self._replace(series[0].card_ids)), 3)

    def test_who_finds_the_cards_replaced_meanwhile_is_told(self):
        card = self._generate_card()
        window = self._open_window(card)
        with (
            patch.object(type(card), '_replace', return_value=0),
            self.assertRaisesRegex(UserError, "look at them again"),
        ):
            window.action_confirm()

    def test_a_range_over_two_series_is_none(self):
        first, second = self._generate_card(), self._generate_card()
        windows = self.env['refill.card.replace'].with_user(self.accountant)
        window = windows.create({'first': first.name, 'last': second.name, 'reason': 'lost'})
        with self.assertRaisesRegex(UserError, "not of one series"):
            window.action_confirm()

    def test_numbers_go_on_after_the_last_one_of_cards_that_were_made_together(self):
        series = self._generate(6)
        cards = series.card_ids
        self._change(cards[3:], 'companies', company_ids=self.other_company.ids)
        self.assertNotEqual(cards[3].series_id, series)
        stayed, moved = self._replace(cards[0]), self._replace(cards[4])
        self.assertEqual(stayed.name, f'{series.name}-000007')
        self.assertEqual(moved.name, f'{series.name}-000008')
        self.assertEqual((stayed.series_id, moved.series_id), (series, cards[4].series_id))
        moved.sudo().unlink()
        self.assertFalse(cards[4].replaced_by_id)
        self.assertEqual(self._replace(cards[5]).name, f'{series.name}-000009')

    def test_more_cards_are_made_to_order_after_the_new_ones(self):
        product = self._make_product(refill_card_source='made')
        self._sell(2, product=product)
        series = self.env['refill.card.series'].search([('product_id', '!=', False)], limit=1)
        self._replace(series.card_ids[0].with_user(self.accountant))
        self._sell(2, product=product)
        self.assertEqual(series.card_ids.mapped('number'), [1, 2, 3, 4, 5])
        self.assertEqual((series.quantity, series.generated), (5, 5))

    def test_a_full_series_has_room_for_new_cards(self):
        series = self._generate(3)
        maximum = 'odoo.addons.refill_cards.refill_cards.models.refill_card_series_generation'
        with patch(f'{maximum}.MAX_QUANTITY', 3):
            self._replace(series.card_ids[0])
            self._replace(series.card_ids[1])
        self.assertEqual((series.quantity, series.active_count), (5, 3))

    def test_replaced_cards_do_not_make_codes_guessable(self):
        series = self._generate(3)
        before = series._count_guessable(series.alphabet, series.code_length)
        self._replace(series.card_ids)
        self.assertEqual(series._count_guessable(series.alphabet, series.code_length), before)

    def test_a_new_card_whose_code_another_one_has_is_drawn_again(self):
        series = self._generate(2)
        one, other = series.card_ids
        formats = 'odoo.addons.refill_cards.refill_cards.codes.Format.generate'
        taken = series._get_format().generate(1)
        sealer = self.env['refill.card.key']._get_sealer()
        sealed = self.env['refill.card.code']._get_sealed(one)
        bodies = [sealer.open(sealed[one.id])]
        with patch(formats, side_effect=[bodies, taken]):
            self.assertEqual(self._replace(other).number, 3)

    def test_a_series_without_numbers_is_refused(self):
        card = self._generate_card()
        card.series_id.sudo().generated = 999_999
        self._assert_not_replaced(card, "no serial numbers left")

    # -------------------------------------------------------------------------
    # PRINTED, SENT, TOLD
    # -------------------------------------------------------------------------

    def test_the_new_cards_are_printed_or_sent_next(self):
        for then, model in (
            ('print', 'refill.card.export.wizard'),
            ('send', 'refill.card.send'),
            ('show', 'refill.card'),
        ):
            for cards in (
                self._generate(2).card_ids,
                self._generate(2).card_ids[0] | self._generate(1).card_ids,
            ):
                action = self._open_window(cards, then=then).action_confirm()['params']['next']
                self.assertEqual(action['res_model'], model)
                if then != 'show':
                    window = self.env[model].browse(action['res_id'])
                    found = cards.search(window._get_selection_domain())
                    self.assertEqual(found, cards.replaced_by_id)

    def test_of_a_card_replaced_twice_the_last_one_alone_is_printed_sent_and_shown(self):
        for then in ('print', 'send', 'show'):
            series = self._generate(3)
            second = self._replace(series.card_ids[0])
            action = self._open_window(second, then=then).action_confirm()['params']['next']
            third = second.replaced_by_id
            with self.subTest(then=then):
                if then == 'show':
                    self.assertEqual(action['res_id'], third.id)
                else:
                    window = self.env[action['res_model']].browse(action['res_id'])
                    found = series.card_ids.search(window._get_selection_domain())
                    self.assertEqual(found, third)

    def test_the_layout_of_the_series_prints_the_new_card(self):
        card = self._generate_card()
        layout = card._get_own_layout().sudo().copy()
        card.series_id.sudo().layout_id = layout
        self.assertEqual(self._replace(card)._get_own_layout(), layout)

    def test_other_systems_are_told_which_card_replaced_which(self):
        self.company.refill_card_notices = True
        card = self._generate_card()
        new = self._replace(card)
        outbox = self.env['refill.card.outbox'].sudo()
        [row] = outbox.search([('kind', '=', 'replaced'), ('company_id', '=', self.company.id)])
        told = {'id': new.id, 'serial': new.name}
        self.assertEqual(
            row.data['cards'], [{'id': card.id, 'serial': card.name, 'replaced_by': told}]
        )

    def test_nothing_is_looked_up_for_systems_that_do_not_listen(self):
        card = self._generate_card()
        with patch.object(type(card), '_describe_replaced', side_effect=AssertionError):
            self.assertTrue(self._replace(card))

    def test_a_damaged_card_that_was_found_is_replaced_from_the_list(self):
        card = self._generate_card()
        finds = self.env['refill.card.find'].with_user(self.accountant)
        find = finds.create({'series_id': card.series_id.id, 'typed': card.sudo().code})
        action = find.action_find()
        found = self.env['refill.card'].with_user(self.accountant).search(action['domain'])
        self.assertTrue(action['context']['is_found'])
        self.assertEqual(self._replace(found).replaces_id, card)

    def test_a_card_used_elsewhere_is_not_told_to_a_partner_user(self):
        companies = (self.company + self.other_company).ids
        card = self._generate_card(company_ids=[Command.set(companies)])
        new = self._replace(card)
        self.assertEqual(card.with_user(self.clerk).replaced_by_id.ids, new.ids)
        daughter = self._new_user(
            'daughter', 'refill_cards.group_refill_card_user', company_id=self.other_company.id
        )
        cards = self.env['refill.card'].with_user(daughter)
        cards.redeem_code(new.sudo().code, self.stranger.id)
        card.invalidate_recordset()
        self.assertFalse(card.with_user(self.clerk).replaced_by_id)


@tagged('post_install', '-at_install')
class TestReplaceInTheBooks(ReplaceCommon):
    """Nothing is booked, and whatever follows finds the new card in the place of the old one."""

    def _count_entries(self):
        return self.env['account.move'].search_count([])

    def _assert_handed_over(self, old, new, before):
        for fname, value in before.items():
            self.assertEqual(new.sudo()[fname], value, fname)
        self.assertFalse(any(old.sudo()[fname] for fname in HANDED_OVER))

    def _read_handed_over(self, card):
        return {fname: card.sudo()[fname] for fname in HANDED_OVER}

    def test_who_has_a_card_has_the_new_one_and_nothing_is_booked(self):
        sold, consigned, given = self._generate(3).card_ids
        self._sell_cards(sold, self.customer)
        consigned._consign(self.by_use)
        given._give_away("Fair")
        entries = self._count_entries()
        for card in (sold, consigned, given):
            before = self._read_handed_over(card)
            new = self._replace(card)
            self.assertEqual(new.terms, before['terms'])
            self._assert_handed_over(card, new, before)
        self.assertEqual(self._count_entries(), entries)

    def test_a_card_in_another_currency_keeps_its_value_in_the_books(self):
        series = self._stock(1, currency_id=self.other_currency.id)
        invoice = self._sell(1, product=self.euro_product)
        card = self._get_cards(invoice)
        self.assertEqual(card.series_id, series)
        value = card.sudo().historical_value
        self.assertTrue(value)
        self.assertEqual(self._replace(card).sudo().historical_value, value)

    def test_a_credit_note_takes_the_new_card_back(self):
        self._stock(2)
        invoice = self._sell(2)
        one, other = self._get_cards(invoice)
        new = self._replace(one)
        self._redeem(other)
        note = invoice._reverse_moves()
        note.invoice_line_ids.quantity = 1
        note.action_post()
        self.assertEqual((new.terms, new.disable_reason), (False, 'returned'))
        self.assertIn(new.name, note.invoice_line_ids.refill_card_serials)
        self.assertEqual(one.disable_reason, 'replaced')

    def test_an_invoice_that_is_taken_back_takes_the_new_card_back(self):
        self._stock(1)
        invoice = self._sell(1)
        card = self._get_cards(invoice)
        new = self._replace(card)
        invoice.button_draft()
        self.assertEqual((new.terms, new.reserved_line_id), (False, invoice.invoice_line_ids))
        invoice.action_post()
        self.assertEqual((new.terms, new.state), ('sold', 'active'))
        self.assertEqual(self._get_cards(invoice), new)
        self._redeem(new)
        with self.assertRaisesRegex(UserError, "were used"):
            invoice.button_draft()

    def test_a_card_whose_invoice_is_not_paid_is_replaced_by_one_that_waits_for_that(self):
        card = self._generate_card()
        invoice = self._sell_cards(card, self.customer, works='paid')
        payments = self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        )
        self.assertEqual(card.state, 'inactive')
        new = self._replace(card)
        self.assertEqual(new.state, 'inactive')
        payment = payments.create({})._create_payments()
        self.assertEqual(new.state, 'active')
        invoice.line_ids.remove_move_reconcile()
        self.assertEqual((new.state, new.disable_reason), ('disabled', 'unpaid'))
        newest = self._replace(new)
        self.assertEqual((newest.state, newest.disable_reason), ('disabled', 'unpaid'))
        lines = (payment.move_id + invoice).line_ids
        lines.filtered(lambda line: line.account_id.account_type == 'asset_receivable').reconcile()
        self.assertEqual((newest.state, new.state), ('active', 'disabled'))

    def test_a_lost_card_is_replaced_by_one_that_works_if_its_invoice_is_paid(self):
        cards = self._generate(2).card_ids
        invoice = self._sell_cards(cards, self.customer, works='paid')
        payments = self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=invoice.ids
        )
        self._change(cards[1], 'disable', reason='lost')
        payments.create({})._create_payments()
        self.assertEqual(cards.mapped('state'), ['active', 'disabled'])
        self.assertEqual(self._replace(cards[1]).state, 'active')
        self._change(cards[0], 'disable', reason='lost')
        invoice.line_ids.remove_move_reconcile()
        new = self._replace(cards[0])
        self.assertEqual((new.state, new.disable_reason), ('disabled', 'unpaid'))
        payments.create({})._create_payments()
        self.assertEqual(new.state, 'active')
        self._assert_tally_is_right()

    def test_a_reseller_owes_for_the_new_card_once_it_is_used(self):
        card = self._generate_card()
        card._consign(self.by_use)
        new = self._replace(card)
        self._redeem(new)
        [line] = self.env['account.move.line'].search([('refill_card_debtor_id', '!=', False)])
        self.assertEqual((line.refill_card_debtor_id, line.balance), (self.by_use, 25))

    def test_a_card_sold_by_activation_is_billed_once(self):
        card = self._generate_card(activation_required=True)
        card._consign(self.by_activation)
        self._change(card, 'activate')
        self.assertEqual(card.terms, 'sold')
        window = self.env['refill.card.settle'].with_user(self.accountant)
        settle = {'partner_ids': self.by_activation.ids, 'day': Date.today()}
        draft = self.env['account.move'].browse(window.create(settle).action_settle()['res_id'])
        new = self._replace(card)
        self.assertEqual(new.sudo().reserved_line_id.move_id, draft)
        draft.action_post()
        self.assertEqual(new.sudo().invoice_line_id.move_id, draft)
        with self.assertRaises(UserError):
            window.create(settle).action_settle()

    def test_a_card_on_consignment_is_not_sold_because_it_is_replaced(self):
        card = self._generate_card(activation_required=True)
        self._change(card, 'activate')
        card._consign(self.by_activation)
        new = self._replace(card)
        self.assertEqual((new.terms, new.state), ('consigned', 'active'))

    def test_undoing_gives_the_new_card_back(self):
        card = self._generate_card()
        new = self._replace(card)
        self._redeem(new)
        self._undo(new)
        self.assertEqual((new.state, card.state), ('active', 'disabled'))

    def test_the_next_card_in_stock_is_the_new_one(self):
        card = self._stock(1).card_ids
        new = self._replace(card)
        self.assertEqual(self._get_cards(self._sell(1)), new)

    def test_new_cards_of_an_archived_series_bring_it_back(self):
        card = self._generate_card()
        self._change(card, 'disable', reason='lost')
        card.series_id.active = False
        self.assertEqual(self._replace(card).state, 'active')
        self.assertTrue(card.series_id.active)


@tagged('post_install', '-at_install')
class TestReplaceInTheRollForward(RollForwardCommon):
    def test_what_is_owed_for_a_card_is_counted_once(self):
        cards = self._generate(3).card_ids
        self._sell_cards(cards, self.customer)
        report = self._report(self.today, self.today + timedelta(days=1))
        before = self._get_total(report), self._get_ends(report)
        self.assertEqual(before[0]['end'], 75)
        self.assertEqual(cards.with_user(self.accountant)._replace('misprinted'), 3)
        report = self._report(self.today, self.today + timedelta(days=1))
        self.assertEqual((self._get_total(report), self._get_ends(report)), before)
        self._redeem(cards[0].replaced_by_id)
        report = self._report(self.today, self.today + timedelta(days=1))
        self.assertEqual(self._get_total(report)['end'], 50)
        self.assertEqual(len(set(self._get_ends(report)[:2])), 1)
