import codecs
import csv
import io
import os
import zipfile
from contextlib import contextmanager
from datetime import date, timedelta
from tempfile import TemporaryDirectory
from unittest.mock import patch

import openpyxl
import pypdf
import pyzipper
from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import Form, HttpCase, JsonRpcException, tagged
from odoo.tools import SQL, mute_logger
from odoo.tools.translate import code_translations

from ..refill_cards import table
from ..refill_cards.models import refill_card_export
from .common import ButtonCalls, RefillCardCommon, scan


def _batches_of(size):
    return patch.object(refill_card_export, 'BATCHES', dict.fromkeys(('csv', 'xlsx', 'pdf'), size))


class ExportCommon(RefillCardCommon):
    def _open(self, records, **values):
        """Open the window as its user does, and fill it in; return the wizard."""
        action = records._open_export_window()
        wizard = records.env[action['res_model']].browse(action['res_id'])
        wizard.write(values)
        return wizard

    def _export(self, records, password=None, **values):
        """Export as somebody who has just typed their password; return the record."""
        wizard = self._open(records, is_protected=bool(password), **values)
        action = wizard._export(password)
        return records.env[action['res_model']].browse(action['res_id'])

    @contextmanager
    def _in_background(self):
        """Have every file made by the background job."""
        limits = dict.fromkeys(('csv', 'xlsx', 'pdf'), 0)
        with patch.object(refill_card_export, 'IMMEDIATE', limits):
            yield

    def _run_background_job(self):
        self.env.ref('refill_cards.ir_cron_export').method_direct_trigger()
        self.env.invalidate_all()

    def _get_file(self, export):
        return self._get_attachment(export).raw

    def _get_attachment(self, export):
        return (
            self.env['ir.attachment']
            .sudo()
            .search(
                [
                    ('res_model', '=', export._name),
                    ('res_id', '=', export.id),
                    ('res_field', '!=', ''),
                ]
            )
        )


