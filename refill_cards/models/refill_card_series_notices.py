from odoo import fields, models


class RefillCardSeries(models.Model):
    """What other systems are told about whole series."""

    _inherit = 'refill.card.series'

    def _generate_cards(self, count):
        res = super()._generate_cards(count)
        if self.state == 'ready':
            day = self.valid_till and fields.Date.to_string(self.valid_till)
            self._tell('generated', {'count': self.quantity, 'valid_till': day or None})
        return res

    def _log_exported(self, export):
        res = super()._log_exported(export)
        for series in self:
            series._tell('exported', {'count': export.card_count, 'format': export.file_format})
        return res

    def _log_deleted(self, reference):
        self._tell('deleted', self.env['refill.card.notice']._describe_series(self))
        return super()._log_deleted(reference)

    def _tell(self, kind, data):
        # sudo: whether or not that company is chosen
        self.env['refill.card.outbox']._tell(kind, self.sudo().company_id, data, self)
