from odoo import fields, models
from odoo.exceptions import UserError


class RefillCardHandOut(models.TransientModel):
    """Give cards to a reseller on consignment, give them away, or take them back."""

    _name = 'refill.card.hand.out'
    _inherit = 'refill.card.operation.mixin'
    _description = "Hand Out Refill Cards"

    operation = fields.Selection(
        selection_add=[
            ('consign', "Give on Consignment"),
            ('give_away', "Give Away"),
            ('take_back', "Take Back"),
        ],
        default='consign',
    )
    holder_id = fields.Many2one(
        comodel_name='res.partner',
        string="Handed to",
        help="Who gets the cards. Of a contact of a company, that company owes what is used.",
    )
    purpose = fields.Char(help="Why they are given away; goes into the audit log of the cards.")

    def _check_complete(self):
        self.env['refill.card']._check_may_hand_out()
        if self.operation == 'consign' and not self.holder_id:
            raise UserError(self.env._("Choose the reseller who gets the cards."))
        if self.operation == 'give_away' and not (self.purpose or '').strip():
            raise UserError(self.env._("Say why the cards are given away."))
        return super()._check_complete()

    def action_confirm(self):
        """Hand the cards out, or take them back; open the delivery note of a consignment."""
        done = super().action_confirm()
        if self.operation != 'consign':
            return done
        notes = self.env['refill.card.delivery']
        last = notes.search([('create_uid', '=', self.env.uid)], limit=1)
        written = notes.search([('name', '=', last.name)])
        done['params']['next'] = {
            **written._get_records_action(),
            'name': self.env._("Delivery Note")
            if written == last
            else self.env._("Delivery Notes"),
        }
        return done

    def _apply(self):
        cards, domain = self.env['refill.card'], self._get_selection_domain()
        match self.operation:
            case 'consign':
                return cards._consign(self.holder_id, domain)
            case 'give_away':
                return cards._give_away(self.purpose.strip(), self.holder_id, domain)
            case 'take_back':
                return cards._take_back(domain)

    def _get_window(self):
        """Return the action that opens this window."""
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_hand_out_action'
        )
        return {**action, 'res_id': self.id}
