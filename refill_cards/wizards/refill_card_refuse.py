from odoo import fields, models
from odoo.exceptions import UserError


class RefillCardRefuse(models.TransientModel):
    _name = 'refill.card.refuse'
    _inherit = 'refill.card.window'
    _description = "Refuse to Replace a Refill Card"

    request_id = fields.Many2one(
        comodel_name='refill.card.replacement.request',
        required=True,
        readonly=True,
        ondelete='cascade',
    )
    answer = fields.Text(string="Why", help="The customer reads it, in an e-mail and the portal.")

    def action_refuse(self):
        """Tell the customer why the card is not replaced.

        :raise UserError: without a reason, or when somebody else has answered.
        """
        self.ensure_one()
        self.check_access('write')
        answer = (self.answer or '').strip()
        if not answer:
            raise UserError(self.env._("Say why the card is not replaced."))
        self.request_id._refuse(answer)
        return {'type': 'ir.actions.client', 'tag': 'soft_reload'}
