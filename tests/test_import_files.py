"""Real and broken tables: the systems' own, by their documentation, and what people do to them."""

import io
import zipfile
from datetime import date, datetime
from unittest.mock import patch

import xlsxwriter
from odoo.exceptions import UserError
from odoo.tests import BaseCase, tagged
from odoo.tools import mute_logger
from psycopg2.errors import UniqueViolation

from ..refill_cards import sheets
from ..refill_cards.presets import PRESETS, NotRead, read_amount, read_moment
from .import_common import SPLYNX, ImportCommon

# A table of tbl_voucher, as phpMyAdmin exports it.
PHPNUXBILL = """\
id,type,routers,id_plan,code,user,status,batch_name,used_date,generated_by
1,Hotspot,radius,3,NX7KQ2MPZD,,0,june,,1
2,Hotspot,radius,3,NX9WR4TBHL,alice,1,june,2025-06-03 08:15:00,1
"""
# hotspot/exportusers.php: cells are joined by commas, and nothing is quoted.
MIKHMON = """\
Username,Password,Profile,Time Limit,Data Limit,Comment
k7Qm2xPz,k7Qm2xPz,1-DAY,1d,,vc-301-06.01.25-shop
w4TbHl9R,w4TbHl9R,1-DAY,1d,,vc-301-06.01.25-shop
"""
WOOCOMMERCE = """\
ID,Code,Recipient,Sender,Balance,Remaining,Expires,Status
11,ZX9K-77QM-PL2A-WE4R,a@example.com,Bob,50,37.50,2066-01-31 00:00:00,on
12,TY3B-88RN-QM5C-XF6S,b@example.com,Bob,50,0,,on
13,UZ4C-99SP-RN6D-YG7T,c@example.com,Bob,20,20,,off
"""
WOOCOMMERCE_COUPONS = """\
post_title,post_status,coupon_amount,expiry_date,discount_type
welcome2066,publish,10.00,2066-06-30,fixed_cart
thankyou20,trash,20.00,,fixed_cart
"""
ODOO = """\
"Code","Points","Expiration Date","Program","Currency","Active"
"044d-ecb5-4f1e","30.0","2066-12-31","Gift Cards","USD","True"
"0448-11a2-4bcd","12.5","","Gift Cards","USD","True"
"""


