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
        """A file with codes is opened as its export tells, not even by an administrator's key."""
        yield from super()._inaccessible_comodel_records(model_and_ids, operation)
        if not self.env.su:
            exports = self.env['refill.card.export'].browse(
                model_and_ids.get('refill.card.export', ())
            )
            for export in exports.exists():
                if not export._has_field_access(export._fields['file'], 'read'):
                    yield export._name, export.id
