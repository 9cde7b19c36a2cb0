from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL, Query

from .refill_card import STATES

UNUSED = [name for name, _label in STATES if name != 'used']
# What is found by these has an index of its own.
FOUND_BY = {'id', 'card_id', 'name', 'partner_id', 'payment_id'}


class DomainField(fields.Boolean):
    """Whether a record matches the domain that the field's search method tells.

    It is judged anew whenever it is asked: the record rules stand on it, and the cache would not
    learn of everything that the domain looks at.
    """

    def filter_function(self, records, field_expr, operator, value):
        return self.determine_domain(records, operator, value)._as_predicate(records)


def choose_page(model, chosen, offset, limit, order):
    """Return the query of a page of rows that another query has chosen.

    :param BaseModel model: of which the rows are.
    :param SQL chosen: the query of the ids of the rows up to the end of the page.
    :rtype: Query
    """
    page = Query(model.env, model._table, model._table_sql)
    page.add_where(SQL("%s = ANY(ARRAY(%s))", SQL.identifier(model._table, 'id'), chosen))
    page.order = model._order_to_sql(order, page) if order else None
    page.limit, page.offset = limit, offset
    return page


class RefillCardListsMixin(models.AbstractModel):
    """Rows of cards that a list shows at once, however many there are.

    PostgreSQL reads a page by an index if it knows which series it is about, and if the page is in
    the order of that index: so conditions on series become their ids, and each page has an order.
    """

    _name = 'refill.card.lists.mixin'
    _description = "Lists of Refill Cards"
    # By its raw value, which the index has; the name of a series would be looked up for each card.
    _order = 'series_id.id, id'

    # The only rule for reading: two rules, of which either suffices, would make PostgreSQL collect
    # and sort all that they find.
    is_seen = DomainField(search='_search_is_seen', store=False, groups=fields.NO_ACCESS)

    @api.model
    def _search_is_seen(self, operator, value):
        """Find the cards that managers issued, and for every user those that are accepted, or were
        used, in the companies where the user looks.
        """
        if operator != 'in':
            return NotImplemented
        seen = self.env['refill.card']._get_seen_domain()
        return seen if True in value else ~seen

    @api.model
    def _search(self, domain, offset=0, limit=None, order=None, **kwargs):
        sees_all = self.env.su or kwargs.get('bypass_access')
        if not sees_all:
            self.browse().check_access('read')  # before anything is searched for
        domain = Domain(domain).optimize_full(self).map_conditions(self._name_series)
        found_by = {condition.field_expr for condition in domain.iter_conditions()}
        if sees_all or not limit or (order or self._order) != self._order or found_by & FOUND_BY:
            if limit and not order:
                order = self._order  # the pager's count, too, which stops at its limit
            return super()._search(domain, offset, limit, order, **kwargs)
        query = super()._search(domain, **kwargs)
        if query.is_empty():
            return query
        first = self._get_first(query, limit + (offset or 0), in_order=bool(order))
        return choose_page(self, first, offset, limit, order)

    @api.model
    def _get_first(self, query, count, in_order):
        """Return the query of the ids of the first rows of a query by the user.

        Cards that were used elsewhere may lie together, a million of them. What the user sees of a
        series is found beside them: what is not used, in each state, and what was used in a company
        are in the order of an index each.

        :param Query query: of the rows that the user sees.
        :param int count: how many.
        :param bool in_order: whether they are the first of all; else those found first.
        :rtype: SQL
        """
        companies = self.env.companies.ids
        issued, accepted, left = self.env['refill.card']._get_seen_series(companies)
        series, state, used_in, id_ = (
            SQL.identifier(self._table, name)
            for name in ('series_id', 'state', 'used_company_id', 'id')
        )
        sources = [
            (issued, SQL("(VALUES (0))"), SQL("TRUE"), SQL()),
            # Between, because PostgreSQL drops from an order what equals something, and then may
            # take another index.
            (
                accepted,
                SQL("unnest(%s)", UNUSED),
                SQL("%s BETWEEN of.it AND of.it", state),
                SQL("%s,", state),
            ),
            (
                accepted + left,
                SQL("unnest(%s)", companies),
                SQL("%s = of.it AND %s = 'used'", used_in, state),
                SQL(),
            ),
        ]
        first = SQL(" UNION ALL ").join(
            SQL(
                "SELECT first.* FROM %s AS of (it) CROSS JOIN LATERAL (SELECT %s, %s FROM %s"
                " WHERE %s AND %s = ANY(%s) AND %s ORDER BY %s, %s %s LIMIT %s) AS first",
                *(every, series, id_, query.from_clause, query.where_clause),
                *(series, series_ids, condition, series, then, id_, count),
            )
            for series_ids, every, condition, then in sources
            if series_ids
        )
        order = SQL("ORDER BY series_id, id") if in_order else SQL()
        return SQL("SELECT id FROM (%s) AS first %s LIMIT %s", first, order, count)

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
