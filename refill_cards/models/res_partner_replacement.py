from odoo import models


class ResPartner(models.Model):
    """Customers who asked for other cards."""

    _inherit = 'res.partner'

    def unlink(self):
        """What a customer sent goes with them, such as the photo of a receipt."""
        self.check_access('unlink')
        # sudo: nobody deletes requests by hand
        requests_sudo = self.env['refill.card.replacement.request'].sudo()
        requests_sudo.search([('partner_id', 'in', self.ids)]).unlink()
        return super().unlink()
