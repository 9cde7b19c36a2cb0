from odoo import api, models


class RefillCardSeries(models.Model):
    """What products ask of the series that they take cards from."""

    _inherit = 'refill.card.series'

    @api.constrains('price', 'currency_id')
    def _check_products(self):
        """:raise ValidationError: when cards no longer are what a product sells them for."""
        # sudo: whoever edits the series need not see the products
        products_sudo = self.env['product.template'].sudo().with_context(active_test=False)
        named = [('refill_card_series_id', 'in', self.ids)]
        products_sudo.search(named)._check_refill_card_series()
