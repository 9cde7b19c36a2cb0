from odoo import api, fields, models

from ..wording import format_count


class RefillCardExport(models.Model):
    """Files with codes are made once a second manager has approved it, above a limit."""

    _inherit = 'refill.card.export'

    approval_id = fields.Many2one(
        comodel_name='refill.card.approval', readonly=True, index='btree_not_null'
    )

    def _has_field_access(self, field, operation):
        """A file that was approved is for who asked for it, and for no other manager."""
        if field.name == 'file' and not self.env.su:
            # sudo: to compare
            approved_sudo = self.sudo().filtered('approval_id')
            if approved_sudo.create_uid - self.env.user:
                return False
        return super()._has_field_access(field, operation)

    @api.model
    def _export(self, values, password=None):
        export = self.new(values)
        issuer = export.company_id.sudo()  # sudo: whether or not it is chosen
        if not self.env['refill.card.approval']._concerns(issuer, 'export'):
            return super()._export(values, password)
        export._check_exportable()
        formats = dict(self._fields['file_format']._description_selection(self.env))
        domain = export._get_cards_domain()
        count = format_count(self.env, export.card_count)
        approval = self.env['refill.card.approval']._require(
            'export',
            'export',
            issuer,
            {export.currency_id: export.amount},
            {'values': values},
            self.env._("Export %(count)s cards with their codes", count=count),
            details='\n'.join(
                [
                    f'{export.name}, {formats[export.file_format]}',
                    self.env['refill.card']._name_ranges(domain),
                ]
            ),
            cards=domain,
        )
        return super()._export({**values, 'approval_id': approval.id}, password)

    def _write_file(self, file, on_progress):
        """A file that is made later holds what was approved, or is not made."""
        if self.approval_id:
            self.approval_id._check_unchanged(self._get_cards_domain())
        return super()._write_file(file, on_progress)
