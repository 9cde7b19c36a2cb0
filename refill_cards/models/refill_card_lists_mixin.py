from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL

from .refill_card_pages_mixin import UNUSED


class RefillCardListsMixin(models.AbstractModel):
    """Rows of cards that a list shows at once, however many there are.

    PostgreSQL reads a page by an index if it knows which series it is about, and if the page is in
    the order of that index: so conditions on series become their ids, and each page has an order.
    """

    _name = 'refill.card.lists.mixin'
    _inherit = 'refill.card.pages.mixin'
    _description = "Lists of Refill Cards"
    # By its raw value, which the index has; the name of a series would be looked up for each card.
    _order = 'series_id.id, id'

    _found_by = frozenset({'id', 'card_id', 'name', 'partner_id', 'payment_id'})

    @api.model
    def _get_seen_domain(self):
        """Managers see the cards that these companies issue; everybody those that they accept,
        except for those used elsewhere, and those that were used in them, though they accept no
        more. A card whose payment was taken back remains one that was used there.
        """
        seen = self.env['refill.card']._get_seen_series()
        used_here = Domain('used_company_id', 'in', seen.company_ids)
        # Said of the disabled only, of which it may not be so: else PostgreSQL expects fewer cards
        # than there are, and does without the order of an index.
        taken_back = Domain('state', '=', 'disabled') & Domain('used_company_id', '!=', False)
        unused = Domain('state', 'in', UNUSED) & ~taken_back
        if seen.left:
            unused &= Domain('series_id', 'not in', seen.left)
        domain = Domain('series_id', 'in', seen.issued + seen.accepted + seen.left)
        if seen.accepted or seen.left:
            domain &= Domain('series_id', 'in', seen.issued) | used_here | unused
        return domain

    @api.model
    def _choose(self, query, domain, offset, limit, in_order):
        """Cards that were used elsewhere may lie together, a million of them. What the user sees of
        a series is found beside them: what is not used, in each state, and what was used in a
        company are in the order of an index each.
        """
        seen = self.env['refill.card']._get_seen_series()
        series, state, used_in, id_ = (
            SQL.identifier(self._table, name)
            for name in ('series_id', 'state', 'used_company_id', 'id')
        )
        # Between, because PostgreSQL drops from an order what equals something, and then may take
        # another index.
        sources = [
            (seen.issued, SQL("(VALUES (0))"), SQL("TRUE"), SQL("%s, %s", series, id_)),
            (
                seen.accepted,
                SQL("unnest(%s)", UNUSED),
                SQL("%s BETWEEN of.it AND of.it", state),
                SQL("%s, %s, %s", series, state, id_),
            ),
            *(
                (
                    series_ids,
                    SQL("unnest(%s)", seen.company_ids),
                    SQL("%s = of.it AND %s BETWEEN %s AND %s", used_in, state, name, name),
                    SQL("%s, %s, %s", state, series, id_),
                )
                # What was taken back is disabled: where it is accepted, it is found above.
                for series_ids, name in (
                    (seen.accepted + seen.left, 'used'),
                    (seen.left, 'disabled'),
                )
            ),
        ]
        first = SQL(" UNION ALL ").join(
            SQL(
                "SELECT first.* FROM %s AS of (it) CROSS JOIN LATERAL (SELECT %s, %s FROM %s"
                " WHERE %s AND %s = ANY(%s) AND %s ORDER BY %s LIMIT %s) AS first",
                *(every, series, id_, query.from_clause, query.where_clause),
                *(series, series_ids, condition, order, offset + limit),
            )
            for series_ids, every, condition, order in sources
            if series_ids
        )
        order = SQL("ORDER BY series_id, id") if in_order else SQL()
        return SQL(
            "SELECT id FROM (%s) AS first %s LIMIT %s OFFSET %s", first, order, limit, offset
        )

    @api.model
    def _simplify(self, domain):
        return domain.map_conditions(self._name_series)

    @api.model
    def _name_series(self, condition):
        """Return a condition on series as one on their ids, any other as it is.

        :rtype: odoo.fields.Domain
        """
        operator, found = condition.operator, condition.value
        if condition.field_expr != 'series_id' or 'any' not in operator:
            return condition
        if not isinstance(found, Domain):
            found = Domain('id', 'any!', found)
        query = self.env['refill.card.series']._search(
            found, active_test=False, bypass_access=operator.endswith('!')
        )
        return Domain('series_id', 'not in' if 'not' in operator else 'in', query.get_result_ids())
