"""Reads the first sheet of an Excel workbook (XLSX), row by row.

Pure Python, without Odoo. Of the sheet nothing is kept but the rows that are being read, of the
texts that cells share only their characters: openpyxl keeps a node for each row and each text.
"""

import posixpath
import re
import zipfile
from array import array
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from math import isfinite
from typing import BinaryIO
from xml.parsers import expat

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format

CHUNK = 1 << 18
# Numbers of rows and columns that a sheet can have; cells further to the right are as the last one.
LAST_ROW = 1 << 20
LAST_COLUMN = 256
COLUMN = re.compile(r'[A-Z]{1,3}')
WHOLE = re.compile(r'-?\d{1,400}')
# A number that is shown with so many digits, with zeros in front.
ZEROS = re.compile(r'0{2,}')
EPOCHS = {False: datetime(1899, 12, 30), True: datetime(1904, 1, 1)}
FORMULA = '='
NO_DAY = '#VALUE!'


class TooLarge(ValueError):
    """A workbook has more rows than Excel has."""


def read_rows(file: BinaryIO, after: int = 0) -> Iterator[tuple[int, list[object]]]:
    """Yield the rows of the first sheet, each with its number; those without cells are left out.

    Cells are texts, whole or other numbers, moments, booleans, or None; that of a formula is ``=``.

    :param file: which can be read anywhere.
    :param int after: the number of the row after which to begin; those before are passed over soon.
    :raise TooLarge: when there are too many rows.
    :raise Exception: whatever a damaged file makes the libraries raise.
    """
    with zipfile.ZipFile(file) as archive:
        book = _Book(archive)
        sheet = _Sheet(book, after)
        try:
            with closing(archive.open(book.sheet)) as part:
                while chunk := part.read(CHUNK):
                    yield from sheet.feed(chunk)
                yield from sheet.feed(b'', is_last=True)
        finally:
            sheet.parser = book.texts.parser = None  # which refer back to them


def _make_parser():
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def _refuse_doctype(*_told):
    """A workbook has none; it could define entities without end."""
    raise ValueError("A part of a workbook has a document type.")


def _tell_local(name):
    return name.rpartition(':')[2]


def _list_elements(archive, path):
    """Return the elements of a part, as far as they are told by name and attributes."""
    elements = []
    parser = _make_parser()
    parser.StartElementHandler = lambda name, told: elements.append((_tell_local(name), told))
    parser.Parse(archive.read(path), True)
    return elements


class _Book:
    """What a workbook says about its first sheet."""

    def __init__(self, archive):
        path = self._find(archive, '', '/officeDocument')[0]
        elements = _list_elements(archive, path)
        parts = {kind: self._find(archive, path, kind) for kind in ('/sharedStrings', '/styles')}
        sheets = dict(self._list_relations(archive, path, '/worksheet'))
        ids = (
            value
            for name, told in elements
            if name == 'sheet'
            for attribute, value in told.items()
            if attribute.endswith(':id')
        )
        self.sheet = next(sheets[id_] for id_ in ids if id_ in sheets)
        self.texts = _Texts(
            archive, parts['/sharedStrings'][0] if parts['/sharedStrings'] else None
        )
        self.styles = _read_styles(archive, parts['/styles'][0]) if parts['/styles'] else []
        is_1904 = any(
            told.get('date1904') in ('1', 'true') for name, told in elements if name == 'workbookPr'
        )
        self.epoch = EPOCHS[is_1904]

    def _find(self, archive, path, kind):
        return [target for _id, target in self._list_relations(archive, path, kind)]

    def _list_relations(self, archive, path, kind):
        """Return the parts that another one names, by their ids there."""
        folder, name = posixpath.split(path)
        elements = _list_elements(archive, posixpath.join(folder, '_rels', f'{name}.rels'))
        return [
            (told['Id'], posixpath.normpath(posixpath.join('/', folder, told['Target']))[1:])
            for element, told in elements
            if element == 'Relationship' and told['Type'].endswith(kind)
        ]


def _read_styles(archive, path):
    """Return of each style of cells how it shows numbers: as ``'day'``, or with how many digits."""
    formats = dict(BUILTIN_FORMATS)
    styles, section = [], None
    for name, told in _list_elements(archive, path):
        if name == 'numFmt':
            formats[int(told['numFmtId'])] = told['formatCode']
        elif name in ('cellStyleXfs', 'cellXfs', 'cellStyles', 'dxfs'):
            section = name
        elif name == 'xf' and section == 'cellXfs':
            code = formats.get(int(told.get('numFmtId', 0)), '')
            zeros = ZEROS.fullmatch(code)
            styles.append('day' if is_date_format(code) else len(code) if zeros else 0)
    return styles


