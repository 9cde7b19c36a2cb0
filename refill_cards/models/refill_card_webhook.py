import secrets

from odoo import api, fields, models
from odoo.addons.base.models.res_users import check_identity
from odoo.exceptions import UserError, ValidationError

from .. import posting


class RefillCardWebhook(models.Model):
    """An address of another system, which is told what happens to a company's cards.

    Messages follow https://www.standardwebhooks.com. Secrets are derived from the key of the codes:
    no table holds them.
    """

    _name = 'refill.card.webhook'
    _description = "Refill Card Webhook"
    _inherit = ['mail.thread', 'mail.activity.mixin']
    _order = 'name, id'

    name = fields.Char(required=True, help="Such as the name of the system that is told.")
    company_id = fields.Many2one(
        comodel_name='res.company',
        required=True,
        default=lambda self: self.env.company,
        index=True,
        ondelete='cascade',
        help="It is told about cards that it issued, and about those redeemed in it.",
    )
    url = fields.Char(string="Address", required=True, tracking=True)
    kind_ids = fields.Many2many(
        comodel_name='refill.card.notice.kind', string="Events", help="Leave empty for all."
    )
    series_ids = fields.Many2many(
        comodel_name='refill.card.series',
        string="Only Series",
        help="Leave empty for all. What is not about a single series is told all the same.",
    )
    active = fields.Boolean(default=True, tracking=True)
    # From which the secrets are derived.
    salt = fields.Char(groups=fields.NO_ACCESS, copy=False)
    old_salt = fields.Char(groups=fields.NO_ACCESS, copy=False)
    has_secret = fields.Boolean(compute='_compute_has_secret')
    has_old_secret = fields.Boolean(compute='_compute_has_secret')
    delivery_ids = fields.One2many(
        comodel_name='refill.card.webhook.delivery', inverse_name='webhook_id'
    )
    waiting_count = fields.Integer(string="Waiting", compute='_compute_counts')
    failed_count = fields.Integer(string="Failed", compute='_compute_counts')

    @api.depends('salt', 'old_salt')
    def _compute_has_secret(self):
        for webhook, webhook_sudo in zip(self, self.sudo(), strict=True):  # sudo: only whether
            webhook.has_secret = bool(webhook_sudo.salt)
            webhook.has_old_secret = bool(webhook_sudo.old_salt)

    @api.depends('delivery_ids.state')
    def _compute_counts(self):
        deliveries = self.env['refill.card.webhook.delivery']
        groups = deliveries._read_group(
            [('webhook_id', 'in', self.ids), ('state', '!=', 'delivered')],
            ['webhook_id', 'state'],
            ['__count'],
        )
        counts = {(webhook, state): count for webhook, state, count in groups}
        for webhook in self:
            webhook.waiting_count = counts.get((webhook, 'waiting'), 0)
            webhook.failed_count = counts.get((webhook, 'failed'), 0)

    @api.constrains('url')
    def _check_url(self):
        """:raise ValidationError: when nothing would be sent there."""
        for webhook in self:
            try:
                posting.check(webhook.url, self._get_allowed_hosts())
            except posting.Unsafe as unsafe:
                raise ValidationError(self._explain(unsafe)) from None

    def write(self, vals):
        """A webhook stays in its company: what was told of that is nobody else's business.

        :raise UserError: when it would change its company.
        """
        if 'company_id' in vals and any(
            webhook.company_id.id != vals['company_id'] for webhook in self
        ):
            raise UserError(
                self.env._(
                    "A webhook stays in its company. Make a new one in the other company, and"
                    " archive this one."
                )
            )
        return super().write(vals)

    @api.model
    def _explain(self, unsafe):
        """Return why nothing is sent to an address."""
        return {
            'malformed': self.env._(
                "Enter the whole address, such as https://billing.example.com/cards, without a user"
                " or a password in it."
            ),
            'insecure': self.env._("The address must begin with https://."),
            'private': self.env._(
                "This address leads into a private network. An administrator can allow that host"
                " in the settings."
            ),
        }[unsafe.reason]

    @api.model
    def _get_allowed_hosts(self):
        """Return the hosts that may be private and without encryption, as administrators want it.

        :rtype: list[str]
        """
        parameters = self.env['ir.config_parameter'].sudo()  # sudo: a setting for everyone
        hosts = parameters.get_param('refill_cards.webhook_hosts') or ''
        return hosts.lower().replace(',', ' ').split()

    # -------------------------------------------------------------------------
    # SECRETS
    # -------------------------------------------------------------------------

    def action_renew_secret(self):
        """Make a new secret, and show it this once; messages are signed with the old one, too.

        Odoo asks for the password first.
        """
        self.ensure_one()
        self.check_access('write')
        if self.env['refill.card']._is_identity_checked():
            return self._renew_secret()
        return self._renew_secret_once_known()

    @check_identity
    def _renew_secret_once_known(self):
        return self._renew_secret()

    def _renew_secret(self):
        self.check_access('write')
        webhook_sudo = self.sudo()  # sudo: nobody writes what secrets are made of by hand
        webhook_sudo.old_salt = webhook_sudo.salt
        webhook_sudo.salt = secrets.token_urlsafe()
        self.message_post(body=self.env._("A new secret was made."))
        return {
            'type': 'ir.actions.client',
            'tag': 'refill_card_code',
            'params': {
                'title': self.env._("Secret of %(webhook)s", webhook=self.name),
                'code': posting.write_secret(webhook_sudo._derive_secret(webhook_sudo.salt)),
            },
        }

    def action_drop_old_secret(self):
        """Sign with the new secret only: the receiver knows it."""
        self.check_access('write')
        self.sudo().old_salt = False  # sudo: nobody writes what secrets are made of by hand
        for webhook in self:
            webhook.message_post(body=self.env._("The old secret was dropped."))

    def _derive_secret(self, salt):
        """Return a secret: without the key, whoever has the database could not sign.

        :rtype: bytes
        """
        digest = self.env['refill.card.key']._digest(['refill.card.webhook', self.id, salt])
        return bytes.fromhex(digest)

    def _sign(self, uid, timestamp, body):
        """Return the signatures of a message: one, or two while the receiver changes its secret.

        :rtype: str
        """
        salts = filter(None, [self.salt, self.old_salt])
        signatures = (
            posting.sign(self._derive_secret(salt), uid, timestamp, body) for salt in salts
        )
        return ' '.join(signatures)
