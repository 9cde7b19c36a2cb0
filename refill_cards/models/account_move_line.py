from odoo import models
from odoo.exceptions import ValidationError

# What Odoo computes from the entry and its reconciliations, and lets clients write all the same.
COMPUTED_BY_ODOO = {
    'amount_residual',
    'amount_residual_currency',
    'date',
    'journal_id',
    'parent_state',
    'payment_id',
    'reconciled',
}


class AccountMoveLine(models.Model):
    _inherit = 'account.move.line'

    def write(self, vals):
        """:raise ValidationError: when a card's line would say something else than its entry."""
        if COMPUTED_BY_ODOO & vals.keys():
            self._check_refill_card_computed_by_odoo(vals)
        # Odoo looks only at the entries that lines are taken from.
        target = self.env['account.move'].browse(vals.get('move_id') or [])
        with target._changing_refill_card_books():
            return super().write(vals)

    def _check_refill_card_computed_by_odoo(self, vals):
        """:raise ValidationError: when what Odoo computes is written otherwise."""
        # sudo: whoever may change an entry need not see its payment
        for line in self.sudo().filtered(lambda line: line.move_id._get_refill_card_entries()):
            if any(
                field.convert_to_cache(vals[name], line) != field.convert_to_cache(line[name], line)
                for name, field in line._fields.items()
                if name in COMPUTED_BY_ODOO & vals.keys()
            ):
                raise ValidationError(
                    self.env._(
                        "%(entry)s belongs to a refill card: what is open of it, its day and its"
                        " status follow from the books and are not written by hand.",
                        entry=line.move_id.display_name,
                    )
                )
