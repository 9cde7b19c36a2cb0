from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import format_amount

from ..refusals import RefillCardRefused
from ..wording import format_count


class RefillCardSelectionMixin(models.AbstractModel):
    """Which cards a window is about: some, whole series, or a range of serial numbers."""

    _name = 'refill.card.selection.mixin'
    _inherit = 'refill.card.window'
    _description = "Selection of Refill Cards"

    card_ids = fields.Many2many(comodel_name='refill.card')
    series_ids = fields.Many2many(comodel_name='refill.card.series', context={'active_test': False})
    # Never stored: what is scanned may be a code.
    first = fields.Char(
        string="First Serial Number", compute='_compute_typed', inverse='_inverse_typed'
    )
    last = fields.Char(
        string="Last Serial Number", compute='_compute_typed', inverse='_inverse_typed'
    )
    first_id = fields.Many2one(comodel_name='refill.card', string="From", readonly=True)
    last_id = fields.Many2one(comodel_name='refill.card', string="To", readonly=True)
    selected = fields.Char(compute='_compute_selected')
    card_count = fields.Integer(string="Cards", compute='_compute_card_count')
    total = fields.Char(string="Total Value", compute='_compute_card_count')

    def _compute_typed(self):
        self.first = False
        self.last = False

    def _inverse_typed(self):
        for window in self:
            for typed, found in (('first', 'first_id'), ('last', 'last_id')):
                if window[typed]:
                    window[found] = window._find_end(window[typed])

    @api.onchange('first')
    def _onchange_first(self):
        return self._look_up('first', 'first_id')

    @api.onchange('last')
    def _onchange_last(self):
        return self._look_up('last', 'last_id')

    def _look_up(self, typed, found):
        """Show the card that was typed or scanned, or say why there is none."""
        if not self[typed]:
            self[found] = False
            return None
        try:
            self[found] = self._find_end(self[typed])
        except UserError as refused:
            self[found] = False
            title = self.env._("No card was found")
            return {'warning': {'title': title, 'message': str(refused), 'type': 'notification'}}

    def _find_end(self, text):
        cards, nobody = self.env['refill.card'], self.env['res.partner']
        try:
            channel = cards._get_channel()
            with cards._recording_refusals(nobody, self.env.company, channel=channel):
                return cards._find(text, nobody)
        except RefillCardRefused as refused:
            if refused.reason != 'typo':
                raise
            raise UserError(
                self.env._(
                    "No card has the serial number that was typed or scanned as the first or the"
                    " last one. Please check it."
                )
            ) from None

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id')
    def _compute_selected(self):
        for window in self:
            window.selected = False
            if series := window._get_whole_series():
                names = ', '.join(series.mapped('name'))
                window.selected = self.env._("All cards of series %(series)s", series=names)
            elif len(window.card_ids) == 1:
                window.selected = window.card_ids.name
            elif window.card_ids:
                count = format_count(self.env, len(window.card_ids))
                window.selected = self.env._("%(count)s selected cards", count=count)

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id')
    def _compute_card_count(self):
        for window in self:
            count, amounts = window._measure(window._get_cards_domain())
            window.card_count = count
            window.total = ', '.join(
                format_amount(self.env, amount, currency) for currency, amount in amounts.items()
            )

    @api.model
    def _measure(self, domain):
        """Return how many cards there are in a domain, and what they are worth by currency.

        :rtype: tuple[int, dict[res.currency, float]]
        """
        amounts, total = {}, 0
        groups = self.env['refill.card']._read_group(
            domain, ['series_id'], ['__count', 'price:sum']
        )
        for series, count, value in groups:
            total += count
            amounts[series.currency_id] = amounts.get(series.currency_id, 0) + (value or 0)
        return total, amounts

    def _get_selection_domain(self):
        """Return the domain of the cards that are meant.

        :rtype: odoo.fields.Domain
        """
        first, last = self.first_id._origin, self.last_id._origin
        if self.card_ids:
            return Domain('id', 'in', self.card_ids._origin.ids)
        if not (self.series_ids or first or last):
            return Domain.FALSE
        domain = Domain.TRUE
        if self.series_ids:
            domain = Domain('series_id', 'in', self.series_ids._origin.ids)
        return domain & self.env['refill.card']._get_range_domain(first.name, last.name)

    def _get_whole_series(self):
        """Return the series that are meant with all of their cards.

        :rtype: refill.card.series
        """
        is_narrowed = self.card_ids or self.first_id or self.last_id
        return self.series_ids.browse() if is_narrowed else self.series_ids

    def _get_cards_domain(self):
        """Return the domain of those of them with which something will be done."""
        return self._get_selection_domain()

    def _get_series(self):
        """Return the series of the cards that are meant.

        :rtype: refill.card.series
        """
        if self.card_ids:
            return self.card_ids._origin.series_id
        if series := self._get_whole_series()._origin:  # counting a million cards takes its time
            return series
        groups = self.env['refill.card']._read_group(self._get_selection_domain(), ['series_id'])
        return self.series_ids._origin.union(*(series for [series] in groups))

    def _get_range_problem(self):
        """Return why there cannot be such a range, False when there can."""
        names = {card.name.rpartition('-')[0] for card in (self.first_id, self.last_id) if card}
        if len(names) < 2:
            return False
        return self.env._(
            "The first and the last card are not of one series. Take the cards of each series by"
            " themselves."
        )

    def _check_selection(self):
        """:raise UserError: when cards that are still being generated are meant, or no range is."""
        self.card_ids._check_whole_selection()
        if problem := self._get_range_problem():
            raise UserError(problem)
        if any(series.state != 'ready' for series in self._get_series()):
            raise UserError(self.env._("The cards are still being generated."))