@tagged('post_install', '-at_install')
class TestExport(ExportCommon):
    # -------------------------------------------------------------------------
    # REFUSALS
    # -------------------------------------------------------------------------

    def test_who_may_not_see_codes_exports_by_no_door(self):
        series = self._generate()
        export = self._export(series)
        wizard = self._open(series)
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        for user in (self.clerk, self.employee, self.customer_user, manager):
            theirs, cards = series.with_user(user), series.card_ids.with_user(user)
            for call in (
                theirs._open_export_window,
                cards._open_export_window,
                cards.action_send,
                wizard.with_user(user)._export,
                lambda user=user: export.with_user(user).read(['name']),
                lambda user=user: (
                    export.with_user(user).create({'name': 'x'}) and self.fail("created")
                ),
                lambda user=user: (
                    export.env['refill.card.export.wizard']
                    .with_user(user)
                    .create({'series_ids': [Command.set(series.ids)]})
                    ._export()
                ),
            ):
                with self.subTest(user=user.login), self.assertRaises(AccessError):
                    call()

    def test_the_password_is_asked_for_by_every_public_method(self):
        series = self._generate()
        wizard = self._open(series)
        send = self.env['refill.card.send'].with_user(self.accountant).create({})
        for method in (
            series.action_export,
            series.action_print,
            series.card_ids.action_export,
            series.card_ids.action_print,
            wizard.env['refill.card.export'].action_new,
            wizard.action_export,
            wizard.action_confirm,
            send.action_send,
        ):
            with self.assertRaisesRegex(UserError, "only be accessed over HTTP"):
                method()

    def test_no_one_writes_or_deletes_the_record_of_an_export(self):
        export = self._export(self._generate())
        with self.assertRaises(AccessError):
            export.write({'card_count': 0})
        with self.assertRaises(AccessError):
            export.unlink()
        with self.assertRaisesRegex(UserError, "cannot be deleted"):
            export.sudo().unlink()

    def test_what_cannot_be_exported_says_why(self):
        series = self._generate()
        other = self._generate()
        first = series.card_ids[0].name
        for values, sentence in (
            ({'first': 'x'}, "No card has the serial number"),
            ({'first': first, 'last': other.card_ids[0].name}, "not of one series"),
            ({'first': other.card_ids[0].name}, "no such card"),
            ({'series_ids': [Command.clear()]}, "Choose a series"),
            ({'file_format': 'pdf', 'layout_id': False}, "Choose the layout"),
        ):
            with (
                self.subTest(**values),
                self.assertRaisesRegex(UserError, sentence),
            ):
                self._export(series, **values)

    def test_an_end_of_the_range_that_is_cleared_no_longer_counts(self):
        series = self._generate()
        with Form(self._open(series)) as form:
            form.first = series.card_ids[2].name
            form.last = series.card_ids[2].name
            self.assertEqual(form.card_count, 1)
            form.first = False
            self.assertEqual((form.card_count, form.first_id), (3, form.first_id.browse()))
            form.last = False
            form.first = series.card_ids[1].name
        self.assertEqual(form.record.card_count, 2)

    def test_the_window_says_what_is_wrong_before(self):
        wizards = self.env['refill.card.export.wizard'].with_user(self.accountant)
        result = wizards.onchange({'first': 'x'}, ['first'], {'first': {}})
        self.assertIn("No card has the serial number", result['warning']['message'])
        wizard = self._open(self._generate(), first=self._generate_card().name)
        self.assertIn("no such card", wizard.problem)
        self.assertEqual(wizard.card_count, 0)
        mixed = self._generate() + self._generate(currency_id=self.other_currency.id)
        self.assertIn("one currency", self._open(mixed).problem)
        card = self._generate_card()
        self._redeem(card)
        self.assertIn("no such card", self._open(card).problem)

    def test_nothing_to_export_says_so(self):
        card = self._generate_card()
        self._redeem(card)
        with self.assertRaisesRegex(UserError, "no such card"):
            self._export(card.series_id)
        self.assertEqual(self._export(card.series_id, scope='all').card_count, 1)

    def test_cards_whose_day_is_over_cannot_be_redeemed(self):
        series = self._generate(valid_till=fields.Date.today())
        with (
            freeze_time(fields.Datetime.now() + timedelta(days=3)),
            self.assertRaisesRegex(UserError, "no such card"),
        ):
            self._export(series)

    def test_a_series_that_is_being_generated_is_not_exported(self):
        series = self._generate()
        series.sudo().state = 'generating'
        with self.assertRaisesRegex(UserError, "being generated"):
            self._export(series)

    def test_cards_of_two_companies_or_currencies_are_not_mixed(self):
        series = self._generate() + self._generate(currency_id=self.other_currency.id)
        with self.assertRaisesRegex(UserError, "one currency"):
            self._export(series)
        elsewhere = self.env['refill.card.generate'].with_user(self.accountant)
        elsewhere = elsewhere.with_company(self.other_company).create({'quantity': 1})
        [(_field, _operator, series_id)] = elsewhere.action_generate()['domain']
        with self.assertRaisesRegex(UserError, "one company"):
            self._export(series[0] + series.browse(series_id))

    def test_too_many_cards_for_a_file_are_refused(self):
        series = self._generate()
        with (
            patch.object(refill_card_export, 'MAXIMUM', {'csv': 2}),
            self.assertRaisesRegex(UserError, "up to 2 cards"),
        ):
            self._export(series)
        with (
            patch.object(refill_card_export, 'IMMEDIATE_PROTECTED', {'csv': 2}),
            self.assertRaisesRegex(UserError, "up to 2 cards, because the password"),
        ):
            self._export(series, password='secret')

    def test_a_selection_that_the_list_cut_off_is_refused(self):
        cards = self._generate().card_ids
        self.env['ir.config_parameter'].set_param('web.active_ids_limit', 3)
        with self.assertRaisesRegex(UserError, "More cards are selected"):
            self._export(cards)

    def test_cards_that_do_not_fit_on_the_layout_are_refused(self):
        series = self._generate(prefix='M' * 12)
        series.layout_id.sudo().flush_recordset()
        self.env.cr.execute(
            'UPDATE refill_card_layout SET rows = 40 WHERE id = %s', [series.layout_id.id]
        )
        self.env.invalidate_all()
        with self.assertRaisesRegex(UserError, "does not fit"):
            self._export(series, file_format='pdf')

    def test_a_file_is_kept_for_an_hour_at_least(self):
        with self.assertRaisesRegex(ValidationError, "between 1 and"):
            self.env['res.config.settings'].create({'refill_card_export_file_hours': 0})

    def test_the_window_shows_the_address_and_what_speaks_against_it(self):
        self.company.refill_card_address = 'http://cards.example.com'
        wizard = self._open(self._generate(), file_format='pdf')
        self.assertEqual(wizard.address, 'http://cards.example.com/my/refill')
        self.assertIn("https", wizard.address_warning)

    # -------------------------------------------------------------------------
    # FILES
    # -------------------------------------------------------------------------

    def _assert_rows(self, rows, cards):
        self.assertEqual(
            [(row[0], row[1], float(row[2]), row[3], str(row[4])[:10], row[5]) for row in rows],
            [
                (
                    card.name,
                    card.sudo().code,
                    card.price,
                    card.currency_id.name,
                    str(card.valid_till),
                    "Active",
                )
                for card in cards
            ],
        )

    def test_a_csv_file_holds_every_card_with_its_code(self):
        series = self._generate(quantity=30, alphabet='digits', prefix='', price=12.5)
        with _batches_of(7):
            export = self._export(series)
        content = self._get_file(export)
        self.assertTrue(content.startswith(b'\xef\xbb\xbf'))
        header, *rows = csv.reader(io.StringIO(content.decode('utf-8-sig')))
        self.assertEqual(
            header, ['Serial Number', 'Code', 'Face Value', 'Currency', 'Valid till', 'Status']
        )
        self._assert_rows(rows, series.card_ids)
        self.assertEqual(rows[0][2], '12.50')

    def test_a_card_that_lost_its_code_is_missed(self):
        series = self._generate(3)
        self.env.flush_all()
        card = series.card_ids[1]
        self.env.cr.execute(SQL("DELETE FROM refill_card_code WHERE id = %s", card.id))
        with self.assertRaisesRegex(UserError, f"card {card.name} has no code"):
            self._export(series)

    def test_a_workbook_holds_text_as_text_and_money_as_money(self):
        series = self._generate(quantity=30, alphabet='digits', prefix='', price=1234.5)
        with _batches_of(7):
            export = self._export(series, file_format='xlsx')
        sheet = openpyxl.load_workbook(io.BytesIO(self._get_file(export))).active
        header, *rows = sheet.iter_rows()
        self.assertEqual([cell.value for cell in header][:2], ['Serial Number', 'Code'])
        self._assert_rows([[cell.value for cell in row] for row in rows], series.card_ids)
        serial, code, price, _currency, valid_till, _state = rows[0]
        self.assertEqual((serial.data_type, serial.number_format), ('s', '@'))
        self.assertEqual((code.data_type, code.number_format), ('s', '@'))
        self.assertEqual((price.data_type, price.number_format), ('n', '#,##0.00'))
        self.assertEqual((valid_till.is_date, valid_till.number_format), (True, 'yyyy-mm-dd'))
        self.assertEqual(sheet.freeze_panes, 'A2')
        self.assertEqual(sheet.auto_filter.ref, 'A1:F31')
        for column, cell in zip('ABCDEF', rows[0], strict=True):
            self.assertGreater(sheet.column_dimensions[column].width, len(str(cell.value)[:10]))

    def test_a_pdf_holds_every_card_with_its_code(self):
        series = self._generate(quantity=13)
        self._redeem(series.card_ids[0])
        self.company.refill_card_address = 'https://cards.example.com'
        export = self._export(series, file_format='pdf')
        address = 'https://cards.example.com/my/refill#'
        self.assertEqual(
            sorted(scan(self._get_file(export))),
            sorted(address + card.sudo().code for card in series.card_ids[1:]),
        )

    def test_a_currency_without_decimals_has_none(self):
        self.other_currency.rounding = 1
        series = self._generate(currency_id=self.other_currency.id, price=100)
        content = self._get_file(self._export(series)).decode('utf-8-sig')
        self.assertIn(',100,', content)
        workbook = self._get_file(self._export(series, file_format='xlsx'))
        cell = openpyxl.load_workbook(io.BytesIO(workbook)).active['C2']
        self.assertEqual((cell.value, cell.number_format), (100, '#,##0'))

    def test_words_that_look_like_formulas_stay_words(self):
        series = self._generate()
        french = self.env['res.lang']._activate_lang('fr_FR')
        selection = self.env['ir.model.fields.selection'].search(
            [('field_id.model', '=', 'refill.card'), ('value', '=', 'active')]
        )
        selection.with_context(lang=french.code).name = '=cmd()'
        self.accountant.lang = french.code
        content = self._get_file(self._export(series)).decode('utf-8-sig')
        self.assertIn(";'=cmd()\r\n", content)

    def test_every_beginning_of_a_formula_is_guarded_in_a_file_for_spreadsheets(self):
        starts = ('=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠')
        for start in starts:
            cards = [table.Row(f'{start}1', 'QUICK-1', 25, 'USD', None, f'{start}active')]
            for style in (table.spreadsheet('.'), table.spreadsheet(',')):
                rows = self._write_csv(cards, style)
                self.assertEqual((rows[1][0], rows[1][5]), (f"'{start}1", f"'{start}active"))
            rows = self._write_csv(cards, table.Csv())
            self.assertEqual(rows[1][0], f'{start}1', "a program gets it as it is")
        plain = self._write_csv(
            [table.Row('2026-1', 'QUICK-1', 25, 'USD', None, 'a=b')], table.spreadsheet('.')
        )
        self.assertEqual((plain[1][0], plain[1][5]), ('2026-1', 'a=b'))

    def _write_csv(self, cards, style):
        """Write cards as CSV and read them with an ordinary reader."""
        file = io.BytesIO()
        table.write_csv(table.Row(*'abcdef'), cards, 2, file, style)
        text = io.StringIO(file.getvalue().decode('utf-8-sig'), newline='')
        return list(csv.reader(text, delimiter=style.separator))

    def test_files_are_those_of_the_ordinary_writer_byte_by_byte(self):
        header = table.Row('=a', 'b,c', 'd;e', '"f"', 'g', '')
        odd = ('', ',', ';', '"', '\r', '\n', ' ', "'", 'é', *table.FORMULA_STARTS)
        files = [
            [
                table.Row(serial, '7K2M', 1234567.891, currency, day, state)
                for serial in ('2026-1', f'{text}7', f'7{text}')
                for currency in ('USD', f'{text}USD')
                for day in (None, date(2031, 2, 3))
                for state in ('Active', f'{text}Active', f'Act{text}ive"', '')
            ]
            for text in odd
        ]
        many = [
            table.Row(f'2026-{number}', f'QUICK-{number}', number / 8, 'USD', None, 'Active')
            for number in range(2 * table.CSV_BATCH + 1)
        ]
        for rows in ([], many, [*many, *files[3]], *files):
            for style in (table.spreadsheet('.'), table.spreadsheet(','), table.Csv()):
                for decimals in (0, 2, 3):
                    file = io.BytesIO()
                    table.write_csv(header, iter(rows), decimals, file, style)
                    written = self._write_with_csv_module(header, rows, decimals, style)
                    self.assertEqual(file.getvalue(), written)

    def _write_with_csv_module(self, header, rows, decimals, style):
        def guard(text):
            is_formula = style.for_spreadsheet and text.startswith(table.FORMULA_STARTS)
            return f"'{text}" if is_formula else text

        text = io.StringIO(newline='')
        writer = csv.writer(text, delimiter=style.separator)
        writer.writerow(map(guard, header))
        for row in rows:
            amount = f'{row.price:.{decimals}f}'.replace('.', style.decimal_point)
            day = row.valid_till or ''
            cells = [guard(row.serial), row.code, amount, row.currency, day, guard(row.state)]
            writer.writerow(cells)
        return (codecs.BOM_UTF8 if style.for_spreadsheet else b'') + text.getvalue().encode()

    def test_commas_quotes_and_line_breaks_stay_in_their_cell(self):
        words = 'a,b;c"d"\ne'
        for style in (table.spreadsheet('.'), table.spreadsheet(','), table.Csv()):
            cards = [table.Row(words, 'QUICK-1', 25, 'USD', date(2031, 2, 3), words)]
            _header, row = self._write_csv(cards, style)
            price = '25,00' if style.decimal_point == ',' else '25.00'
            self.assertEqual(row, [words, 'QUICK-1', price, 'USD', '2031-02-03', words])

    def test_a_serial_number_that_looks_like_a_formula_is_guarded(self):
        sequence = self.env['ir.sequence'].search([('code', '=', 'refill.card.series')])
        sequence.prefix = '=1+'
        series = self._generate(quantity=1)
        content = self._get_file(self._export(series)).decode('utf-8-sig')
        self.assertIn(f"\r\n'{series.card_ids.name},", content)
        workbook = self._get_file(self._export(series, file_format='xlsx'))
        cell = openpyxl.load_workbook(io.BytesIO(workbook)).active['A2']
        self.assertEqual((cell.value, cell.data_type), (series.card_ids.name, 's'))

    def test_a_german_spreadsheet_gets_german_numbers(self):
        self.env['res.lang']._activate_lang('de_DE')
        self.accountant.lang = 'de_DE'
        series = self._generate(price=1234.5)
        content = self._get_file(self._export(series))
        self.assertTrue(content.startswith(b'\xef\xbb\xbf'))
        rows = list(csv.reader(io.StringIO(content.decode('utf-8-sig')), delimiter=';'))
        self.assertEqual(rows[1][2:4], ['1234,50', 'USD'])

    def test_a_program_gets_the_same_in_every_language(self):
        self.env['res.lang']._activate_lang('de_DE')
        selection = self.env['ir.model.fields.selection'].search(
            [('field_id.model', '=', 'refill.card'), ('value', '=', 'active')]
        )
        selection.with_context(lang='de_DE').name = "Aktiv"
        series = self._generate(price=1234.5)
        english = self._get_file(self._export(series, csv_reader='program'))
        self.accountant.lang = 'de_DE'
        self.assertEqual(self._get_file(self._export(series, csv_reader='program')), english)
        header, first, *_others = csv.reader(io.StringIO(english.decode('utf-8')))
        self.assertEqual(
            header, ['serial_number', 'code', 'price', 'currency', 'valid_till', 'status']
        )
        card = series.card_ids[0]
        self.assertEqual(
            first,
            [card.name, card.sudo().code, '1234.50', 'USD', str(card.valid_till), 'active'],
        )
        self.assertIn(";Aktiv\r\n", self._get_file(self._export(series)).decode())

    def test_a_large_file_is_written_as_its_window_said(self):
        with self._in_background():
            export = self._export(self._generate(), csv_reader='program')
        self._run_background_job()
        self.assertTrue(self._get_file(export).startswith(b'serial_number,code,'))

    def test_a_workbook_prints_one_page_wide_with_its_header_on_each(self):
        series = self._generate()
        workbook = openpyxl.load_workbook(
            io.BytesIO(self._get_file(self._export(series, file_format='xlsx')))
        )
        sheet = workbook.active
        self.assertEqual(sheet.title, series.name)
        self.assertEqual(sheet.print_title_rows, '$1:$1')
        self.assertTrue(sheet.sheet_properties.pageSetUpPr.fitToPage)
        self.assertIn(sheet.page_setup.fitToWidth, (None, 1), "1 is what Excel takes for none")
        self.assertEqual(sheet.page_setup.fitToHeight, 0, "as many as it takes")

    def test_a_workbook_takes_any_name_of_a_series(self):
        for title in ("CARD/2026/[7]*?:'", "x" * 40, "'quoted'"):
            file = io.BytesIO()
            table.write_xlsx(table.Row(*'abcdef'), [], 2, file, title)
            self.assertTrue(openpyxl.load_workbook(file).active.title)

    # -------------------------------------------------------------------------
    # WHICH CARDS
    # -------------------------------------------------------------------------

    def _get_serials(self, export):
        rows = csv.reader(io.StringIO(self._get_file(export).decode('utf-8-sig')))
        return [row[0] for row in rows][1:]

    def test_a_range_a_selection_and_several_series(self):
        series, other = self._generate(quantity=5), self._generate()
        names = series.card_ids.mapped('name')
        self._redeem(series.card_ids[2])
        for records, values, serials in (
            (series, {'first': f' {names[1]} '}, [names[1], names[3], names[4]]),
            (series, {'last': names[2], 'scope': 'all'}, names[:3]),
            (
                series,
                {
                    'series_ids': [Command.clear()],
                    'first': names[1],
                    'last': names[1],
                },
                [names[1]],
            ),
            (series.card_ids[1:4], {}, [names[1], names[3]]),
            (series.card_ids[1:4], {'scope': 'all'}, names[1:4]),
            (series + other, {'scope': 'all'}, names + other.card_ids.mapped('name')),
        ):
            with self.subTest(**values):
                wizard = self._open(records, **values)
                self.assertEqual((wizard.card_count, wizard.problem), (len(serials), False))
                self.assertIn(f'{25 * len(serials)}.00', wizard.total)
                export = self._export(records, **values)
                self.assertEqual(self._get_serials(export), serials)
                self.assertRecordValues(
                    export,
                    [{'card_count': len(serials), 'amount': 25 * len(serials), 'state': 'ready'}],
                )

    def test_a_range_typed_the_other_way_round_is_the_same_range(self):
        series = self._generate(quantity=4)
        names = series.card_ids.mapped('name')
        export = self._export(series, first=names[2], last=names[1])
        self.assertEqual(self._get_serials(export), names[1:3])
        self.assertEqual((export.first_serial, export.last_serial), (names[1], names[2]))

    def test_the_name_of_a_file_tells_which_cards_are_in_it(self):
        series = self._generate(quantity=12)
        other = self._generate()
        cards = series.card_ids
        for records, values, name in (
            (series, {}, f'{series.name}_1-12.csv'),
            (series, {'last': cards[9].name}, f'{series.name}_1-10.csv'),
            (cards[3:6], {}, f'{series.name}_4-6.csv'),
            (cards[4], {'file_format': 'xlsx'}, f'{series.name}_5.xlsx'),
            (series + other, {}, f'{series.name}_{other.name}.csv'),
        ):
            self.assertEqual(self._export(records, **values).name, name)

    def test_cards_that_were_exported_can_be_left_out(self):
        series = self._generate(quantity=5)
        names = series.card_ids.mapped('name')
        self._redeem(series.card_ids[4])
        self._export(series, last=names[1])
        wizard = self._open(series, scope='new')
        self.assertEqual(wizard.card_count, 2)
        self.assertIn('50.00', wizard.total)
        self.assertEqual(self._get_serials(self._export(series, scope='new')), names[2:4])
        self.assertIn("no such card", self._open(series, scope='new').problem)

    def test_inactive_cards_and_those_on_their_last_day_can_still_be_redeemed(self):
        today = fields.Date.today()
        series = self._generate(activation_required=True, valid_till=today)
        self.assertEqual(self._get_serials(self._export(series)), series.card_ids.mapped('name'))

    # -------------------------------------------------------------------------
    # THE RECORD
    # -------------------------------------------------------------------------

    def test_an_export_is_recorded_and_told_in_the_chatter(self):
        series = self._generate()
        export = self._export(series, file_format='pdf')
        self.assertRecordValues(
            export,
            [
                {
                    'name': f'{series.name}_1-3.pdf',
                    'create_uid': self.accountant.id,
                    'company_id': self.company.id,
                    'series_ids': series.ids,
                    'layout_id': series.layout_id.id,
                    'card_count': 3,
                    'progress': 100,
                    'amount': 75,
                }
            ],
        )
        self.assertIn(f"{series.name}_1-3.pdf, 3 cards", series.message_ids[0].body)
        self.assertEqual(series.message_ids[0].author_id, self.accountant.partner_id)
        event = self.env['refill.card.event'].search([('series_id', '=', series.id)], limit=1)
        self.assertEqual((event.serial, event.user_id), (series.name, self.accountant))
        self.assertIn(f"{series.name}_1-3.pdf, 3 cards", event.summary)

    def test_a_card_tells_in_which_files_it_is(self):
        series = self._generate(quantity=6)
        cards = series.card_ids
        self._redeem(cards[2])
        self.assertFalse(any(cards.mapped('is_exported')))
        with _batches_of(2):
            first = self._export(series, first=cards[1].name)
        second = self._export(cards[4])
        exports = [card.export_ids.ids for card in cards]
        one, both = [first.id], [second.id, first.id]
        self.assertEqual(exports, [[], one, [], one, both, one])
        self.assertRecordValues(
            cards[4],
            [
                {
                    'is_exported': True,
                    'exported_on': second.create_date,
                    'exported_by_id': self.accountant.id,
                }
            ],
        )
        of_series = [('series_id', '=', series.id)]
        exported = cards.search([*of_series, ('is_exported', '=', True)])
        self.assertEqual(exported, cards[1] + cards[3:])
        self.assertEqual(cards.search([*of_series, ('is_exported', '=', False)]), cards - exported)
        self.assertEqual(cards.filtered_domain([('is_exported', '=', True)]), exported)

    def test_neighbouring_cards_are_one_range(self):
        series = self._generate(quantity=20)
        with _batches_of(7):
            export = self._export(series)
        ranges = self.env['refill.card.export.range'].search([('export_id', '=', export.id)])
        ids = series.card_ids.ids
        self.assertRecordValues(ranges, [{'first_card': ids[0], 'last_card': ids[-1]}])

    def test_a_manager_elsewhere_learns_of_no_export(self):
        series = self._generate(company_ids=self.accountant.company_ids)
        self._export(series)
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        theirs = series.card_ids.with_user(manager)
        not_exported = [('id', 'in', theirs.ids), ('is_exported', '=', False)]
        self.assertEqual(theirs.search(not_exported), theirs)
        self.assertFalse(theirs[0].is_exported or theirs[0].export_ids)
        self.assertFalse(theirs.search([('is_exported', '=', True)]))
        self.assertFalse(self.env['refill.card.export.range'].with_user(manager).search([]))

    def test_an_export_that_failed_holds_no_card(self):
        series = self._generate()
        with self._in_background():
            self._export(series)
        with patch.object(
            type(self.env['refill.card.export']), '_keep_file', side_effect=UserError("full")
        ):
            self._run_background_job()
        self.assertFalse(series.card_ids[0].is_exported)

    def test_codes_reach_no_table_in_clear(self):
        series = self._generate(quantity=1)
        for file_format in ('csv', 'xlsx', 'pdf'):
            self._export(series, file_format=file_format)
        body = series.card_ids.sudo().code.rpartition('-')[2]
        self.env.flush_all()
        for name in ('ir_attachment', 'refill_card_export', 'mail_message'):
            self.env.cr.execute(
                f'SELECT t::text FROM {name} t WHERE t::text LIKE %s', [f'%{body}%']
            )
            self.assertFalse(self.env.cr.fetchall(), name)

    def test_an_old_file_is_removed_and_the_record_stays(self):
        export = self._export(self._generate())
        attachment = self._get_attachment(export)
        path = attachment._full_path(attachment.store_fname)
        with freeze_time(fields.Datetime.now() + timedelta(hours=23)):
            self._run_background_job()
        self.assertEqual(export.state, 'ready')
        self.assertTrue(os.path.exists(path))
        with freeze_time(fields.Datetime.now() + timedelta(hours=25)):
            self._run_background_job()
        self.assertEqual(export.state, 'removed')
        self.assertFalse(self._get_file(export))
        self.assertFalse(os.path.exists(path), "gone from the disk, not only from the table")

    def test_the_setting_says_how_long_files_stay(self):
        self.env['res.config.settings'].create({'refill_card_export_file_hours': 2}).execute()
        export = self._export(self._generate())
        now = fields.Datetime.now()
        self.assertAlmostEqual(
            export.removal_date, now + timedelta(hours=2), delta=timedelta(0, 60)
        )
        triggers = self.env['ir.cron.trigger'].search([('call_at', '=', export.removal_date)])
        self.assertTrue(triggers)

    # -------------------------------------------------------------------------
    # PASSWORDS
    # -------------------------------------------------------------------------

    def test_protected_tables_open_with_the_password_only(self):
        series = self._generate()
        for file_format in ('csv', 'xlsx'):
            export = self._export(series, password='geheim', file_format=file_format)
            self.assertEqual(export.name, f'{series.name}_1-3.{file_format}.zip')
            content = self._get_file(export)
            with pyzipper.AESZipFile(io.BytesIO(content)) as archive:
                [name] = archive.namelist()
                self.assertEqual(name, f'{series.name}_1-3.{file_format}')
                with self.assertRaises(RuntimeError):
                    archive.read(name)
                archive.setpassword(b'wrong')
                with self.assertRaises(RuntimeError):
                    archive.read(name)
                archive.setpassword(b'geheim')
                self.assertTrue(archive.read(name))
            [info] = zipfile.ZipFile(io.BytesIO(content)).infolist()
            self.assertEqual(info.compress_type, 99, "AES, not the old and weak encryption")

    def test_a_protected_pdf_opens_with_the_password_only(self):
        export = self._export(self._generate(), password='gehäim', file_format='pdf')
        reader = pypdf.PdfReader(io.BytesIO(self._get_file(export)))
        self.assertTrue(reader.is_encrypted)
        self.assertFalse(reader.decrypt('wrong'))
        encryption = reader.trailer['/Encrypt']
        self.assertEqual((encryption['/V'], encryption['/R']), (5, 6), "AES-256, ISO 32000-2")
        self.assertEqual(encryption['/CF']['/StdCF']['/CFM'], '/AESV3')
        self.assertTrue(reader.decrypt('gehäim'))
        self.assertEqual(len(reader.pages), 1)

    def test_a_zip_takes_only_a_password_that_every_program_reads_alike(self):
        series = self._generate()
        for file_format in ('csv', 'xlsx'):
            with self.assertRaisesRegex(UserError, "unaccented Latin letters"):
                self._export(series, password='gehäim', file_format=file_format)
        self.assertFalse(self.env['refill.card.export'].search([]))

    def test_a_password_is_stored_nowhere(self):
        series = self._generate()
        wizard = self._open(series, is_protected=True, password='nirgendwo-42')
        wizard._export('nirgendwo-42')
        self.env.flush_all()
        for name in (wizard._table, 'refill_card_export', 'ir_attachment', 'mail_message'):
            self.env.cr.execute(f"SELECT 1 FROM {name} t WHERE t::text LIKE '%nirgendwo-42%'")
            self.assertFalse(self.env.cr.fetchall(), name)

    # -------------------------------------------------------------------------
    # IN THE BACKGROUND
    # -------------------------------------------------------------------------

    def test_a_large_file_is_made_in_the_background_and_its_maker_told(self):
        series = self._generate(quantity=20)
        self.accountant.notification_type = 'inbox'
        with self._in_background():
            export = self._export(series)
        self.assertEqual((export.state, export.progress), ('waiting', 0))
        self.assertFalse(self._get_file(export))
        progress = []
        sent = type(self.env['refill.card.export'])._send_to_windows
        with (
            _batches_of(5),
            patch.object(
                type(export),
                '_send_to_windows',
                lambda export: (progress.append(export.progress), sent(export)),
            ),
        ):
            self._run_background_job()
        self.assertEqual(progress[:4], [25, 50, 75, 100])
        self.assertRecordValues(export, [{'state': 'ready', 'card_count': 20, 'amount': 500}])
        self.assertEqual(self._get_serials(export), series.card_ids.mapped('name'))
        message = (
            self.env['mail.message']
            .sudo()
            .search([('model', '=', export._name), ('res_id', '=', export.id)])
        )
        self.assertIn("is ready", message.subject)
        self.assertEqual(message.notified_partner_ids, self.accountant.partner_id)

    def test_a_crash_leaves_no_file_and_the_next_run_begins_anew(self):
        series = self._generate(quantity=20)
        with self._in_background():
            export = self._export(series)
        report = type(export)._report_progress

        def crash(self, done):
            report(self, done)
            if done == 10:
                raise MemoryError

        with _batches_of(5):
            with (
                patch.object(type(export), '_report_progress', crash),
                mute_logger('odoo.addons.base.models.ir_cron'),
            ):
                self._run_crashing_job(MemoryError)
            self.assertEqual((export.state, export.done_count), ('waiting', 10))
            self.assertFalse(self._get_file(export))
            self._run_background_job()
        self.assertEqual(export.state, 'ready')
        self.assertEqual(self._get_serials(export), series.card_ids.mapped('name'))

    def _run_crashing_job(self, error):
        try:
            self._run_background_job()
        except error:
            self.env.invalidate_all()

    def test_what_crashes_again_and_again_fails_and_says_so(self):
        with self._in_background():
            export = self._export(self._generate())

        def crash(*args, **kwargs):
            raise MemoryError

        with (
            patch.object(type(export), '_write_file', crash),
            mute_logger('odoo.addons.base.models.ir_cron'),
        ):
            for _ in range(4):
                self._run_crashing_job(MemoryError)
        self.assertEqual(export.state, 'failed')
        self.assertIn("server stopped", export.problem)

    def test_who_lost_the_right_meanwhile_gets_no_file(self):
        with self._in_background():
            export = self._export(self._generate())
        self.accountant.group_ids = self.env.ref('refill_cards.group_refill_card_user')
        self._run_background_job()
        self.assertEqual(export.sudo().state, 'failed')
        self.assertIn("may not export the codes", export.sudo().problem)
        self.assertFalse(self._get_file(export))

    def test_an_export_that_became_empty_says_so_and_holds_up_nobody(self):
        series, other = self._generate(), self._generate()
        with self._in_background():
            exports = [
                self._export(series, file_format=name) for name in ('pdf', 'xlsx', 'csv')
            ] + [self._export(other, file_format='pdf')]
        series.card_ids.unlink()
        self._run_background_job()
        for export in exports[:3]:
            self.assertEqual(export.state, 'failed')
            self.assertIn("no such card", export.problem)
        self.assertEqual(exports[3].state, 'ready')

    def test_what_crashes_holds_up_nobody(self):
        with self._in_background():
            broken, fine = self._export(self._generate()), self._export(self._generate())
        write = type(broken)._write_file

        def crash(export, *args):
            if export == broken:
                raise MemoryError
            return write(export, *args)

        with (
            patch.object(type(broken), '_write_file', crash),
            mute_logger('odoo.addons.base.models.ir_cron'),
        ):
            for _ in range(2):
                self._run_crashing_job(MemoryError)
        self.assertEqual((broken.state, fine.state), ('waiting', 'ready'))

    @contextmanager
    def _in_french(self, sentences):
        self.env['res.lang']._activate_lang('fr_FR')
        self.accountant.lang = 'fr_FR'
        translations = {('refill_cards', 'fr_FR'): sentences}
        with patch.dict(code_translations.python_translations, translations):
            yield

    def test_the_maker_is_told_in_their_language(self):
        self.accountant.notification_type = 'inbox'
        series = self._generate()
        french = {
            "Your file %(name)s is ready": "Votre fichier %(name)s est prêt",
            "Download": "Télécharger",
        }
        told = []
        with (
            self._in_french(french),
            self._in_background(),
            patch.object(
                type(self.env['bus.bus']),
                '_sendone',
                lambda _bus, target, kind, message: told.append((target, kind, message)),
            ),
        ):
            export = self._export(series)
            self._run_background_job()
        sentence = f"Votre fichier {series.name}_1-3.csv est prêt"
        message = self.env['mail.message'].sudo()
        message = message.search([('model', '=', export._name), ('res_id', '=', export.id)])
        self.assertEqual(message.subject, sentence)
        [(target, done)] = [
            (target, message) for target, kind, message in told if kind == 'refill_cards/done'
        ]
        self.assertEqual(target, self.accountant.partner_id)
        self.assertEqual(
            done,
            {
                'message': sentence,
                'type': 'success',
                'button': "Télécharger",
                'next': export.action_download(),
            },
        )

    def test_a_crash_leaves_nothing_in_the_temporary_folder(self):
        def rows():
            yield table.Row("2026-0001-000001", "QUICK-7K2M", 25, "USD", None, "Active")
            raise MemoryError

        with TemporaryDirectory() as folder, patch('tempfile.tempdir', folder):
            with self.assertRaises(MemoryError):
                table.write_xlsx(table.Row(*"abcdef"), rows(), 2, io.BytesIO(), "2026-0001")
            self.assertFalse(os.listdir(folder))

    def test_a_character_that_cannot_be_printed_is_named(self):
        self.company.name = "บริษัท"
        series = self._generate()
        with self.assertRaisesRegex(UserError, "have no บ"):
            self._export(series, file_format='pdf')

    def test_serial_numbers_with_slashes_make_a_file_name(self):
        sequence = self.env['ir.sequence'].search([('code', '=', 'refill.card.series')])
        sequence.prefix = 'CARD/%(year)s/'
        self.assertNotIn('/', self._export(self._generate()).name)

    def test_cards_deleted_meanwhile_are_not_counted(self):
        series = self._generate()
        with self._in_background():
            export = self._export(series)
        series.card_ids[0].unlink()
        self._run_background_job()
        self.assertRecordValues(export, [{'card_count': 2, 'amount': 50, 'progress': 100}])

    def test_a_day_is_written_as_a_day(self):
        series = self._generate(valid_till=date(2031, 2, 3))
        self.assertIn(',2031-02-03,', self._get_file(self._export(series)).decode())


