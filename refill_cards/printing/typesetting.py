"""Texts that fit their place: wrapping, shrinking, and scripts that join or run from the right.

Pure Python, without Odoo. A text is laid out as UAX 9 has it: each paragraph gets its levels first,
then it is cut into lines, and then each line is put in the order in which it is drawn. HarfBuzz
chooses and places the glyphs of what is not drawn character by character.
"""

# pylint: disable=bad-builtin-groupby
# Odoo's own puts together what does not follow each other.
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import uharfbuzz
from bidi import algorithm
from bidi.mirror import MIRRORED
from reportlab.pdfbase.ttfonts import TTFont

LEADING = 1.28
HALF_CAPITAL = 0.357  # of the fonts in static/fonts, in ems
SIZE_STEP = 0.5
# What stays together on a line, and the parts of a word that is too wide for one: an address breaks
# behind a slash, or a dot within it.
WORDS = re.compile(r'[^ ]+ *')
PARTS = re.compile(r'[^ ]+? *(?:(?<=/)|(?<=\w\w[.])(?=[a-z])|$)')
# A code breaks before a dash: behind one, readers of PDFs take it for a hyphen, and leave it out
# when the code is copied.
GROUPS = re.compile(r'-*[^-]+')
# What HarfBuzz is asked about: joining scripts, scripts from the right, and marks on what is before
# them. Between such letters, joiners matter.
_FROM_RIGHT = '\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\u200c\u200d'
_MARKS = '\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f'
SHAPED = re.compile(f'(?:[{_FROM_RIGHT}]|[^ ][{_MARKS}])[{_FROM_RIGHT}{_MARKS}]*')
DIGITS = re.compile('[0-9]')
PRIVATE = 0xE000  # the first character that Unicode leaves to everybody's own use
LEFT_TO_RIGHT, RIGHT_TO_LEFT, POP = '\u202a\u202b\u202c'
CONTROLS = re.compile('[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]')  # of the direction
INVISIBLE = ('Cf', 'Cc')
BRACKETS = {left: right for left, right in MIRRORED.items() if unicodedata.category(left) == 'Ps'}
DIRECTIONS = {'L': 'L', 'R': 'R', 'EN': 'R', 'AN': 'R'}  # of letters and numbers (UAX 9, N0)


class Fonts(NamedTuple):
    """Paths of the TrueType fonts to print with."""

    regular: Path
    bold: Path
    code: Path


_FOLDER = Path(__file__).parents[2] / 'static' / 'fonts'
FONTS = Fonts(*(_FOLDER / f'{name}.ttf' for name in ('sans-regular', 'sans-bold', 'mono-bold')))


class Unprintable(ValueError):
    """Cards cannot be printed like this.

    :param str what: the element, the characters or the name that is the matter.
    :ivar element: whose text it is, where that is known.
    """

    def __init__(self, what: str):
        super().__init__(what)
        self.what = what
        self.element = ''


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


class Glyph(NamedTuple):
    """A glyph that HarfBuzz placed; sizes are in thousandths of an em.

    :param str character: stands for the glyph in the font, as reportlab knows it.
    :param float width: how far the font says that the next glyph is.
    :param float advance: how far it is.
    :param float x: from where the glyph would be; likewise ``y``.
    """

    character: str
    width: float
    advance: float
    x: float
    y: float


class Line(NamedTuple):
    """What is drawn from left to right.

    :param str text: what it says, as it is read aloud.
    :param runs: characters, or glyphs where these are not all.
    :param float width: in ems.
    """

    text: str
    runs: tuple[str | tuple[Glyph, ...], ...]
    width: float


class Fitted(NamedTuple):
    """A text as it is drawn, and the room that it takes, in points.

    :param bool in_one_piece: the lines belong together without a space between.
    """

    path: str
    size: float
    lines: tuple[Line, ...]
    width: float
    height: float
    in_one_piece: bool


