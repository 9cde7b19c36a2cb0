"""Codes that other systems made: how they look, how people type them, how hard they are to guess.

Pure Python, without Odoo. They have no check character, and their case may matter. A *form* says
where separators stand in a code: ``6-11-8`` are three groups of so many characters with dashes.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod

from .codes import (
    DEFAULT_LENGTHS,
    GUESSES_A_YEAR,
    MASK,
    MINUS,
    READABLE,
    SEPARATORS,
    UNREADABLE,
    VISIBLE,
    Format,
    Typo,
    unwrap,
)

# Whether the case of letters matters; else the codes are kept as most of the file has them.
CASES = ('exact', 'upper', 'lower')
SHORTEST, LONGEST = 6, 64
# What may stand between the characters of a code, besides dashes and spaces of any kind.
PUNCTUATION = '-._/ '
DASHES = 'Pd'
SPACES = 'Zs'
GROUP = re.compile(r'\d+')
# Between forms, where they are kept.
BESIDE = '|'
# How many characters a kind has, and from how many on those that were seen tell it.
KINDS = {'digit': 10, 'lower': 26, 'upper': 26}
TELLING = 200
# How many different beginnings of codes are counted.
MAX_STARTS = 1_000


# Of cards that are made for such a series here, because others were replaced.
OWN = Format('base32', DEFAULT_LENGTHS['base32'])


class NoCode(ValueError):
    """A text is no code: too short, too long, or with characters that no code has."""


@dataclass(frozen=True)
class ForeignFormat:
    """How the codes of an imported series look, with the methods of ``codes.Format``.

    :param str case: one of ``CASES``.
    :param forms: all the forms that the codes have.
    :param bool digits_only: whether they have no letters.
    :param bool is_short: whether they could be guessed, which was accepted.
    """

    case: str
    forms: tuple[str, ...]
    digits_only: bool = False
    is_short: bool = False

    prefix = ''

    @property
    def alphabet(self) -> str:
        """A key of ``codes.ALPHABETS``, whose characters are as wide."""
        return 'digits' if self.digits_only else 'base32'

    @property
    def length(self) -> int:
        """How many characters follow the first one, at the most, as in ``codes.Format``."""
        return max(self._by_length) - 1

    @cached_property
    def _by_length(self) -> dict[int, list[str]]:
        """The forms, by how many characters the codes have without separators."""
        forms = defaultdict(list)
        for form in self.forms:
            forms[count_characters(form)].append(form)
        return forms

    @property
    def lengths(self) -> list[int]:
        """How many letters and digits the codes have."""
        return sorted(self._by_length)

    def find(self, typed: str, characters: str) -> list[str]:
        """Return the codes that a typed one can stand for; none when it fits no form.

        :param str typed: the code after ``codes.unwrap``.
        :param str characters: the same after ``codes.normalize``.
        """
        return [*OWN.find(typed, characters), *self.find_alike(typed, characters)]

    def find_alike(self, typed: str, _characters: str) -> list[str]:
        """Return those of :meth:`find` that the other system can have made."""
        stripped = strip(typed)
        if self.digits_only and not stripped.isdecimal():
            return []
        folded = fold(stripped, self.case)
        return [shape(folded, form) for form in self._by_length.get(len(folded), ())]

    def generate(self, count: int) -> list[str]:
        """Return random bodies of cards that are made here: they look as new ones do."""
        return OWN.generate(count)

    def display(self, body: str) -> str:
        """Return the code as it is printed, which is how it was imported."""
        return body if self._has(body) else OWN.display(body)

    def mask(self, body: str) -> str:
        """Return the code with all but its last four characters hidden."""
        if not self._has(body):
            return OWN.mask(body)
        hidden = re.sub(r'[^\W_]', MASK, body[:-VISIBLE])
        return hidden + body[-VISIBLE:]

    def _has(self, body: str) -> bool:
        return tell_form(body) in self.forms

    def nothing(self) -> str:
        """Return what stands for a code that cannot be opened."""
        return MASK * (self.length + 1)

    def pattern(self, text: str) -> re.Pattern[str]:
        """Return what matches the codes that a partly readable one can stand for.

        :param str text: as typed from the card, with ``?`` for each character that is unreadable.
        :raise Typo: when it does not fit, or too little of it is readable.
        """
        characters = fold(strip(unwrap(text)), self.case)
        readable = characters.replace(UNREADABLE, '')
        if len(characters) not in self._by_length or len(readable) < READABLE:
            raise Typo
        patterns = ('.' if each == UNREADABLE else re.escape(each) for each in characters)
        return re.compile(f'[{re.escape(PUNCTUATION)}]*'.join(patterns))


def strip(text: str) -> str:
    """Return the letters and digits of what was typed, in their case.

    Digits of other scripts and full-width letters become their ASCII counterparts.
    """
    characters = []
    for character in unicodedata.normalize('NFKC', text):
        if character in PUNCTUATION or character == MINUS:
            continue
        if unicodedata.category(character) in SEPARATORS:
            continue
        digit = unicodedata.decimal(character, None)
        characters.append(character if digit is None else str(digit))
    return ''.join(characters)


def fold(text: str, case: str) -> str:
    """Return the text in the case in which codes are kept.

    :param str case: one of ``CASES``.
    """
    return {'exact': str, 'upper': str.upper, 'lower': str.lower}[case](text)


def read(text: str, case: str) -> tuple[str, str]:
    """Return a code of a file as it is kept, and its letters and digits alone.

    :param str text: the cell.
    :param str case: one of ``CASES``.
    :raise NoCode: when it is none.
    """
    code = text.strip()
    if not code.isascii():
        code = _straighten(code)
    characters = code.translate(_NO_PUNCTUATION)
    if not SHORTEST <= len(characters) <= LONGEST or len(code) > 2 * LONGEST:
        raise NoCode
    if not characters.isalnum() or not (code[0].isalnum() and code[-1].isalnum()):
        raise NoCode
    return fold(code, case), fold(characters, case)


_NO_PUNCTUATION = str.maketrans('', '', PUNCTUATION)


def _straighten(code: str) -> str:
    """Return a code with dashes, spaces and digits as ASCII has them, as typed ones are read."""
    characters = []
    for character in unicodedata.normalize('NFKC', code):
        category = unicodedata.category(character)
        digit = unicodedata.decimal(character, None)
        if category == DASHES or character == MINUS:
            characters.append('-')
        elif category == SPACES:
            characters.append(' ')
        elif category not in SEPARATORS:
            characters.append(character if digit is None else str(digit))
    return ''.join(characters)


def tell_form(code: str) -> str:
    """Return the form of a code.

    >>> tell_form('202201-QuickAccess-irfUPbEZ')
    '6-11-8'
    """
    return re.sub(r'[^\W_]+', lambda group: str(len(group[0])), code)


def count_characters(form: str) -> int:
    """Return how many letters and digits codes of a form have."""
    return sum(map(int, GROUP.findall(form)))


def shape(characters: str, form: str) -> str:
    """Return a code: its letters and digits, with the separators of a form.

    >>> shape('044decb54f1e', '4-4-4')
    '044d-ecb5-4f1e'
    """
    parts, start = [], 0
    for size, separator in re.findall(r'(\d+)(\D*)', form):
        parts += [characters[start : start + int(size)], separator]
        start += int(size)
    return ''.join(parts)


class Strength:
    """How many codes there can be, judged by those that there are.

    What all codes have alike is no secret. Of the rest counts what was seen or, where few codes are
    there to tell, all digits or letters of the kind. Nor is the beginning that many codes share.
    """

    def __init__(self):
        self.counts = {}
        self.columns = {}
        # By length: how many codes have which beginning, as long as those are few.
        self.starts = {}

    def add(self, codes: Iterable[str]) -> None:
        """Look at more codes.

        :param codes: their letters and digits alone, of those that can be redeemed.
        """
        by_length = defaultdict(list)
        for code in codes:
            by_length[len(code)].append(code)
        for length, same in by_length.items():
            self.counts[length] = self.counts.get(length, 0) + len(same)
            places = self.columns.setdefault(length, [set() for _place in range(length)])
            for place, column in zip(places, zip(*same, strict=True), strict=True):
                place.update(column)
            self._add_starts(length, same)

    def _add_starts(self, length, codes):
        counters = self.starts.setdefault(length, [Counter() for _size in range(1, length)])
        for size, counter in enumerate(counters, start=1):
            counter.update(code[:size] for code in codes)
            if len(counter) > MAX_STARTS:  # those that are longer are even more
                del counters[size - 1 :]
                break

    def dump(self) -> dict:
        """Return all that was learned, for JSON; it tells how codes begin."""
        return {
            'counts': list(self.counts.items()),
            'columns': [
                (length, [''.join(place) for place in places])
                for length, places in self.columns.items()
            ],
            'starts': [
                (length, [dict(counter) for counter in counters])
                for length, counters in self.starts.items()
            ],
        }

    @classmethod
    def load(cls, told: dict) -> 'Strength':
        """Return what :meth:`dump` told."""
        strength = cls()
        strength.counts = dict(told['counts'])
        strength.columns = {length: list(map(set, places)) for length, places in told['columns']}
        strength.starts = {
            length: list(map(Counter, counters)) for length, counters in told['starts']
        }
        return strength

    @property
    def usual_length(self) -> int:
        """How many characters most codes have."""
        return max(self.counts, key=self.counts.get, default=0)

    @property
    def digits_only(self) -> bool:
        """Whether no code has a letter."""
        every = set().union(*(place for places in self.columns.values() for place in places))
        return ''.join(every).isdecimal()

    def guessing_probability(self, others: int = 0) -> float:
        """Return the chance that an attacker whom the lockout slows down finds a card in a year.

        The attacker chooses the length that is worth it most, and the beginning.

        :param int others: how many more cards there are whose codes look alike.
        """
        chances = (
            (count + others) * GUESSES_A_YEAR / self._count_possible(length, known)
            for length in self.counts
            for known, count in self._count_alike(length)
        )
        return min(max(chances, default=0.0), 1.0)

    def _count_alike(self, length: int) -> Iterable[tuple[int, int]]:
        """Yield how many codes have a beginning that an attacker knows, and how long that is."""
        yield 0, self.counts[length]
        for size, counter in enumerate(self.starts[length], start=1):
            most = max(counter.values())
            if most >= TELLING:
                yield size, most

    def _count_possible(self, length: int, known: int) -> int:
        """Return how many codes of a length there can be whose first characters are known."""
        places = self.columns[length][known:]
        if self.counts[length] > 1:
            places = [place for place in places if len(place) > 1]
        seen = defaultdict(set)
        for character in set().union(*places):
            seen[_tell_kind(character)].add(character)
        is_told = self.counts[length] * len(places) >= TELLING
        sizes = {
            kind: len(characters) if is_told else max(len(characters), KINDS[kind])
            for kind, characters in seen.items()
        }
        return prod(self._measure(place, sizes, self.counts[length]) for place in places)

    def _measure(self, place, sizes, count):
        """Return how many characters can stand at a place."""
        most = sum(sizes[kind] for kind in set(map(_tell_kind, place)))
        return min(most, len(place)) if count >= TELLING else most


def _tell_kind(character: str) -> str:
    return 'digit' if character.isdecimal() else 'lower' if character.islower() else 'upper'
