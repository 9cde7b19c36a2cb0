"""Reads tables that other systems exported: CSV and XLSX, row by row.

Pure Python, without Odoo.
"""

import codecs
import csv
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import BinaryIO
from xml.parsers.expat import ExpatError

from . import workbook

# What separates cells, in the order of preference.
SEPARATORS = ',;\t|'
BOMS = {
    codecs.BOM_UTF8: 'utf-8-sig',
    codecs.BOM_UTF16_LE: 'utf-16',
    codecs.BOM_UTF16_BE: 'utf-16',
}
# What Windows writes in the west, where it is not UTF-8; each byte means something.
FALLBACK = 'cp1252'
CHUNK = 1 << 20
ZIP_START = b'PK\x03\x04'
# What an archive may unpack to: a million rows are far less.
LARGEST_UNPACKED = 1 << 30
# What is no sheet is held in memory as a whole: above all the texts of all cells.
LARGEST_AT_ONCE = 1 << 27
SHEETS = 'worksheets/'
DAMAGED = (
    *(AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError),
    *(ExpatError, lzma.LZMAError, struct.error, zipfile.BadZipFile, zlib.error),
)
# Digits that a number of a spreadsheet has; the others are lost.
EXACT_DIGITS = 15
CELL_LENGTH = 10_000


class Unreadable(ValueError):
    """A file is no table.

    :param str reason: ``empty``, ``binary``, ``workbook`` or ``large``.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class LostDigits(ValueError):
    """A spreadsheet holds a number that is too long for it: some digits are lost."""


Rows = Iterator[tuple[int, list[object] | None]]


def read(file: BinaryIO, after: int = 0) -> Rows:
    """Yield the rows of a file, each with the number of its line; empty ones are left out.

    The cells of CSV are texts. Those of XLSX may also be numbers, days and booleans. A row that
    cannot be read, for its quotation marks, is None.

    :param file: which can be rewound.
    :param int after: the number of the line after which to begin.
    :raise Unreadable: when it is no table.
    """
    start = file.read(len(ZIP_START))
    file.seek(0)
    if not start:
        raise Unreadable('empty')
    rows = _read_xlsx(file, after) if start == ZIP_START else _read_csv(file)
    for line, cells in rows:
        if line > after and (cells is None or any(cell not in (None, '') for cell in cells)):
            yield line, cells


# -------------------------------------------------------------------------
# CSV
# -------------------------------------------------------------------------


def _read_csv(file: BinaryIO) -> Rows:
    text = io.TextIOWrapper(
        file, encoding=_tell_encoding(file), errors='replace', newline='', write_through=True
    )
    try:
        separator = _tell_separator(text)
        text.seek(0)
        rows = csv.reader(text, delimiter=separator, strict=True)
        line = 1
        while True:
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error:  # as a rule a quotation mark that is not closed
                cells = None
            yield line, cells
            line = rows.line_num + 1
    finally:
        text.detach()


def _tell_encoding(file: BinaryIO) -> str:
    """Return the encoding of a text, having read all of it.

    :raise Unreadable: when it is no text.
    """
    start = file.read(4)
    file.seek(0)
    for mark, encoding in BOMS.items():
        if start.startswith(mark):
            return encoding
    decoder = codecs.getincrementaldecoder('utf-8')()
    encoding = 'utf-8'
    while chunk := file.read(CHUNK):
        if b'\0' in chunk:
            raise Unreadable('binary')
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError:
            encoding = FALLBACK
            break
    file.seek(0)
    return encoding


def _tell_separator(text: io.TextIOBase) -> str:
    """Return what separates the cells: what parts the first row into most of them."""
    first = next((line for line in text if line.strip()), '')
    counts = {each: len(next(csv.reader([first], delimiter=each))) for each in SEPARATORS}
    return max(SEPARATORS, key=lambda each: counts[each])


# -------------------------------------------------------------------------
# XLSX
# -------------------------------------------------------------------------


def _read_xlsx(file: BinaryIO, after: int) -> Rows:
    try:
        _check_size(file)
        yield from workbook.read_rows(file, after)
    except Unreadable:
        raise
    except workbook.TooLarge:
        raise Unreadable('large') from None
    except DAMAGED:  # rows are read from the archive one after the other
        raise Unreadable('workbook') from None


def _check_size(file: BinaryIO) -> None:
    """:raise Unreadable: when the archive unpacks to too much, at once or altogether."""
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
    whole = sum(each.file_size for each in parts)
    at_once = max((each.file_size for each in parts if SHEETS not in each.filename), default=0)
    if whole > LARGEST_UNPACKED or at_once > LARGEST_AT_ONCE:
        raise Unreadable('large')
    file.seek(0)


# -------------------------------------------------------------------------
# CELLS
# -------------------------------------------------------------------------


def as_text(cell: object) -> str:
    """Return what a cell says, as text without spaces around it.

    :raise LostDigits: when it is a number with more digits than spreadsheets keep.
    """
    if isinstance(cell, str):
        return cell.strip()[:CELL_LENGTH]
    if cell is None:
        return ''
    if isinstance(cell, bool):
        return 'true' if cell else 'false'
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, int) and len(str(abs(cell))) > EXACT_DIGITS:
        raise LostDigits
    if isinstance(cell, datetime):
        return cell.isoformat(' ')
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    return str(cell)


def is_number(cell: object) -> bool:
    """Return whether a spreadsheet holds a cell as a number, without zeros in front."""
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet would calculate what a cell says."""
    return text.startswith(workbook.FORMULA)