class Font(TTFont):
    """A TrueType font, of which HarfBuzz uses any glyph.

    reportlab draws characters. A glyph that is none's gets a character of the private use area.

    :ivar known: the characters that have a glyph.
    """

    _naming = Lock()

    def __init__(self, path: str):
        super().__init__(path, path)
        glyphs = self.face.charToGlyph
        self.known = frozenset(glyphs)
        # The plainest character, where there are several.
        self._characters = {glyphs[code]: code for code in sorted(self.known, reverse=True)}
        self.shaper = uharfbuzz.Font(uharfbuzz.Face(Path(path).read_bytes()))

    def name_glyph(self, glyph: int, width: float) -> str:
        """Return the character that stands for a glyph.

        :param float width: of the glyph, in thousandths of an em.
        """
        with self._naming:
            if glyph not in self._characters:
                code = PRIVATE + len(self._characters)
                self.face.charToGlyph[code] = glyph
                self.face.charWidths[code] = width
                self._characters[glyph] = code
        return chr(self._characters[glyph])


get_font = lru_cache(Font)


def can_print(text: str, fonts: Fonts = FONTS) -> bool:
    """Return whether the fonts have all characters of a text."""
    try:
        for path in (fonts.regular, fonts.bold):
            _prepare(text, get_font(str(path)))
    except MissingCharacters:
        return False
    return True


def fit(
    text: str, path: str, style: Style, width: float, height: float, right_to_left: bool
) -> Fitted | None:
    """Wrap a text, as large as the style and the place allow; None when it cannot fit.

    :param str path: of the TrueType font.
    :param bool right_to_left: the direction of paragraphs without letters of their own.
    :raise MissingCharacters: what the font lacks.
    """
    font = get_font(path)
    paragraphs = [
        _Paragraph(line, font, style.breaks, right_to_left)
        for line in _prepare(text, font).split('\n')
    ]
    attempts = [(size, 1) for size in _sizes(style.largest, style.comfortable)]
    attempts += [(size, style.lines) for size in _sizes(style.largest, style.smallest)]
    for size, most_lines in attempts:
        lines = _wrap(paragraphs, width / size)
        taken = len(lines) * size * LEADING
        if lines and len(lines) <= most_lines and taken <= height + 0.01:
            if style.breaks is GROUPS:
                lines = _balance(paragraphs, lines)
            drawn = tuple(paragraph.draw(start, end) for paragraph, start, end, _width in lines)
            widest = max(line.width for line in drawn) * size
            return Fitted(path, size, drawn, widest, taken, style.breaks is GROUPS)
    return None


def embed(text: str, right_to_left: bool) -> str:
    """Keep a text in one piece and in its own direction (UAX 9, explicit embedding).

    :param bool right_to_left: the direction of a text without letters.
    """
    own = _get_direction(text)
    right_to_left = right_to_left if own is None else own
    return f'{RIGHT_TO_LEFT if right_to_left else LEFT_TO_RIGHT}{text}{POP}'


def _get_direction(text: str) -> bool | None:
    """Return whether a text runs from right to left; None when it has no letters of its own.

    Those of embedded texts are not its own (UAX 9, P2, where it leaves out isolates).
    """
    depth = 0
    for character in text:
        if character in (LEFT_TO_RIGHT, RIGHT_TO_LEFT):
            depth += 1
        elif character == POP:
            depth -= 1
        elif not depth and unicodedata.bidirectional(character) in ('L', 'R', 'AL'):
            return unicodedata.bidirectional(character) != 'L'
    return None


def _sizes(largest: float, smallest: float) -> list[float]:
    return [largest - i * SIZE_STEP for i in range(int((largest - smallest) / SIZE_STEP) + 1)]


def _prepare(text: str, font: Font) -> str:
    """Return the text composed, and with its odd spaces plain."""
    if text.isascii() and text.isprintable() and font.known.issuperset(map(ord, text)):
        return text
    text = unicodedata.normalize('NFC', '\n'.join(text.splitlines()))
    characters, missing = [], {}
    for character in text:
        category = unicodedata.category(character)
        if category in ('Zs', 'Cc') and character not in ' \n':
            character = '\xa0' if category == 'Zs' else ' '
        elif category not in INVISIBLE and ord(character) not in font.known:
            missing[character] = True
        characters.append(character)
    if missing:
        raise MissingCharacters(''.join(missing))
    return ''.join(characters)


