from odoo import api, fields, models
from odoo.addons.base.models.res_users import check_identity
from odoo.exceptions import UserError

# The cards are drawn while the user waits.
MAXIMUM = 500


class RefillCardSend(models.TransientModel):
    _name = 'refill.card.send'
    _inherit = 'refill.card.layout.mixin'
    _description = "Send Refill Cards by E-mail"

    serials = fields.Char(string="Serial Numbers", compute='_compute_serials')
    partner_ids = fields.Many2many(
        comodel_name='res.partner',
        string="Customers",
        compute='_compute_partner_ids',
        store=True,
        readonly=False,
    )
    sent_before = fields.Text(compute='_compute_sent_before')
    send_again = fields.Boolean()
    problem = fields.Char(compute='_compute_problem')

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id')
    def _compute_serials(self):
        for wizard in self:
            names = wizard._get_cards().mapped('name')
            ends = f'{names[0]} … {names[-1]}' if len(names) > 1 else ''.join(names)
            wizard.serials = ends

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id')
    def _compute_partner_ids(self):
        """Propose the customer whom an e-mail with these cards did not reach."""
        for wizard in self:
            cards = wizard._get_cards()
            failed = all(card.sent_state == 'failed' for card in cards)
            if failed and len(cards.sent_to_id) == 1:
                wizard.partner_ids = cards.sent_to_id

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id')
    def _compute_sent_before(self):
        for wizard in self:
            wizard.sent_before = wizard._get_cards()._get_sent()._describe_sent()

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id')
    def _compute_problem(self):
        """Say why these cards cannot be sent."""
        for wizard in self:
            wizard.problem = False
            try:
                wizard._check_cards(wizard._get_cards())
            except UserError as refused:
                wizard.problem = str(refused)

    def _get_cards(self):
        domain = self._get_selection_domain()
        return self.env['refill.card'].search(domain, order='name', limit=MAXIMUM + 1)

    @check_identity
    def action_send(self):
        """Send the cards: all to one customer, or one to each.

        :raise AccessError: when the user may not see the codes.
        :raise UserError: when a card cannot be sent, and then none is.
        """
        self.ensure_one()
        approval, action = self.env['refill.card.approval']._try(self._send)
        return approval._get_window_action() if approval else action

    def _send(self):
        self.check_access('write')
        cards = self._get_cards()
        self._check_sendable(cards)
        partners = list(self.partner_ids)
        cards._send(partners * len(cards) if len(partners) == 1 else partners, self.layout_id)
        message = self.env._(
            "On the way to %(customers)s: %(serials)s",
            customers=', '.join(self.partner_ids[:3].mapped('display_name')),
            serials=self.serials,
        )
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'type': 'success',
                'message': message,
                'next': {'type': 'ir.actions.act_window_close'},
            },
        }

    def _check_sendable(self, cards):
        """:raise AccessError: when the user may not see the codes.
        :raise UserError: when a card cannot be sent, or a customer has no address.
        """
        self._check_cards(cards)
        self.layout_id.check_access('read')
        if not self.layout_id:
            raise UserError(self.env._("Choose the layout of the cards."))
        if len(self.partner_ids) not in (1, len(cards)):
            raise UserError(
                self.env._(
                    "Choose one customer for all %(cards)s cards, or as many customers as cards.",
                    cards=len(cards),
                )
            )
        for partner in self.partner_ids:
            if not partner.email_normalized:
                raise UserError(
                    self.env._(
                        "%(customer)s has no valid e-mail address.", customer=partner.display_name
                    )
                )
        if not self.send_again and (sent := cards._get_sent()):
            raise UserError(
                self.env._(
                    "Some of these cards were sent before. Tick “Send Again” if they shall be"
                    " sent once more.\n%(sent)s",
                    sent=sent._describe_sent(),
                )
            )

    def _check_cards(self, cards):
        """:raise AccessError: when the user may not see the codes.
        :raise UserError: when a card cannot be sent.
        """
        if not cards:
            raise UserError(self.env._("Choose the cards to send."))
        self._check_selection()
        if len(cards) > MAXIMUM:
            raise UserError(
                self.env._("Up to %(maximum)s cards are sent at a time.", maximum=MAXIMUM)
            )
        cards.series_id._check_may_export()
        cards._check_sendable()
