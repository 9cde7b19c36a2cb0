from odoo import api, fields, models
from odoo.fields import Domain


class DomainField(fields.Boolean):
    """Whether a record matches the domain that the field's search method tells.

    It is judged anew whenever it is asked: the record rules stand on it, and the cache would not
    learn of everything that the domain looks at.
    """

    def filter_function(self, records, field_expr, operator, value):
        return self.determine_domain(records, operator, value)._as_predicate(records)


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
        if not (self.env.su or kwargs.get('bypass_access')):
            self.browse().check_access('read')  # before anything is searched for
        domain = Domain(domain).optimize_full(self).map_conditions(self._name_series)
        if limit and not order:
            order = self._order  # the pager's count, too, which stops at its limit
        return super()._search(domain, offset, limit, order, **kwargs)

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
