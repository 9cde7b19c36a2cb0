"""Reads the lines of a table of cards, as an import says what its columns are."""

from collections import Counter, defaultdict
from datetime import datetime, timezone
from decimal import Decimal
from typing import NamedTuple

from dateutil.relativedelta import relativedelta
from odoo import fields

from .. import codes, foreign, sheets
from ..presets import PRESETS, NotRead, read_amount, read_day, read_moment
from .refill_card_life import MAX_YEARS
from .refill_card_series import MAX_PRICE

SERIAL_LENGTH = 64
BATCH_LENGTH = 64
# How many amounts are remembered, once they are read.
MAX_AMOUNTS = 10_000


class Group(NamedTuple):
    """What the cards of one series have in common; as JSON it is a list.

    :param bool is_stock: whether they are worthless until they are activated.
    """

    price: float
    currency_id: int
    company_ids: tuple[int, ...]
    batch: str
    is_stock: bool

    @classmethod
    def from_json(cls, told):
        price, currency_id, company_ids, batch, is_stock = told
        return cls(price, currency_id, tuple(company_ids), batch, is_stock)


class Row(NamedTuple):
    """A line that can become a card.

    :param str code: as it is kept.
    :param str characters: its letters and digits alone.
    :param str user: who used it, as the table says.
    """

    line: int
    code: str
    characters: str
    group: Group
    state: str
    serial: str | None
    valid_till: object
    used_on: datetime | None
    user: str


class Problem(ValueError):
    """Why a line is left out, as a sentence; it holds no code."""


