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
    company_id = fields.Many2one(
        comodel_name='res.company', string="Issued by", index=True, ondelete='restrict'
    )
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
    reference = fields.Char(
        string="Operation", index='btree_not_null', help="The events of one operation share it."
    )
    summary = fields.Char(string="What Happened", compute='_compute_summary')

    _undone_idx = models.Index("(card_id) WHERE old_state = 'used'")

    @api.depends('old_state', 'new_state', 'note')
    def _compute_summary(self):
        """Say in words what happened; what left the state alone is in the note."""
        by_states = {
            ('inactive', 'active'): self.env._("Activated"),
            ('active', 'inactive'): self.env._("Deactivated"),
            ('used', 'active'): self.env._("Redemption undone"),
            ('used', 'expired'): self.env._("Redemption undone"),
            ('used', 'disabled'): self.env._("Disabled, as its payment was taken back"),
            ('expired', 'active'): self.env._("Valid again"),
            ('expired', 'inactive'): self.env._("Valid again"),
        }
        by_old_state = {'disabled': self.env._("Enabled again")}
        by_new_state = {
            'used': self.env._("Redeemed"),
            'disabled': self.env._("Disabled"),
            'expired': self.env._("Expired"),
            'deleted': self.env._("Deleted"),
        }
        for event in self:
            states = event.old_state, event.new_state
            change = event.old_state != event.new_state and (
                by_states.get(states)
                or by_old_state.get(event.old_state)
                or by_new_state.get(event.new_state)
            )
            event.summary = ': '.join(filter(None, [change, event.note]))

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
