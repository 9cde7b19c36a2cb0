from odoo import models


class RefillCard(models.Model):
    """Cards of a list that a user has before them for a while."""

    _inherit = 'refill.card'

    def export_data(self, fields_to_export):
        """Leave out the cards that were redeemed meanwhile where the user does not look."""
        readable = self._filtered_access('read')
        return super(RefillCard, readable).export_data(fields_to_export)
