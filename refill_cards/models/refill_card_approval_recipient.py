from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tools import formataddr

from .erasure import filter_erased
from .refill_card_approval import OPEN


class RefillCardApprovalRecipient(models.Model):
    """To whom codes go by e-mail once it is approved: apart, so that a person can be erased.

    Nobody has access: the approval tells it.
    """

    _name = 'refill.card.approval.recipient'
    _description = "Whom Codes Go to Once It Is Approved"
    _rec_name = 'email'
    _order = 'id'
    _log_access = False

    approval_id = fields.Many2one(
        comodel_name='refill.card.approval', required=True, index=True, ondelete='cascade'
    )
    partner_id = fields.Many2one(
        comodel_name='res.partner', index='btree_not_null', ondelete='set null'
    )
    email = fields.Char(help="Empty once the person was erased.")

    def unlink(self):
        """Where a person is erased, they are not named any more, and get no codes."""
        erased = filter_erased(self)
        erased.write({'partner_id': False, 'email': False})
        for approval in erased.approval_id.filtered(lambda each: each.state in OPEN):
            approval._end('lapsed')
            approval._tell_decided()
        return super(RefillCardApprovalRecipient, self - erased).unlink()

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._("Whom codes went to cannot be deleted."))


class RefillCardApproval(models.Model):
    _inherit = 'refill.card.approval'

    details = fields.Text(compute='_compute_details', compute_sudo=True)
    recipient_ids = fields.One2many(
        comodel_name='refill.card.approval.recipient',
        inverse_name='approval_id',
        groups=fields.NO_ACCESS,
    )

    @api.depends('facts', 'recipient_ids.email', 'recipient_ids.partner_id')
    @api.depends_context('lang')
    def _compute_details(self):
        for approval in self:
            told = [
                approval.env._(
                    "The codes go by e-mail to: %(customer)s",
                    customer=formataddr((each.partner_id.display_name or '', each.email)),
                )
                for each in approval.recipient_ids
                if each.email
            ]
            approval.details = '\n'.join(filter(None, [approval.facts, *told]))

    @api.model
    def _prepare_recipients(self, partners):
        """Return the values that name the customers to whom codes go.

        :param res.partner partners: the customers.
        """
        return [
            Command.create({'partner_id': each.id, 'email': each.email_normalized})
            for each in partners
        ]