class _Paragraph:
    """A paragraph, cut where a line may end.

    :ivar words: where each begins and ends, and its width in ems with and without spaces behind it.
    """

    def __init__(self, text: str, font: Font, breaks: re.Pattern, right_to_left: bool):
        self.text = text
        self.font = font
        own = _get_direction(text)
        self.right_to_left = right_to_left if own is None else own
        self.is_plain = text.isascii() and not self.right_to_left
        self.words = self._cut_words(breaks, 0, len(text))

    def _cut_words(self, breaks: re.Pattern, start: int, end: int) -> list[tuple]:
        words = []
        space = self.font.face.charWidths[ord(' ')]
        for word in breaks.finditer(self.text, start, end):
            bare = self._measure(word[0].rstrip(' '))
            full = bare + space * (len(word[0]) - len(word[0].rstrip(' ')))
            words.append((word.start(), word.end(), full / 1000, bare / 1000))
        return words

    def get_words(self, width: float) -> Iterator[tuple]:
        """Yield the words, those that are wider than this in their parts."""
        for word in self.words:
            start, end, _full, bare = word
            yield from [word] if bare <= width else self._cut_words(PARTS, start, end)

    def _measure(self, word: str) -> float:
        widths = self.font.face.charWidths
        if word.isascii():
            return sum(widths[ord(character)] for character in word)
        width = 0
        for text, shaped in _cut(word):
            if shaped:
                width += sum(glyph.advance for glyph in _shape(self.font.fontName, text, None))
            else:
                width += sum(widths[ord(c)] for c in text if not _is_invisible(c))
        return width

    def draw(self, start: int, end: int) -> Line:
        """Return a line of the paragraph."""
        text = self.text[start:end].rstrip(' ')
        if self.is_plain:
            return Line(text, (text,), self._measure(text) / 1000)
        runs = []
        for level, indexes in self._order(start, start + len(text)):
            pieces = _cut(self.text[min(indexes) : max(indexes) + 1])
            for piece, shaped in reversed(pieces) if level % 2 else pieces:
                if shaped:
                    runs.append(_shape(self.font.fontName, piece, bool(level % 2)))
                else:
                    runs.append(_mirror(piece) if level % 2 else _strip(piece))
        width = sum(map(self._measure_run, runs))
        return Line(CONTROLS.sub('', text), tuple(_join_characters(runs)), width / 1000)

    def _measure_run(self, run: str | tuple[Glyph, ...]) -> float:
        if isinstance(run, str):
            return sum(self.font.face.charWidths[ord(character)] for character in run)
        return sum(glyph.advance for glyph in run)

    def _order(self, start: int, end: int) -> list[tuple[int, list[int]]]:
        """Return the levels and the characters of a line from left to right (UAX 9, L2)."""
        levels = _get_levels(DIGITS.sub('0', self.text), self.right_to_left)
        runs = [(k, list(group)) for k, group in groupby(range(start, end), levels.__getitem__)]
        for least in range(max(levels, default=0), 0, -1):
            ordered = []
            for reverse, group in groupby(runs, lambda run, least=least: run[0] >= least):
                together = list(group)
                ordered += together[::-1] if reverse else together
            runs = ordered
        return runs


@lru_cache(4096)
def _get_levels(text: str, right_to_left: bool) -> list[int]:
    """Return the level of each character: odd ones run from right to left (UAX 9, X1 to I2).

    All digits of a script have the same, which is why texts of many cards have the same levels.
    """
    base = int(right_to_left)
    storage = {**algorithm.get_empty_storage(), 'base_level': base, 'base_dir': 'LR'[base]}
    algorithm.get_embedding_levels(text, storage)
    characters = storage['chars']
    algorithm.explicit_embed_and_overrides(storage)  # leaves out what is invisible
    algorithm.resolve_weak_types(storage)
    for run in storage['runs']:
        start, end = run['start'], run['start'] + run['length']
        _resolve_brackets(storage['chars'][start:end], run['sor'])
    algorithm.resolve_neutral_types(storage, False)
    algorithm.resolve_implicit_levels(storage, False)
    kept = {id(character) for character in storage['chars']}
    levels = []
    for character in characters:
        before = levels[-1] if levels else base
        levels.append(character['level'] if id(character) in kept else before)
    return levels