@tagged('post_install', '-at_install')
class TestImportPresets(ImportCommon):
    def _tell_cards(self, record):
        return {
            code: (card.state, card.price, card.valid_till or None)
            for code, card in self._get_cards(record).items()
        }

    def test_splynx(self):
        record = self._import(SPLYNX)
        self.assertEqual(
            self._tell_cards(record)['202201-QuickAccess-irfUPbEZ'],
            ('active', 25, date(2066, 12, 31)),
        )

    def test_phpnuxbill(self):
        record = self._import(PHPNUXBILL, preset='phpnuxbill', price=15)
        self.assertEqual(
            self._tell_cards(record),
            {'NX7KQ2MPZD': ('active', 15, None), 'NX9WR4TBHL': ('used', 15, None)},
        )
        used = self._get_cards(record)['NX9WR4TBHL']
        self.assertEqual(used.used_on.date(), date(2025, 6, 3))
        self.assertEqual(record.series_ids.foreign_batch, 'june')

    def test_mikhmon(self):
        record = self._import(MIKHMON, preset='mikhmon', price=2)
        self.assertEqual(
            self._tell_cards(record),
            {'k7Qm2xPz': ('active', 2, None), 'w4TbHl9R': ('active', 2, None)},
        )

    def test_woocommerce_gift_cards(self):
        record = self._import(WOOCOMMERCE, preset='woocommerce')
        self.assertEqual(
            self._tell_cards(record),
            {
                'ZX9K-77QM-PL2A-WE4R': ('active', 37.5, date(2066, 1, 31)),
                'UZ4C-99SP-RN6D-YG7T': ('disabled', 20, None),
            },
        )
        self.assertEqual(self._tell_problems(record), {3: "The card is worth nothing any more."})

    def test_woocommerce_coupons_keep_their_small_letters(self):
        record = self._import(WOOCOMMERCE_COUPONS, preset='woocommerce')
        self.assertEqual(
            self._tell_cards(record),
            {
                'welcome2066': ('active', 10, date(2066, 6, 30)),
                'thankyou20': ('disabled', 20, None),
            },
        )

    def test_odoo_gift_cards(self):
        record = self._import(ODOO, preset='odoo')
        self.assertEqual(
            self._tell_cards(record),
            {
                '044d-ecb5-4f1e': ('active', 30, date(2066, 12, 31)),
                '0448-11a2-4bcd': ('active', 12.5, None),
            },
        )

    def test_odoo_gift_cards_as_their_list_is_exported(self):
        """With the columns that the list shows, as Odoo writes cells: no currency, no status."""
        file = io.BytesIO()
        with xlsxwriter.Workbook(file) as book:
            sheet = book.add_worksheet()
            day = book.add_format({'text_wrap': True, 'num_format': 'yyyy-mm-dd'})
            labels = ("Code", "Balance", "Expiration Date", "Program", "Partner")
            sheet.write_row(0, 0, labels, book.add_format({'bold': True}))
            sheet.write_row(1, 0, ("0441-b5a6-4c72", "$\N{NO-BREAK SPACE}1,030.00"))
            sheet.write(1, 2, date(2066, 12, 31), day)
            sheet.write_row(1, 3, ("Gift Cards", "Azure Interior"))
            sheet.write_row(2, 0, ("044d-ecb5-4f1e", "12.50 Gift Card Points", "", "Gift Cards"))
        record = self._import(file.getvalue(), preset='odoo', name='loyalty.card.xlsx')
        self.assertEqual(
            self._tell_cards(record),
            {'0441-b5a6-4c72': ('active', 1030, date(2066, 12, 31))},
        )
        self.assertEqual(self._tell_problems(record), {3: "The face value cannot be read."})
        self.assertEqual(record.series_ids.foreign_batch, "Gift Cards")
        self.assertFalse(record.warning)

    def test_columns_of_another_system_are_matched_by_hand(self):
        table = "Nummer,Geheim,Wert,Bis,Zustand,Filiale,Los\n7,aB3xK9mQ,10,31.12.2066,new,{},x1\n"
        record = self._upload(table.format(self.company.name), preset='other')
        self._match(
            record,
            serial='Nummer',
            code='Geheim',
            value='Wert',
            valid_till='Bis',
            state='Zustand',
            companies='Filiale',
            batch='Los',
        )
        record.day_first = True
        record.action_check()
        self._confirm(record)
        card = self._get_cards(record)['aB3xK9mQ']
        self.assertEqual((card.foreign_serial, card.price), ('7', 10))
        self.assertEqual((card.valid_till, card.state), (date(2066, 12, 31), 'active'))
        self.assertEqual(card.series_id.company_ids, self.company)
        self.assertEqual(card.series_id.foreign_batch, 'x1')

    def test_an_excel_workbook(self):
        content = self._write_xlsx(
            ["Code", "Price", "Valid till", "Status"],
            ["aB3xK9mQ", 25, datetime(2066, 12, 31), "Active"],
            [1234567890, 25.5, None, "Active"],
            [None, None, None, None],
            [12345678901234567890, 25, None, "Active"],
            ["=A1", 25, None, "Active"],
        )
        record = self._import(content, preset='other', name='cards.xlsx')
        self.assertEqual(
            self._tell_cards(record),
            {'aB3xK9mQ': ('active', 25, date(2066, 12, 31)), '1234567890': ('active', 25.5, None)},
        )
        problems = self._tell_problems(record)
        self.assertIn("more than 15 digits", problems[5])
        self.assertIn("formula", problems[6])

    def test_numbers_of_a_workbook_are_read_whatever_the_decimal_separator(self):
        dinar = self.env['res.currency'].with_context(active_test=False)
        dinar.search([('name', '=', 'KWD')]).active = True
        content = self._write_xlsx(
            ["Code", "Price", "Currency"],
            ["aB3xK9mQ", 7.125, "KWD"],
            ["bC4yL8nR", 12.5, "USD"],
            ["cD5zM7pS", 0.1 + 0.2, "USD"],
            ["dE6aN6qT", "7.125", "KWD"],
            ["eF7bP5rU", 0, "USD"],
        )
        record = self._import(content, preset='other', decimal_point=',', price=3)
        prices = {code: card.price for code, card in self._get_cards(record).items()}
        self.assertEqual(
            prices, {'aB3xK9mQ': 7.125, 'bC4yL8nR': 12.5, 'cD5zM7pS': 0.3, 'dE6aN6qT': 7125}
        )
        self.assertIn("worth nothing", self._tell_problems(record)[6])


