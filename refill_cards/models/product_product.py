from odoo import api, models
from odoo.tools import format_amount


class ProductProduct(models.Model):
    _inherit = 'product.product'

    @api.model
    def _get_refill_card_product(self, price, currency):
        """Return the product for cards of a face value that are sold from stock.

        Made where there is none, for all companies.

        :param float price: the face value.
        :param res.currency currency: of the face value.
        :rtype: product.product
        """
        products = self.sudo()  # sudo: whoever sells cards need not manage products
        found = products.search(
            [
                ('is_refill_card', '=', True),
                ('refill_card_price', '=', price),
                ('refill_card_currency_id', '=', currency.id),
                ('refill_card_source', '=', 'stock'),
                ('refill_card_series_id', '=', False),
                ('company_id', 'in', [False, self.env.company.id]),
            ],
            limit=1,
        )
        if not found:
            found = products.create(
                {
                    'name': self.env._(
                        "Refill card %(price)s", price=format_amount(self.env, price, currency)
                    ),
                    'type': 'service',
                    'is_refill_card': True,
                    'refill_card_price': price,
                    'refill_card_currency_id': currency.id,
                    'list_price': currency._convert(price, self.env.company.currency_id),
                    'taxes_id': False,
                    'supplier_taxes_id': False,
                }
            )
        return found.sudo(self.env.su)
