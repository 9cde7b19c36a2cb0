from collections import Counter

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from .refill_card import STATES
from .refill_card_tallied_mixin import Counted


class RefillCardSeries(models.Model):
    """How many cards of a series are in which state, and what they are worth.

    Those that others replaced are counted by themselves: what they were worth, the others are.
    """

    _inherit = 'refill.card.series'

    card_count = fields.Integer(compute='_compute_counts', aggregator='sum')
    inactive_count = fields.Integer(string="Inactive", compute='_compute_counts', aggregator='sum')
    inactive_amount = fields.Monetary(compute='_compute_counts')
    active_count = fields.Integer(string="Active", compute='_compute_counts', aggregator='sum')
    active_amount = fields.Monetary(compute='_compute_counts')
    used_count = fields.Integer(string="Used", compute='_compute_counts', aggregator='sum')
    used_amount = fields.Monetary(compute='_compute_counts')
    expired_count = fields.Integer(string="Expired", compute='_compute_counts', aggregator='sum')
    expired_amount = fields.Monetary(compute='_compute_counts')
    disabled_count = fields.Integer(string="Disabled", compute='_compute_counts', aggregator='sum')
    disabled_amount = fields.Monetary(compute='_compute_counts')
    replaced_count = fields.Integer(
        string="Replaced",
        compute='_compute_counts',
        aggregator='sum',
        help="Cards that others took the place of: they count nowhere else.",
    )

    @api.depends('card_ids.state', 'card_ids.disable_reason', 'price')
    @api.depends_context('uid', 'allowed_company_ids')
    def _compute_counts(self):
        groups = self.env['refill.card']._read_group(
            [('series_id', 'in', self.ids)], ['series_id', 'state', 'disable_reason'], ['__count']
        )
        counts = Counter()
        for series, state, reason, count in groups:
            counts[series.id, 'replaced' if reason == 'replaced' else state] += count
        for series in self:
            series.card_count = 0
            series.replaced_count = counts[series._origin.id, 'replaced']
            for state, _label in STATES:
                count = counts[series._origin.id, state]
                series[f'{state}_count'] = count
                series[f'{state}_amount'] = count * series.price
                series.card_count += count

    @api.model
    def _read_group_select(self, aggregate_spec, query):
        """Let groups count the cards that are there, which are not stored with the series."""
        replaced = Domain('disable_reason', '=', 'replaced')
        counted = {'card_count:sum': ~replaced, 'replaced_count:sum': replaced}
        for state, _label in STATES:
            counted[f'{state}_count:sum'] = Domain('state', '=', state) & ~replaced
        if aggregate_spec not in counted:
            return super()._read_group_select(aggregate_spec, query)
        cards = self.env['refill.card']
        found = cards._search(Counted([counted[aggregate_spec]]))
        series_id = cards._field_to_sql(cards._table, 'series_id', found)
        found.add_where(SQL("%s = %s", series_id, SQL.identifier(query.table, 'id')))
        return SQL("SUM(%s)", found.subselect(cards._read_group_select('__count', found)))