class Reader:
    """Reads lines for an import, whose environment is that of whoever made it.

    :param refill.card.import record: with its columns matched.
    """

    def __init__(self, record):
        self.record = record
        self.env = record.env
        self.preset = PRESETS[record.preset]
        self.places = {
            column.purpose: place
            for place, column in enumerate(record.column_ids.sorted('position'))
            if column.purpose
        }
        self.width = len(record.column_ids)
        # Once, and not for each of a million lines.
        self.case, self.day_first = record.case, record.day_first
        self.own_companies = tuple(sorted(record.company_ids.ids))
        self.own_currency, self.own_batch = record.currency_id, record.batch or ''
        self.today = self.env.company._get_refill_card_day()
        self.over = self.env['refill.card']._get_westernmost_day()
        self.now = fields.Datetime.now().replace(microsecond=0)
        self.zone = self.env.tz
        self.currencies = {
            currency.name.upper(): currency for currency in self.env['res.currency'].search([])
        }
        self.companies = self._name_companies()
        self.amounts = {}
        # How many codes and serial numbers a spreadsheet holds as numbers, by how many digits.
        self.numbers = {'code': Counter(), 'serial': Counter()}

    def _name_companies(self):
        """Return the companies that the user works in by their names, simply written."""
        own = self.record._with_own_companies().env.companies
        return {company.name.casefold().strip(): company.id for company in own}

    def read_line(self, line, cells):
        """Return a line that can become a card.

        :param cells: as ``sheets.read`` tells them.
        :rtype: Row
        :raise Problem: when it cannot.
        """
        if cells is None:
            raise Problem(
                self.env._(
                    "A quotation mark is not closed, or stands within a cell. What follows in"
                    " this cell, and maybe in the lines below, was not read."
                )
            )
        if len(cells) > self.width and any(cells[self.width :]):
            raise Problem(
                self.env._("The line has more cells than there are columns: one has a separator.")
            )
        told = {purpose: self._tell(cells, place) for purpose, place in self.places.items()}
        self._count_numbers(cells)
        number = self._tell_number(cells)
        code, characters = self._read_code(told.get('code', ''))
        valid_till = self._read_day(told.get('valid_till', ''))
        state = self._read_state(told, valid_till)
        group = self._read_group(told, state, number)
        if state in ('active', 'inactive') and valid_till and valid_till < self.over:
            state = 'expired'
        return Row(
            line,
            code,
            characters,
            group,
            state,
            self._read_serial(told, characters),
            valid_till,
            self._read_use(told) if state == 'used' else None,
            told.get('used_by', '') if state == 'used' else '',
        )

    def _tell(self, cells, place):
        """Return what a cell says, as text.

        :raise Problem: when it is a formula, or a number that a spreadsheet cut.
        """
        try:
            text = sheets.as_text(cells[place]) if place < len(cells) else ''
        except sheets.LostDigits:
            raise Problem(
                self.env._(
                    "The spreadsheet holds a number of more than %(digits)s digits, the last of"
                    " which are lost. Export it again, with that column as text.",
                    digits=sheets.EXACT_DIGITS,
                )
            ) from None
        if sheets.is_formula(text):
            raise Problem(self.env._("There is a formula. Export the values instead."))
        return text

    def _tell_number(self, cells):
        """Return the face value that a spreadsheet holds as a number: no separator is in doubt.

        :rtype: Decimal | None
        """
        place = self.places.get('value', len(cells))
        cell = cells[place] if place < len(cells) else None
        if not sheets.is_number(cell):
            return None
        return Decimal(format(cell, f'.{sheets.EXACT_DIGITS}g'))

    def _count_numbers(self, cells):
        """Count what may have lost the zeros in front of it."""
        for purpose, counter in self.numbers.items():
            place = self.places.get(purpose, len(cells))
            if place < len(cells) and sheets.is_number(cells[place]):
                counter[len(sheets.as_text(cells[place]))] += 1

    def _read_serial(self, told, characters):
        """Return the serial number; none where it is the code, which is never kept in clear."""
        serial = told.get('serial', '')[:SERIAL_LENGTH]
        if foreign.strip(serial).casefold() == characters.casefold():
            return None
        return serial or None

    def _read_code(self, text):
        if not text:
            raise Problem(self.env._("There is no code."))
        try:
            return foreign.read(text, self.case)
        except foreign.NoCode:
            raise Problem(
                self.env._(
                    "This is no code: a code has %(shortest)s to %(longest)s letters and digits,"
                    " and between them at the most spaces, dashes, points and slashes.",
                    shortest=foreign.SHORTEST,
                    longest=foreign.LONGEST,
                )
            ) from None

    def _read_day(self, text):
        try:
            day = read_day(text, self.day_first)
        except NotRead:
            raise Problem(self.env._("The last day cannot be read.")) from None
        if day and day > self.today + relativedelta(years=MAX_YEARS):
            raise Problem(self.env['refill.card']._get_too_long_sentence())
        return day

    def _read_state(self, told, valid_till):
        text = told.get('state', '')
        state = self.preset.read_state(text) if text else 'active'
        if not text and self._read_use_date(told):
            state = 'used'
        if not state:
            raise Problem(self.env._("The status is not known."))
        if state == 'expired' and not (valid_till and valid_till < self.over):
            # Without a day that has passed it could be redeemed again.
            return 'disabled'
        return state

    def _read_use_date(self, told):
        try:
            return read_moment(told.get('used_on', ''), self.day_first)
        except NotRead:
            raise Problem(self.env._("The day of the use cannot be read.")) from None

    def _read_use(self, told):
        """Return when the card was used, in UTC; None when nothing tells.

        :raise Problem: when that is still to come.
        """
        moment = self._read_use_date(told)
        if not moment:
            return None
        try:
            if not moment.tzinfo:
                moment = self.zone.localize(moment)
            moment = moment.astimezone(timezone.utc).replace(tzinfo=None)
        except OverflowError:
            raise Problem(self.env._("The day of the use cannot be read.")) from None
        if moment > self.now + relativedelta(days=1):
            raise Problem(self.env._("The day of the use is still to come."))
        return moment

    def _read_group(self, told, state, number):
        currency = self._read_currency(told.get('currency', ''))
        told_price = told.get('value', '') if number is None else number
        price = self._read_price(told_price, currency)
        return Group(
            price,
            currency.id,
            self._read_companies(told.get('companies', '')),
            told.get('batch', '')[:BATCH_LENGTH] or self.own_batch,
            state == 'inactive',
        )

    def _read_currency(self, text):
        if not text:
            return self.own_currency
        if not (currency := self.currencies.get(text.upper())):
            raise Problem(self.env._("The currency is not known, or not active."))
        return currency

    def _read_price(self, told, currency):
        key = told, currency.id
        if key not in self.amounts:
            if len(self.amounts) >= MAX_AMOUNTS:
                self.amounts.clear()
            self.amounts[key] = self._read_new_price(told, currency)
        return self.amounts[key]

    def _read_amount(self, told):
        if isinstance(told, Decimal):
            return told
        if not told:
            return Decimal(str(self.record.price))
        return read_amount(told, self.record.decimal_point)

    def _read_new_price(self, told, currency):
        """:raise Problem: when it is no face value of a card."""
        try:
            amount = self._read_amount(told)
        except NotRead:
            raise Problem(self.env._("The face value cannot be read.")) from None
        price = float(amount)
        if told == '' and price <= 0:
            raise Problem(
                self.env._("The table names no face value: type one for cards without any.")
            )
        if price <= 0:
            raise Problem(self.env._("The card is worth nothing any more."))
        if price > MAX_PRICE:
            raise Problem(self.env._("The face value is too large."))
        if amount != round(amount, currency.decimal_places):
            raise Problem(
                self.env._(
                    "The face value has more decimals than %(currency)s has: it may be written"
                    " with another decimal separator.",
                    currency=currency.name,
                )
            )
        return price

    def _read_companies(self, text):
        if not text:
            return self.own_companies
        names = [name.casefold().strip() for name in text.replace(';', ',').split(',')]
        if text.casefold().strip() in self.companies:  # a company's name may have a comma
            names = [text.casefold().strip()]
        if any(name not in self.companies for name in names):
            raise Problem(
                self.env._("You do not work in the company that the line names, or not in each.")
            )
        return tuple(sorted({self.companies[name] for name in names}))

    # -------------------------------------------------------------------------
    # MANY LINES
    # -------------------------------------------------------------------------

    def find_users(self, rows):
        """Return the customers who used cards, by what the table calls them.

        Who cannot be told from others is left out.

        :rtype: dict[str, int]
        """
        names = {row.user for row in rows if row.user}
        if not names:
            return {}
        found = defaultdict(set)
        fnames = ('ref', 'email', 'name')
        for fname in fnames:
            domain = [
                (fname, 'in', list(names)),
                ('company_id', 'in', [False, self.env.company.id]),
            ]
            for partner in self.env['res.partner'].search_fetch(domain, fnames):
                found[partner[fname]].add(partner.id)
        return {name: min(ids) for name, ids in found.items() if len(ids) == 1}

    def find_candidates(self, row, formats):
        """Return all codes for which the code of a line could be taken when somebody types it.

        :param formats: of the series that there are.
        :rtype: set[str]
        """
        found = {row.code}
        length = len(row.characters)
        for fmt in formats:
            if isinstance(fmt, foreign.ForeignFormat):
                if length in fmt.lengths:
                    found.update(fmt.find_alike(row.code, ''))
            elif length > fmt.length:
                found.update(fmt.find(row.code, codes.normalize(row.code)))
        return found
