"""Wherever a canary is typed, scanned or imported, its series is frozen; no card has its code."""

import base64
from unittest.mock import patch

from odoo.tests import tagged
from odoo.tools import SQL

from ..refill_cards import codes
from .import_common import SPLYNX, ImportCommon
from .test_freeze_canary import CanaryCommon
from .test_portal_reseller import ResellerCommon
from .test_replace_portal import RequestCommon

LINK = 'https://example.com/my/refill#'


@tagged('post_install', '-at_install')
class TestCanaryDoors(CanaryCommon):
    def _assert_each_freezes(self, **doors):
        """Assert that whoever types a canary at one of these doors freezes its series."""
        canary = self._get_canary()
        for door, type_code in doors.items():
            with self.subTest(door):
                self._assert_frozen(self.series, is_frozen=False)
                type_code(canary)
                self._assert_frozen(self.series)
                self._assert_frozen(self.other_series, is_frozen=False)
                self._release()

    def test_staff_who_type_scan_or_search_for_one_freeze_its_series(self):
        cards = self.env['refill.card'].with_user(self.clerk)
        window = self.env['refill.card.redeem'].with_user(self.clerk)
        export = self.env['refill.card.export.wizard'].with_user(self.accountant)

        def refused(call):
            return lambda code: self._assert_refused('unknown', call, code)

        self._assert_each_freezes(
            window=lambda code: window.new({'typed': code})._onchange_typed(),
            scanned=lambda code: window.new({'typed': LINK + code})._onchange_typed(),
            list=lambda code: cards.search([('code', '=', code)]),
            search_box=lambda code: cards.search([('display_name', 'ilike', code)]),
            name_search=lambda code: cards.name_search(LINK + code),
            range=refused(lambda code: export.create({'first': code})),
        )

    def test_who_looks_for_a_damaged_card_by_one_freezes_its_series(self):
        windows = self.env['refill.card.find'].with_user(self.accountant)

        def find(code):
            window = windows.create({'series_id': self.series.id, 'typed': code})
            self.assertFalse(window.candidate_ids)

        self._assert_each_freezes(
            find=find, without_prefix=lambda code: find(code.partition('-')[2])
        )

    def test_a_part_of_one_freezes_nothing(self):
        windows = self.env['refill.card.find'].with_user(self.accountant)
        windows.create({'series_id': self.series.id, 'typed': f'{self._get_canary()[:-2]}??'})
        self._assert_frozen(self.series, is_frozen=False)

    def test_the_link_of_one_in_the_portal_freezes_its_series(self):
        self._assert_each_freezes(
            link=lambda code: self._get_portal_reason(LINK + code),
            bare=lambda code: self._get_portal_reason(code.replace('-', '').lower()),
        )

    def test_that_codes_were_stolen_is_told_although_wrong_codes_froze_the_series_before(self):
        canary = self._get_canary()
        self._freeze()
        self.assertEqual(self._get_portal_reason(canary), 'unavailable')
        self.env.invalidate_all()
        self.assertIn("codes were stolen", self.series.redemption_frozen_why)
        self.assertEqual(self._count_told(), 2)
        self.assertEqual(self._guess(), 'unavailable')
        self._get_portal_reason(canary)
        self.assertEqual(self._count_told(), 2)

    def _count_told(self):
        return self.env['mail.activity'].search_count(
            [('user_id', '=', self.accountant.id), ('summary', 'like', "are frozen")]
        )

    # -------------------------------------------------------------------------
    # NO CARD HAS ITS CODE
    # -------------------------------------------------------------------------

    def _drawing(self, *bodies):
        drawn = iter(bodies)
        return patch.object(codes.Format, 'generate', lambda _format, count: [next(drawn)] * count)

    def _get_body(self, code):
        return code.replace('-', '').removeprefix('QUICK')

    def test_a_card_never_gets_the_code_of_a_canary(self):
        canary = self._get_canary()
        [other] = codes.Format('base32', 12).generate(1)
        with self._drawing(self._get_body(canary), other):
            card = self._generate_card(prefix='QUICK')
        self.assertEqual(self._get_body(card.sudo().code), other)
        self._assert_tally_is_right()

    def test_a_canary_never_gets_the_code_of_a_card(self):
        body = self._get_body(self._get_code(self.series))
        [other] = codes.Format('base32', 12).generate(1)
        with self._drawing(body, other):
            self.other_series.with_user(self.accountant).canary_count = 1
        [row] = self._read_rows(self.other_series)
        self.assertEqual(self._get_body(row['Code'].removeprefix('SLOW')), other)

    def test_the_code_of_a_canary_that_is_none_any_more_is_free(self):
        self.series.with_user(self.accountant).canary_count = 0
        self.env.flush_all()
        self.assertFalse(self.env.execute_query(SQL("SELECT 1 FROM refill_card_code WHERE id < 0")))


@tagged('post_install', '-at_install')
class TestCanaryInPortal(CanaryCommon, RequestCommon):
    def test_a_customer_who_asks_for_another_card_by_one_freezes_its_series(self):
        canary = self._get_canary()
        self._log_in(self.customer_user)
        request = self._ask(canary)
        self.assertEqual(request.state, 'open')
        self._assert_frozen(self.series)


@tagged('post_install', '-at_install')
class TestCanaryOfReseller(CanaryCommon, ResellerCommon):
    def test_a_reseller_who_activates_one_freezes_its_series(self):
        self._generate_consigned(1)
        self._activate(self._get_canary())
        self._assert_frozen(self.series)


@tagged('post_install', '-at_install')
class TestCanaryImported(CanaryCommon, ImportCommon):
    def _prepare_table(self, *added):
        lines = [f'202201,{code},25.00,2066-12-31,Active' for code in added]
        return SPLYNX + '\n'.join(lines)

    def test_a_file_that_holds_one_freezes_its_series_and_makes_no_card_of_it(self):
        canary = self._get_canary()
        record = self._check(self._prepare_table(canary))
        self._assert_frozen(self.series)
        self.assertEqual(
            self._tell_problems(record), {6: "There is a card with this code already."}
        )
        self._confirm(record)
        self.assertEqual(len(self._get_cards(record)), 4)

    def test_a_file_that_a_program_sends_freezes_the_series_too(self):
        file = base64.b64encode(self._prepare_table(self._get_canary()).encode()).decode()
        cards = self.env['refill.card'].with_user(self.manager)
        cards.import_cards(file, 'cards.csv', preset='splynx')
        self._assert_frozen(self.series)

    def test_a_file_that_is_checked_in_the_background_freezes_the_series_too(self):
        self._in_background()
        record = self._upload(self._prepare_table(self._get_canary()))
        record.action_check()
        self._assert_frozen(self.series, is_frozen=False)
        self._run_background_job()
        self._assert_frozen(self.series)

    def test_a_file_with_a_canary_of_an_imported_series_freezes_it(self):
        series = self._import(SPLYNX).series_ids[0].with_user(self.accountant)
        series.canary_count = 1
        canary = self._get_canary_of(series)
        self.series.with_user(self.accountant).canary_count = 0
        (self.series + self.other_series).action_delete()
        record = self._check(self._prepare_table(canary).replace('irf', 'xyz'))
        self._assert_frozen(series)
        self.assertIn(6, self._tell_problems(record))

    def _get_canary_of(self, series):
        return self._read_rows(series)[0]['Code']
