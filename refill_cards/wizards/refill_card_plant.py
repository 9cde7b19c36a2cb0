import base64

from odoo import fields, models
from odoo.exceptions import UserError

from ..wording import format_count


class RefillCardPlant(models.TransientModel):
    _name = 'refill.card.plant'
    _inherit = 'refill.card.window'
    _description = "Plant Canaries of Refill Cards"

    series_id = fields.Many2one(
        comodel_name='refill.card.series', required=True, readonly=True, ondelete='cascade'
    )
    file_format = fields.Selection(
        selection=lambda self: (
            self.env['refill.card.export']._fields['file_format']._description_selection(self.env)
        ),
        string="Format",
        required=True,
        default='csv',
    )
    file = fields.Binary(compute='_compute_file')
    file_name = fields.Char(compute='_compute_file_name')

    def _compute_file(self):
        """Make the file for whoever typed their password just now, and write that down."""
        for window in self:
            series = window.series_id
            series._check_may_plant()
            self.env['refill.card']._check_identity()
            canaries_sudo = series._get_canaries()
            if not canaries_sudo:
                raise UserError(self.env._("Say first how many canaries the series has."))
            window.file = base64.b64encode(canaries_sudo._write_file(window.file_format))
            note = self.env._(
                "Taken out: a file with %(count)s canaries",
                count=format_count(self.env, len(canaries_sudo)),
            )
            # Not into the chatter, which clerks read: they might be the thief.
            series._log(note)

    def _compute_file_name(self):
        exports = self.env['refill.card.export']
        for window in self:
            series = window.series_id
            name = exports._get_file_name(series, 1, series.quantity)
            window.file_name = f'{name}.{window.file_format}'

    def action_download(self):
        """Download the file.

        :raise UserError: when the password was typed too long ago.
        :raise AccessError: when the user may not get at codes of the series.
        """
        self.ensure_one()
        self.series_id._check_may_plant()
        self.env['refill.card']._check_identity()
        return {
            'type': 'ir.actions.act_url',
            'url': f'/web/content/{self._name}/{self.id}/file?download=true'
            '&filename_field=file_name',
            'target': 'download',
        }
