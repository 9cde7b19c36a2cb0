from odoo import api, models
from odoo.tools import SQL

from .refill_card_pages_mixin import EVER_USED, SeenSeries


class RefillCard(models.Model):
    """Which cards a user sees, said so that an index answers."""

    _name = 'refill.card'
    _inherit = ['refill.card', 'refill.card.lists.mixin']

    @api.model
    def _get_seen_series(self):
        """Return the series whose cards the user may see where they look, found anew each time but
        for the parts of one search.

        In SQL, because the record rules stand on it: one short query. Its order makes PostgreSQL
        take the index, where it hopes to meet a card soon among all of them.

        :rtype: SeenSeries
        """
        known = self.env.context.get('refill_cards_seen')
        companies = self.env.companies.ids
        if isinstance(known, SeenSeries) and known[:2] == (self.env.uid, companies):
            return known
        series = self.env['refill.card.series']
        self.flush_model(['used_company_id', 'series_id', 'state'])
        rows = self.env.execute_query(
            SQL(
                """
                SELECT id, is_issued, is_accepted
                  FROM (SELECT id, is_issued,
                               CASE WHEN NOT is_issued THEN id IN %(accepted)s END AS is_accepted
                          FROM (SELECT id, %(manages)s AND %(issuer)s = ANY(%(companies)s)
                                       AS is_issued
                                  FROM refill_card_series) AS series) AS series
                 WHERE is_issued OR is_accepted
                    OR (SELECT TRUE FROM refill_card
                         WHERE used_company_id = ANY(%(companies)s) AND state = ANY(%(used)s)
                           AND series_id = series.id
                         ORDER BY used_company_id LIMIT 1)
                 ORDER BY id
                """,
                manages=self.env.user.has_group('refill_cards.group_refill_card_manager'),
                issuer=SQL.identifier('company_id', to_flush=series._fields['company_id']),
                companies=companies,
                used=EVER_USED,
                accepted=series._get_accepted(companies),
            )
        )
        return SeenSeries(
            self.env.uid,
            companies,
            issued=[id_ for id_, is_issued, _is_accepted in rows if is_issued],
            accepted=[id_ for id_, _is_issued, is_accepted in rows if is_accepted],
            left=[id_ for id_, is_issued, is_accepted in rows if not (is_issued or is_accepted)],
        )
