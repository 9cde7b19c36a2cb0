from odoo import api, models


class RefillCard(models.Model):
    """Confirmed lines keep the serial numbers of their cards, whatever becomes of the cards."""

    _inherit = 'refill.card'

    @api.model
    def _sell_reserved(self, line, reference, day):
        self._keep_serials(line)
        return super()._sell_reserved(line, reference, day)

    @api.model
    def _return_reserved(self, line, reference):
        self._keep_serials(line)
        return super()._return_reserved(line, reference)

    @api.model
    def _return_sold(self, line, reference):
        line.refill_card_serials = False
        return super()._return_sold(line, reference)

    @api.model
    def _keep_serials(self, line):
        """Add the cards that are kept for a line to those that it names."""
        added = self._name_ranges(self._get_reserved_domain(line))
        line.refill_card_serials = ', '.join(filter(None, [line.refill_card_serials, added]))
