"""Writes cards as tables: CSV and XLSX, row by row.

Pure Python, without Odoo.
"""

import codecs
import re
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cache
from itertools import islice
from tempfile import TemporaryDirectory
from typing import BinaryIO, NamedTuple

import xlsxwriter

# A spreadsheet takes a cell that starts with one of these for a formula:
# https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_STARTS = ('=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠')
# What Excel takes as the name of a sheet.
SHEET_NAME_LENGTH = 31
FORBIDDEN_IN_SHEET_NAMES = re.compile(r'[\[\]:*?/\\]')
PADDING = 3  # the button of the filter, in characters
STATEMENT_WIDTH = 20  # of a column, in characters
CSV_BATCH = 10_000  # rows that are written at once


class Row(NamedTuple):
    """A card, or with texts only the names of the columns.

    :param float price: in the currency, rounded to its decimal places.
    :param str currency: ISO 4217.
    :param str state: its status in words.
    """

    serial: str
    code: str
    price: float
    currency: str
    valid_till: date | None
    state: str


class Csv(NamedTuple):
    """How a CSV file is written.

    :param bool for_spreadsheet: with the mark by which spreadsheets know UTF-8, and so that they
        take nothing for a formula; a program gets everything as it is.
    """

    separator: str = ','
    decimal_point: str = '.'
    for_spreadsheet: bool = False


def spreadsheet(decimal_point: str) -> Csv:
    """Return how CSV is written for the spreadsheets of people who write numbers so.

    Where the comma is in numbers, Excel separates with semicolons.
    """
    return Csv(';' if decimal_point == ',' else ',', decimal_point, True)


def write_csv(header: Row, rows: Iterable[Row], decimals: int, file: BinaryIO, style: Csv) -> None:
    """Write CSV as RFC 4180 has it, in UTF-8.

    :param int decimals: of the prices.
    """
    if style.for_spreadsheet:
        file.write(codecs.BOM_UTF8)
    comma = style.separator

    @cache
    def end(price, currency, valid_till, state):
        amount = f'{price:.{decimals}f}'.replace('.', style.decimal_point)
        cells = [_quote(text, style) for text in (amount, currency, str(valid_till or ''))]
        return comma.join([*cells, _cell(state, style)]) + '\r\n'

    file.write((comma.join(_cell(label, style) for label in header) + '\r\n').encode())
    rows = iter(rows)
    while batch := list(islice(rows, CSV_BATCH)):
        serials = _cells([row.serial for row in batch], style)
        lines = [
            f'{serial}{comma}{code}{comma}{end(price, currency, valid_till, state)}'
            for serial, (_, code, price, currency, valid_till, state) in zip(
                serials, batch, strict=True
            )
        ]
        file.write(''.join(lines).encode())


def _cells(texts: Sequence[str], style: Csv) -> Sequence[str]:
    """Return the texts as cells; all of them are looked at together, because few need a change."""
    every = '\n'.join(['', *texts])
    starts = FORMULA_STARTS if style.for_spreadsheet else ()
    marks = (style.separator, '"', '\r', *(f'\n{start}' for start in starts))
    if every.count('\n') == len(texts) and not any(mark in every for mark in marks):
        return texts
    return [_cell(text, style) for text in texts]


def _cell(text: str, style: Csv) -> str:
    """Return the text as a cell, so that a spreadsheet takes it for no formula."""
    if style.for_spreadsheet and text.startswith(FORMULA_STARTS):
        text = f"'{text}"
    return _quote(text, style)


def _quote(text: str, style: Csv) -> str:
    """Return the text in quotes where RFC 4180 wants them."""
    if any(mark in text for mark in (style.separator, '"', '\r', '\n')):
        return '"{}"'.format(text.replace('"', '""'))
    return text


def write_lines(lines: Iterable[Sequence[str]], file: BinaryIO, style: Csv) -> None:
    """Write texts as CSV, a line each."""
    if style.for_spreadsheet:
        file.write(codecs.BOM_UTF8)
    for line in lines:
        cells = (_cell(text, style) for text in line)
        file.write((style.separator.join(cells) + '\r\n').encode())


def write_xlsx(header: Row, rows: Iterable[Row], decimals: int, file: BinaryIO, title: str) -> None:
    """Write an Excel workbook with one sheet: serials and codes as text, money and days as such.

    It prints one page wide, with the names of the columns on each page.

    :param int decimals: of the prices.
    :param str title: of the sheet.
    """
    # Rows wait in a file of their own, which must not stay behind when something goes wrong.
    with TemporaryDirectory() as folder:
        workbook = xlsxwriter.Workbook(file, {'constant_memory': True, 'tmpdir': folder})
        sheet = workbook.add_worksheet(name_sheet(title))
        _fill_sheet(workbook, sheet, header, rows, decimals)
        workbook.close()


def write_statement(
    header: Sequence[str],
    rows: Iterable[tuple[str, date, float]],
    decimals: int,
    file: BinaryIO,
    title: str,
) -> None:
    """Write an Excel workbook that says which cards were settled.

    :param rows: serial number, day and amount of each card.
    :param int decimals: of the amounts.
    :param str title: of the sheet.
    """
    with TemporaryDirectory() as folder:  # as for :func:`write_xlsx`
        workbook = xlsxwriter.Workbook(file, {'constant_memory': True, 'tmpdir': folder})
        sheet = workbook.add_worksheet(name_sheet(title))
        text, money, day = _add_formats(workbook, decimals)
        sheet.set_column(0, len(header) - 1, STATEMENT_WIDTH)
        for column, label in enumerate(header):
            sheet.write_string(0, column, label, workbook.add_format({'bold': True}))
        for number, (serial, on, amount) in enumerate(rows, start=1):
            sheet.write_string(number, 0, serial, text)
            sheet.write_datetime(number, 1, on, day)
            sheet.write_number(number, 2, amount, money)
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
        workbook.close()


def _add_formats(workbook, decimals):
    """Return the formats of texts, amounts and days."""
    text = workbook.add_format({'num_format': '@'})
    money = workbook.add_format({'num_format': '#,##0' + ('.' + '0' * decimals) * bool(decimals)})
    day = workbook.add_format({'num_format': 'yyyy-mm-dd'})
    return text, money, day


def name_sheet(title: str) -> str:
    """Return the title as Excel takes it for the name of a sheet."""
    name = FORBIDDEN_IN_SHEET_NAMES.sub('-', title)[:SHEET_NAME_LENGTH]
    return name.strip("'")


def _fill_sheet(workbook, sheet, header, rows, decimals):
    bold = workbook.add_format({'bold': True})
    text, money, day = _add_formats(workbook, decimals)
    for column, label in enumerate(header):
        sheet.write_string(0, column, label, bold)
    widths = [len(label) for label in header]
    count = 0
    for count, row in enumerate(rows, start=1):
        sheet.write_string(count, 0, row.serial, text)
        sheet.write_string(count, 1, row.code, text)
        sheet.write_number(count, 2, row.price, money)
        sheet.write_string(count, 3, row.currency, text)
        if row.valid_till:
            sheet.write_datetime(count, 4, row.valid_till, day)
        sheet.write_string(count, 5, row.state, text)
        widths = _widen(widths, row)
    for column, width in enumerate(widths):
        sheet.set_column(column, column, width + PADDING)
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    sheet.fit_to_pages(1, 0)
    sheet.autofilter(0, 0, count, len(header) - 1)


def _widen(widths: Sequence[int], row: Row) -> list[int]:
    return [max(width, len(str(cell or ''))) for width, cell in zip(widths, row, strict=True)]
