from odoo import api, models


class IrAttachment(models.Model):
    _inherit = 'ir.attachment'

    @api.model
    def _index(self, bin_data, file_type, checksum=None):
        """Index no file with the codes of refill cards: the index is in the database, in clear."""
        if self.env.context.get('refill_card_codes'):
            return None
        return super()._index(bin_data, file_type, checksum=checksum)
