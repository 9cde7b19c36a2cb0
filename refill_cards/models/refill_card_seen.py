from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL

from .refill_card_lists_mixin import UNUSED


class RefillCard(models.Model):
    """Which cards a user sees, said so that an index answers."""

    _name = 'refill.card'
    _inherit = ['refill.card', 'refill.card.lists.mixin']

    @api.model
    def _get_seen_domain(self):
        """Return the domain of the cards that the user sees in the companies of the switcher.

        Managers see those that these companies issue; everybody those that they accept, except for
        those used elsewhere, and those that were used in them, though they accept no more.

        :rtype: odoo.fields.Domain
        """
        companies = self.env.companies.ids
        issued, accepted, left = self._get_seen_series(companies)
        used_here = Domain('used_company_id', 'in', companies)
        unused = Domain('state', 'in', UNUSED)
        if left:
            unused &= Domain('series_id', 'not in', left)
        seen = Domain('series_id', 'in', issued + accepted + left)
        if accepted or left:
            seen &= Domain('series_id', 'in', issued) | used_here | unused
        return seen

    @api.model
    def _get_seen_series(self, companies):
        """Return the ids of the series whose cards the user may see, found anew each time.

        In SQL, because the record rules stand on it: one short query. Its order makes PostgreSQL
        take the index, where it hopes to meet a card soon among all of them.

        :param list[int] companies: where the user looks.
        :return: those that a manager issued; of the others those that the companies accept; of the
            others those of which cards were used there.
        :rtype: tuple[list[int], list[int], list[int]]
        """
        series = self.env['refill.card.series']
        self.flush_model(['used_company_id', 'series_id', 'state'])
        rows = self.env.execute_query(
            SQL(
                """
                SELECT id, is_issued, is_accepted
                  FROM (SELECT id, %(manages)s AND %(issuer)s = ANY(%(companies)s) AS is_issued,
                               id IN %(accepted)s AS is_accepted
                          FROM refill_card_series) AS series
                 WHERE is_issued OR is_accepted
                    OR (SELECT TRUE FROM refill_card
                         WHERE used_company_id = ANY(%(companies)s) AND state = 'used'
                           AND series_id = series.id
                         ORDER BY used_company_id LIMIT 1)
                 ORDER BY id
                """,
                manages=self.env.user.has_group('refill_cards.group_refill_card_manager'),
                issuer=SQL.identifier('company_id', to_flush=series._fields['company_id']),
                companies=companies,
                accepted=series._get_accepted(companies),
            )
        )
        return (
            [id_ for id_, is_issued, _is_accepted in rows if is_issued],
            [id_ for id_, is_issued, is_accepted in rows if is_accepted and not is_issued],
            [id_ for id_, is_issued, is_accepted in rows if not (is_issued or is_accepted)],
        )
