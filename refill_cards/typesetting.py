"""Texts that fit their place: wrapping, shrinking, and scripts that run from right to left.

Pure Python, without Odoo.
"""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import arabic_reshaper
from bidi.algorithm import get_display
from reportlab.pdfbase.ttfonts import TTFont

LEADING = 1.28
HALF_CAPITAL = 0.357  # of the fonts in static/fonts, in ems
SIZE_STEP = 0.5
# What stays together on a line, and what is left behind at its end.
WORDS, GROUPS = re.compile(r'[^ ]+ *'), re.compile(r'[^-]+-*')
JOINING = re.compile('[\u0600-\u06ff\u0750-\u077f]')
PRESENTATION_FORMS = re.compile('[\ufb50-\ufdff\ufe70-\ufefc]')
LEFT_TO_RIGHT, RIGHT_TO_LEFT, POP = '\u202a\u202b\u202c'

get_font = lru_cache(lambda path: TTFont(path, path))


class Fonts(NamedTuple):
    """Paths of the TrueType fonts to print with."""

    regular: Path
    bold: Path
    code: Path


_FOLDER = Path(__file__).parents[1] / 'static' / 'fonts'
FONTS = Fonts(*(_FOLDER / f'{name}.ttf' for name in ('sans-regular', 'sans-bold', 'mono-bold')))


class Unprintable(ValueError):
    """Cards cannot be printed like this.

    :param str what: the element, the characters or the name that is the matter.
    """

    def __init__(self, what: str):
        super().__init__(what)
        self.what = what


class MissingCharacters(Unprintable):
    """A font has no glyphs for these characters."""


class Style(NamedTuple):
    """How large a text is printed, in points.

    It stays on one line while that lets it be of the comfortable size; then it wraps and shrinks.
    """

    largest: float
    comfortable: float
    smallest: float
    lines: int = 99
    breaks: re.Pattern = WORDS

    def scaled(self, scale: float) -> 'Style':
        return self._replace(largest=scale * self.largest, comfortable=scale * self.comfortable)


class Fitted(NamedTuple):
    """A text as it is drawn: lines from left to right, and the room that they take, in points."""

    path: str
    size: float
    lines: tuple[str, ...]
    width: float
    height: float


def fit(
    text: str, path: str, style: Style, width: float, height: float, right_to_left: bool
) -> Fitted | None:
    """Wrap a text, as large as the style and the place allow; None when it cannot fit.

    :param str path: of the TrueType font.
    :param bool right_to_left: the direction of the paragraph; words follow their script's.
    :raise MissingCharacters: what the font lacks.
    """
    font = get_font(path)
    paragraphs = [_measure(line, font, style.breaks) for line in _prepare(text, font).split('\n')]
    attempts = [(size, 1) for size in _sizes(style.largest, style.comfortable)]
    attempts += [(size, style.lines) for size in _sizes(style.largest, style.smallest)]
    for size, most_lines in attempts:
        lines = _wrap(paragraphs, width / size)
        taken = len(lines) * size * LEADING
        if lines and len(lines) <= most_lines and taken <= height + 0.01:
            if style.breaks is GROUPS:
                lines = _balance(paragraphs, lines)
            drawn = tuple(_visual(line.rstrip(' '), right_to_left) for line, _width in lines)
            widest = max(font.stringWidth(line, size) for line in drawn)
            return Fitted(path, size, drawn, widest, taken)
    return None


def embed(text: str, right_to_left: bool) -> str:
    """Keep a text in one piece and in its own direction (UAX 9, explicit embedding).

    :param bool right_to_left: the direction of a text without letters.
    """
    directions = (unicodedata.bidirectional(character) for character in text)
    own = next((direction for direction in directions if direction in ('L', 'R', 'AL')), None)
    right_to_left = right_to_left if own is None else own != 'L'
    return f'{RIGHT_TO_LEFT if right_to_left else LEFT_TO_RIGHT}{text}{POP}'


def _sizes(largest: float, smallest: float) -> list[float]:
    return [largest - i * SIZE_STEP for i in range(int((largest - smallest) / SIZE_STEP) + 1)]


def _prepare(text: str, font: TTFont) -> str:
    """Return the text composed, with its Arabic letters joined and its odd spaces plain."""
    text = unicodedata.normalize('NFC', '\n'.join(text.splitlines()))
    if JOINING.search(text):
        text = arabic_reshaper.reshape(text)
    characters, missing = [], {}
    for character in text:
        category = unicodedata.category(character)
        if category in ('Zs', 'Cc') and character not in ' \n':
            character = '\xa0' if category == 'Zs' else ' '
        elif category not in ('Cf', 'Cc') and ord(character) not in font.face.charToGlyph:
            joined = PRESENTATION_FORMS.match(character)
            missing[unicodedata.normalize('NFKC', character) if joined else character] = True
        characters.append(character)
    if missing:
        raise MissingCharacters(''.join(missing))
    return ''.join(characters)


def _measure(text: str, font: TTFont, breaks: re.Pattern) -> list[tuple[str, float, float]]:
    """Return the words of a text, each with its width in ems, with and without spaces after it."""
    widths = font.face.charWidths
    measured = []
    for word in breaks.findall(text):
        bare = sum(widths[ord(c)] for c in word.rstrip(' ') if unicodedata.category(c) != 'Cf')
        full = bare + widths[ord(' ')] * (len(word) - len(word.rstrip(' ')))
        measured.append((word, full / 1000, bare / 1000))
    return measured


def _wrap(paragraphs: list, width: float) -> list[tuple[str, float]]:
    """Return lines of at most this width in ems and how wide they are; none if a word is wider."""
    lines = []
    for words in paragraphs:
        line, used = '', 0.0
        for word, full, bare in words:
            if bare > width:
                return []
            if line and used + bare > width:
                lines.append((line, used))
                line, used = '', 0.0
            line, used = line + word, used + full
        lines.append((line, used))
    return lines


def _balance(paragraphs: list, lines: list) -> list:
    """Return as many lines, but as narrow as can be."""
    narrower = lines
    while narrower and len(narrower) == len(lines):
        lines = narrower
        narrower = _wrap(paragraphs, max(width for _line, width in lines) - 0.01)
    return lines


def _visual(line: str, right_to_left: bool) -> str:
    """Return the characters of a line from left to right (UAX 9), without the invisible ones."""
    if line.isascii():
        return line
    line = get_display(line, base_dir='R' if right_to_left else 'L')
    return ''.join(character for character in line if unicodedata.category(character) != 'Cf')
