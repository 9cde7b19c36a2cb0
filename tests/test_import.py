from datetime import date, timedelta

from freezegun import freeze_time
from odoo.exceptions import AccessError, UserError
from odoo.fields import Datetime
from odoo.tests import tagged

from .import_common import SPLYNX, ImportCommon


@tagged('post_install', '-at_install')
class TestImportRefusals(ImportCommon):
    def test_cards_that_were_used_elsewhere_are_no_redemptions_of_this_month(self):
        self._import(SPLYNX)
        dashboard = self.env['refill.card.dashboard'].with_user(self.manager)
        figures = dashboard.with_context(allowed_company_ids=self.company.ids).get_figures()
        [used] = [tile for tile in figures['tiles'] if tile['name'] == 'used']
        self.assertEqual(used['count'], '0')
        self.assertFalse(any(day['count'] for day in figures['days']))

    def test_who_does_not_manage_cards_imports_none(self):
        for user in (self.customer_user, self.employee, self.clerk):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self._upload(SPLYNX, user=user)
        record = self._upload(SPLYNX)
        for user in (self.customer_user, self.employee, self.clerk):
            for call in ('action_check', 'action_confirm', 'action_reverse', 'read'):
                with self.subTest(user=user.login, call=call), self.assertRaises(AccessError):
                    getattr(record.with_user(user), call)()

    def test_another_companys_manager_sees_and_touches_nothing(self):
        record = self._check(SPLYNX)
        daughter = {'company_id': self.other_company.id}
        other = self._new_user('other', 'refill_cards.group_refill_card_manager', **daughter)
        for call in ('action_check', 'action_confirm', 'action_back', 'action_discard', 'read'):
            with self.subTest(call=call), self.assertRaises(AccessError):
                getattr(record.with_user(other), call)()
        for records in (record.total_ids, record.problem_ids, record.column_ids):
            self.assertFalse(records.with_user(other).search([('id', 'in', records.ids)]))
        with self.assertRaises(AccessError):
            self.env['refill.card.import'].with_user(other).create(
                {'file': b'Q29kZSxQcmljZQ==', 'company_id': self.company.id}
            )

    def test_nobody_writes_by_hand_what_only_the_steps_write(self):
        record = self._check(SPLYNX)
        for values in (
            {'state': 'done'},
            {'guessing_probability': 0},
            {'groups': []},
            {'reference': 'x'},
            {'company_id': self.other_company.id},
        ):
            with self.subTest(values=values), self.assertRaises(AccessError):
                record.write(values)
        with self.assertRaises(AccessError):
            record.total_ids[0].amount = 1
        with self.assertRaises(AccessError):
            record.column_ids[0].name = 'x'
        with self.assertRaisesRegex(UserError, "Go back to the columns"):
            record.price = 3
        with self.assertRaisesRegex(UserError, "Go back to the columns"):
            record.column_ids[0].purpose = 'batch'
        with self.assertRaises(AccessError):
            record.create({'file': b'Q29kZQ==', 'state': 'checked'})

    def test_what_is_no_table_is_refused_with_a_sentence(self):
        for content, sentence in (
            (b'\n\n', "The table is empty"),
            (b'\x00\x01\x02\x03', "neither a CSV file nor an Excel workbook"),
            (b'PK\x03\x04 and no more', "cannot be opened"),
        ):
            with self.subTest(content=content), self.assertRaisesRegex(UserError, sentence):
                self._upload(content)

    def test_a_table_is_not_checked_before_its_columns_are_known(self):
        record = self._upload("Number,Worth\nabcdef12,5\n", preset='other')
        with self.assertRaisesRegex(UserError, "which column holds the codes"):
            record.action_check()
        self._match(record, code='Number')
        with self.assertRaisesRegex(UserError, "which column holds the face values"):
            record.action_check()
        self._match(record, code='Number', value='Worth')
        record.column_ids[1].purpose = 'code'
        with self.assertRaisesRegex(UserError, "Two columns tell the same: Code"):
            record.action_check()
        record.column_ids[1].purpose = 'value'
        record.action_check()
        self.assertEqual((record.state, record.ready_count), ('checked', 1))

    def test_a_figure_of_the_other_system_that_differs_keeps_the_import_back(self):
        record = self._check(SPLYNX)
        active = record.total_ids.filtered(lambda total: total.state == 'active')
        active.expected = 75
        self.assertEqual(active.difference, -25)
        with self.assertRaisesRegex(UserError, "are worth .*50.00, those in the other system"):
            record.action_confirm()
        self.assertFalse(self._get_cards(record))
        active.expected = 50
        self._confirm(record)
        with self.assertRaisesRegex(UserError, "nothing to compare"):
            active.expected = 1

    def test_codes_that_could_be_guessed_are_accepted_by_another_manager_who_reads_why(self):
        record = self._check(SPLYNX)
        self.assertTrue(record.is_short)
        self.assertRegex(record.guessing_risk, r"1 in [\d,]+ a year")
        with self.assertRaisesRegex(UserError, "Say why they are imported all the same"):
            record.action_confirm()
        record.risk_reason = "Printed in 2022"
        approval = self._get_approval(record.action_confirm())
        self.assertEqual((record.state, approval.kind), ('checked', 'import'))
        self.assertFalse(self._get_cards(record))
        self.assertEqual(approval.summary, "Import 4 cards of Splynx")
        self.assertIn("The codes could be guessed: 1 in", approval.details)
        self.assertIn("Reason: Printed in 2022", approval.details)
        with self.assertRaises(AccessError):
            approval.with_user(self.manager).action_approve()
        approval.action_approve()
        self.assertEqual((record.state, len(self._get_cards(record))), ('done', 4))
        self.assertEqual(record.confirmed_by_id, self.manager)

    def test_what_was_checked_anew_is_not_what_was_approved(self):
        record = self._check(SPLYNX)
        record.risk_reason = "Printed in 2022"
        approval = self._get_approval(record.action_confirm())
        record.action_back()
        record.action_check()
        with self.assertRaisesRegex(UserError, "has changed since this was asked for"):
            approval.action_approve()
        self.assertFalse(self._get_cards(record))

    def test_a_value_above_the_limit_waits_for_another_manager(self):
        self.company.sudo().write(
            {'refill_card_approval_import': True, 'refill_card_approval_import_from': 30}
        )
        table = "Code,Price\naB3xK9mQ2zL7wR5t,25\nbC4yL8nR3aM6xS9u,{}\n"
        record = self._check(table.format(20), preset='other')
        self.assertFalse(record.is_short)
        approval = self._get_approval(record.action_confirm())
        self.assertEqual((approval.amount, record.state), (45, 'checked'))
        approval.action_approve()
        self.assertEqual(record.state, 'done')

    def test_cards_that_can_be_made_usable_again_count_as_usable_ones(self):
        self.company.sudo().write(
            {'refill_card_approval_import': True, 'refill_card_approval_import_from': 30}
        )
        for state, day in (('disabled', ''), ('active', '2020-01-01')):
            table = f"Code,Price,Status,Last day\n{{}},40,{state},{day}\n"
            with self.subTest(state=state, day=day):
                safe = self._check(table.format('aB3xK9mQ2zL7wR5t'), preset='other')
                self.assertFalse(safe.is_short)
                self.assertEqual(self._get_approval(safe.action_confirm()).amount, 40)
                short = self._check(table.format('abcDEF11'), preset='other')
                self.assertTrue(short.is_short)

    def test_nothing_is_imported_before_it_is_confirmed_nor_twice(self):
        record = self._upload(SPLYNX)
        with self.assertRaisesRegex(UserError, "Check the file first"):
            record.action_confirm()
        before = self.env['refill.card'].search_count([])
        record.action_check()
        self.assertEqual(self.env['refill.card'].search_count([]), before)
        self._confirm(record)
        self.assertEqual(self.env['refill.card'].search_count([]), before + 4)
        with self.assertRaisesRegex(UserError, "Check the file first"):
            record.action_confirm()
        with self.assertRaisesRegex(UserError, "cannot go back"):
            record.action_back()
        with self.assertRaisesRegex(UserError, "on record for good"):
            record.action_discard()


