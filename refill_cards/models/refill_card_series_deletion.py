from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL, format_amount

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
        self.env['refill.card.event']._check_seen('series_id', self)
        reference = self.env['refill.card']._next_reference()
        for series in self:
            series._log_deleted(reference)
        res = super().unlink()
        # In SQL: history is only added to. It has no foreign key.
        forget = "UPDATE refill_card_event SET series_id = NULL WHERE series_id = ANY(%s)"
        self.env.cr.execute(SQL(forget, list(self.ids)))
        return res

    @api.ondelete(at_uninstall=False)
    def _unlink_except_owed_once(self):
        """:raise UserError: when something was owed for cards: the report tells it by series."""
        # sudo: whoever deletes
        moved = [('series_id', 'in', self.ids), ('movement', '!=', False)]
        if event := self.env['refill.card.event'].sudo().search(moved, limit=1):
            raise UserError(
                self.env._(
                    "Cards of series %(series)s were sold or used, and came back since. What was"
                    " owed for them on past days is told by series: archive it instead.",
                    series=event.series_id.name,
                )
            )
