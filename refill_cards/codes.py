"""Card codes: making them, printing them, reading what people type, sealing them at rest.

Pure Python, without Odoo. A *body* is the secret part of a code: random characters followed by one
check character. The series' prefix only decorates it: two cards never share a body.
"""

import base64
import binascii
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from urllib.parse import unquote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from stdnum import luhn

# Crockford's base 32 leaves out I, L, O (read as 1, 1, 0) and U: https://www.crockford.com/base32.html
ALPHABETS = {
    'base32': '0123456789ABCDEFGHJKMNPQRSTVWXYZ',
    'digits': '0123456789',
}
LOOK_ALIKES = str.maketrans('OIL', '011')
LENGTHS = {'base32': range(10, 21), 'digits': range(14, 25)}
DEFAULT_LENGTHS = {'base32': 12, 'digits': 16}
PREFIX_LENGTH = 12
GROUP = 4
# Unicode's dashes, spaces, line ends and characters without a width.
SEPARATORS = ('Pd', 'Zs', 'Zl', 'Zp', 'Cc', 'Cf')
MINUS = '\N{MINUS SIGN}'
VISIBLE = 4
MASK = '•'
TYPED_LENGTH = 128
LINK_LENGTH = 2048
FULL_STOPS = '.\N{FULLWIDTH FULL STOP}\N{IDEOGRAPHIC FULL STOP}\N{ARABIC FULL STOP}'
UNREADABLE = '?'
# How much of a damaged code must be readable to look for it.
READABLE = 4

KEY_BYTES = 64
# What is sealed with a code that is no card's, see RFC 5297, section 2.6.
CANARY = [b'canary']
# So that a file can never be taken for a code.
FILE = [b'file']
SEAL_BYTES = 16  # that sealing adds to a piece
FROM_URL_SAFE = bytes.maketrans(b'-_', b'+/')
# What the lockout lets one attacker try by its defaults: 5 codes, 5 after a quarter of an hour, and
# from another hour later on 5 a day.
GUESSES_A_YEAR = 5 + 5 + 5 * 365
MAX_GUESSING_PROBABILITY = 1e-9


class Typo(ValueError):
    """What was typed cannot be a code: wrong length, character, prefix or check character."""


class WrongKey(ValueError):
    """The key is malformed, or is not the one that sealed the code."""


