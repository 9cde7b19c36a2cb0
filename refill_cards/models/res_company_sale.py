from odoo import fields, models


class ResCompany(models.Model):
    """How a company sells refill cards."""

    _inherit = 'res.company'

    refill_card_only_paid = fields.Boolean(
        string="Only When Paid",
        help="A card that works once its invoice is paid waits while the invoice is “In Payment”,"
        " until the money is on the bank statement.",
    )
    refill_card_single_purpose = fields.Boolean(
        string="One Tax Rate",
        help="All services that are paid for by cards bear the same tax rate, in one country.",
    )

    def write(self, vals):
        res = super().write(vals)
        if 'refill_card_tax_id' in vals:
            # sudo: whoever chooses the tax need not manage products, nor see those of others
            products_sudo = self.env['product.template'].sudo().with_context(active_test=False)
            products_sudo.search([('is_refill_card', '=', True)])._set_refill_card_taxes()
        return res
