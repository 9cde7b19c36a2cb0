"""Fields that hide from a user what is none of their business.

The value itself is hidden, in the SQL that reads it: so it is empty wherever it comes from, by
reading, searching, grouping, sorting or exporting. Odoo would tell the name of whatever a record
refers to, to anybody who may read the record.
"""

from odoo import fields
from odoo.fields import Domain
from odoo.tools import SQL, Query


class _Visible(fields.Field):
    """Mixin for a stored field that only some see; it is empty for the others.

    :param tuple[str] companies: paths to companies; who works in none of them sees nothing. All do
        when left out.
    """

    companies = ()
    _depends_context = ('uid', 'allowed_company_ids')

    def to_sql(self, model, alias):
        column = super().to_sql(model, alias)
        conditions = self._get_conditions(model, alias, column)
        if not conditions:
            return column
        return SQL("CASE WHEN %s THEN %s END", SQL(" AND ").join(conditions), column)

    def _get_conditions(self, model, alias, column):
        """Return under which conditions the user sees the value; the superuser always does.

        :rtype: list[SQL]
        """
        if model.env.su or not self.companies:
            return []
        ids = model.env.companies.ids
        if any('.' in path for path in self.companies):
            shown = Domain.OR(Domain(path, 'in', ids) for path in self.companies)
            return [self._exists(model, SQL.identifier(alias, 'id'), shown)]
        own = (model._field_to_sql(alias, path) for path in self.companies)
        return [SQL("(%s)", SQL(" OR ").join(SQL("%s IN %s", path, tuple(ids)) for path in own))]

    def _exists(self, model, id_, domain):
        """Return the condition that the domain holds for the record with this id.

        Correlated, so that PostgreSQL looks up single records, or hashes many.
        """
        model_sudo = model.sudo().with_context(active_test=False)  # sudo: to compare, not to show
        query = Query(model.env, f'{model._table}__{self.name}', SQL.identifier(model._table))
        [alias] = query._tables
        query.add_where(SQL("%s = %s", SQL.identifier(alias, 'id'), id_))
        query.add_where(domain.optimize_full(model_sudo)._to_sql(model_sudo, alias, query))
        return SQL("EXISTS (%s)", query.select(SQL("1")))

    def _get_cache_impl(self, env):
        # One for the superuser, whoever that is and wherever they work.
        key = ((True,), None) if env.su else env.cache_key(self)
        return env.transaction.field_data[self].setdefault(key, {})

    def write(self, records, value):
        res = super().write(records, value)
        # Others read it anew.
        own = self._get_cache(records.env)
        for cache in records.env.transaction.field_data[self].values():
            if cache is not own:
                for id_ in records._ids:
                    cache.pop(id_, None)
        return res


class Unchecked(fields.Field):
    """Mixin for a many2one without a foreign key: PostgreSQL would look up each row's.

    Whoever deletes what it names sees to it that nothing names it any more.
    """

    def update_db_foreign_key(self, model, column):
        """Make none."""


class UncheckedMany2one(Unchecked, fields.Many2one):
    pass


class VisibleChar(_Visible, fields.Char):
    pass


class VisibleMany2one(_Visible, fields.Many2one):
    """Follows the access rights and record rules of what it names, too."""

    def _get_conditions(self, model, alias, column):
        conditions = super()._get_conditions(model, alias, column)
        comodel = model.env[self.comodel_name]
        if not comodel.has_access('read'):
            return [SQL("FALSE")]
        rules = model.env['ir.rule']._compute_domain(self.comodel_name, 'read')
        if not rules.is_true():
            conditions.append(self._exists(comodel, column, rules))
        return conditions

    def condition_to_sql(self, field_expr, operator, value, model, alias, query):
        column = SQL.identifier(alias, self.name, to_flush=self)
        conditions = self._get_conditions(model, alias, column)
        comodel = model.env[self.comodel_name]
        if not conditions or field_expr != self.name:
            found = None
        elif operator == 'in' and False not in value:
            found = SQL("%s", tuple(value))
        elif operator == 'any' and isinstance(value, Domain):
            found = comodel._search(value, active_test=False).subselect()
        else:
            found = None
        if found is None:
            return super().condition_to_sql(field_expr, operator, value, model, alias, query)
        # By the column itself, which has an index.
        return SQL(" AND ").join([SQL("%s IN %s", column, found), *conditions])


class UncheckedVisibleMany2one(Unchecked, VisibleMany2one):
    pass
