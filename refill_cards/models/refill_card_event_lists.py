import functools

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from .refill_card_lists_mixin import UNUSED, DomainField, choose_page

# What is found by these has an index of its own.
FOUND_BY = {'id', 'card_id', 'serial', 'partner_id', 'payment_id', 'move_id', 'reference'}


class RefillCardEvent(models.Model):
    """Lists of the audit log, the newest first, of millions of events.

    No index has them in this order for whoever sees only a part. But for each company that issued
    cards, and each series that is accepted, one has the newest: a page is chosen among those.
    """

    _inherit = 'refill.card.event'

    is_seen = DomainField(search='_search_is_seen', store=False, groups=fields.NO_ACCESS)

    _company_idx = models.Index('(company_id, new_state, id)')
    _series_idx = models.Index('(series_id, used_company_id, id)')
    _used_company_idx = models.Index(
        '(used_company_id, company_id, id) WHERE used_company_id IS NOT NULL'
    )

    @api.model
    def _search_is_seen(self, operator, value):
        """Find for managers what their companies issued, and for every user what happened to the
        cards that they see while these were in a series that is accepted, or to those used here
        in a series that was; but no use elsewhere.
        """
        if operator != 'in':
            return NotImplemented
        companies = self.env.companies.ids
        issued, accepted, left = self.env['refill.card']._get_seen_series(companies)
        used_here = Domain('card_id.used_company_id', 'in', companies)
        unused = Domain('card_id.state', 'in', UNUSED)
        unused &= Domain('card_id.series_id', 'in', issued + accepted)
        no_use = Domain('old_state', '!=', 'used') & Domain('new_state', '!=', 'used')
        seen = Domain('series_id', 'in', accepted) & (used_here | unused)
        seen |= (
            Domain('series_id', 'in', left) & Domain('card_id.series_id', 'in', left) & used_here
        )
        seen &= Domain('used_company_id', 'in', companies) | no_use
        if self.env.user.has_group('refill_cards.group_refill_card_manager'):
            seen |= Domain('company_id', 'in', companies)
        return seen if True in value else ~seen

    @api.model
    def _search(self, domain, offset=0, limit=None, order=None, **kwargs):
        sees_all = self.env.su or kwargs.get('bypass_access')
        found_by = {leaf.field_expr.split('.')[0] for leaf in Domain(domain).iter_conditions()}
        if sees_all or not limit or (order or self._order) != self._order or found_by & FOUND_BY:
            return super()._search(domain, offset, limit, order, **kwargs)
        query = super()._search(domain, **kwargs)
        if query.is_empty():
            return query
        only_uses = Domain(domain) & Domain('new_state', '!=', 'used')
        sources = self._get_sources(only_uses=only_uses.optimize(self).is_false())
        newest = self._get_newest(query, sources, limit + (offset or 0), in_order=bool(order))
        return choose_page(self, newest, offset, limit, order)

    @api.model
    def _get_newest(self, query, sources, count, in_order):
        """Return the query of the newest events of a query by the user.

        :param Query query: of the events that the user sees.
        :param list sources: see :meth:`_get_sources`.
        :param int count: how many.
        :param bool in_order: whether they are the newest of all; else of those found first.
        :rtype: SQL
        """
        newest = SQL(" UNION ALL ").join(
            SQL(
                # By the column of which there is one value, too: no other index is in that order.
                "SELECT newest.id FROM %s CROSS JOIN LATERAL ("
                "SELECT %s AS id FROM %s WHERE %s AND %s ORDER BY %s DESC, %s DESC LIMIT %s"
                ") AS newest",
                source,
                SQL.identifier(self._table, 'id'),
                query.from_clause,
                query.where_clause or SQL("TRUE"),
                condition,
                SQL.identifier(self._table, fname),
                SQL.identifier(self._table, 'id'),
                count,
            )
            for source, condition, fname in sources
        )
        return SQL(
            "SELECT id FROM (%s) AS newest %s LIMIT %s",
            newest,
            SQL("ORDER BY id DESC") if in_order else SQL(),
            count,
        )

    @api.model
    def _get_sources(self, only_uses):
        """Return where the events that a user sees are found, in which an index has their order.

        No event is in two of them.

        :param bool only_uses: whether nothing but uses of cards is looked for.
        :return: tables of values, what an event has in common with these, and the column before
            the id in the index. Where that has a value, it lies between that and that: PostgreSQL
            drops from an order what equals something, and then walks through all events by id.
        :rtype: list[tuple[SQL, SQL, str]]
        """
        companies = self.env.companies.ids
        _issued, accepted, left = self.env['refill.card']._get_seen_series(companies)
        column = functools.partial(SQL.identifier, self._table)
        company = SQL("unnest(%s::int[]) AS company (id)", companies)
        sources = []
        others = SQL("TRUE")
        if self.env.user.has_group('refill_cards.group_refill_card_manager'):
            others = SQL("(%s = ANY(%s)) IS NOT TRUE", column('company_id'), companies)
            of_company = SQL("%s = company.id", column('company_id'))
            states = SQL(
                "unnest(%s) AS state (name)", [state for state, _label in self._selection_state()]
            )
            sources = [
                (
                    SQL("%s, %s", company, states),
                    SQL(
                        "%s AND %s BETWEEN state.name AND state.name",
                        *(of_company, column('new_state')),
                    ),
                    'new_state',
                ),
                (company, SQL("%s AND %s IS NULL", of_company, column('new_state')), 'new_state'),
            ]
        issuer = SQL(
            "(SELECT DISTINCT company_id AS id FROM refill_card_series WHERE id = ANY(%s))"
            " AS issuer",
            accepted + left,
        )
        unused = SQL("%s IS NULL AND %s", column('used_company_id'), others)
        sources.append(
            (
                SQL("%s, %s", company, issuer),
                SQL(
                    "%s = company.id AND %s BETWEEN issuer.id AND issuer.id AND %s",
                    *(column('used_company_id'), column('company_id'), others),
                ),
                'company_id',
            )
        )
        if only_uses:
            return sources
        sources.append(
            (
                SQL("unnest(%s::int[]) AS series (id)", accepted),
                SQL("%s = series.id AND %s", column('series_id'), unused),
                'used_company_id',
            )
        )
        if left:
            # sudo: the cards that were used here, whatever rules others add
            used = (
                self.env['refill.card']
                .sudo()
                ._search(
                    Domain('series_id', 'in', left) & Domain('used_company_id', 'in', companies)
                )
            )
            sources.append(
                (
                    SQL("(%s) AS card", used.select()),
                    SQL(
                        "%s = card.id AND %s = ANY(%s) AND %s",
                        *(column('card_id'), column('series_id'), left, unused),
                    ),
                    'used_company_id',
                )
            )
        return sources
