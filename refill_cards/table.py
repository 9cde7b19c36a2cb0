"""Writes cards as tables: CSV and XLSX, row by row.

Pure Python, without Odoo.
"""

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cache
from tempfile import TemporaryDirectory
from typing import BinaryIO, NamedTuple

import xlsxwriter

# A spreadsheet takes a cell that starts with one of these for a formula:
# https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_STARTS = ('=', '+', '-', '@', '\t', '\r')
PADDING = 3  # the button of the filter, in characters


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


def write_csv(header: Row, rows: Iterable[Row], decimals: int, file: BinaryIO) -> None:
    """Write CSV as RFC 4180 has it, in UTF-8 with the mark by which spreadsheets know it.

    :param int decimals: of the prices.
    """
    file.write(codecs.BOM_UTF8)
    text = io.TextIOWrapper(file, encoding='utf-8', newline='')
    writer = csv.writer(text)
    writer.writerow(map(_guard, header))
    amount = cache(f'{{:.{decimals}f}}'.format)
    label = cache(_guard)
    writer.writerows(
        [_guard(serial), code, amount(price), currency, valid_till or '', label(state)]
        for serial, code, price, currency, valid_till, state in rows
    )
    text.detach()


def _guard(text: str) -> str:
    """Return the text so that a spreadsheet takes it for no formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def write_xlsx(header: Row, rows: Iterable[Row], decimals: int, file: BinaryIO) -> None:
    """Write an Excel workbook with one sheet: serials and codes as text, money and days as such.

    :param int decimals: of the prices.
    """
    # Rows wait in a file of their own, which must not stay behind when something goes wrong.
    with TemporaryDirectory() as folder:
        workbook = xlsxwriter.Workbook(file, {'constant_memory': True, 'tmpdir': folder})
        _fill_workbook(workbook, header, rows, decimals)
        workbook.close()


def _fill_workbook(workbook, header, rows, decimals):
    sheet = workbook.add_worksheet()
    bold = workbook.add_format({'bold': True})
    text = workbook.add_format({'num_format': '@'})
    money = workbook.add_format({'num_format': '#,##0' + ('.' + '0' * decimals) * bool(decimals)})
    day = workbook.add_format({'num_format': 'yyyy-mm-dd'})
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
    sheet.autofilter(0, 0, count, len(header) - 1)


def _widen(widths: Sequence[int], row: Row) -> list[int]:
    return [max(width, len(str(cell or ''))) for width, cell in zip(widths, row, strict=True)]
