from odoo import api, fields, models
from odoo.exceptions import AccessError

from ..presets import PURPOSES


class RefillCardImportColumn(models.Model):
    """What a column of the imported table tells of the cards."""

    _name = 'refill.card.import.column'
    _description = "Column of an Import of Refill Cards"
    _order = 'import_id, position'

    import_id = fields.Many2one(
        comodel_name='refill.card.import', required=True, index=True, ondelete='cascade'
    )
    position = fields.Integer(required=True, readonly=True)
    name = fields.Char(string="Column", readonly=True)
    sample = fields.Char(
        string="Looks Like",
        readonly=True,
        help="The first row, with 0 for each digit and a for each letter: it may hold a code.",
    )
    purpose = fields.Selection(selection='_selection_purpose', string="Tells")

    @api.model
    def _selection_purpose(self):
        labels = {
            'code': self.env._("Code"),
            'serial': self.env._("Serial number there"),
            'value': self.env._("Face value"),
            'currency': self.env._("Currency"),
            'valid_till': self.env._("Last day"),
            'state': self.env._("Status"),
            'used_on': self.env._("Used on"),
            'used_by': self.env._("Used by (reference, e-mail or name)"),
            'companies': self.env._("Available to (companies)"),
            'batch': self.env._("Batch"),
        }
        return [(purpose, labels[purpose]) for purpose in PURPOSES]

    def write(self, vals):
        """:raise AccessError: when anything else than what the column tells is written.
        :raise UserError: when the table was checked.
        """
        if not self.env.su:
            if vals.keys() - {'purpose'}:
                raise AccessError(self.env._("Only what a column tells can be changed."))
            self.import_id._check_unchecked()
        return super().write(vals)
