from odoo import fields, models


class RefillCardSending(models.Model):
    """Cards sent to one customer by one e-mail."""

    _name = 'refill.card.sending'
    _description = "Refill Cards Sent by E-mail"
    _inherit = ['mail.thread', 'mail.activity.mixin']
    _mail_post_access = 'read'
    _order = 'id desc'

    partner_id = fields.Many2one(
        comodel_name='res.partner', string="Customer", readonly=True, index='btree_not_null'
    )
    email = fields.Char(string="E-mail", required=True, readonly=True)
    company_id = fields.Many2one(
        comodel_name='res.company', string="Issued by", required=True, readonly=True, index=True
    )
    layout_id = fields.Many2one(
        comodel_name='refill.card.layout', readonly=True, ondelete='restrict'
    )
    card_ids = fields.One2many(
        comodel_name='refill.card',
        inverse_name='sending_id',
        string="Cards",
        help="Those that no later e-mail took.",
    )
    card_count = fields.Integer(string="Number of Cards", readonly=True)
    state = fields.Selection(
        selection=[('queued', "Queued"), ('sent', "Sent"), ('failed', "Failed")],
        string="Status",
        required=True,
        readonly=True,
        default='queued',
        help="Sent means that the mail server took the e-mail.",
    )
    problem = fields.Char(readonly=True, help="What the mail server said.")
    sent_on = fields.Datetime(readonly=True)
    # Also once the mail server may have taken the e-mail, and no answer of it is known.
    is_started = fields.Boolean(readonly=True)
    mail_id = fields.Many2one(
        comodel_name='mail.mail', readonly=True, index='btree_not_null', ondelete='set null'
    )
