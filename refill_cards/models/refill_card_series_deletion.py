from odoo import api, fields, models
from odoo.tools import format_amount

from ..wording import format_count


class RefillCardSeries(models.Model):
    """Deleting series, with what is asked before."""

    _inherit = 'refill.card.series'

    deletion_question = fields.Char(compute='_compute_deletion_question')

    @api.depends('name', 'price', 'currency_id', 'card_count')
    @api.depends_context('lang')
    def _compute_deletion_question(self):
        for series in self:
            value = series.card_count * series.price
            series.deletion_question = self.env._(
                "Delete series %(series)s with its %(count)s cards, worth %(value)s? They will be"
                " worthless for whoever holds them.",
                series=series.name,
                count=format_count(self.env, series.card_count),
                value=format_amount(self.env, value, series.currency_id),
            )

    def unlink(self):
        """Delete series whose cards were never used, with the cards.

        :raise UserError: when a card was used.
        """
        self.check_access('unlink')
        self._lock()
        self._check_unused()
        reference = self.env['refill.card']._next_reference()
        for series in self:
            series._log_deleted(reference)
        return super().unlink()
