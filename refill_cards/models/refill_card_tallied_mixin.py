import re

from odoo import api, models
from odoo.fields import Domain
from odoo.models import parse_read_group_spec
from odoo.tools import SQL

# What it says of many records is no other than of one.
OF_DIFFERENT = {'min', 'max', 'bool_and', 'bool_or', 'array_agg_distinct', 'count_distinct'}
OF_ALL = {'sum', 'sum_currency', 'avg'}


class Counted(list):
    """The domain of records that are only counted and added up, so that a tally may do."""


class Weighing:
    """A field whose values are multiplied by how many records have them; no client can send it."""

    def __init__(self, fname):
        self.fname = fname


class RefillCardTalliedMixin(models.AbstractModel):
    """Records that are counted, and added up, by a tally of them where it knows enough.

    It stands in the place of the table, with a column ``count``: so conditions, record rules,
    groups and their order mean the same as ever. The model's own ``_search``, which comes before
    those of its other mixins, puts it there for the domains that are ``Counted``.
    """

    _name = 'refill.card.tallied.mixin'
    _description = "Counted by a Tally"

    # The stored fields that the tally knows.
    _tallied = frozenset()

    @api.model
    def _get_tally(self):
        """Return the query for the tallied fields, and how many records have the same (``count``).

        :rtype: SQL
        """
        raise NotImplementedError

    def _read_group(
        self, domain, groupby=(), aggregates=(), having=(), offset=0, limit=None, order=None
    ):
        if self._is_told_by_tally(
            groupby, [*aggregates, *(left for left, *_right in having)], order
        ):
            domain = Counted([Domain(domain)])
        return super()._read_group(domain, groupby, aggregates, having, offset, limit, order)

    @api.model
    def _read_grouping_sets(self, domain, grouping_sets, aggregates=(), order=None):
        groupby = [spec for specs in grouping_sets for spec in specs]
        if self._is_told_by_tally(groupby, aggregates, order):
            domain = Counted([Domain(domain)])
        return super()._read_grouping_sets(domain, grouping_sets, aggregates, order)

    @api.model
    @api.readonly
    def search_count(self, domain, limit=None):
        conditions = Domain(domain).iter_conditions()
        if all(self._is_tallied(each.field_expr) for each in conditions):
            query = self._search(Counted([Domain(domain)]))
            if self._is_tally(query):
                [[count]] = self.env.execute_query(
                    query.select(self._read_group_select('__count', query))
                )
                return min(count, limit) if limit else count
        return super().search_count(domain, limit)

    def _let_tally_stand_in(self, query):
        """Put the tally in the place of a query's table, if it knows enough.

        :return: the query.
        """
        if self._names_only_tallied(query):
            depends = [SQL(to_flush=field) for field in query.from_clause.to_flush]
            query._tables[self._table] = SQL().join([SQL("(%s)", self._get_tally()), *depends])
            query.is_tally = True
        return query

    def _is_tally(self, query):
        return getattr(query, 'is_tally', False)

    def _names_only_tallied(self, query):
        """Return whether a query has conditions on nothing that the tally does not know."""
        conditions = [condition for _kind, _table, condition in query._joins.values()]
        code = SQL(" ").join([*conditions, query.where_clause]).code
        columns = re.findall(rf'(?<!\w)"?{self._table}"?\."?(\w+)', code)
        return not query.is_empty() and self._tallied.issuperset(columns)

    def _is_told_by_tally(self, groupby, aggregates, order):
        ordered = [part.split()[0] for part in (order or '').split(',') if part.strip()]
        return all(map(self._is_tallied, groupby)) and all(
            self._is_tallied_aggregate(spec)
            for spec in [*aggregates, *ordered]
            if spec not in groupby
        )

    def _is_tallied_aggregate(self, spec):
        if spec == '__count':
            return True
        fname, _colon, function = spec.partition(':')
        return function in OF_DIFFERENT | OF_ALL and self._is_tallied(fname)

    def _is_tallied(self, spec):
        """Return whether the tally knows a field, or another record that it knows does.

        :param str spec: a field, perhaps of a record, perhaps by day or the like.
        """
        fname, path, _granularity = parse_read_group_spec(spec)
        field = self._fields.get(fname)
        if not field or field.type.endswith('2many'):
            return False
        if field.related and not field.store:
            return field.related.split('.')[0] in self._tallied
        if not path:
            return fname in self._tallied
        other = field.relational and self.env[field.comodel_name]._fields.get(path)
        return fname in self._tallied and other and not other.type.endswith('2many')

    @api.model
    def _read_group_select(self, aggregate_spec, query):
        if not self._is_tally(query):
            return super()._read_group_select(aggregate_spec, query)
        count = SQL.identifier(self._table, 'count')
        if aggregate_spec == '__count':
            return SQL("COALESCE(SUM(%s), 0)::bigint", count)
        fname, _colon, function = aggregate_spec.partition(':')
        if function not in OF_ALL:
            return super()._read_group_select(aggregate_spec, query)
        weighing = self.with_context(refill_cards_weighing=Weighing(fname))
        if function != 'avg':
            return super(RefillCardTalliedMixin, weighing)._read_group_select(aggregate_spec, query)
        return SQL(
            "%s::numeric / SUM(CASE WHEN %s IS NOT NULL THEN %s END)",
            super(RefillCardTalliedMixin, weighing)._read_group_select(f'{fname}:sum', query),
            self._field_to_sql(self._table, fname, query),
            count,
        )

    def _field_to_sql(self, alias, field_expr, query=None):
        value = super()._field_to_sql(alias, field_expr, query)
        weighing = self.env.context.get('refill_cards_weighing')
        if isinstance(weighing, Weighing) and weighing.fname == field_expr:
            return SQL("(%s * %s)", value, SQL.identifier(self._table, 'count'))
        return value
