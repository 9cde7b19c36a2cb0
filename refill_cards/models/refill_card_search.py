from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools.sql import escape_psql

from .. import codes
from ..refusals import RefillCardRefused
from .refill_card_generation import MAX_QUANTITY, NUMBER_DIGITS


class RefillCard(models.Model):
    """Finding a card by what staff type, scan or search for."""

    _inherit = 'refill.card'

    code = fields.Char(search='_search_code')

    @api.model
    def _find(self, text, partner):
        """Return the card that the user sees, by what staff typed or scanned: where every window
        comes in.

        :param str text: a serial number, a code, or the link on a card.
        :param res.partner partner: whom the card is for; may be empty.
        :rtype: refill.card
        :raise RefillCardRefused: when there is no such card, or not one that the user may see;
            wrong codes are counted.
        """
        if card := self._find_by_serial(text):
            return card
        try:
            found = self._find_by_code(text, partner, channel=self._get_channel())
        except RefillCardRefused as refused:
            if refused.reason != 'typo' or not self._is_serial(text):
                raise
            raise self._refusal('typo', 'unknown_serial') from refused
        if not self.search_count([('id', '=', found.id)]):
            if found.state == 'used':
                raise found._refusal('used')
            # sudo: to name it
            raise found._refusal('company', company=self.env.company.sudo().name)
        return found.with_env(self.env)

    @api.model
    def _search_code(self, operator, value):
        """Find a card by its whole code, however it is typed; a part of a code finds nothing."""
        if operator not in ('in', '=', 'ilike', '=ilike', 'like'):
            return NotImplemented
        # Through other models, too, only who sees cards searches for codes.
        self.check_access('read')
        nobody = self.env['res.partner']
        found, channel = [], self._get_channel()
        for text in map(str, [value] if isinstance(value, str) else value):
            # The list's search field takes serial numbers, too, and those are no typing errors.
            if not self._seal(text):
                continue
            try:
                with self._recording_refusals(nobody, self.env.company, channel=channel):
                    found.append(self._find_by_code(text, nobody, channel=channel).id)
            except RefillCardRefused as refused:
                if refused.reason != 'unknown':
                    raise
        # The record rules still filter the cards found. Their ids, because PostgreSQL would scan
        # the table for "serial number or subquery".
        return Domain('id', 'in', found)

    @api.model
    def _find_by_serial(self, text, domain=Domain.TRUE):
        """Return the card that the user sees with this serial number, empty without one.

        :param str text: with dashes of any kind or none, in any case and script of digits.
        :param odoo.fields.Domain domain: among which cards.
        :rtype: refill.card
        """
        serials = self._read_serials(text)
        cards = self.search(Domain('name', 'in', serials) & domain)
        exact = cards.filtered(lambda card: card.name == serials[0])
        found = exact or (cards if len(cards) == 1 else cards.browse())
        return found or self._find_by_foreign_serial(serials[0], domain)

    @api.model
    def _read_serials(self, text):
        """Return the serial numbers, as they are stored, for which a typed one can stand.

        They are put together anew from the names of the series, whose format is the company's
        choice, so that the unique index finds the card.

        :return: first what was typed.
        :rtype: list[str]
        """
        lengths = range(NUMBER_DIGITS, len(str(MAX_QUANTITY)) + 1)
        numbers = dict(codes.read_serial(text, lengths))
        # sudo: whether or not the series is seen or still there, the card's own rules decide
        every = self.env['refill.card.series'].sudo().with_context(active_test=False)
        series = every.search_fetch([('stem', 'in', list(numbers))], ['name', 'stem'])
        return [text.strip(), *(f'{each.name}-{numbers[each.stem]}' for each in series)]

    @api.model
    def _search_display_name(self, operator, value):
        """Find cards by what is typed or scanned into a search box.

        That is a serial number or its beginning, a code, or the link on a card.
        """
        texts = [value] if isinstance(value, str) else value
        if operator not in ('=', 'in', 'like', 'ilike', '=ilike') or not all(
            isinstance(text, str) and text for text in texts
        ):
            return super()._search_display_name(operator, value)
        return Domain.OR(self._get_typed_domain(text) for text in texts)

    @api.model
    def _get_typed_domain(self, text):
        if card := self._find_by_serial(text):
            return Domain('id', '=', card.id)
        return Domain('name', '=like', escape_psql(text.strip()) + '%') | Domain('code', '=', text)
