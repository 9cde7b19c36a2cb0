from datetime import timedelta

from freezegun import freeze_time
from odoo import fields
from odoo.addons.mail.tests.common import MailCase
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import Form, tagged
from odoo.tools import format_date

from ..refill_cards import codes
from .common import RefillCardCommon


@tagged('post_install', '-at_install')
class TestSeries(RefillCardCommon, MailCase):
    # -------------------------------------------------------------------------
    # GENERATING
    # -------------------------------------------------------------------------

    def test_nonsense_is_refused_with_a_sentence(self):
        yesterday = fields.Date.today() - timedelta(days=1)
        for values, sentence in (
            ({'quantity': 0}, "between 1 and 1,000,000"),
            ({'quantity': -1}, "between 1 and 1,000,000"),
            ({'quantity': 1_000_001}, "between 1 and 1,000,000"),
            ({'price': 0}, "more than zero"),
            ({'price': -5}, "more than zero"),
            ({'price': 1e300}, "9,999,999.99 at the most"),
            ({'price': 10_000_000}, "9,999,999.99 at the most"),
            ({'valid_till': '9999-12-31'}, "50 years at the most"),
            ({'valid_till': '2206-01-01'}, "50 years at the most"),
            ({'activation_required': True, 'validity_days': 10**6}, "50 years at the most"),
            ({'valid_till': yesterday}, "has passed"),
            ({'prefix': 'A-B'}, "letters A to Z"),
            ({'prefix': 'ÄÖ'}, "letters A to Z"),
            ({'prefix': 'A' * 13}, "12 characters"),
            ({'code_length': 3}, "between 10 and 20"),
            ({'code_length': 10, 'quantity': 1000}, "could be guessed"),
            ({'alphabet': 'digits', 'code_length': 16, 'quantity': 6000}, "at least 17"),
        ):
            with self.subTest(**values), self.assertRaisesRegex(ValidationError, sentence):
                self._generate(**values)

    def test_limits_hold_for_what_is_changed(self):
        series = self._generate()
        for change, sentence in (
            (lambda: series.write({'price': 1e300}), "at the most"),
            (lambda: series.sudo().write({'price': 10_000_000}), "at the most"),
            (lambda: series.write({'valid_till': '2206-01-01'}), "50 years"),
            (lambda: series.card_ids[0].write({'valid_till': '2206-01-01'}), "50 years"),
            (lambda: self._change(series, 'extend', valid_till='2206-01-01'), "50 years"),
        ):
            with self.assertRaisesRegex(ValidationError, sentence), self.cr.savepoint():
                change()
        self._generate(quantity=1, price=9_999_999.99)

    def test_refused_attempts_burn_no_number(self):
        first = self._generate().name
        keys = self.env['ir.config_parameter']
        key = keys.get_param('refill_cards.key')
        for values in ({'price': 0}, {'quantity': 0}, {'prefix': 'Ä'}, {'code_length': 3}):
            with self.assertRaises(ValidationError), self.cr.savepoint():
                self._generate(**values)
        keys.set_param('refill_cards.key', codes.generate_key())
        with self.assertRaisesRegex(UserError, "refill_cards_key"), self.cr.savepoint():
            self._generate()
        keys.set_param('refill_cards.key', key)
        stem, _dash, number = first.rpartition('-')
        self.assertEqual(self._generate().name, f'{stem}-{int(number) + 1:04}')

    def test_every_field_has_a_sensible_default(self):
        wizard = self.env['refill.card.generate'].with_user(self.accountant).create({})
        self.assertEqual(wizard.currency_id, self.company.currency_id)
        self.assertEqual(wizard.company_ids, self.company)
        self.assertGreater(wizard.valid_till, fields.Date.today())
        self.assertEqual(wizard.code_length, codes.DEFAULT_LENGTHS['base32'])
        self.assertFalse(wizard.guessable)
        wizard.action_generate()

    def test_the_window_proposes_a_length_that_cannot_be_guessed(self):
        wizards = self.env['refill.card.generate'].with_user(self.accountant)
        wizard = wizards.create({'alphabet': 'digits', 'quantity': 6000})
        self.assertEqual(wizard.code_length, 17)
        self.assertFalse(wizard.guessable)
        wizard.code_length = 16
        self.assertTrue(wizard.guessable)

    def test_the_cards_are_numbered_and_their_codes_are_read_back(self):
        series = self._generate(quantity=12, prefix=' shop ', alphabet='digits')
        self.assertEqual(series.prefix, 'SHOP')
        self.assertEqual(series.state, 'ready')
        self.assertEqual(series.card_ids.mapped('number'), list(range(1, 13)))
        self.assertEqual(series.card_ids[11].name, f'{series.name}-000012')
        self.assertEqual(len(set(series.card_ids.sudo().mapped('code'))), 12)
        for card in series.card_ids:
            self.assertEqual(card.search([('code', '=', card.sudo().code)]), card)

    def test_codes_are_sealed_at_rest(self):
        card = self._generate_card()
        self.env.cr.execute("SELECT * FROM refill_card WHERE id = %s", [card.id])
        row = str(self.env.cr.dictfetchone())
        self.assertNotIn(card.sudo().code.replace('-', '').removeprefix('QUICK'), row)

    def test_another_key_is_an_error_and_not_an_unknown_code(self):
        card = self._generate_card()
        code = card.sudo().code
        self.env['ir.config_parameter'].set_param('refill_cards.key', codes.generate_key())
        card.invalidate_recordset()
        for call in (
            lambda: card.sudo().code,
            lambda: card.search([('code', '=', code)]),
            lambda: card.redeem_code(code, self.customer.id),
            lambda: self._generate(),
        ):
            with self.assertRaisesRegex(UserError, "refill_cards_key"):
                call()

    # -------------------------------------------------------------------------
    # EDITING
    # -------------------------------------------------------------------------

    def _expire(self):
        self.env.ref('refill_cards.ir_cron_expire').method_direct_trigger()

    def _assert_frozen(self, series):
        """Assert that no door changes what the codes say, and none tells another sum."""
        before = series.price, series.currency_id, series.prefix
        for user in (self.accountant, self.env.ref('base.user_root')):
            door = series.with_user(user)
            for values in (
                {'price': 40},
                {'prefix': 'OTHER'},
                {'prefix': False},
                {'currency_id': self.other_currency.id},
            ):
                with self.subTest(user=user.login, **values):
                    with self.assertRaisesRegex(UserError, "stay as they are"):
                        door.write(values)
                    with self.assertRaisesRegex(UserError, "stay as they are"):
                        door.with_context(tracking_disable=True).write(values)
            imported = door.load(['.id', 'price'], [[str(series.id), '40']])
            self.assertIn("stay as they are", imported['messages'][0]['message'])
        with self.assertRaisesRegex(AssertionError, "readonly"), Form(series) as form:
            form.price = 40
        with self.assertRaises(AccessError):
            series.write({'codes_left_on': False})
        series.write({'price': series.price, 'prefix': series.prefix})
        self.assertEqual((series.price, series.currency_id, series.prefix), before)

    def test_cards_used_freeze_price_currency_and_prefix(self):
        series = self._generate()
        self._redeem(series.card_ids[0])
        self._assert_frozen(series)
        series.write({'company_ids': [Command.clear()]})

    def test_codes_that_left_freeze_price_currency_and_prefix(self):
        window = {'file_format': 'pdf', 'scope': 'all'}
        self.customer.email = 'customer@example.com'
        for door in (
            lambda series: self._export(series),
            lambda series: self._export(series, **window),
            lambda series: self._export(series.card_ids[0]),
            lambda series: self._send(series.card_ids[0]),
            lambda series: series.card_ids[0].action_show_code(),
        ):
            series = self._generate()
            self.assertFalse(series.is_frozen or series.codes_left_on)
            door(series)
            self.assertTrue(series.is_frozen and series.codes_left_on)
            self._assert_frozen(series)

    # What asks for the password works over HTTP only, so these begin behind it.

    def _export(self, records, **values):
        action = records._open_export_window()
        wizard = records.env[action['res_model']].browse(action['res_id'])
        wizard.write(values)
        wizard._export()

    def _send(self, cards):
        action = cards.action_send()
        wizard = cards.env[action['res_model']].browse(action['res_id'])
        wizard.partner_ids = self.customer
        type(wizard).action_send.__wrapped__(wizard)
        with self.mock_mail_gateway():  # the codes leave when the mail does
            self.env.ref('mail.ir_cron_mail_scheduler_action').method_direct_trigger()
        self.env.invalidate_all()

    def test_cards_that_move_stay_frozen(self):
        series = self._generate()
        series.card_ids[0].action_show_code()
        self._change(series.card_ids[1], 'companies', company_ids=self.other_company.ids)
        moved = series.search([], limit=1)
        self.assertNotEqual(moved, series)
        self._assert_frozen(moved)

    def test_before_a_code_left_a_change_is_written_down(self):
        series = self._generate()
        code = series.card_ids[0].sudo().code
        quiet = series.with_context(tracking_disable=True, mail_notrack=True)
        quiet.write({'price': 30, 'prefix': 'new'})
        quiet.sudo().write({'currency_id': self.other_currency.id})
        self.assertTrue(series.card_ids[0].sudo().code.startswith('NEW-'))
        notes = self._notes(series)
        self.assertIn("$\xa025.00 → $\xa030.00", notes[1])
        self.assertIn("QUICK → NEW", notes[1])
        self.assertIn("USD → EUR", notes[0])
        self.assertEqual(self._find(code), series.card_ids[0], "the prefix of before is read")
        series.prefix = False
        for prefix in ('QUICK', 'new', ''):
            self.assertEqual(self._find(code.replace('QUICK', prefix)), series.card_ids[0])
        self._assert_refused('typo', self.env['refill.card'].redeem_code, 'X' + code)

    def _find(self, code):
        return self.env['refill.card'].with_user(self.accountant).search([('code', '=', code)])

    def _notes(self, series):
        """Return what the history tells of the series itself, the last first."""
        events = self.env['refill.card.event'].with_user(self.accountant)
        return events.search([('serial', '=', series.name)]).mapped('summary')

    def test_a_damaged_card_is_found_by_its_former_prefix(self):
        series = self._generate()
        code = series.card_ids[0].sudo().code
        series.prefix = 'NEW'
        wizards = self.env['refill.card.find'].with_user(self.accountant)
        for typed in (code, code.replace('QUICK', 'NEW')):
            wizard = wizards.create({'series_id': series.id, 'typed': typed[:-1] + '?'})
            self.assertEqual(wizard.candidate_ids, series.card_ids[0])

    def test_generation_and_every_change_are_written_down(self):
        series = self._generate(quantity=2)
        self.assertIn("2 cards of $\xa025.00", self._notes(series)[0])
        layout = series.layout_id.create({'name': "Blue"})
        day = fields.Date.today() + timedelta(days=500)
        for values, note in (
            ({'price': 30}, "30.00"),
            ({'prefix': 'NEW'}, "NEW"),
            ({'currency_id': self.other_currency.id}, "EUR"),
            ({'company_ids': [Command.clear()]}, "Any company"),
            ({'valid_till': day}, format_date(self.env, day)),
            ({'layout_id': layout.id}, "Blue"),
        ):
            count = len(self._notes(series))
            quiet = series.with_context(tracking_disable=True)
            quiet.write(values)
            quiet.write(values)  # what stays the same is no change
            with self.subTest(**values):
                self.assertIn(note, self._notes(series)[0])
                self.assertEqual(len(self._notes(series)), count + 1)
        self._change(series, 'extend')
        self.assertIn("→ none", self._notes(series)[0])
        self._change(series, 'companies', company_ids=self.company.ids)
        self.assertIn(f"→ {self.company.name}", self._notes(series)[0])
        self._change(series, 'disable', reason='cancelled')
        series.with_context(tracking_disable=True).action_archive()
        self.assertIn("No", self._notes(series)[0])

    def test_a_later_day_revives_expired_cards_and_leaves_used_ones(self):
        series = self._generate(valid_till=fields.Date.today())
        self._redeem(series.card_ids[0])
        later = fields.Date.today() + timedelta(days=400)
        with freeze_time(fields.Datetime.now() + timedelta(days=40)):
            self._expire()
            self.assertEqual(series.card_ids.mapped('state'), ['used', 'expired', 'expired'])
            self.assertEqual((series.expired_count, series.expired_amount), (2, 50))
            series.valid_till = later
        self.assertEqual(series.card_ids.mapped('state'), ['used', 'active', 'active'])
        self.assertEqual(series.card_ids[1].valid_till, later)
        self.assertNotEqual(series.card_ids[0].valid_till, later)
        self.assertEqual(series.card_ids[1].event_ids.mapped('new_state'), ['active', 'expired'])

    def test_a_day_that_has_passed_is_refused(self):
        series = self._generate()
        yesterday = fields.Date.today() - timedelta(days=1)
        with self.assertRaisesRegex(ValidationError, "has passed"):
            series.valid_till = yesterday
        with self.assertRaisesRegex(ValidationError, "has passed"):
            series.card_ids[0].valid_till = yesterday

    def test_a_single_card_is_extended_and_keeps_its_day(self):
        series = self._generate()
        first, second, _third = series.card_ids
        first.valid_till = False
        series.valid_till = fields.Date.today() + timedelta(days=500)
        self.assertFalse(first.valid_till)
        self.assertEqual(second.valid_till, series.valid_till)
        self.assertEqual(first.event_ids.note, "Valid without end")

    def test_a_used_card_is_not_edited(self):
        card = self._generate_card()
        self._redeem(card)
        with self.assertRaisesRegex(UserError, "part of the books"):
            card.valid_till = fields.Date.today() + timedelta(days=500)

    def test_cards_do_not_expire_before_their_day_is_over_everywhere(self):
        with freeze_time('2026-03-01 12:00:00'):
            card = self._generate_card(valid_till='2026-03-10')
        with freeze_time('2026-03-11 11:00:00'):
            self._expire()
        self.assertEqual(card.state, 'active')
        with freeze_time('2026-03-11 13:00:00'):
            self._expire()
        self.assertEqual(card.state, 'expired')
        self._assert_refused('expired', self._redeem, card)

    def test_counts_and_amounts_by_status(self):
        series = self._generate(quantity=4)
        self._redeem(series.card_ids[0])
        series.invalidate_recordset()
        self.assertRecordValues(
            series,
            [
                {
                    'card_count': 4,
                    'active_count': 3,
                    'active_amount': 75,
                    'used_count': 1,
                    'used_amount': 25,
                    'expired_count': 0,
                    'disabled_amount': 0,
                }
            ],
        )

    def test_the_form_counts_the_cards_while_it_is_edited(self):
        series = self._generate(quantity=4)
        edited = series.new({'price': 30}, origin=series)
        self.assertEqual((edited.active_count, edited.active_amount), (4, 120))

    # -------------------------------------------------------------------------
    # DELETING
    # -------------------------------------------------------------------------

    def test_what_was_used_is_not_deleted(self):
        series = self._generate()
        self._redeem(series.card_ids[0])
        with self.assertRaisesRegex(UserError, "part of the books"):
            series.card_ids[0].unlink()
        with self.assertRaisesRegex(UserError, "cannot be deleted"):
            series.unlink()
        series.card_ids[1:].unlink()
        self.assertEqual(series.card_count, 1)

    def test_an_unused_series_is_deleted_with_its_cards(self):
        series = self._generate()
        cards = series.card_ids
        series.action_delete()
        self.assertFalse(cards.exists())

    # -------------------------------------------------------------------------
    # COMPANIES
    # -------------------------------------------------------------------------

    def test_companies_out_of_sight_do_not_look_like_any_company(self):
        hidden = self._generate(company_ids=[Command.set(self.other_company.ids)])
        anywhere = self._generate(company_ids=[Command.clear()])
        manager = self._new_user('manager', 'refill_cards.group_refill_card_manager')
        both = (hidden + anywhere).with_user(manager)
        self.env.flush_all()
        specification = {
            'company_ids': {'fields': {'display_name': {}}},
            'company_names': {},
            'has_hidden_companies': {},
        }
        for fnames in (list(specification), list(specification)[::-1]):
            self.env.invalidate_all()
            rows = both.web_read({fname: specification[fname] for fname in fnames})
            self.assertEqual(
                [(row['company_names'], row['has_hidden_companies']) for row in rows],
                [(self.other_company.name, True), ("Any company", False)],
            )
            self.assertEqual([row['company_ids'] for row in rows], [[], []])
        edited = both[0].new({'price': 30}, origin=both[0])
        self.assertEqual(edited.company_names, self.other_company.name)
        self.assertTrue(edited.has_hidden_companies)

    def test_the_form_shows_and_changes_companies_that_are_not_ticked_in_the_switcher(self):
        companies = self.company + self.other_company
        series = self._generate(company_ids=[Command.set(companies.ids)])
        self.accountant.sudo().group_ids += self.env.ref('base.group_multi_company')
        ticked = series.with_context(allowed_company_ids=self.company.ids)
        stranger = self.setup_other_company(name="Not the Accountant's")['company']

        def reopen():
            self.env.flush_all()
            self.env.invalidate_all()
            return Form(ticked)

        with reopen() as form:
            self.assertFalse(form.has_hidden_companies)
            self.assertEqual(form.shown_company_ids.ids, companies.ids)
            form.shown_company_ids.remove(id=self.other_company.id)
        self.assertEqual(series.company_names, self.company.name)
        with reopen() as form:
            self.assertEqual(form.shown_company_ids.ids, self.company.ids)
            form.shown_company_ids.add(self.other_company)
        self.assertEqual(series.sudo().company_ids, companies)
        # One that the user never sees makes it a text, and stays whatever is written.
        series.sudo().company_ids += stranger
        with reopen() as form:
            self.assertTrue(form.has_hidden_companies)
            self.assertEqual(form.shown_company_ids.ids, companies.ids)
            self.assertIn(stranger.name, form.company_names)
        ticked.write({'shown_company_ids': [Command.unlink(self.other_company.id)]})
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertEqual(series.sudo().company_ids, self.company + stranger)

    def test_companies_and_the_last_day_changed_at_once_are_both_told_to_the_cards(self):
        series = self._generate()
        self.accountant.sudo().group_ids += self.env.ref('base.group_multi_company')
        with Form(series) as form:
            form.shown_company_ids.add(self.other_company)
            form.valid_till = '2050-01-01'
        for card in series.card_ids:
            self.assertEqual(
                set(card.event_ids.mapped('note')),
                {f'Available to: {series.company_names}', "Valid till 2050-01-01"},
            )

    def test_what_the_user_does_not_see_still_keeps_a_card_from_a_company(self):
        card = self._generate_card(company_ids=[Command.set(self.other_company.ids)])
        self.env.flush_all()
        self.env.invalidate_all()
        seen = card.with_context(allowed_company_ids=self.company.ids)
        self.assertFalse(seen.series_id.company_ids, "the cache holds nothing now")
        self._assert_refused('company', self._redeem, card)
