"""Draws statements: which cards were settled, on pages with two columns of cards.

Pure Python, without Odoo.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import BinaryIO

from .arrangement import Box
from .pdf import Sheets
from .typesetting import FONTS, MissingCharacters, Style, fit

PAGE = (595.28, 841.89)  # A4
MARGIN = 42
HEAD = 78  # what the title takes
ROW = 12.5
GUTTER = 30
COLUMNS = 2
ROWS = int((PAGE[1] - 2 * MARGIN - HEAD) / ROW) - 1
WIDTH = (PAGE[0] - 2 * MARGIN - (COLUMNS - 1) * GUTTER) / COLUMNS
# Of a column of cards: where a cell begins, how wide it is, and to which side it keeps.
CELLS = ((0, 0.48, 0), (0.5, 0.22, 0), (0.72, 0.28, 1))
TEXT = Style(8.5, 8.5, 4, 1)
TITLE = Style(13, 13, 6, 1)


def write(title: str, subtitle: str, header: tuple, rows: Iterable[tuple], file: BinaryIO) -> None:
    """Write a PDF page by page, of which only the current one is in memory.

    :param header: the names of the columns.
    :param rows: serial number, day and amount of each card, as they are read.
    """
    sheets = Sheets(file, PAGE)
    sheets.describe(title)
    rows, number = iter(rows), 0
    while (page := list(islice(rows, COLUMNS * ROWS))) or not number:
        number += 1
        _draw_head(sheets, title, subtitle, number)
        for column in range(COLUMNS):
            cards = page[column * ROWS : (column + 1) * ROWS]
            _draw_column(sheets, MARGIN + column * (WIDTH + GUTTER), header, cards)
        sheets.showPage()
    sheets.save()


def _draw_head(sheets, title, subtitle, number):
    width = PAGE[0] - 2 * MARGIN
    top = PAGE[1] - MARGIN
    _draw(sheets, title, Box(MARGIN, top - 20, width, 20), 0, bold=True, style=TITLE)
    _draw(sheets, subtitle, Box(MARGIN, top - 38, width - 40, 16), 0)
    _draw(sheets, str(number), Box(MARGIN, top - 38, width, 16), 1)


def _draw_column(sheets, x, header, cards):
    y = PAGE[1] - MARGIN - HEAD
    for row, bold in ((header, True), *((card, False) for card in cards)):
        for text, (start, width, align) in zip(row, CELLS, strict=True):
            box = Box(x + start * WIDTH, y, width * WIDTH, ROW)
            _draw(sheets, text, box, align, bold)
        y -= ROW


def _draw(sheets, text, box, align, bold=False, style=TEXT):
    if fitted := _fit(text, bold, style, box.width):
        sheets.draw_text(fitted, box, align)


@lru_cache(4096)
def _fit(text, bold, style, width):
    """Return a text as it is drawn; None where there is none, or no font for it."""
    path = str(FONTS.bold if bold else FONTS.regular)
    try:
        return text and fit(text, path, style, width, 100, False) or None
    except MissingCharacters:
        return None
