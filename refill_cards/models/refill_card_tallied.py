from odoo import api, models
from odoo.tools import SQL

from .refill_card_tallied_mixin import Counted


class RefillCard(models.Model):
    """Cards are counted by series, state, why they are disabled and where they were used in no
    time.
    """

    _name = 'refill.card'
    _inherit = ['refill.card', 'refill.card.tallied.mixin']

    _tallied = frozenset({'series_id', 'state', 'disable_reason', 'used_company_id'})

    @api.model
    def _get_tally(self):
        return SQL(
            "SELECT series_id, state, disable_reason, company_id AS used_company_id,"
            " sum(count) AS count FROM refill_card_tally"
            " GROUP BY series_id, state, disable_reason, company_id HAVING sum(count) <> 0"
        )

    @api.model
    def _search(self, domain, *args, **kwargs):
        query = super()._search(domain, *args, **kwargs)
        return self._let_tally_stand_in(query) if isinstance(domain, Counted) else query

    @api.model
    def _get_series_ever_used(self, series_ids):
        """Return of which series a card was ever used here, wherever the user looks.

        Cards that were used before they were imported have no payment. In SQL: it looks for a
        single card of each series by an index. The tally would not know of cards that were given
        back.

        :param list[int] series_ids: which ones.
        :return: their ids.
        :rtype: list[int]
        """
        self.flush_model(['series_id', 'used_on', 'state', 'payment_id'])
        rows = self.env.execute_query(
            SQL(
                """
                SELECT id FROM unnest(%s::integer[]) AS series (id)
                 CROSS JOIN LATERAL (
                       SELECT FROM refill_card
                        WHERE series_id = series.id AND (used_on IS NOT NULL OR was_used)
                          AND (state <> 'used' OR payment_id IS NOT NULL)
                        LIMIT 1) AS card
                """,
                list(series_ids),
            )
        )
        return [id_ for [id_] in rows]