@tagged('post_install', '-at_install')
class TestExportDoors(ExportCommon, ButtonCalls, HttpCase):
    def _confirm_identity(self, action, password):
        identity = self.env[action['res_model']].browse(action['res_id'])
        return self._call_button(identity, 'run_check', {'password': password})

    def _get_stored_calls(self):
        return ''.join(self.env['res.users.identitycheck'].sudo().search([]).mapped('request'))

    def test_the_file_is_made_only_after_the_own_password(self):
        series = self._generate()
        wizard = self._open(series, is_protected=True)
        self.authenticate(self.accountant.login, self.accountant.login)
        secret = {'file_password': 'geheim-77'}
        action = self._call_button(wizard, 'action_export', secret)
        self.assertEqual(action['res_model'], 'res.users.identitycheck')
        with mute_logger('odoo.http'), self.assertRaises(JsonRpcException):
            self._confirm_identity(action, 'wrong')
        again = self._confirm_identity(action, self.accountant.login)
        self.assertEqual((again['res_model'], again['res_id']), (wizard._name, wizard.id))
        self.assertFalse(self.env['refill.card.export'].search([]))
        self.assertNotIn('geheim-77', self._get_stored_calls())
        done = self._call_button(wizard, 'action_export', secret)
        export = self.env['refill.card.export'].browse(done['res_id'])
        with pyzipper.AESZipFile(io.BytesIO(self._get_file(export))) as archive:
            archive.setpassword(b'geheim-77')
            self.assertTrue(archive.read(archive.namelist()[0]))

    def test_the_list_of_exports_opens_the_window(self):
        self.authenticate(self.accountant.login, self.accountant.login)
        exports = self.env['refill.card.export']
        action = self._call_button(exports, 'action_new')
        window = self._confirm_identity(action, self.accountant.login)
        self.assertEqual(window['res_model'], 'refill.card.export.wizard')

    def test_a_file_without_a_password_is_made_right_after_the_own_one(self):
        wizard = self._open(self._generate())
        self.authenticate(self.accountant.login, self.accountant.login)
        action = self._call_button(wizard, 'action_export')
        done = self._confirm_identity(action, self.accountant.login)
        self.assertEqual(done['res_model'], 'refill.card.export')

    def test_a_protected_file_needs_a_password(self):
        wizard = self._open(self._generate(), is_protected=True)
        self.authenticate(self.accountant.login, self.accountant.login)
        action = self._call_button(wizard, 'action_confirm')
        self._confirm_identity(action, self.accountant.login)
        with mute_logger('odoo.http'), self.assertRaises(JsonRpcException):
            self._call_button(wizard, 'action_export')
        self.assertFalse(self.env['refill.card.export'].search([]))

    def test_another_user_gets_no_file_by_its_address(self):
        series = self._generate()
        export = self._export(series)
        attachment = (
            self.env['ir.attachment']
            .sudo()
            .search([('res_model', '=', export._name), ('res_field', '=', 'file')])
        )
        manager = self._new_user(
            'daughter_manager', 'account.group_account_manager', company_id=self.other_company.id
        )
        addresses = (export.action_download()['url'], f'/web/content/{attachment.id}')
        for user in (None, self.clerk, self.employee, self.customer_user, manager):
            login = user and user.login
            self.authenticate(login, login)
            for address in addresses:
                with self.subTest(user=login, address=address):
                    response = self.url_open(address, allow_redirects=False)
                    self.assertIn(response.status_code, (303, 403, 404))
                    self.assertNotIn(series.card_ids[0].sudo().code, response.text)
        self.authenticate(self.accountant.login, self.accountant.login)
        for address in addresses:
            response = self.url_open(address)
            self.assertIn(series.card_ids[0].sudo().code, response.text)
        self.assertIn(f'{series.name}_1-3.csv', response.headers['Content-Disposition'])
        with freeze_time(fields.Datetime.now() + timedelta(hours=25)):
            self._run_background_job()
        for address in addresses:
            self.assertEqual(self.url_open(address).status_code, 404)

    def test_the_print_menu_opens_the_window_and_no_report_hands_codes_out(self):
        models = ('refill.card', 'refill.card.series')
        self.assertFalse(self.env['ir.actions.report'].search([('model', 'in', models)]))
        self.authenticate(self.accountant.login, self.accountant.login)
        series = self._generate()
        for records in (series, series.card_ids):
            actions = self.env['ir.actions.actions']
            theirs = actions.with_user(self.clerk).get_bindings(records._name)
            self.assertFalse(theirs.get('report'))
            [printing] = actions.with_user(self.accountant).get_bindings(records._name)['report']
            context = {'active_model': records._name, 'active_ids': records.ids}
            window = self.make_jsonrpc_request(
                '/web/action/run', {'action_id': printing['id'], 'context': context}
            )
            if records == series:  # after that the password is not asked for again
                window = self._confirm_identity(window, self.accountant.login)
            wizards = self.env[window['res_model']].with_user(self.accountant)
            wizard = wizards.browse(window['res_id'])
            self.assertEqual((window['name'], wizard.file_format), ("Print", 'pdf'))
            self.assertEqual(wizard.card_count, 3)