def _resolve_brackets(characters: list[dict], before: str) -> None:
    """Give both brackets of a pair the same direction (UAX 9, N0), which ``bidi`` does not.

    :param list characters: a run of one level, as ``bidi`` knows them.
    :param str before: the direction of what is before them.
    """
    for start, end in _find_brackets(characters):
        directions = [DIRECTIONS.get(character['type']) for character in characters[:end]]
        within = set(filter(None, directions[start + 1 :]))
        direction = 'LR'[characters[start]['level'] % 2]
        if direction not in within:
            direction = next(filter(None, reversed(directions[:start])), before)
        if within:
            characters[start]['type'] = characters[end]['type'] = direction


def _find_brackets(characters: list[dict]) -> list[tuple[int, int]]:
    """Return where pairs of brackets open and close (UAX 9, BD16)."""
    pairs, opened = [], []
    for index, character in enumerate(characters):
        if character['type'] != 'ON':
            continue
        if closing := BRACKETS.get(character['ch']):
            opened.append((closing, index))
        elif any(closing == character['ch'] for closing, _start in opened):
            while opened[-1][0] != character['ch']:
                opened.pop()
            pairs.append((opened.pop()[1], index))
    return sorted(pairs)


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in INVISIBLE


def _strip(text: str) -> str:
    return ''.join(character for character in text if not _is_invisible(character))


def _mirror(text: str) -> str:
    """Return characters from left to right that are read from right to left (UAX 9, L4)."""
    return ''.join(MIRRORED.get(character, character) for character in reversed(_strip(text)))


def _join_characters(runs: list) -> Iterator[str | tuple[Glyph, ...]]:
    """Yield the runs, those of characters that follow each other as one."""
    for kind, group in groupby(filter(None, runs), type):
        together = list(group)
        yield from [''.join(together)] if kind is str else together


def _cut(text: str) -> list[tuple[str, bool]]:
    """Return the pieces of a text, and of each whether HarfBuzz is asked about it."""
    pieces, end = [], 0
    for match in SHAPED.finditer(text):
        if match.start() > end:
            pieces.append((text[end : match.start()], False))
        pieces.append((match[0], True))
        end = match.end()
    if end < len(text):
        pieces.append((text[end:], False))
    return pieces


@lru_cache(4096)
def _shape(path: str, text: str, right_to_left: bool | None) -> tuple[Glyph, ...]:
    """Return the glyphs of a text of one script and direction, from left to right.

    :param bool right_to_left: None to have it follow the script.
    """
    font = get_font(path)
    buffer = uharfbuzz.Buffer()
    buffer.add_str(text)
    buffer.flags = uharfbuzz.BufferFlags.REMOVE_DEFAULT_IGNORABLES
    buffer.guess_segment_properties()
    if right_to_left is not None:
        buffer.direction = 'rtl' if right_to_left else 'ltr'
    uharfbuzz.shape(font.shaper, buffer)
    scale = 1000 / font.shaper.face.upem
    glyphs = []
    for info, place in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
        width = scale * font.shaper.get_glyph_h_advance(info.codepoint)
        character = font.name_glyph(info.codepoint, width)
        sizes = (scale * size for size in (place.x_advance, place.x_offset, place.y_offset))
        glyphs.append(Glyph(character, width, *sizes))
    return tuple(glyphs)


def _wrap(paragraphs: list[_Paragraph], width: float) -> list[tuple]:
    """Return lines of at most this width in ems; none if a word is wider.

    :return: the paragraph of each, where it begins and ends there, and how wide it is.
    """
    lines = []
    for paragraph in paragraphs:
        begin, used = 0, 0.0
        for start, _end, full, bare in paragraph.get_words(width):
            if bare > width:
                return []
            if start > begin and used + bare > width:
                lines.append((paragraph, begin, start, used))
                begin, used = start, 0.0
            used += full
        lines.append((paragraph, begin, len(paragraph.text), used))
    return lines


def _balance(paragraphs: list[_Paragraph], lines: list[tuple]) -> list[tuple]:
    """Return as many lines, but as narrow as can be."""
    narrower = lines
    while narrower and len(narrower) == len(lines):
        lines = narrower
        narrower = _wrap(paragraphs, max(line[-1] for line in lines) - 0.01)
    return lines
