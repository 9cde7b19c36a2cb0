from typing import NamedTuple

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL, Query

from .refill_card import STATES

# Of cards that were used: in use, or their payment was taken back.
EVER_USED = ['used', 'disabled']
UNUSED = [name for name, _label in STATES if name != 'used']
# Past so many rows, PostgreSQL counts faster through them as they lie.
FAR = 10_000


class SeenSeries(NamedTuple):
    """The ids of the series whose cards a user may see; no client can send it.

    ``issued`` by the companies where a manager looks; of the others those ``accepted`` there; of
    the others those of which cards were used there, which were ``left`` since.
    """

    user_id: int
    company_ids: list
    issued: list
    accepted: list
    left: list


class DomainField(fields.Boolean):
    """Whether a record matches the domain that the field's search method tells.

    It is judged anew whenever it is asked: the record rules stand on it, and the cache would not
    learn of everything that the domain looks at.
    """

    def filter_function(self, records, field_expr, operator, value):
        return self.determine_domain(records, operator, value)._as_predicate(records)


class RefillCardPagesMixin(models.AbstractModel):
    """Rows whose pages are chosen by indexes, which know whose business each row is."""

    _name = 'refill.card.pages.mixin'
    _description = "Pages of Refill Cards"

    # What is found by these has an index of its own.
    _found_by = frozenset()

    # The only rule for reading: two rules, of which either suffices, would make PostgreSQL collect
    # and sort all that they find.
    is_seen = DomainField(search='_search_is_seen', store=False, groups=fields.NO_ACCESS)

    @api.model
    def _search_is_seen(self, operator, value):
        """Find the rows that :meth:`_get_seen_domain` tells."""
        if operator != 'in':
            return NotImplemented
        seen = self._get_seen_domain()
        return seen if True in value else ~seen

    @api.model
    def _get_seen_domain(self):
        """Return the domain of the rows that the user sees in the companies of the switcher.

        :rtype: odoo.fields.Domain
        """
        raise NotImplementedError

    @api.model
    def _search(self, domain, offset=0, limit=None, order=None, **kwargs):
        sees_all = self.env.su or kwargs.get('bypass_access')
        if not sees_all:
            self.browse().check_access('read')  # before anything is searched for
        domain = self._simplify(Domain(domain).optimize_full(self))
        offset = offset or 0
        if sees_all or not self._is_page_by_index(domain, offset, limit, order):
            if limit and not order:
                order = self._order  # the pager's count, too, which stops at its limit
            return super()._search(domain, offset, limit, order, **kwargs)
        seen = self.env['refill.card']._get_seen_series()
        knowing = self.with_context(refill_cards_seen=seen)
        query = super(RefillCardPagesMixin, knowing)._search(domain, **kwargs)
        if query.is_empty():
            return query
        chosen = knowing._choose(query, domain, offset, limit, in_order=bool(order))
        page = Query(self.env, self._table, self._table_sql)
        page.add_where(SQL("%s = ANY(ARRAY(%s))", SQL.identifier(self._table, 'id'), chosen))
        page.order = self._order_to_sql(order, page) if order else None
        return page

    @api.model
    def _simplify(self, domain):
        """Return a domain as PostgreSQL understands it best.

        :rtype: odoo.fields.Domain
        """
        return domain

    @api.model
    def _choose(self, query, domain, offset, limit, in_order):
        """Return the query of the ids of a page of a query by the user, and of no others.

        :param Query query: of the rows that the user sees.
        :param odoo.fields.Domain domain: what is looked for.
        :param int offset: how many rows lie before the page.
        :param int limit: how many it has.
        :param bool in_order: whether rows are in their order; else those found first come first.
        :rtype: SQL
        """
        raise NotImplementedError

    @api.model
    def _is_page_by_index(self, domain, offset, limit, order):
        """Return whether an index has the rows of a page, in their order and no others.

        :rtype: bool
        """
        if (
            not limit
            or offset > FAR
            or any(condition.field_expr in self._found_by for condition in domain.iter_conditions())
        ):
            return False
        ordered, own = (
            [part.split() for part in text.split(',')]
            for text in (order or self._order, self._order)
        )
        return ordered == own and self._is_seen_by_one_rule()

    @api.model
    def _is_seen_by_one_rule(self):
        """Return whether the user sees nothing but what ``is_seen`` tells.

        Odoo adds what further rules for groups show, and shows all once none is left.

        :rtype: bool
        """
        rule = self.env['ir.rule']._compute_domain(self._name, 'read')
        return rule.map_conditions(
            lambda each: Domain.FALSE if each.field_expr == 'is_seen' else each
        ).is_false()
