from odoo import api, fields, models
from odoo.exceptions import UserError


class RefillCardEvent(models.Model):
    _name = 'refill.card.event'
    _description = "Refill Card History"
    _order = 'id desc'
    _log_access = False
    _rec_name = 'serial'

    # The history outlives a deleted card, hence the series and the serial number.
    card_id = fields.Many2one(comodel_name='refill.card', index=True, ondelete='set null')
    series_id = fields.Many2one(comodel_name='refill.card.series', index=True, ondelete='set null')
    company_id = fields.Many2one(comodel_name='res.company', string="Issued by", index=True)
    serial = fields.Char(string="Serial Number", required=True, index=True)
    date = fields.Datetime(required=True)
    user_id = fields.Many2one(comodel_name='res.users', required=True)
    channel = fields.Selection(
        selection=[
            ('backend', "Backend"),
            ('portal', "Portal"),
            ('api', "API"),
            ('accounting', "Accounting"),
            ('automatic', "Automatic"),
        ],
        required=True,
    )
    old_state = fields.Selection(selection='_selection_state', string="From")
    new_state = fields.Selection(selection='_selection_state', string="To")
    note = fields.Char()

    @api.model
    def _selection_state(self):
        return [
            *self.env['refill.card']._fields['state']._description_selection(self.env),
            ('deleted', self.env._("Deleted")),
        ]

    def write(self, vals):  # pylint: disable=method-required-super
        """:raise UserError: always; history is only added to."""
        raise UserError(self.env._("The history of refill cards cannot be changed."))

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._("The history of refill cards cannot be deleted."))