@dataclass(frozen=True)
class Format:
    """How the codes of a series look.

    :param str alphabet: a key of ``ALPHABETS``.
    :param int length: random characters in the body, without the check character.
    :param str prefix: letters and digits printed before the body; may be empty.
    :param former_prefixes: those printed before, which go on being read.
    """

    alphabet: str
    length: int
    prefix: str = ''
    former_prefixes: tuple[str, ...] = ()

    # Whether codes could be guessed, which is refused when they are made.
    is_short = False

    @property
    def characters(self) -> str:
        return ALPHABETS[self.alphabet]

    def generate(self, count: int) -> list[str]:
        """Return ``count`` random bodies, each with its check character (Luhn mod N).

        The bytes come from the operating system. Those that would favour some characters are
        dropped, so each character is equally likely.
        """
        size = len(self.characters)
        unbiased = 256 - 256 % size
        digits = bytes(byte % size for byte in range(256))
        wanted = count * self.length
        stream = b''
        while len(stream) < wanted:
            stream += secrets.token_bytes(wanted - len(stream) + 64).translate(
                digits, delete=bytes(range(unbiased, 256))
            )
        columns = [stream[position : wanted : self.length] for position in range(self.length)]
        columns.append(self._calculate_check_digits(columns))
        alphabet = self.characters.encode().ljust(256)
        texts = [column.translate(alphabet).decode('ascii') for column in columns]
        return [''.join(characters) for characters in zip(*texts, strict=True)]

    def _calculate_check_digits(self, columns: list[bytes]) -> bytes:
        """Return the check digits of many bodies, a column at a time.

        They are those of ``stdnum.luhn``, which takes ten times as long.

        :param columns: the first digit of each body, the second of each, and so on; as numbers.
        """
        size = len(self.characters)
        doubled = bytes(sum(divmod(2 * digit, size)) for digit in range(size)).ljust(256)
        # Every other digit counts double, beginning beside the check digit.
        weighted = list(columns)
        weighted[::-2] = [column.translate(doubled) for column in columns[::-2]]
        return bytes(-total % size for total in map(sum, zip(*weighted, strict=True)))

    def display(self, body: str) -> str:
        """Return the code as it is printed: prefix and body in groups of four.

        A last group of one character joins the group before it.
        """
        groups = '-'.join(self._cut(body))
        return f'{self.prefix}-{groups}' if self.prefix else groups

    @cached_property
    def _cut(self) -> Callable[[str], tuple[str, ...]]:
        """Cuts a body into its groups."""
        *starts, last = range(0, self.length, GROUP)
        return itemgetter(*(slice(i, i + GROUP) for i in starts), slice(last, None))

    def mask(self, body: str) -> str:
        """Return the printed code with all but the last four characters of the body hidden."""
        return self.display(MASK * (len(body) - VISIBLE) + body[-VISIBLE:])

    def nothing(self) -> str:
        """Return what stands for a body that cannot be opened."""
        return MASK * (self.length + 1)

    def guessing_probability(self, cards: int) -> float:
        """Return the chance that an attacker whom the lockout slows down finds a card in a year.

        :param int cards: how many cards with this alphabet and length can be redeemed.
        """
        return cards * GUESSES_A_YEAR / len(self.characters) ** self.length

    def safe_length(self, cards: int) -> int | None:
        """Return the shortest length that is safe for ``cards`` cards, None if there is none.

        The length of the format itself does not matter.
        """
        for length in LENGTHS[self.alphabet]:
            probability = Format(self.alphabet, length).guessing_probability(cards)
            if probability < MAX_GUESSING_PROBABILITY:
                return length
        return None

    def pattern(self, text: str) -> re.Pattern[str]:
        """Return what matches the bodies that a partly readable code can stand for.

        :param str text: as typed from the card, with ``?`` for each character that is unreadable;
            the prefix may be left out.
        :raise Typo: when it does not fit this format, or too little of it is readable.
        """
        characters = normalize(unwrap(text))
        body = characters[-self.length - 1 :]
        prefix = characters[: -self.length - 1]
        readable = body.replace(UNREADABLE, '')
        if (
            len(body) <= self.length
            or len(readable) < READABLE
            or not set(readable) <= set(self.characters)
            or prefix
            and not any(map(re.compile(self._as_regex(prefix)).fullmatch, self._read_prefixes))
        ):
            raise Typo
        return re.compile(self._as_regex(body))

    @staticmethod
    def _as_regex(characters: str) -> str:
        return re.escape(characters).replace(re.escape(UNREADABLE), '.')

    def match(self, characters: str) -> str | None:
        """Return the body in normalized characters, None when they do not fit this format.

        :param str characters: a typed code after :func:`normalize`, with or without the prefix.
        """
        body = characters[-self.length - 1 :]
        prefix = characters[: -self.length - 1]
        if len(body) <= self.length or prefix and prefix not in self._read_prefixes:
            return None
        return body if luhn.is_valid(body, alphabet=self.characters) else None

    def find(self, typed: str, characters: str) -> list[str]:
        """Return the bodies that a typed code can stand for: one, or none.

        :param str typed: the code after :func:`unwrap`.
        :param str characters: the same after :func:`normalize`.
        """
        body = self.match(characters)
        return [body] if body else []

    def find_alike(self, typed: str, characters: str) -> list[str]:
        """Return those of :meth:`find` that look like what the format stands for."""
        return self.find(typed, characters)

    @cached_property
    def _read_prefixes(self) -> set[str]:
        return {normalize(prefix) for prefix in (self.prefix, *self.former_prefixes)}


def normalize(text: str) -> str:
    """Return what was typed in capitals, without spaces, dashes and look-alikes.

    Digits of other scripts and full-width letters become their ASCII counterparts.
    """
    characters = []
    for character in unicodedata.normalize('NFKC', text).upper():
        if character == MINUS or unicodedata.category(character) in SEPARATORS:
            continue
        digit = unicodedata.decimal(character, None)
        characters.append(character if digit is None else str(digit))
    # Without the spaces, accents may stand behind other letters than before.
    return unicodedata.normalize('NFC', ''.join(characters).translate(LOOK_ALIKES))


def unwrap(text: str) -> str:
    """Return the code or the serial number in what was typed, pasted or scanned.

    The link on a card has the code in its fragment; scheme, host and path do not matter. The full
    stop behind it ended a sentence.

    :raise Typo: when it is too long for either.
    """
    if len(text) > LINK_LENGTH:
        raise Typo
    _address, hash_mark, fragment = text.partition('#')
    typed = (unquote(fragment) if hash_mark else text).strip().rstrip(FULL_STOPS)
    if len(typed) > TYPED_LENGTH:
        raise Typo
    return typed