class _Texts:
    """The texts that cells share, one after the other in UTF-8, as far as they were asked for."""

    def __init__(self, archive, path):
        self._part = archive.open(path) if path else None
        self._bytes, self._ends = bytearray(), array('Q')
        self._depth, self._is_text = 0, False
        self.parser = _make_parser()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._take

    def __getitem__(self, index):
        if index < 0:
            raise IndexError(index)
        while self._part and index >= len(self._ends):
            self._read()
        start = self._ends[index - 1] if index else 0
        return self._bytes[start : self._ends[index]].decode()

    def _read(self):
        chunk = self._part.read(CHUNK)
        self.parser.Parse(chunk, not chunk)
        if not chunk:
            self._part.close()
            self._part = None

    def _start(self, name, _told):
        name = _tell_local(name)
        self._depth += name == 'rPh'  # how it is pronounced
        self._is_text = name == 't' and not self._depth

    def _take(self, text):
        if self._is_text:
            self._bytes += text.encode()

    def _end(self, name):
        name = _tell_local(name)
        self._is_text = False
        self._depth -= name == 'rPh'
        if name == 'si':
            self._ends.append(len(self._bytes))


class _Sheet:
    """Reads a sheet from pieces of its XML."""

    def __init__(self, book, after):
        self._book, self._after = book, after
        self._rows, self._cells = [], []
        self._number = self._column = 0
        self._kind = self._style = None
        self._texts, self._is_text = [], False
        self.parser = _make_parser()
        self.parser.StartElementHandler = self._pass_over

    def _pass_over(self, name, told):
        """Look at nothing but the numbers of rows, up to the first one that is wanted."""
        if _tell_local(name) == 'row':
            self._start_row(told.get('r'))
            if self._number > self._after:
                self.parser.StartElementHandler = self._start
                self.parser.EndElementHandler = self._end
                self.parser.CharacterDataHandler = self._take

    def feed(self, chunk, is_last=False):
        """Return the rows that end in the next piece."""
        self.parser.Parse(chunk, is_last)
        rows, self._rows = self._rows, []
        return rows

    def _start(self, name, told):
        if ':' in name:
            name = _tell_local(name)
        if name == 'c':
            self._kind, self._style = told.get('t', 'n'), told.get('s')
            self._column = self._read_column(told.get('r'))
            self._texts = []
        elif name in ('v', 't'):
            self._is_text = True
        elif name == 'f':
            self._kind = 'f'
        elif name == 'row':
            self._start_row(told.get('r'))

    def _start_row(self, told):
        number = int(told) if told else self._number + 1
        if number > LAST_ROW:
            raise TooLarge
        if number <= self._number:
            raise ValueError("The rows of a sheet are not in order.")
        self._number, self._column = number, 0
        self._cells = []

    def _read_column(self, reference):
        """Return the number of a column, from 1 on."""
        if not reference:
            return min(self._column + 1, LAST_COLUMN)
        number = 0
        for letter in COLUMN.match(reference)[0]:
            number = number * 26 + ord(letter) - 64
        return min(number, LAST_COLUMN)

    def _take(self, text):
        if self._is_text:
            self._texts.append(text)

    def _end(self, name):
        if ':' in name:
            name = _tell_local(name)
        if name in ('v', 't'):
            self._is_text = False
        elif name == 'c':
            cells = self._cells
            cells.extend([None] * (self._column - len(cells)))
            cells[self._column - 1] = self._read_cell(''.join(self._texts))
        elif name == 'row' and self._cells:
            self._rows.append((self._number, self._cells))

    def _read_cell(self, text):
        kind = self._kind
        if kind == 'f':
            return FORMULA
        if kind in ('inlineStr', 'str', 'e'):
            return text
        if not text:
            return None
        if kind == 's':
            return self._book.texts[int(text)]
        if kind == 'b':
            return bool(int(text))
        if kind == 'd':
            return datetime.fromisoformat(text)
        return self._read_number(text)

    def _read_number(self, text):
        number = int(text) if WHOLE.fullmatch(text) else float(text)
        if not isfinite(number):
            raise ValueError("A cell has no number that can be.")
        shown = self._book.styles[int(self._style)] if self._style else 0
        if shown == 'day':
            try:
                return self._book.epoch + timedelta(seconds=round(number * 86_400))
            except OverflowError:
                return NO_DAY
        if shown and isinstance(number, int):
            return f'{number:0{shown}}'
        return number
