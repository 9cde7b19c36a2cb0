from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from .refill_card import STATES


class RefillCardImportTotal(models.Model):
    """What the cards of a table are worth in one state and currency, beside what they should be."""

    _name = 'refill.card.import.total'
    _description = "Total of an Import of Refill Cards"
    _order = 'import_id, currency_id, id'

    import_id = fields.Many2one(
        comodel_name='refill.card.import', required=True, index=True, ondelete='cascade'
    )
    state = fields.Selection(selection=STATES, string="Status", readonly=True)
    currency_id = fields.Many2one(comodel_name='res.currency', required=True, readonly=True)
    count = fields.Integer(string="Cards", readonly=True)
    amount = fields.Monetary(string="Total Value", readonly=True)
    expected = fields.Monetary(
        string="In the Other System",
        help="What the other system says that they are worth, to compare. An import is not"
        " confirmed while it differs; leave it empty where you do not know it.",
    )
    difference = fields.Monetary(compute='_compute_difference')

    @api.depends('amount', 'expected')
    def _compute_difference(self):
        for total in self:
            total.difference = total.expected and total.amount - total.expected

    def write(self, vals):
        """:raise AccessError: when anything else than the figure to compare with is written.
        :raise UserError: when the import is not about to be confirmed.
        """
        if not self.env.su and vals.keys() - {'expected'}:
            raise AccessError(self.env._("Only the figure of the other system is typed here."))
        if not self.env.su and any(record.state != 'checked' for record in self.import_id):
            raise UserError(self.env._("The cards are imported: there is nothing to compare."))
        return super().write(vals)

    def _differs(self):
        return bool(self.expected) and not self.currency_id.is_zero(self.difference)
