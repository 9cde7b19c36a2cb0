from odoo import api, fields, models
from odoo.addons.base.models.res_users import check_identity
from odoo.exceptions import UserError

# Each card is a PDF of its own, made while the user waits.
MAXIMUM = 500


class RefillCardSend(models.TransientModel):
    _name = 'refill.card.send'
    _description = "Send Refill Cards by E-mail"

    card_ids = fields.Many2many(comodel_name='refill.card')
    card_count = fields.Integer(string="Number of Cards", compute='_compute_card_count')
    serials = fields.Char(string="Cards", compute='_compute_card_count')
    partner_ids = fields.Many2many(comodel_name='res.partner', string="Customers")

    @api.depends('card_ids')
    def _compute_card_count(self):
        for wizard in self:
            names = wizard.card_ids.mapped('name')
            wizard.card_count = len(names)
            ends = f'{names[0]} … {names[-1]}' if len(names) > 1 else ''.join(names)
            wizard.serials = ends

    @check_identity
    def action_send(self):
        """Send the cards: all to one customer, or one to each.

        :raise AccessError: when the user may not see the codes.
        :raise UserError: when a card cannot be sent, and then none is.
        """
        self.ensure_one()
        self.check_access('write')
        cards = self.card_ids.sorted('name')
        self._check_sendable(cards)
        partners = list(self.partner_ids)
        cards._send(partners * len(cards) if len(partners) == 1 else partners)
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
        if not cards:
            raise UserError(self.env._("Choose the cards to send."))
        if len(cards) > MAXIMUM:
            raise UserError(
                self.env._("Up to %(maximum)s cards are sent at a time.", maximum=MAXIMUM)
            )
        cards.series_id._check_may_export()
        for card in cards:
            if not card.is_redeemable:
                raise UserError(
                    self.env._("Card %(serial)s cannot be redeemed any more.", serial=card.name)
                )
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
