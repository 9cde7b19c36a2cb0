"""Canaries: codes made for nobody, which freeze their series once somebody types one."""

import base64
import csv
import io
import time
from unittest.mock import Mock, patch

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, tagged
from odoo.tools import SQL

from ..refill_cards import codes
from ..refill_cards.models import refill_card_series_generation
from ..refill_cards.refusals import RefillCardRefused
from .common import scan
from .test_freeze import FreezeCommon


class CanaryCommon(FreezeCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.series.canary_count = 2

    def _plant(self, series=None, user=None, **values):
        """Return what is in the file of the canaries, as the manager takes it out."""
        series = (series or self.series).with_user(user or self.accountant)
        action = series.action_plant_canaries()
        windows = series.env['refill.card.plant'].with_context(**action['context'])
        window = windows.create(values)
        window.action_download()
        return base64.b64decode(window.file)

    def _read_rows(self, series=None, user=None):
        text = self._plant(series, user).decode('utf-8-sig')
        return list(csv.DictReader(io.StringIO(text)))

    def _get_canary(self, number=0):
        return self._read_rows()[number]['Code']


@tagged('post_install', '-at_install')
class TestCanary(CanaryCommon):
    # -------------------------------------------------------------------------
    # TYPING ONE
    # -------------------------------------------------------------------------

    def test_a_canary_typed_in_the_portal_or_over_the_api_freezes_its_series(self):
        cards = self.env['refill.card'].with_user(self.clerk)
        doors = {
            'portal': self._get_portal_reason,
            'redeem_code': self._get_reason,
            'redeem_codes': lambda code: cards.redeem_codes([code], self.customer.id)[0]['reason'],
            'check_code': self._check,
        }
        for door, type_code in doors.items():
            with self.subTest(door):
                canary = self._get_canary()
                self.assertEqual(type_code(canary), 'unavailable')
                self._assert_frozen(self.series)
                self._assert_frozen(self.other_series, is_frozen=False)
                self.assertEqual(type_code(self._get_code(self.series)), 'unavailable')
                self._release()
        self.assertEqual(self._get_lockout().guesses, 0)

    def _check(self, code):
        try:
            self.env['refill.card'].with_user(self.clerk).check_code(code)
        except RefillCardRefused as refused:
            return refused.reason

    def test_a_canary_is_read_like_a_code(self):
        canary = self._get_canary()
        self.assertEqual(self._get_reason(canary.partition('-')[2].lower()), 'unavailable')
        self._assert_frozen(self.series)

    def test_to_staff_a_canary_is_no_card_and_freezes_all_the_same(self):
        window = self.env['refill.card.redeem'].with_user(self.clerk)
        values = {'partner_id': self.customer.id, 'typed': self._get_canary()}
        self._assert_refused('unknown', window.create, values)
        self._assert_frozen(self.series)

    def test_many_codes_are_refused_from_the_canary_on(self):
        cards = self.env['refill.card'].with_user(self.clerk)
        first, last = self._get_code(self.series), self._get_code(self.series, 1)
        answers = cards.redeem_codes([first, self._get_canary(), last], self.customer.id)
        self.assertEqual([a.get('reason') for a in answers], [None, 'unavailable', 'unavailable'])

    def test_a_canary_freezes_no_other_series_with_the_same_prefix(self):
        alike = self._generate(1, prefix='QUICK')
        self.assertEqual(self._get_portal_reason(self._get_canary()), 'unavailable')
        self._assert_frozen(alike, is_frozen=False)
        self.assertIsNone(self._get_portal_reason(self._get_code(alike)))

    def test_it_is_told_once_that_codes_were_stolen_and_written_down_who_typed_it(self):
        self.company.refill_card_notices = True
        for number in range(2):
            self._get_portal_reason(self._get_canary(number))
        activity = self.env['mail.activity'].search(
            [('user_id', '=', self.accountant.id), ('summary', 'like', "are frozen")]
        )
        self.assertEqual(len(activity), 1)
        self.assertIn("codes were stolen", activity.note)
        event = self.env['refill.card.event'].search([('note', 'like', "Frozen: Somebody typed")])
        self.assertEqual((event.user_id, event.channel), (self.customer_user, 'portal'))
        rows = self.env['refill.card.outbox'].sudo().search([('kind', '=', 'alert')])
        self.assertEqual(
            rows.mapped('data'), [{'alert': 'series_frozen', 'cause': 'canary', 'count': 0}]
        )

    def test_who_typed_one_is_written_down_also_right_after_another_frozen_code(self):
        self._freeze(self.other_series)
        self._get_portal_reason(self._get_code(self.other_series))
        self.assertEqual(self._get_portal_reason(self._get_canary()), 'unavailable')
        self.assertEqual(self._count_attempts('unavailable'), 2)

    def test_without_a_threshold_canaries_freeze_all_the_same(self):
        self.company.refill_card_freeze_guesses = 0
        self._get_portal_reason(self._get_canary())
        self._assert_frozen(self.series)

    # -------------------------------------------------------------------------
    # WHAT THEY ARE
    # -------------------------------------------------------------------------

    def test_canaries_are_no_cards(self):
        cards = self.env['refill.card'].sudo()
        self.assertEqual(cards.search_count([('series_id', '=', self.series.id)]), 3)
        self.assertEqual((self.series.card_count, self.series.active_amount), (3, 75))
        self._assert_tally_is_right()
        for row in self._read_rows():
            self.assertFalse(cards.search([('code', '=', row['Code'])]))

    def test_their_file_looks_like_one_of_cards(self):
        exported = self.series.card_ids.sudo()
        rows = self._read_rows()
        self.assertEqual(len(rows), 2)
        shape = {len(card.code) for card in exported}
        for row in rows:
            self.assertEqual({len(row['Code'])}, shape)
            self.assertIn(row['Serial Number'], exported.mapped('name'))
            self.assertEqual((row['Face Value'], row['Status']), ('25.00', "Active"))

    def test_they_are_printed_and_written_as_a_workbook_too(self):
        [code, _other] = [row['Code'] for row in self._read_rows()]
        self.assertTrue(self._plant(file_format='xlsx').startswith(b'PK'))
        self.assertIn(
            code.replace('-', ''), ' '.join(scan(self._plant(file_format='pdf'))).replace('-', '')
        )

    def test_only_their_seals_are_kept_which_are_those_of_no_card(self):
        code = self._get_canary()
        body = ''.join(code.split('-')[1:])
        self.env.flush_all()
        rows = self.env.execute_query(SQL("SELECT * FROM refill_card_canary"))
        self.assertNotIn(body, str(rows))
        sealed = self.env['refill.card']._seal(code)
        self.assertNotIn(sealed[0], str(rows))

    def test_the_same_file_comes_each_time(self):
        self.assertEqual(self._read_rows(), self._read_rows())

    # -------------------------------------------------------------------------
    # HOW MANY
    # -------------------------------------------------------------------------

    def test_the_window_that_generates_asks_how_many(self):
        form = Form(self.env['refill.card.generate'].with_user(self.accountant))
        self.assertEqual(form.canary_count, 0)
        form.canary_count = 4
        _approval, series = form.save()._generate()
        self.assertEqual(len(self._read_rows(series)), 4)

    def test_a_manager_makes_more_or_fewer(self):
        before = self._read_rows()
        series = self.series.with_user(self.accountant)
        series.canary_count = 3
        after = self._read_rows()
        self.assertEqual(len(after), 3)
        self.assertEqual([row for row in after if row in before], before)
        series.canary_count = 0
        self.assertEqual(self._get_portal_reason(before[0]['Code']), 'unknown')
        event = self.env['refill.card.event'].search([('note', 'like', "Canaries: 2 → 3")])
        self.assertEqual(event.user_id, self.accountant)

    def test_no_serial_number_comes_twice_however_they_were_made(self):
        for count in range(3, 8):
            self.series.with_user(self.accountant).canary_count = count
        numbers = [next(iter(row.values())) for row in self._read_rows()]
        self.assertEqual(len(set(numbers)), 7)

    def test_the_key_that_sealed_them_is_kept_although_there_are_no_cards_yet(self):
        (self.series + self.other_series).action_delete()
        with patch.object(refill_card_series_generation, 'IMMEDIATE_QUANTITY', 1):
            series = self._generate(3, canary_count=2)
        self.assertFalse(self.env['refill.card'].search_count([]))
        keys = self.registry['refill.card.key']
        with (
            patch.object(keys, '_get_server_key', return_value=codes.generate_key()),
            self.assertRaises(UserError),
        ):
            self._generate()
        self.assertEqual(len(self._read_rows(series)), 2)

    def test_there_are_a_hundred_at_most(self):
        for number in (-1, 101):
            with self.subTest(number), self.assertRaises(ValidationError):
                self.series.with_user(self.accountant).canary_count = number

    def test_a_series_split_off_has_none(self):
        cards = self.series.card_ids[:1].with_user(self.accountant)
        self._change(cards, 'companies', company_ids=self.other_company.ids)
        moved = cards.series_id
        self.assertNotEqual(moved, self.series)
        self.assertEqual(moved.sudo().canary_count, 0)

    def test_they_go_with_their_series(self):
        self.series.action_delete()
        self.assertFalse(self.env['refill.card.canary'].sudo().search([]))

    # -------------------------------------------------------------------------
    # WHO TAKES THEM OUT
    # -------------------------------------------------------------------------

    def test_who_does_not_manage_the_series_gets_none(self):
        theirs = self._new_user(
            'their_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        for user in (self.clerk, self.customer_user, theirs):
            with self.subTest(user.login), self.assertRaises(AccessError):
                self._plant(user=user)
        with self.assertRaises(AccessError):
            self.series.with_user(self.clerk).read(['canary_count'])

    def test_the_file_is_for_who_typed_the_password_just_now(self):
        window = self.env['refill.card.plant'].with_user(self.accountant)
        window = window.create({'series_id': self.series.id})
        late = Mock(session=Mock(uid=self.accountant.id, get=lambda *_args: time.time() - 3600))
        with patch(
            'odoo.addons.refill_cards.refill_cards.models.refill_card_identity.request', late
        ):
            for get in (lambda: window.file, window.action_download):
                with self.assertRaises(UserError):
                    get()

    def test_taking_them_out_is_written_down(self):
        self._plant()
        event = self.env['refill.card.event'].search([('note', 'like', "2 canaries")])
        self.assertEqual((event.user_id, event.series_id), (self.accountant, self.series))

    def test_clerks_do_not_read_that_there_are_any(self):
        self.series.with_user(self.accountant).canary_count = 3
        self._plant()
        events = self.env['refill.card.event'].with_user(self.clerk)
        self.assertFalse(events.search([('note', 'ilike', "canaries")]))
        series = self.series.with_user(self.clerk)
        self.assertFalse(series.message_ids.filtered(lambda m: 'canaries' in (m.body or '')))
        self.assertFalse(series.sudo().message_ids.tracking_value_ids)

    def test_without_canaries_there_is_no_file(self):
        with self.assertRaises(UserError):
            self._plant(self.other_series)
