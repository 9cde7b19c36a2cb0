from odoo import api, fields, models
from odoo.tools.sql import column_exists, create_column


class AccountMoveLine(models.Model):
    """Lines of customers' invoices that are about refill cards."""

    _inherit = 'account.move.line'

    refill_card_role = fields.Selection(
        selection=[('sale', "Sale of Cards"), ('settlement', "Settlement of Cards")],
        string="About Refill Cards",
        compute='_compute_refill_card_role',
        store=True,
        precompute=True,
        copy=True,
        help="What the line does: it sells cards, or takes them back in a credit note, or bills"
        " what a debtor owes for cards.",
    )
    refill_card_ids = fields.One2many(
        comodel_name='refill.card', inverse_name='invoice_line_id', string="Cards Sold"
    )

    _refill_card_role_idx = models.Index("(move_id) WHERE refill_card_role IS NOT NULL")

    def _auto_init(self):
        # Odoo would compute it for all the lines that were ever booked.
        if not column_exists(self.env.cr, self._table, 'refill_card_role'):
            create_column(self.env.cr, self._table, 'refill_card_role', 'varchar')
        return super()._auto_init()

    @api.depends('product_id', 'move_id.move_type')
    def _compute_refill_card_role(self):
        for line in self:
            if line.product_id.is_refill_card and line.move_id.is_sale_document(True):
                line.refill_card_role = 'sale'
            elif line.refill_card_role != 'settlement':
                line.refill_card_role = False
