from odoo import api, models
from odoo.tools import SQL


class RefillCardAmountsMixin(models.AbstractModel):
    """Amounts in several currencies, which pivots and graphs do not add up."""

    _name = 'refill.card.amounts.mixin'
    _description = "Amounts in Several Currencies"

    @api.model
    def _read_group_select(self, aggregate_spec, query):
        """Add up amounts of one currency only; ``sum_currency`` converts them."""
        aggregate = super()._read_group_select(aggregate_spec, query)
        name, _colon, function = aggregate_spec.partition(':')
        if name == '__count' or function == 'sum_currency':
            return aggregate
        if self._fields[name].type != 'monetary':
            return aggregate
        currency = self._field_to_sql(self._table, 'currency_id', query)
        return SQL("CASE WHEN MIN(%s) = MAX(%s) THEN %s END", currency, currency, aggregate)