def read_serial(text: str, lengths: Iterable[int]) -> list[tuple[str, str]]:
    """Return the stems and numbers that a typed serial number can consist of; often none.

    A company's serial numbers may have the character that begins a link's fragment.

    :param str text: what was typed, pasted or scanned.
    :param lengths: how many digits the number at the end can have.
    """
    try:
        typed = {stem(unwrap(text)), stem(text)}
    except Typo:
        return []
    cut = [(each[:-length], each[-length:]) for each in typed for length in lengths]
    return [(start, number) for start, number in cut if start and number.isdecimal()]


def stem(name: str) -> str:
    """Return what identifies a series' name however it is typed: its letters and digits."""
    return ''.join(filter(str.isalnum, normalize(name)))


def read(text: str, formats: Iterable[Format]) -> set[str]:
    """Return the bodies that a typed code can stand for; several formats can fit the same text.

    :param str text: what was typed, pasted or scanned.
    :param formats: the formats of all series in use, those of ``foreign`` among them.
    :raise Typo: when no format fits.
    """
    typed = unwrap(text)
    characters = normalize(typed)
    bodies = {body for fmt in formats for body in fmt.find(typed, characters)}
    if not bodies:
        raise Typo
    return bodies


def read_each(text: str, formats: Iterable[Format]) -> dict[Format, list[str]]:
    """Return the bodies that a typed code stands for in each format that it looks like.

    :param str text: what was typed, pasted or scanned.
    :param formats: the formats to try.
    :raise Typo: when it is too long for a code.
    """
    typed = unwrap(text)
    characters = normalize(typed)
    return {fmt: bodies for fmt in formats if (bodies := fmt.find_alike(typed, characters))}


def serial_shape(series: str) -> str:
    """Return how the serial numbers of a series begin, normalized, ``#`` for each counting digit.

    >>> serial_shape('2026-0001')
    '2026####'
    """
    return normalize(re.sub(r'\d+$', lambda digits: '#' * len(digits[0]), series))


def is_serial(text: str, shapes: Iterable[str]) -> bool:
    """Return whether a typed text is a card's serial number.

    :param shapes: see :func:`serial_shape`.

    >>> is_serial('2026/0001/000123', ['2026####'])
    True
    """
    try:
        characters = stem(unwrap(text))
    except Typo:
        return False
    return any(
        re.fullmatch(re.sub('#', r'\\d', re.sub(r'[^\w#]', '', shape)) + r'\d{6,7}', characters)
        for shape in shapes
    )


class Sealer:
    """Seals bodies with AES-SIV (RFC 5297), so that equal bodies give equal seals.

    That lets a unique index find a card by its code; only the key opens a seal again.

    :param str key: 64 bytes in hexadecimal.
    :raise WrongKey: when the key is anything else.
    """

    def __init__(self, key: str):
        try:
            raw = bytes.fromhex(key)
        except ValueError:
            raise WrongKey from None
        if len(raw) != KEY_BYTES:
            raise WrongKey
        self._cipher = AESSIV(raw)

    def seal(self, body: str) -> str:
        return self._seal(body, None)

    def open(self, sealed: str) -> str:
        """Return the sealed body.

        :raise WrongKey: when another key sealed it, or it was tampered with.
        """
        return self._open(sealed, None)

    def seal_canary(self, body: str) -> str:
        """Return the seal of a code that is no card's, which is never the seal of a card."""
        return self._seal(body, CANARY)

    def open_canary(self, sealed: str) -> str:
        """Return the body of such a code.

        :raise WrongKey: as :meth:`open`.
        """
        return self._open(sealed, CANARY)

    def _seal(self, body, associated):
        return base64.urlsafe_b64encode(self._cipher.encrypt(body.encode(), associated)).decode()

    def _open(self, sealed, associated):
        try:
            # Three times as fast as base64.urlsafe_b64decode: exports open a million.
            raw = binascii.a2b_base64(sealed.encode().translate(FROM_URL_SAFE))
            return self._cipher.decrypt(raw, associated).decode()
        except (InvalidTag, ValueError):
            raise WrongKey from None

    def seal_piece(self, content: bytes, number: int, count: int) -> bytes:
        """Return a piece of a file, sealed.

        :param int number: of the piece, from 0 on.
        :param int count: of how many pieces.
        """
        return self._cipher.encrypt(content, _name_piece(number, count))

    def open_piece(self, sealed: bytes, number: int, count: int) -> bytes:
        """Return the content of a sealed piece of a file.

        :raise WrongKey: as :meth:`open`, or when it was sealed as another piece.
        """
        try:
            return self._cipher.decrypt(sealed, _name_piece(number, count))
        except InvalidTag:
            raise WrongKey from None


def _name_piece(number, count):
    return [*FILE, b'%d/%d' % (number, count)]


def generate_key() -> str:
    """Return a new random key for :class:`Sealer`."""
    return secrets.token_hex(KEY_BYTES)
