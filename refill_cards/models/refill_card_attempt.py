from odoo import api, fields, models
from odoo.http import request

REASONS = [
    ('typo', "Typing error"),
    ('unknown', "Unknown code"),
    ('inactive', "Not active yet"),
    ('used', "Already used"),
    ('disabled', "Disabled"),
    ('expired', "Expired"),
    ('company', "Not accepted here"),
    ('busy', "Being redeemed"),
]


class RefillCardAttempt(models.Model):
    _name = 'refill.card.attempt'
    _description = "Refused Refill Card"
    _order = 'id desc'
    _log_access = False

    date = fields.Datetime(default=fields.Datetime.now, required=True, index=True)
    user_id = fields.Many2one(
        comodel_name='res.users', required=True, index=True, ondelete='cascade'
    )
    company_id = fields.Many2one(comodel_name='res.company', required=True, ondelete='cascade')
    partner_id = fields.Many2one(comodel_name='res.partner', string="Customer", index=True)
    ip_address = fields.Char(string="IP Address")
    channel = fields.Selection(selection='_selection_channel', required=True)
    reason = fields.Selection(selection=REASONS, required=True)

    @api.model
    def _selection_channel(self):
        return self.env['refill.card.event']._fields['channel']._description_selection(self.env)

    @api.model
    def _record(self, reason, partner, company, channel):
        """Write down a refusal so that it survives the rollback that follows.

        It never holds the code. It is written through a connection of its own.

        :param str reason: a key of ``REASONS``.
        :param res.partner partner: the customer; may be empty.
        :param res.company company: where the card was to be redeemed.
        :param str channel: where the card was refused, see ``refill.card.event``.
        """
        with self.env.registry.cursor() as cr:
            attempts = self.with_env(self.env(cr=cr))
            attempts.sudo().create(  # sudo: nobody may write attempts themselves
                {
                    'user_id': self.env.uid,
                    # A customer whom the transaction itself created is not there for this one.
                    'partner_id': partner.with_env(attempts.env).exists().id,
                    'company_id': company.id,
                    'ip_address': request.httprequest.remote_addr if request else False,
                    'channel': channel,
                    'reason': reason,
                }
            )
