from odoo import api, models
from odoo.tools import SQL

from .refill_card import STATES
from .refill_card_tallied_mixin import Counted


class RefillCardReport(models.Model):
    """What cards are worth by series, by state and by where they were used: told in no time."""

    _name = 'refill.card.report'
    _inherit = ['refill.card.report', 'refill.card.tallied.mixin']

    _tallied = frozenset(
        (
            *('series_id', 'face_value', 'currency_id', 'company_id', 'state', 'used_company_id'),
            *('disable_reason', 'card_count', 'replaced_count', 'amount', 'used_share'),
            *(f'{state}_{measure}' for state, _label in STATES for measure in ('count', 'amount')),
        )
    )

    @api.model
    def _get_tally(self):
        """Return the rows that would be the same but for their cards as one."""
        columns = self._get_columns()
        known = {fname: columns[fname] for fname in sorted(self._tallied)}
        tally = SQL("(%s)", self.env['refill.card']._get_tally())
        return self._get_rows(tally, {**known, 'count': SQL("card.count")})

    @api.model
    def _search(self, domain, *args, **kwargs):
        query = super()._search(domain, *args, **kwargs)
        return self._let_tally_stand_in(query) if isinstance(domain, Counted) else query