@tagged('post_install', '-at_install')
class TestImport(ImportCommon):
    def test_cards_come_along_as_they_were(self):
        record = self._check(SPLYNX)
        self.assertEqual(
            self._tell_totals(record), {'active': (2, 50), 'used': (1, 25), 'disabled': (1, 50)}
        )
        self._confirm(record)
        cards = self._get_cards(record)
        states = {code.rpartition('-')[2]: card.state for code, card in cards.items()}
        self.assertEqual(
            states,
            {
                'irfUPbEZ': 'active',
                'KmPqTzWx': 'active',
                'aBcDeFgH': 'used',
                'zyxWVuTS': 'disabled',
            },
        )
        self.assertEqual({card.valid_till for card in cards.values()}, {date(2066, 12, 31)})
        series = record.series_ids
        self.assertEqual(sorted(series.mapped('price')), [25, 50])
        self.assertEqual(set(series.mapped('state')), {'ready'})
        self.assertEqual(set(series.mapped('foreign_batch')), {'202201'})
        self.assertEqual(sorted(series.mapped('quantity')), [1, 3])
        self._assert_tally_is_right()

    def test_cards_are_listed_in_the_order_of_the_table(self):
        codes = [f'202201-QuickAccess-{letters}' for letters in ('zzAb', 'mmCd', 'aaEf', 'kkGh')]
        codes = [f'{code}{number}xyz' for number, code in enumerate(codes * 5, start=10)]
        lines = [f'202201,{code},25.00,2066-12-31,Active' for code in codes]
        record = self._import('\n'.join([SPLYNX.partition('\n')[0], *lines]))
        cards = self.env['refill.card'].search([('series_id', 'in', record.series_ids.ids)])
        self.assertEqual(cards.sudo().mapped('code'), codes)
        self.assertEqual(cards.mapped('name'), sorted(cards.mapped('name')))

    def test_a_card_that_came_along_is_redeemed_by_a_clerk(self):
        self._import(SPLYNX)
        cards = self.env['refill.card'].with_user(self.clerk)
        result = cards.redeem_code('202201-QuickAccess-irfUPbEZ', self.customer.id)
        self.assertEqual(result['amount'], 25)
        self.assertEqual(self._balance(), 25)
        self._assert_refused(
            'used', cards.redeem_code, '202201-QuickAccess-irfUPbEZ', self.customer.id
        )

    def test_one_import_is_one_operation_with_an_event_a_card(self):
        record = self._import(SPLYNX)
        events = self.env['refill.card.event'].search([('reference', '=', record.reference)])
        self.assertEqual(len(events.filtered('card_id')), 4)
        self.assertEqual(
            events.card_id, self.env['refill.card'].union(*self._get_cards(record).values())
        )
        self.assertEqual(set(events.filtered('card_id').mapped('note')), {"Imported from Splynx"})
        self.assertEqual(events.user_id, self.manager)
        self.assertFalse(set(events.mapped('movement')) - {False})
        notes = events.filtered(lambda event: not event.card_id).mapped('note')
        self.assertEqual(len(notes), 2)
        self.assertIn("Imported from Splynx: 3 cards of", ' '.join(notes))

    def test_no_code_stays_in_clear_anywhere(self):
        record = self._upload(SPLYNX)
        attachments = self.env['ir.attachment'].with_context(skip_res_field_check=True)
        domain = [('res_model', '=', 'refill.card.import'), ('res_id', '=', record.id)]
        stored = attachments.search(domain)
        self.assertEqual(len(stored), 1)
        self.assertNotIn(b'QuickAccess', stored.raw)
        self.assertNotIn('QuickAccess', str(stored.index_content))
        self.assertFalse(record.file)
        self.assertNotIn('irfU', str(record.column_ids.mapped('sample')))
        record.action_check()
        self.env.cr.execute("SELECT * FROM refill_card_import_row")
        self.assertNotIn('QuickAccess', str(self.env.cr.fetchall()))
        self._confirm(record)
        self.assertFalse(attachments.search(domain), "the file is destroyed")
        self.env.cr.execute("SELECT count(*) FROM refill_card_import_row")
        self.assertEqual(self.env.cr.fetchone(), (0,))
        card = record.series_ids.card_ids[0]
        self.assertNotIn('irfU', card.with_user(self.manager).code)

    def test_used_cards_have_no_payment_and_say_when_they_were_used(self):
        payments = self.env['account.payment'].search_count([])
        self.customer.ref = 'C-17'
        table = (
            "Code,Price,Status,Used on,Used by\n"
            "abcDEF11,25,used,2024-03-05 10:00:00,C-17\nabcDEF12,25,used,,\n"
        )
        record = self._import(table, preset='other')
        self.assertEqual(self.env['account.payment'].search_count([]), payments)
        cards = self._get_cards(record)
        card = cards['abcDEF11']
        self.assertEqual((card.partner_id, card.used_on.year), (self.customer, 2024))
        self.assertFalse(card.payment_id)
        clerk = self.env['refill.card'].with_user(self.clerk)
        refused = self._assert_refused('used', clerk.redeem_code, 'abcDEF11', self.stranger.id)
        self.assertIn("already used on 03/05/2024", str(refused))
        refused = self._assert_refused('used', clerk.redeem_code, 'abcDEF12', self.stranger.id)
        self.assertEqual(str(refused), "This card was already used.")
        with self.assertRaisesRegex(UserError, "used before it was imported"):
            self._undo(card.with_user(self.accountant))

    def test_no_day_of_use_is_made_up_however_long_the_import_waited(self):
        with freeze_time(Datetime.now() - timedelta(days=1)):
            record = self._check("Code,Price,Status\nabcDEF12,25,used\n", preset='other')
        self._confirm(record)
        self.assertGreaterEqual(self._get_cards(record)['abcDEF12'].used_on, record.create_date)
        clerk = self.env['refill.card'].with_user(self.clerk)
        refused = self._assert_refused('used', clerk.redeem_code, 'abcDEF12', self.stranger.id)
        self.assertEqual(str(refused), "This card was already used.")

    def test_cards_whose_day_has_passed_are_expired_and_those_not_activated_in_stock(self):
        past = Datetime.now().date() - timedelta(days=3)
        table = (
            f"Code,Price,Status,Last day\nabcDEF11,25,active,{past}\nabcDEF12,25,inactive,\n"
            "abcDEF13,25,expired,\n"
        )
        record = self._import(table, preset='other')
        cards = self._get_cards(record)
        self.assertEqual(cards['abcDEF11'].state, 'expired')
        self.assertEqual(cards['abcDEF12'].state, 'inactive')
        self.assertEqual(cards['abcDEF13'].state, 'disabled', "without a day it could be revived")
        self.assertTrue(cards['abcDEF12'].series_id.activation_required)
        self.assertNotEqual(cards['abcDEF12'].series_id, cards['abcDEF11'].series_id)
        cards['abcDEF12'].with_user(self.manager)._activate()
        self._redeem(cards['abcDEF12'])

    def test_a_card_is_found_by_the_serial_number_that_is_printed_on_it(self):
        table = "Serial,Code,Price\nOLD/0001,abcDEF11,25\nOLD/0002,abcDEF12,25\n"
        record = self._import(table, preset='other')
        card = self._get_cards(record)['abcDEF12']
        found = self.env['refill.card'].with_user(self.clerk)._find('OLD/0002', self.customer)
        self.assertEqual(found, card.with_user(self.clerk))
        self.assertEqual(card.foreign_serial, 'OLD/0002')

    def test_a_discarded_import_leaves_nothing(self):
        record = self._check(SPLYNX)
        action = record.action_discard()
        self.assertEqual(action['res_model'], 'refill.card.import')
        self.assertFalse(record.exists())
        for model in ('row', 'problem', 'total', 'column'):
            self.env.cr.execute(f'SELECT count(*) FROM refill_card_import_{model}')
            self.assertEqual(self.env.cr.fetchone(), (0,), model)

    def test_what_was_not_confirmed_is_forgotten_after_two_days(self):
        record = self._check(SPLYNX)
        done = self._import(SPLYNX.replace('QuickAccess', 'SlowAccess1'))
        self.env.flush_all()
        old = Datetime.now() - timedelta(days=3)
        self.env.cr.execute('UPDATE refill_card_import SET write_date = %s', [old])
        self.env.invalidate_all()
        self.env['refill.card.import']._gc_imports()
        self.assertFalse(record.exists())
        self.assertTrue(done.exists())