@tagged('post_install', '-at_install')
class TestImportBroken(ImportCommon):
    def test_each_line_that_is_left_out_says_why(self):
        lines = (
            ("abcDEF11,25,Active,", None),
            (",25,Active,", "There is no code."),
            ("abc,25,Active,", "This is no code: a code has 6 to 64 letters and digits"),
            ("abcDEF12!,25,Active,", "This is no code"),
            ("=HYPERLINK(1),25,Active,", "There is a formula"),
            ("abcDEF13,x,Active,", "The face value cannot be read"),
            ('abcDEF14,"10,50",Active,', "The face value cannot be read"),
            ("abcDEF15,10.505,Active,", "more decimals than USD has"),
            ("abcDEF16,0,Active,", "worth nothing any more"),
            ("abcDEF17,-5,Active,", "worth nothing any more"),
            ("abcDEF18,99999999999,Active,", "too large"),
            ("abcDEF19,25,Wonderful,", "The status is not known."),
            ("abcDEF20,25,Active,someday", "The last day cannot be read"),
            ("abcDEF21,25,Active,2199-01-01", "50 years at the most"),
            ("abcDEF11,25,Active,", "Line 2 has the same code"),
            ("abc-DEF-11,25,Active,", "Line 2 has the same code"),
            ("abcDEF22,25,Active,,more", "more cells than there are columns"),
            ('abcDEF23,"25"x,Active,', "A quotation mark is not closed"),
            ("abcDEF24,25,Active,", None),
        )
        table = '\n'.join(["Code,Price,Status,Last day", *(line for line, _reason in lines)])
        record = self._check(table, preset='other')
        problems = self._tell_problems(record)
        for number, (line, reason) in enumerate(lines, start=2):
            with self.subTest(line=line):
                self.assertEqual(number in problems, bool(reason))
                self.assertIn(reason or '', problems.get(number, ''))
        self.assertEqual((record.line_count, record.ready_count), (19, 2))
        for reason in problems.values():
            self.assertNotIn('abc', reason.lower(), "no code is repeated")

    def test_no_reason_repeats_a_cell_which_may_hold_a_code(self):
        secret = 'aB3xK9mQ2z'
        record = self._check(
            f"Code,Price,Status,Currency,Company\nabcDEF11,25,{secret},,\nabcDEF12,25,,{secret},\n"
            f"abcDEF13,25,,,{secret}\n",
            preset='other',
        )
        problems = self._tell_problems(record)
        self.assertEqual(sorted(problems), [2, 3, 4])
        self.assertNotIn(secret.lower(), str(problems).lower())

    def test_the_day_of_use_is_read_with_its_time_zone_and_none_breaks_the_check(self):
        self.manager.tz = 'Asia/Tokyo'
        record = self._import(
            "Code,Price,Used on\nabcDEF11,25,2024-03-05T10:00:00+05:00\n"
            "abcDEF12,25,2024-03-05T10:00:00Z\nabcDEF13,25,2024-03-05 10:00:00\n"
            "abcDEF14,25,0001-01-01\n",
            preset='other',
        )
        hours = {code: card.used_on.hour for code, card in self._get_cards(record).items()}
        self.assertEqual(hours, {'abcDEF11': 5, 'abcDEF12': 10, 'abcDEF13': 1})
        self.assertIn("cannot be read", self._tell_problems(record)[5])

    def test_a_serial_number_that_is_the_code_is_not_kept(self):
        record = self._import(
            "Code,Serial,Price\nabcD-EF11,ABCDEF11,25\nabcDEF12,S-12,25\n", preset='other'
        )
        serials = {code: card.foreign_serial for code, card in self._get_cards(record).items()}
        self.assertEqual(serials, {'abcD-EF11': False, 'abcDEF12': 'S-12'})

    def test_a_table_without_labels_is_refused_and_no_code_of_it_is_kept(self):
        for table in (
            "aB3xK9mQ,25\nbC4yL8nR,25\n",
            "KmPqTzWx,Active\naBcDeFgH,Active\n",
            "202201,202201-QuickAccess-irfUPbEZ,25.00,2066-12-31,Active\n",
        ):
            with (
                self.subTest(table=table),
                self.assertRaisesRegex(UserError, "seems to be a card. Write a line above it"),
            ):
                self._upload(table, preset='other')

    def test_labels_are_forgotten_once_the_cards_are_imported(self):
        record = self._import("Code,Price,aB3xK9mQ\nabcDEF11,25,\n", preset='other')
        self.assertFalse(record.column_ids)

    def test_encodings_and_separators(self):
        table = "Code;Prix;Série\r\naB3xK9mQ;25;Été\r\n"
        for encoding in ('utf-8', 'utf-8-sig', 'cp1252', 'utf-16'):
            for separator in ';\t|':
                with self.subTest(encoding=encoding, separator=separator):
                    content = table.replace(';', separator).encode(encoding)
                    record = self._upload(content, preset='other')
                    self._match(record, code='Code', value='Prix', batch='Série')
                    record.action_check()
                    self.assertEqual(record.ready_count, 1)
                    self.assertEqual([group[3] for group in record.groups], ["Été"])
                    record.action_discard()

    def test_tables_of_the_systems_that_went_through_other_programs(self):
        """Excel's "Unicode text"; a comment with a comma, never quoted; quotes and line breaks."""
        for preset, content, cards, problems in (
            ('phpnuxbill', PHPNUXBILL.replace(',', '\t').encode('utf-16'), 2, {}),
            ('mikhmon', MIKHMON.replace('.25-shop', '.25-Caf\xe9, 1').encode('cp1252'), 0, {2, 3}),
            ('mikhmon', MIKHMON.replace('-shop', ' Caf\xe9').encode('cp1252'), 2, {}),
            ('woocommerce', WOOCOMMERCE.replace('Bob', '"Bob ""B""\r\nCo; Ltd"'), 2, {4}),
            ('woocommerce', WOOCOMMERCE.replace('Bob', 'Bob "B"'), 2, {3}),
            ('splynx', SPLYNX.replace(',', ';').replace('.00', ',00').encode('utf-8-sig'), 4, {}),
            ('odoo', ODOO.replace('"30.0"', '"=30"'), 1, {2}),
        ):
            with self.subTest(preset=preset, content=content):
                values = {'decimal_point': ','} if preset == 'splynx' else {}
                record = self._check(content, preset=preset, price=2, **values)
                self.assertEqual(record.ready_count, cards)
                self.assertEqual(set(self._tell_problems(record)), set(problems))

    def test_codes_that_there_are_already_are_left_out(self):
        ours = self._generate_card().sudo()
        self._import("Code,Price\nabcDEF11,25\n", preset='other')
        record = self._check(
            f"Code,Price\nabcDEF11,25\nabc-DEF11,25\n{ours.code},25\n{ours.code.lower()},25\n"
            f"{ours.code.partition('-')[2].replace('-', '')},25\nabcdef11,25\n",
            preset='other',
        )
        problems = self._tell_problems(record)
        for line in (2, 4, 5, 6):
            self.assertEqual(problems.get(line), "There is a card with this code already.", line)
        self.assertNotIn(7, problems, "its case matters, so it is another code")

    def test_a_code_whose_case_does_not_matter_is_told_from_cards_where_it_does(self):
        """What somebody types in any case never stands for two cards."""
        self._import("Code,Price\nabcDEF11,25\nabc-def-12,25\n", preset='other')
        for table in (
            "ABCDEF11,25\nABCDEF12,25\nABCDEF13,25",
            "abcdef11,1\nabc-def12,1\nabcdef13,1",
        ):
            with self.subTest(table=table):
                record = self._check(f"Code,Price\n{table}\n", preset='other', case_matters=False)
                problems = self._tell_problems(record)
                self.assertEqual(sorted(problems), [2, 3])
                self.assertIn("card with this code already", problems[2])
                self.assertEqual(record.ready_count, 1)
        self._confirm(record)
        cards = self.env['refill.card'].with_user(self.clerk)
        for typed in ('abcDEF11', 'abcdef12', 'ABCdef13'):
            self.assertTrue(cards.check_code(typed)['redeemable'])
        self._assert_refused('unknown', cards.check_code, 'ABCDEF11')

    def test_a_code_whose_case_matters_is_told_from_cards_where_it_does_not(self):
        self._import("Code,Price\nABCDEF11,25\n", preset='other', case_matters=False)
        record = self._check(
            "Code,Price\nABCDEF11,25\nabcDEF11,25\nabc-def11,25\nabcdef12,25\nABCDEF12,25\n",
            preset='other',
        )
        problems = self._tell_problems(record)
        self.assertEqual(sorted(problems), [2, 3, 4])
        self.assertEqual(set(problems.values()), {"There is a card with this code already."})

    def test_codes_that_lost_the_zeros_in_front_of_them_are_told_before_they_are_imported(self):
        rows = [[12345678 + number, number, 25] for number in range(1_001)]
        content = self._write_xlsx(["Code", "Serial", "Price"], [1234567, "A7", 25], *rows)
        record = self._check(content, preset='other', name='cards.xlsx')
        self.assertIn("2,003 codes or serial numbers are numbers", record.warning)
        self.assertIn("1 codes are shorter than most", record.warning)
        self.assertEqual(record._describe()['warning'], record.warning)
        record.action_back()
        self.assertFalse(record.warning)
        for table in (
            "Code,Serial,Price\n01234567,1,25\n",
            self._write_xlsx(["Code"], ["01234567"]),
        ):
            record = self._check(table, preset='other', name='cards.xlsx', price=25)
            self.assertEqual((record.ready_count, record.warning), (1, False))
        self._confirm(record)
        self.assertEqual(list(self._get_cards(record)), ['01234567'])

    def test_a_card_of_ours_is_never_reached_by_a_second_code(self):
        """What people type finds one card, whichever way they type it."""
        ours = self._generate_card().sudo()
        record = self._check(f"Code,Price\n{ours.code},25\n", preset='other')
        with self.assertRaisesRegex(UserError, "no card to import"):
            record.action_confirm()

    def test_a_code_that_came_meanwhile_is_left_out_in_the_end(self):
        first = self._check("Code,Price\nabcDEF11,25\nabcDEF12,25\n", preset='other')
        self._import("Code,Price\nabcDEF11,25\n", preset='other')
        with self.assertRaisesRegex(UserError, "Go back to the columns and check again"):
            first.action_confirm()
        # As if it had come in the same moment.
        first.sudo().follows = first._count_confirmed()
        self._confirm(first)
        self.assertEqual(list(self._get_cards(first)), ['abcDEF12'])
        self.assertIn("Meanwhile there is a card", self._tell_problems(first)[2])
        self.assertEqual(first.series_ids.quantity, 1)
        self._assert_tally_is_right()

    def test_of_files_checked_beside_each_other_one_is_imported(self):
        first = self._check("Code,Price\naB3xK9mQ2zL7wR5t,25\n", preset='other')
        second = self._check("Code,Price\naB3xK9mQ-2zL7wR5t,25\n", preset='other')
        self._confirm(first)
        with self.assertRaisesRegex(UserError, "check again"):
            second.action_confirm()
        # What happens when both are confirmed in the same moment.
        count = second.sudo().follows
        with (
            patch.object(type(second), '_count_confirmed', lambda *_args: count),
            mute_logger('odoo.sql_db'),
            self.assertRaises(UniqueViolation),
        ):
            second.action_confirm()
        second.action_back()
        second.action_check()
        self.assertIn("already", self._tell_problems(second)[2])

    def test_of_lines_with_one_code_the_latest_state_counts(self):
        record = self._check(
            "Code,Price,Status\nabcDEF11,25,active\nabcDEF11,25,used\nabc-DEF11,25,disabled\n"
            "abcDEF12,25,inactive\nabcDEF12,25,active\nabcDEF13,25,active\nabcDEF13,30,active\n",
            preset='other',
        )
        self.assertEqual(self._tell_totals(record), {'used': (1, 25), 'active': (2, 50)})
        told = self._tell_problems(record)
        self.assertEqual(sorted(told), [2, 4, 5, 8])
        self.assertIn("Line 3 has the same code", told[2])

    def test_a_damaged_or_hostile_workbook_is_refused_with_a_sentence(self):
        whole = self._write_xlsx(["Code", "Price"], *(["aB3xK9mQ", 25] for _line in range(500)))

        def change(name, old, new):
            file = io.BytesIO()
            with zipfile.ZipFile(io.BytesIO(whole)) as before, zipfile.ZipFile(file, 'w') as after:
                for part in before.namelist():
                    content = before.read(part)
                    after.writestr(part, content.replace(old, new) if part == name else content)
            return file.getvalue()

        sheet = 'xl/worksheets/sheet1.xml'
        for content, sentence in (
            (change(sheet, b'</sheetData>', b'<'), "cannot be opened"),
            (change(sheet, b'<v>25</v>', b'<v>x</v>'), "cannot be opened"),
            (change(sheet, b'<row r="2"', b'<row r="9999999999"'), "too large"),
            (whole[: len(whole) // 2], "cannot be opened"),
        ):
            with self.subTest(sentence=sentence), self.assertRaisesRegex(UserError, sentence):
                self._check(content, preset='other')
        with (
            patch.object(sheets, 'LARGEST_AT_ONCE', 100),
            self.assertRaisesRegex(UserError, "too large"),
        ):
            self._upload(whole, preset='other')

    def test_cards_of_all_kinds_of_values_make_no_end_of_series(self):
        lines = [f"code{number:06},{number / 100 + 1:.2f}" for number in range(1_003)]
        record = self._check('\n'.join(["Code,Price", *lines]), preset='other')
        self.assertEqual(record.ready_count, 1_000)
        self.assertIn("more than 1,000 different values", self._tell_problems(record)[1_002])


class TestReading(BaseCase):
    def test_amounts(self):
        for text, point, amount in (
            ('10', '.', 10),
            ('USD 1,250.50', '.', 1250.5),
            ('1.250,50 €', ',', 1250.5),
            ('Rs. 100', '.', 100),
            ('Rp 10.000', ',', 10_000),
            ('$.50', '.', 0.5),
            ("1'000.50", '.', 1000.5),
            ('-5', '.', -5),
        ):
            with self.subTest(text=text):
                self.assertEqual(float(read_amount(text, point)), amount)
        for text, point in (
            ('1' * 41, ','),
            ('1.234,50', '.'),
            ('10,50', '.'),
            ('1,2,3', '.'),
            ('ten', '.'),
        ):
            with self.subTest(text=text), self.assertRaises(NotRead):
                read_amount(text, point)

    def test_days(self):
        for text, day_first, day in (
            ('2026-12-31', True, date(2026, 12, 31)),
            ('31/12/2026', True, date(2026, 12, 31)),
            ('12/31/2026', False, date(2026, 12, 31)),
            ('03/04/2026', True, date(2026, 4, 3)),
            ('03/04/2026', False, date(2026, 3, 4)),
            ('31.12.2026 10:00', True, date(2026, 12, 31)),
            ('1767225600', True, date(2026, 1, 1)),
        ):
            with self.subTest(text=text):
                self.assertEqual(read_moment(text, day_first).date(), day)
        for text in ('', '0000-00-00', 'never'):
            self.assertIsNone(read_moment(text, True))
        for text in ('31/12/2026', 'x', '2026-13-01'):
            with self.subTest(text=text), self.assertRaises(NotRead):
                read_moment(text, False)

    def test_every_preset_knows_its_own_columns(self):
        for preset in PRESETS.values():
            for purpose, names in preset.names.items():
                with self.subTest(preset=preset.name, purpose=purpose):
                    self.assertEqual(preset.find_columns([names[0]]), {purpose: 0})
