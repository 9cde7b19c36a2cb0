from odoo import fields, models
from odoo.exceptions import UserError


class RefillCardUnfreeze(models.TransientModel):
    _name = 'refill.card.unfreeze'
    _inherit = 'refill.card.window'
    _description = "Release Frozen Refill Cards"

    series_ids = fields.Many2many(
        comodel_name='refill.card.series', readonly=True, context={'active_test': False}
    )
    reason = fields.Char(help="Goes into the audit log.")

    def action_release(self):
        """Release the series.

        :raise UserError: without a reason, or when a series is not frozen any more.
        """
        self.ensure_one()
        reason = (self.reason or '').strip()
        if not reason:
            raise UserError(self.env._("Say why the series is released: what was found out?"))
        self.series_ids._release_redemption(reason)
        return {'type': 'ir.actions.client', 'tag': 'soft_reload'}
