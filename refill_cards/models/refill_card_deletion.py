from odoo import api, fields, models
from odoo.tools import format_amount


class RefillCard(models.Model):
    _inherit = 'refill.card'

    deletion_question = fields.Char(compute='_compute_deletion_question')

    @api.depends('name', 'price', 'currency_id')
    @api.depends_context('lang')
    def _compute_deletion_question(self):
        for card in self:
            card.deletion_question = self.env._(
                "Delete card %(serial)s of series %(series)s, worth %(value)s? It will be worthless"
                " for whoever holds it.",
                serial=card.name,
                series=card.series_id.display_name,
                value=format_amount(self.env, card.price, card.currency_id),
            )
