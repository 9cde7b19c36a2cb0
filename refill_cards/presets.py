"""What the tables of other systems say about cards: which column is what, and how cells are read.

Pure Python, without Odoo.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from decimal import Decimal, InvalidOperation

# What a column can tell of a card.
PURPOSES = (
    'code',
    'serial',
    'value',
    'currency',
    'valid_till',
    'state',
    'used_on',
    'used_by',
    'companies',
    'batch',
)
# How columns are called, without case, spaces and punctuation; the first that is there counts.
NAMES = {
    'code': ('code', 'cardcode', 'vouchercode', 'codevoucher', 'giftcardcode', 'couponcode', 'pin'),
    'serial': ('serialnumber', 'serial', 'serialno', 'cardnumber'),
    'value': ('value', 'price', 'facevalue', 'amount', 'balance'),
    'currency': ('currency', 'currencycode'),
    'valid_till': (
        *('validtill', 'validuntil', 'expires', 'expiry', 'expirydate', 'expirationdate'),
        *('expireson', 'expiration', 'lastday'),
    ),
    'state': ('status', 'state'),
    'used_on': ('usedon', 'useddate', 'redeemedon', 'redeemdate', 'dateofuse'),
    'used_by': ('usedby', 'redeemedby', 'customer', 'user'),
    'companies': ('companies', 'company', 'partners'),
    'batch': ('batch', 'batchname', 'series', 'serie'),
}
# By the words of a status, without case, spaces and punctuation.
STATES = {
    **dict.fromkeys(
        ('active', 'new', 'unused', 'available', 'enabled', 'valid', 'open', 'notused'), 'active'
    ),
    **dict.fromkeys(('inactive', 'notactive', 'pending', 'draft', 'notactivated'), 'inactive'),
    **dict.fromkeys(('used', 'redeemed', 'spent', 'complete', 'completed'), 'used'),
    **dict.fromkeys(
        (
            *('disabled', 'blocked', 'cancelled', 'canceled', 'void', 'voided', 'deleted'),
            *('refunded', 'revoked', 'lost', 'stolen'),
        ),
        'disabled',
    ),
    'expired': 'expired',
}
# How a moment is written, day first or month first.
DATES = {
    True: ('%d/%m/%Y', '%d.%m.%Y', '%d-%m-%Y'),
    False: ('%m/%d/%Y', '%m.%d.%Y', '%m-%d-%Y'),
}
TIMES = (' %H:%M:%S', ' %H:%M', ' %I:%M %p', ' %I:%M:%S %p')
NEVER = ('', '0', '0000-00-00', '0000-00-00 00:00:00', 'never', 'none', 'null', 'false')
# Seconds since 1970, from 2001 on.
EPOCH = re.compile(r'1\d{9}')
AMOUNT_LENGTH = 40
# A currency may stand on either side: letters, with a full stop or without, or its sign.
CURRENCY = r"(?:[^\W\d_]+\.?|[^\w.,'-]+)?"
AMOUNT = re.compile(rf"{CURRENCY}\s*(-?[\d.,'\s]*\d)[.,]?-?\s*{CURRENCY}")


@dataclass(frozen=True)
class Preset:
    """How a system exports its cards.

    :param str name: of the system, as people know it.
    :param bool case_matters: whether its codes differ by case.
    :param names: of its own columns, before those in ``NAMES``.
    :param states: its own words of a status, before those in ``STATES``.
    """

    name: str
    case_matters: bool = True
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)

    def find_columns(self, header: Sequence[str]) -> dict[str, int]:
        """Return which column tells what, as far as the header says so.

        :rtype: dict[str, int]
        """
        labels = [simplify(label) for label in header]
        found = {}
        for purpose in PURPOSES:
            names = (*self.names.get(purpose, ()), *NAMES[purpose])
            place = next((labels.index(name) for name in names if name in labels), None)
            if place is not None and place not in found.values():
                found[purpose] = place
        return found

    def read_state(self, text: str) -> str | None:
        """Return the state that a word stands for, None for an unknown one."""
        word = simplify(text)
        return self.states.get(word) or STATES.get(word)


PRESETS = {
    # Config > Refill cards > Series > export: docs.splynx.com
    'splynx': Preset(
        "Splynx",
        names={'value': ('price',), 'batch': ('serie', 'series'), 'companies': ('partners',)},
    ),
    # tbl_voucher of hotspotbilling/phpnuxbill, or its list of vouchers
    'phpnuxbill': Preset(
        "PHPNuxBill",
        names={'value': ('planprice', 'price'), 'batch': ('batchname', 'planname')},
        states={'0': 'active', '1': 'used'},
    ),
    # hotspot/exportusers.php of laksa19/mikhmonv3: what a guest types is the user name
    'mikhmon': Preset("Mikhmon", names={'code': ('username',), 'batch': ('comment', 'profile')}),
    # Gift cards of WooCommerce, or coupons as WordPress exports them
    'woocommerce': Preset(
        "WooCommerce",
        case_matters=False,
        names={
            'code': ('code', 'posttitle'),
            'value': ('remaining', 'balance', 'couponamount'),
            'valid_till': ('expires', 'dateexpires', 'expirydate'),
            'state': ('status', 'poststatus', 'isactive'),
        },
        states={
            **dict.fromkeys(('publish', 'published', 'on', 'yes', '1', 'true'), 'active'),
            **dict.fromkeys(('trash', 'off', 'no', '0', 'false', 'private'), 'disabled'),
        },
    ),
    # loyalty.card of Odoo, exported with labels or with names of fields
    'odoo': Preset(
        "Odoo",
        names={
            'value': ('balance', 'points'),
            'batch': ('program', 'programid', 'programidname'),
            'currency': ('currency', 'currencyid', 'currencyidname'),
            'companies': ('company', 'companyid', 'companyidname'),
            'state': ('active',),
        },
        states={
            **dict.fromkeys(('true', '1', 'yes'), 'active'),
            **dict.fromkeys(('false', '0', 'no'), 'disabled'),
        },
    ),
    'other': Preset("another system"),
}


CODE_LABELS = {
    *NAMES['code'],
    *(name for preset in PRESETS.values() for name in preset.names.get('code', ())),
}


def is_code_label(label: str) -> bool:
    """Return whether any system calls the column of its codes so."""
    return simplify(label) in CODE_LABELS


class NotRead(ValueError):
    """A cell does not say what it should."""


def simplify(text: str) -> str:
    """Return a label without case, spaces and punctuation.

    >>> simplify('Valid till:')
    'validtill'
    """
    return ''.join(filter(str.isalnum, unicodedata.normalize('NFKC', text).casefold()))


def read_amount(text: str, decimal_point: str) -> Decimal:
    """Return an amount of money, with a currency before or after it or without one.

    Thousands are grouped by three digits, or not at all.

    :param str decimal_point: a point or a comma.
    :raise NotRead: when it is none.

    >>> read_amount('USD 1,250.50', '.')
    Decimal('1250.50')
    """
    text = text.strip()
    # The pattern takes ever longer for long texts.
    if len(text) > AMOUNT_LENGTH or not (found := AMOUNT.fullmatch(text)):
        raise NotRead
    digits = re.sub(r"[\s']", '', found[1])
    grouping = '.' if decimal_point == ',' else ','
    whole, point, decimals = digits.partition(decimal_point)
    groups = whole.split(grouping)
    if grouping in decimals or any(len(group) != 3 for group in groups[1:]):
        raise NotRead
    try:
        return Decimal(''.join(groups) + ('.' + decimals if point else ''))
    except InvalidOperation:
        raise NotRead from None


def read_moment(text: str, day_first: bool) -> datetime | None:
    """Return a day with or without a time, None where a cell says that there is none.

    It has a time zone where the cell names one.

    :param bool day_first: whether 3/4 is in April.
    :raise NotRead: when it is none.

    >>> read_moment('24/12/2026 18:00', True)
    datetime.datetime(2026, 12, 24, 18, 0)
    """
    text = text.strip()
    if text.casefold() in NEVER:
        return None
    if EPOCH.fullmatch(text):
        return datetime.fromtimestamp(int(text), timezone.utc)
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    for pattern in _get_patterns(day_first):
        try:
            return datetime.strptime(text, pattern)
        except ValueError:
            continue
    raise NotRead


def _get_patterns(day_first: bool) -> Iterable[str]:
    for pattern in DATES[day_first]:
        yield pattern
        for moment in TIMES:
            yield pattern + moment


def read_day(text: str, day_first: bool) -> date | None:
    """Return the day of :func:`read_moment`."""
    moment = read_moment(text, day_first)
    return moment and moment.date()
