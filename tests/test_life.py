from datetime import date, timedelta

from freezegun import freeze_time
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command, Date
from odoo.tests import tagged

from ..refill_cards import codes
from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestLife(RefillCardCommon):
    """Cards are activated, disabled, extended, moved and cancelled; used ones are left alone."""

    def _events(self, cards):
        events = self.env['refill.card.event'].sudo()
        return events.search([('card_id', 'in', cards.ids)], order='id')

    # -------------------------------------------------------------------------
    # ACTIVATION
    # -------------------------------------------------------------------------

    def test_a_card_that_needs_activation_is_worthless_before(self):
        card = self._generate_card(activation_required=True)
        self.assertEqual(card.state, 'inactive')
        refused = self._assert_refused('inactive', self._redeem, card)
        self.assertIn("not active yet", str(refused))
        self.assertEqual(self._balance(), 0)
        self._change(card, 'activate')
        self.assertEqual(self._redeem(card).state, 'paid')

    def test_a_range_is_activated_by_its_first_and_last_serial_number(self):
        series = self._generate(6, activation_required=True)
        names = series.card_ids.mapped('name')
        wizard = self._range(names[3], names[1], operation='activate')
        self.assertEqual((wizard.card_count, wizard.skipped), (3, ''))
        self.assertIn('75.00', wizard.total)
        wizard.action_confirm()
        expected = ['inactive'] + ['active'] * 3 + ['inactive'] * 2
        self.assertEqual(series.card_ids.mapped('state'), expected)
        self.assertEqual((series.active_count, series.inactive_count), (3, 3))

    def test_a_range_is_given_by_scanned_codes_too_which_are_not_stored(self):
        series = self._generate(3, activation_required=True)
        scanned = series.card_ids.sudo().mapped('code')
        wizard = self._range(scanned[0], scanned[1], operation='activate')
        self.assertEqual(wizard.card_count, 2)
        self.env.flush_all()
        self.env.cr.execute('SELECT row_to_json(w)::text FROM refill_card_change w')
        self.assertNotIn(scanned[0], str(self.env.cr.fetchall()))

    def test_a_range_over_two_series_or_without_an_end_is_refused(self):
        one, other = self._generate(2), self._generate(2)
        names = one.card_ids.mapped('name') + other.card_ids.mapped('name')
        wizard = self._range(names[0], names[3], operation='deactivate')
        self.assertEqual(wizard.card_count, 0)
        with self.assertRaisesRegex(UserError, "not of one series"):
            wizard.action_confirm()
        with self.assertRaisesRegex(UserError, "No card has the serial number"):
            self._range(names[0], f'{names[0]}9', operation='deactivate')
        with self.assertRaisesRegex(UserError, "the first and the last"):
            self._range(names[0], False, operation='deactivate').action_confirm()
        self.assertEqual(set((one + other).card_ids.mapped('state')), {'active'})

    def test_validity_counts_from_the_activation(self):
        card = self._generate_card(activation_required=True, validity_days=30)
        self.assertFalse(card.valid_till or card.series_id.valid_till)
        self._change(card, 'activate')
        day = Date.context_today(card) + timedelta(days=30)
        self.assertEqual(card.valid_till, day)
        self._change(card, 'deactivate')
        self.assertFalse(card.valid_till)
        with freeze_time(Date.today() + timedelta(days=100)):
            self._change(card, 'activate')
        self.assertEqual(card.valid_till, day + timedelta(days=100))

    def test_validity_counts_from_the_activation_of_cards_that_need_one(self):
        card = self._generate_card(validity_days=30)
        self.assertEqual((card.state, card.series_id.validity_days), ('active', 0))
        series = self._generate(1, activation_required=True, validity_days=30)
        for call in (
            lambda: self._generate(1, activation_required=True, validity_days=-1),
            lambda: series.write({'valid_till': Date.today()}),
            lambda: series.sudo().write({'activation_required': False}),
        ):
            with self.assertRaises(ValidationError):
                call()
                self.env.flush_all()

    def test_an_inactive_card_expires_and_is_inactive_when_extended(self):
        card = self._generate_card(activation_required=True, valid_till=Date.today())
        later = Date.today() + timedelta(days=10)
        with freeze_time(later):
            self.env.ref('refill_cards.ir_cron_expire').method_direct_trigger()
            self.assertEqual(card.state, 'expired')
            self._change(card, 'extend', valid_till=later)
        self.assertEqual((card.state, card.valid_till), ('inactive', later))

    # -------------------------------------------------------------------------
    # DISABLING, ENABLING, EXTENDING
    # -------------------------------------------------------------------------

    def test_a_disabled_card_is_refused_until_it_is_enabled_again(self):
        card = self._generate_card()
        self._change(card, 'disable', reason='stolen', reason_text="Box 7")
        self.assertEqual((card.state, card.disable_reason), ('disabled', 'stolen'))
        self.assertEqual(card.event_ids.note, "Stolen: Box 7")
        self._assert_refused('disabled', self._redeem, card)
        self._change(card, 'enable')
        self.assertEqual((card.state, card.disable_reason), ('active', False))
        self.assertEqual(self._redeem(card).state, 'paid')

    def test_a_reason_is_required(self):
        card = self._generate_card()
        for values in ({}, {'reason': 'other'}, {'reason': 'other', 'reason_text': ' '}):
            with self.subTest(**values), self.assertRaisesRegex(UserError, "why"):
                self._change(card, 'disable', **values)
        self.assertEqual(card.state, 'active')

    def test_an_enabled_card_is_what_it_was(self):
        inactive = self._generate_card(activation_required=True)
        over = self._generate_card(valid_till=Date.today())
        self._change(inactive + over, 'disable', reason='lost')
        with freeze_time(Date.today() + timedelta(days=2)):
            self._change(inactive + over, 'enable')
        self.assertEqual((inactive.state, over.state), ('inactive', 'expired'))
        self._change(inactive, 'activate')
        self._change(inactive, 'disable', reason='lost')
        self._change(inactive, 'enable')
        self.assertEqual(inactive.state, 'active')

    def test_a_card_that_was_never_activated_is_inactive_again_whatever_became_of_it(self):
        today = Date.today()
        card, other = self._generate(2, activation_required=True, valid_till=today).card_ids
        self._change(other, 'activate')
        for each in (card, other):
            self._change(each, 'disable', reason='lost')
        with freeze_time(today + timedelta(days=10)):
            self.env.ref('refill_cards.ir_cron_expire').method_direct_trigger()
            self.assertEqual((card + other).mapped('state'), ['disabled'] * 2)
            self._change(card + other, 'enable')
            self.assertEqual((card + other).mapped('state'), ['expired'] * 2)
            self._change(card + other, 'extend', valid_till=today + timedelta(days=20))
            self.assertEqual((card + other).mapped('state'), ['inactive', 'active'])
            self._assert_refused('inactive', self._redeem, card)

    def test_enabling_a_series_leaves_the_card_alone_whose_payment_was_taken_back(self):
        series = self._generate(3)
        taken_back, disabled, _other = series.card_ids
        self._redeem(taken_back).action_cancel()
        self._change(disabled, 'disable', reason='lost')
        self.assertEqual((taken_back.state, taken_back.disable_reason), ('disabled', 'payment'))
        answer = self._change(series, 'enable')
        self.assertIn("Cards changed: 1", answer['params']['message'])
        self.assertIn("1 disabled (payment taken back)", answer['params']['message'])
        self.assertEqual(disabled.state, 'active')
        self.assertEqual((taken_back.state, taken_back.disable_reason), ('disabled', 'payment'))
        self._assert_refused('disabled', self._redeem, taken_back)

    def test_a_card_keeps_a_day_of_its_own_when_it_is_activated(self):
        series = self._generate(2, activation_required=True, validity_days=30)
        own, counted = series.card_ids
        day = Date.today() + timedelta(days=5)
        own.valid_till = day
        self._change(series, 'activate')
        self.assertEqual(own.valid_till, day)
        self.assertEqual(counted.valid_till, Date.context_today(series) + timedelta(days=30))
        self._assert_refused(
            'expired',
            freeze_time(day + timedelta(days=3))(self._redeem),
            own,
        )

    def test_no_operation_changes_a_card_in_a_state_that_does_not_allow_it(self):
        today = Date.today()
        inactive, gone = self._generate(2, activation_required=True, valid_till=today).card_ids
        active, disabled, used = self._generate(3, valid_till=today + timedelta(days=90)).card_ids
        self._redeem(used)
        self._change(disabled, 'disable', reason='stolen')
        inactive.valid_till = today + timedelta(days=90)
        allowed = {
            'activate': inactive,
            'deactivate': active,
            'disable': inactive + active,
            'enable': disabled,
        }
        with freeze_time(today + timedelta(days=10)):
            self.env.ref('refill_cards.ir_cron_expire').method_direct_trigger()
            self.assertEqual(gone.state, 'expired')
            cards = inactive + gone + active + disabled + used
            before = cards.mapped('state')
            for operation, fitting in allowed.items():
                for card in cards - fitting:
                    with self.subTest(operation, state=card.state), self.assertRaises(UserError):
                        self._change(card, operation, reason='lost')
            self.assertEqual(cards.mapped('state'), before)
            self.assertEqual(disabled.disable_reason, 'stolen')

    def test_used_cards_are_left_alone_and_the_answer_says_so(self):
        series = self._generate(5)
        used, disabled = series.card_ids[0], series.card_ids[1]
        self._redeem(used)
        self._change(disabled, 'disable', reason='damaged')
        answer = self._change(series, 'disable', reason='cancelled')
        message = answer['params']['message']
        self.assertIn("Cards changed: 3", message)
        self.assertIn("75.00", message)
        self.assertIn("1 used", message)
        self.assertIn("1 disabled (damaged)", message)
        self.assertEqual((used.state, disabled.disable_reason), ('used', 'damaged'))
        for operation in ('activate', 'deactivate', 'disable', 'enable', 'extend', 'companies'):
            with self.subTest(operation), self.assertRaisesRegex(UserError, "1 used"):
                self._change(used, operation, reason='lost')
        self.assertEqual(self._balance(), 25)

    def test_a_passed_day_is_refused(self):
        card = self._generate_card()
        with self.assertRaises(ValidationError):
            self._change(card, 'extend', valid_till=date(2020, 1, 1))

    def test_extending_a_whole_series_gives_all_unused_cards_the_day(self):
        series = self._generate(3, valid_till=Date.today())
        own, used = series.card_ids[0], series.card_ids[1]
        own.valid_till = Date.today() + timedelta(days=1)
        self._redeem(used)
        day = Date.today() + timedelta(days=99)
        self._change(series, 'extend', valid_till=day)
        self.assertEqual(series.valid_till, day)
        self.assertEqual(own.valid_till, day)
        self.assertEqual(used.valid_till, Date.today())
        self.assertEqual(self._redeem(own).state, 'paid')

    def test_extending_a_whole_series_leaves_disabled_cards_alone(self):
        today = Date.today()
        series = self._generate(2, valid_till=today)
        disabled, other = series.card_ids
        self._change(disabled, 'disable', reason='lost')
        before = self._events(disabled)
        day = today + timedelta(days=9)
        self._change(series, 'extend', valid_till=day)
        self.assertEqual((series.valid_till, other.valid_till), (day, day))
        self.assertEqual((disabled.state, disabled.valid_till), ('disabled', today))
        self.assertEqual(self._events(disabled), before)

    def test_a_day_is_over_when_it_is_over_everywhere(self):
        day = date(2030, 1, 10)
        with freeze_time('2030-01-09 12:00:00'):
            card = self._generate_card(valid_till=day)
            self._change(card, 'disable', reason='lost')
        self.accountant.tz = 'Pacific/Auckland'
        with freeze_time('2030-01-11 11:00:00'):
            card = card.with_context(tz='Pacific/Auckland')
            self._change(card, 'enable')
            self.assertEqual(card.state, 'active')

    def test_cards_past_their_last_day_are_not_activated(self):
        today = Date.today()
        series = self._generate(3, activation_required=True, valid_till=today)
        series.card_ids[0].valid_till = False
        series.card_ids[1].valid_till = today + timedelta(days=9)
        with freeze_time(today + timedelta(days=2)):
            wizard = self._wizard(series, 'activate')
            self.assertEqual((wizard.card_count, wizard.skipped), (2, "1 past their last day"))
            wizard.action_confirm()
        self.assertEqual(series.card_ids.mapped('state'), ['active', 'active', 'inactive'])

    def test_what_happens_and_to_which_cards_must_be_said(self):
        card = self._generate_card()
        wizards = self.env['refill.card.change'].with_user(self.accountant)
        for values in ({'card_ids': card.ids}, {'operation': 'deactivate'}):
            with self.subTest(**values), self.assertRaises(UserError):
                wizards.create(values).action_confirm()
        self.assertEqual(card.state, 'active')

    def test_the_cards_of_a_series_that_is_being_generated_wait(self):
        series = self._generate()
        series.sudo().state = 'generating'
        names = series.card_ids.mapped('name')
        for wizard in (
            self._wizard(series, 'deactivate'),
            self._wizard(series.card_ids[0], 'deactivate'),
            self._range(names[0], names[1], operation='deactivate'),
        ):
            with self.assertRaisesRegex(UserError, "still being generated"):
                wizard.action_confirm()
        self.assertEqual(set(series.card_ids.mapped('state')), {'active'})

    def test_a_selection_that_the_list_cut_off_is_refused(self):
        cards = self._generate().card_ids
        self.env['ir.config_parameter'].set_param('web.active_ids_limit', 3)
        with self.assertRaisesRegex(UserError, "More cards are selected"):
            cards.action_change()
        self.assertTrue(cards[:2].action_change())

    # -------------------------------------------------------------------------
    # COMPANIES
    # -------------------------------------------------------------------------

    def test_the_companies_of_a_series_change_with_an_event_a_card(self):
        series = self._generate(3, company_ids=[Command.set(self.company.ids)])
        self._change(series, 'companies', company_ids=self.other_company.ids)
        self.assertEqual(series.company_ids, self.other_company)
        events = self._events(series.card_ids)
        self.assertEqual(events.mapped('note'), ["Available to: Daughter"] * 3)
        self._assert_refused('company', self._redeem, series.card_ids[0])

    def test_the_companies_of_some_cards_change_in_a_series_of_their_own(self):
        third = self.setup_other_company(name="Unseen")['company']
        both = [Command.set((self.company + third).ids)]
        series = self._generate(5, user=self.env.user, company_ids=both).with_user(self.accountant)
        series.sudo().company_id = self.company
        used, moved = series.card_ids[0], series.card_ids[:3]
        names = moved.mapped('name')
        self._redeem(used)
        answer = self._change(moved, 'companies', company_ids=self.other_company.ids)
        self.assertIn("Cards changed: 2", answer['params']['message'])
        new = moved[1].series_id
        self.assertEqual(used.series_id, series)
        self.assertEqual(new.sudo().company_ids, self.other_company + third, "the unseen one stays")
        self.assertEqual((series.quantity, new.quantity, new.state), (3, 2, 'ready'))
        self.assertEqual((len(series.card_ids), len(new.card_ids)), (3, 2))
        self.assertEqual(moved.mapped('name'), names)
        self.assertEqual((new.price, new.prefix), (series.price, series.prefix))
        self.assertIn(new.name, series.message_ids[0].body)
        wizard = self._range(names[0], names[2], operation='disable')
        self.assertEqual(wizard.card_count, 2, "the range holds the cards that moved")
        self._assert_refused('company', self._redeem, moved[1])

    def test_a_series_and_its_cards_get_another_day_by_one_operation(self):
        day = Date.today() + timedelta(days=400)
        series = self._generate(2)
        self._change(series, 'extend', valid_till=day)
        self.assertEqual(series.valid_till, day)
        events = self.env['refill.card.event'].search([('series_id', '=', series.id)])
        of_cards = events.filtered('card_id')
        [reference] = set(of_cards.mapped('reference'))
        self.assertIn(reference, (events - of_cards).mapped('reference'))

    def test_a_series_whose_cards_count_their_days_gets_no_last_day_itself(self):
        day = Date.today() + timedelta(days=400)
        series = self._generate(2, activation_required=True, validity_days=30)
        self._change(series, 'extend', valid_till=day)
        self.assertEqual(series.card_ids.mapped('valid_till'), [day, day])
        self.assertFalse(series.valid_till)

    def test_a_series_saved_with_the_day_that_it_has_leaves_its_cards_alone(self):
        series = self._generate(1)
        told = len(series.card_ids.event_ids)
        series.valid_till = series.valid_till
        self.assertEqual(len(series.card_ids.event_ids), told)

    def test_an_archived_series_is_in_use_again_once_a_card_of_it_can_be_activated(self):
        series = self._generate(1, activation_required=True)
        self._change(series, 'disable', reason='lost')
        series.action_archive()
        self._change(series.card_ids, 'enable')
        self.assertEqual((series.card_ids.state, series.active), ('inactive', True))

    def test_of_two_series_the_one_of_another_issuer_keeps_its_last_day(self):
        day = Date.today() + timedelta(days=400)
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        self.company.refill_card_accept_all = True
        theirs = self._generate(1, user=manager, company_ids=[Command.clear()])
        own = self._generate(1).with_context(allowed_company_ids=self.company.ids)
        was = theirs.valid_till
        self._change(own + theirs.with_env(own.env), 'extend', valid_till=day)
        self.assertEqual((own.valid_till, own.card_ids.valid_till), (day, day))
        self.assertEqual((theirs.valid_till, theirs.card_ids.valid_till), (was, was))

    def test_a_window_tells_the_value_of_cards_in_each_currency(self):
        both = self._generate(1) + self._generate(2, currency_id=self.other_currency.id)
        total = self._wizard(both, 'disable').total
        self.assertIn('25.00', total)
        self.assertIn('50.00', total)

    def test_a_used_card_is_not_told_of_its_series_new_companies(self):
        series = self._generate(2)
        used, other = series.card_ids
        self._redeem(used)
        told = len(used.event_ids)
        series.company_ids = self.other_company
        self.assertEqual(len(used.event_ids), told)
        self.assertIn(self.other_company.name, other.event_ids[:1].note)

    def test_used_cards_stay_behind_when_a_whole_series_changes_companies(self):
        for whole in (True, False):
            series = self._generate(3, company_ids=[Command.set(self.company.ids)])
            used, *rest = series.card_ids
            self._redeem(used)
            scope = series if whole else series.card_ids
            answer = self._change(scope, 'companies', company_ids=self.other_company.ids)
            self.assertIn("1 used", answer['params']['message'])
            self.assertEqual((used.series_id, series.company_ids), (series, self.company))
            self.assertEqual(len(rest[0].series_id.card_ids), 2)
            self.assertEqual(rest[0].series_id.company_ids, self.other_company)

    def test_an_expired_series_is_split_too(self):
        series = self._generate(2, valid_till=Date.today())
        moved = series.card_ids[0]
        with freeze_time(Date.today() + timedelta(days=5)):
            self._change(moved, 'companies', company_ids=self.other_company.ids)
        self.assertNotEqual(moved.series_id, series)

    # -------------------------------------------------------------------------
    # RIGHTS
    # -------------------------------------------------------------------------

    def test_a_clerk_changes_nothing(self):
        card = self._generate_card()
        self._redeem(used := self._generate_card())
        clerk = self.env(user=self.clerk)
        for call in (
            lambda: card.with_env(clerk).action_change(),
            lambda: card.with_env(clerk).action_show_code(),
            lambda: used.with_env(clerk).action_undo(),
            lambda: clerk['refill.card.change'].create({'card_ids': card.ids}),
            lambda: clerk['refill.card.undo'].create({'card_id': used.id, 'reason': 'x'}),
            lambda: clerk['refill.card.find'].create({'series_id': card.series_id.id}),
            lambda: self._wizard(card, 'deactivate').with_user(self.clerk).action_confirm(),
        ):
            with self.assertRaises(AccessError):
                call()
        self.assertFalse(card.event_ids)

    def test_a_manager_of_another_company_changes_nothing(self):
        series = self._generate(company_ids=[Command.clear()])
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        wizard = self._wizard(series.with_user(manager), 'deactivate')
        self.assertEqual((wizard.card_count, wizard.skipped), (0, "3 issued by another company"))
        with self.assertRaisesRegex(UserError, "3 issued by another company"):
            wizard.action_confirm()
        with self.assertRaises(AccessError):
            series.with_user(manager).card_ids[0].action_show_code()
        find = {'series_id': series.id, 'typed': '????-????-?2345'}
        with self.assertRaises(AccessError):
            self.env['refill.card.find'].with_user(manager).create(find)
        self.assertEqual(series.active_count, 3)

    def test_nobody_sees_the_windows_of_others(self):
        wizard = self._wizard(self._generate_card(), 'deactivate')
        other = self._new_user('other', 'account.group_account_manager')
        with self.assertRaises(AccessError):
            wizard.with_user(other).read(['operation'])

    # -------------------------------------------------------------------------
    # HISTORY
    # -------------------------------------------------------------------------

    def test_the_events_of_one_operation_share_a_reference(self):
        series = self._generate(3)
        self._change(series, 'disable', reason='lost')
        self._change(series, 'enable')
        events = self._events(series.card_ids)
        references = events.mapped('reference')
        self.assertEqual(len(references), 6)
        self.assertEqual(len(set(references[:3])), 1)
        self.assertEqual(len(set(references)), 2)
        self.assertEqual(events.user_id, self.accountant)

    def test_the_events_of_several_series_share_the_reference_of_the_operation(self):
        series = self._generate(2) + self._generate(2)
        day = Date.today() + timedelta(days=9)
        for change in (
            lambda: self._change(series, 'companies', company_ids=self.other_company.ids),
            lambda: self._change(series, 'extend', valid_till=day),
            lambda: series.write({'valid_till': day + timedelta(days=1)}),
            lambda: series.write({'company_ids': [Command.clear()]}),
        ):
            before = self._events(series.card_ids)
            change()
            events = self._events(series.card_ids) - before
            self.assertEqual(len(events), 4)
            self.assertEqual(len(set(events.mapped('reference'))), 1)

    def test_nobody_edits_or_deletes_history(self):
        card = self._generate_card()
        self._change(card, 'deactivate')
        admin = self.env.ref('base.user_admin')
        for events in (card.event_ids.with_user(admin), card.event_ids.sudo()):
            values = {'id': events.id, 'card_id/.id': card.id, 'note': 'x'}
            with self.assertRaises(UserError):
                events.write({'note': 'x'})
            with self.assertRaises(UserError):
                events.unlink()
            with self.assertRaises(UserError):
                events.note = 'x'
                self.env.flush_all()
            imported = events.load(['.id', 'note'], [[str(values['id']), 'x']])
            self.assertTrue(imported['messages'])
        with self.assertRaises(AccessError):
            card.event_ids.with_user(admin).create({'serial': 'x'})
        with self.assertRaisesRegex(UserError, "Archive the user instead"):
            self.accountant.unlink()
        self.assertFalse(card.event_ids.note)
        self.assertEqual(card.event_ids.user_id, self.accountant)

    def test_the_history_tells_in_words(self):
        card = self._generate_card(activation_required=True)
        self._change(card, 'activate')
        self._change(card, 'disable', reason='lost')
        self._change(card, 'enable')
        self._change(card, 'extend')
        self.assertEqual(
            card.event_ids.mapped('summary'),
            ["Valid without end", "Enabled again", "Disabled: Lost", "Activated"],
        )

    def test_whoever_looks_at_a_code_is_written_down(self):
        card = self._generate_card()
        action = card.action_show_code()
        self.assertEqual(action['params']['code'], card.sudo().code)
        self.assertRecordValues(
            card.event_ids, [{'note': "Code shown", 'user_id': self.accountant.id}]
        )
        self.assertEqual(card.state, 'active')

    # -------------------------------------------------------------------------
    # DELETING AND ARCHIVING
    # -------------------------------------------------------------------------

    def test_the_series_keeps_what_was_deleted(self):
        series = self._generate(4)
        names = series.card_ids.mapped('name')
        series.card_ids[1:3].unlink()
        message = series.message_ids[0]
        for part in ("2 cards deleted", names[1], names[2]):
            self.assertIn(part, message.body)
        self.assertEqual(message.author_id, self.accountant.partner_id)

    def test_what_was_used_once_is_not_deleted_and_keeps_its_price(self):
        card = self._generate_card()
        self._redeem(card)
        self._undo(card)
        self.assertEqual(card.state, 'active')
        with self.assertRaisesRegex(UserError, "Disable it instead"):
            card.unlink()
        with self.assertRaisesRegex(UserError, "Cancel the rest"):
            card.series_id.unlink()
        with self.assertRaisesRegex(UserError, "stay as they are"):
            card.series_id.price = 99
        self.assertTrue(card.exists())

    def test_what_was_used_once_keeps_its_price_in_another_series(self):
        card = self._generate().card_ids[0]
        self._redeem(card)
        self._undo(card)
        old = card.series_id
        self._change(card, 'companies', company_ids=self.company.ids)
        self.assertNotEqual(card.series_id, old)
        self.assertTrue(card.series_id.has_used_cards)
        with self.assertRaisesRegex(UserError, "stay as they are"):
            card.series_id.price = 99
        with self.assertRaisesRegex(UserError, "Cancel the rest"):
            card.series_id.unlink()
        self.assertTrue(card.exists())

    def test_only_a_finished_series_is_archived(self):
        series = self._generate(2)
        used = series.card_ids[0]
        self._redeem(used)
        with self.assertRaisesRegex(UserError, "can still be redeemed"):
            series.action_archive()
            self.env.flush_all()
        self._change(series, 'disable', reason='cancelled')
        series.action_archive()
        self.assertNotIn(series, series.search([]))
        self.assertIn(used, used.search([('series_id', '=', series.id)]))
        self.assertIn(used, used.with_user(self.clerk).search([]))

    def test_a_series_with_inactive_cards_is_not_archived(self):
        series = self._generate(2, activation_required=True)
        self._change(series.card_ids[0], 'disable', reason='cancelled')
        for archive in (series.action_archive, lambda: series.write({'active': False})):
            with self.assertRaisesRegex(UserError, "can still be redeemed"), self.cr.savepoint():
                archive()
        self._change(series, 'disable', reason='cancelled')
        series.action_archive()
        self.assertFalse(series.active)

    def test_cards_of_an_archived_series_are_still_found_by_their_code(self):
        series = self._generate(2, prefix='GONE', alphabet='digits', code_length=17)
        self._redeem(series.card_ids[0])
        self._change(series, 'disable', reason='cancelled')
        series.action_archive()
        self._assert_refused('used', self._redeem, series.card_ids[0])
        self._change(series.card_ids[1], 'enable')
        self.assertTrue(series.active, "what can be redeemed is not hidden")
        self.assertEqual(self._redeem(series.card_ids[1]).state, 'paid')

    def test_an_archived_series_is_shown_again_when_a_redemption_is_undone(self):
        card, other = self._generate_card(), self._generate_card()
        self._redeem(card)
        self._change(other, 'disable', reason='lost')
        (card + other).series_id.action_archive()
        self._undo(card)
        self.assertTrue(card.series_id.active)
        self.assertFalse(other.series_id.active)

    def test_the_deletion_of_a_series_is_in_the_history(self):
        series = self._generate(2)
        name, [first, last] = series.name, series.card_ids.mapped('name')
        series.unlink()
        events = self.env['refill.card.event'].search([('serial', 'in', [name, first, last])])
        self.assertEqual(events.mapped('new_state'), ['deleted', False], "one line, not one a card")
        deleted, generated = events.mapped('summary')
        self.assertEqual(deleted, f"Deleted: $\xa050.00, 2 cards, {first} to {last}")
        self.assertIn("Generated: 2 cards of $\xa025.00", generated)

    # -------------------------------------------------------------------------
    # FINDING A DAMAGED CARD
    # -------------------------------------------------------------------------

    def _find(self, series, typed):
        wizards = self.env['refill.card.find'].with_user(self.accountant)
        wizard = wizards.create({'series_id': series.id, 'typed': typed})
        [(_field, _operator, ids)] = wizard.action_find()['domain']
        return self.env['refill.card'].browse(ids)

    def test_a_damaged_card_is_found_by_what_can_be_read(self):
        series = self._generate(20)
        card = series.card_ids[7]
        prefix, *groups = card.sudo().code.split('-')
        half = '-'.join([groups[0][:2] + '??', '????', groups[2]])
        for typed in (half, f'{prefix}-{half}'.lower(), f'QU?CK {half}'):
            with self.subTest(typed):
                self.assertEqual(self._find(series, typed), card)
        self.assertIn("1 found", series.message_ids[0].body)
        events = self.env['refill.card.event'].search([('note', 'ilike', "Looked for a damaged")])
        self.assertEqual(len(events), 3)
        self.assertEqual((events.user_id, events.series_id), (self.accountant, series))
        self.assertNotIn(groups[2], str(series.message_ids.mapped('body')))
        self.env.cr.execute('SELECT row_to_json(w)::text FROM refill_card_find w')
        self.assertNotIn(half, str(self.env.cr.fetchall()))

    def test_too_little_or_too_much_for_a_code_is_refused(self):
        series = self._generate(2)
        body = series.card_ids[0].sudo().code.removeprefix('QUICK-').replace('-', '')
        for typed in (
            '?' * 13,
            body[:3] + '?' * 10,
            body[:12],
            f'SLOW-{body}',
            'U' * 13,
            f'{body}?',
        ):
            with self.subTest(typed), self.assertRaisesRegex(UserError, "do not look like this"):
                self._find(series, typed)
        last = {'0': '1'}.get(body[0], '0')
        with self.assertRaisesRegex(UserError, "No card of this series"):
            self._find(series, last + body[1:])
        with self.assertRaisesRegex(UserError, "Choose the series"):
            self._find(series.browse(), body)

    def test_too_many_candidates_are_refused(self):
        series = self._generate(3)
        self.patch(codes, 'READABLE', 0)
        with self.subTest("three are fine"):
            self.assertEqual(len(self._find(series, '?' * 13)), 3)
        many = self._generate(101)
        wizards = self.env['refill.card.find'].with_user(self.accountant)
        wizard = wizards.create({'series_id': many.id, 'typed': '?' * 13})
        with self.assertRaisesRegex(UserError, "More than 100"):
            wizard.action_find()
        event = self.env['refill.card.event'].search([('serial', '=', many.name)], limit=1)
        self.assertIn("more than 100 found", event.note)

    # -------------------------------------------------------------------------
    # MERGING CONTACTS
    # -------------------------------------------------------------------------

    def test_merging_contacts_keeps_cards_and_payments_together(self):
        double = self.env['res.partner'].create({'name': "Customer again"})
        kept, moved = self._generate(2).card_ids
        self._redeem(kept)
        payment = self._redeem(moved, double)
        wizards = self.env['base.partner.merge.automatic.wizard']
        wizards.create({})._merge((self.customer + double).ids, self.customer)
        self.env.invalidate_all()
        self.assertFalse(double.exists())
        self.assertEqual((kept + moved).partner_id, self.customer)
        self.assertEqual(payment.partner_id, self.customer)
        self.assertEqual(self._balance(), 50)
        self._undo(moved)
        self.assertEqual(self._balance(), 25)
