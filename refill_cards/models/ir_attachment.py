from odoo import api, models


class IrAttachment(models.Model):
    _inherit = 'ir.attachment'

    @api.model
    def _index(self, bin_data, file_type, checksum=None):
        """Index no file with the codes of refill cards: the index is in the database, in clear."""
        if self.env.context.get('refill_card_codes'):
            return None
        return super()._index(bin_data, file_type, checksum=checksum)

    def _inaccessible_comodel_records(self, model_and_ids, operation):
        """An API key alone opens no file with codes, not even an administrator's."""
        yield from super()._inaccessible_comodel_records(model_and_ids, operation)
        if not self.env.su and not self.env['refill.card']._is_own_session():
            for res_id in model_and_ids.get('refill.card.export', ()):
                yield 'refill.card.export', res_id
