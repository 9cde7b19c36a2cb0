from odoo import api, fields, models
from odoo.fields import Domain


class RefillCardSeries(models.Model):
    """How many cards of a series somebody has, and on what terms."""

    _inherit = 'refill.card.series'

    sold_count = fields.Integer(string="Sold", compute='_compute_terms_counts')
    consigned_count = fields.Integer(string="On Consignment", compute='_compute_terms_counts')
    given_count = fields.Integer(string="Given Away", compute='_compute_terms_counts')

    @api.depends('card_ids.terms')
    def _compute_terms_counts(self):
        handed_out = Domain('series_id', 'in', self.ids) & Domain('terms', '!=', False)
        groups = self.env['refill.card']._read_group(
            handed_out, ['series_id', 'terms'], ['__count']
        )
        counts = {(series.id, terms): count for series, terms, count in groups}
        for series in self:
            for terms in ('sold', 'consigned', 'given'):
                series[f'{terms}_count'] = counts.get((series._origin.id, terms), 0)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_handed_out(self):
        # The database deletes the cards along.
        self.env['refill.card']._check_not_handed_out(Domain('series_id', 'in', self.ids))

    def action_hand_out(self):
        """Open the window that hands the cards of these series out, or takes them back."""
        self.env['refill.card']._check_may_hand_out()
        return self.env['refill.card.hand.out'].create({'series_ids': self.ids})._get_window()

    def action_sell(self):
        """Open the window that sells cards of these series."""
        self.env['refill.card']._check_may_hand_out()
        return self.env['refill.card.sell'].create({'series_ids': self.ids})._get_window()
