import functools

from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL

from .refill_card_pages_mixin import UNUSED


class RefillCardEvent(models.Model):
    """Lists of the audit log, the newest first, of millions of events.

    No index has them in this order for whoever sees only a part. But for each company that issued
    cards, and each series that is accepted, one has the newest: a page is chosen among those.
    """

    _name = 'refill.card.event'
    _inherit = ['refill.card.event', 'refill.card.pages.mixin']

    _found_by = frozenset(
        ('id', 'card_id', 'serial', 'partner_id', 'payment_id', 'move_id', 'reference')
    )

    _company_idx = models.Index('(company_id, new_state, id)')
    _series_idx = models.Index('(series_id, used_company_id, id)')
    _used_company_idx = models.Index(
        '(used_company_id, company_id, id) WHERE used_company_id IS NOT NULL'
    )

    @api.model
    def _get_seen_domain(self):
        """Managers see what their companies issued, and every user what happened to the cards that
        they see while these were in a series that is accepted, or to those used here in a series
        that was; but no use elsewhere, nor that it was taken back or undone.
        """
        series = self.env['refill.card']._get_seen_series()
        companies, left = series.company_ids, series.left
        used_here = Domain('card_id.used_company_id', 'in', companies)
        unused = Domain('card_id.state', 'in', UNUSED) & Domain(
            'card_id.used_company_id', '=', False
        )
        unused &= Domain('card_id.series_id', 'in', series.issued + series.accepted)
        no_use = Domain('old_state', '!=', 'used') & Domain('new_state', '!=', 'used')
        no_use &= Domain('used_company_id', '=', False)
        seen = Domain('series_id', 'in', series.accepted) & (used_here | unused)
        seen |= (
            Domain('series_id', 'in', left) & Domain('card_id.series_id', 'in', left) & used_here
        )
        seen &= Domain('used_company_id', 'in', companies) | no_use
        if self.env.user.has_group('refill_cards.group_refill_card_manager'):
            seen |= Domain('company_id', 'in', companies)
        return seen

    @api.model
    def _choose(self, query, domain, offset, limit, in_order):
        only_uses = (domain & Domain('new_state', '!=', 'used')).optimize(self).is_false()
        count = offset + limit
        has_many = in_order and len(self.env['refill.card']._get_seen_series().accepted) > count
        newest = []
        for source, condition, fname in self._get_sources(only_uses):
            if has_many and fname == 'used_company_id':
                # Newer than the page's last are those of a few series only.
                first = SQL(
                    "SELECT id FROM (%s) AS first ORDER BY id DESC LIMIT 1 OFFSET %s",
                    *(self._get_newest(query, source, condition, fname, 1), count - 1),
                )
                id_ = SQL.identifier(self._table, 'id')
                condition = SQL("%s AND %s >= COALESCE((%s), 0)", condition, id_, first)
            newest.append(self._get_newest(query, source, condition, fname, count))
        return SQL(
            "SELECT id FROM (%s) AS newest %s LIMIT %s OFFSET %s",
            SQL(" UNION ALL ").join(newest),
            SQL("ORDER BY id DESC") if in_order else SQL(),
            *(limit, offset),
        )

    @api.model
    def _get_newest(self, query, source, condition, fname, count):
        """Return the query of the ids of the newest events of each row of a source.

        :param Query query: of the events that the user sees.
        :param SQL source: with its condition and its column, see :meth:`_get_sources`.
        :param int count: how many of each.
        :rtype: SQL
        """
        id_ = SQL.identifier(self._table, 'id')
        return SQL(
            # By the column of which there is one value, too: no other index is in that order.
            "SELECT newest.id FROM %s CROSS JOIN LATERAL (SELECT %s AS id FROM %s"
            " WHERE %s AND %s ORDER BY %s DESC, %s DESC LIMIT %s) AS newest",
            *(source, id_, query.from_clause, query.where_clause, condition),
            *(SQL.identifier(self._table, fname), id_, count),
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
        _user, companies, _issued, accepted, left = self.env['refill.card']._get_seen_series()
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
