from odoo import api, fields, models
from odoo.fields import Domain

MANAGER = 'refill_cards.group_refill_card_manager'


class RefillCard(models.Model):
    _inherit = 'refill.card'

    sending_id = fields.Many2one(
        comodel_name='refill.card.sending',
        string="Last E-mail",
        readonly=True,
        index='btree_not_null',
        ondelete='set null',
        groups=MANAGER,
    )
    # Only who sees the e-mail is told about it.
    sent_state = fields.Selection(
        selection=[('queued', "Queued"), ('sent', "Sent"), ('failed', "Failed")],
        string="E-mail",
        compute='_compute_sent',
        search='_search_sent_state',
        groups=MANAGER,
        help="Sent means that the mail server took the e-mail.",
    )
    sent_to_id = fields.Many2one(
        comodel_name='res.partner',
        compute='_compute_sent',
        search='_search_sent_to_id',
        groups=MANAGER,
        help="The customer to whom the card was last sent by e-mail, or is to be.",
    )
    sent_on = fields.Datetime(compute='_compute_sent', search='_search_sent_on', groups=MANAGER)
    sent_problem = fields.Char(
        string="Problem with the E-mail", compute='_compute_sent', groups=MANAGER
    )

    @api.depends(
        *('sending_id.state', 'sending_id.partner_id', 'sending_id.sent_on', 'sending_id.problem')
    )
    @api.depends_context('uid', 'allowed_company_ids')
    def _compute_sent(self):
        sendings = self.sending_id
        seen = set(sendings._filtered_access('read'))
        for card in self:
            sending = card.sending_id if card.sending_id in seen else sendings.browse()
            card.sent_state = sending.state
            card.sent_to_id = sending.partner_id
            card.sent_on = sending.sent_on
            card.sent_problem = sending.problem

    @api.model
    def _search_sent_state(self, operator, value):
        return self._search_sent('state', operator, value)

    @api.model
    def _search_sent_to_id(self, operator, value):
        return self._search_sent('partner_id', operator, value)

    @api.model
    def _search_sent_on(self, operator, value):
        return self._search_sent('sent_on', operator, value)

    @api.model
    def _search_sent(self, fname, operator, value):
        """Find cards by their e-mail, among those e-mails that the user sees."""
        if operator in Domain.NEGATIVE_OPERATORS:
            return NotImplemented
        found = Domain('sending_id', 'any', [(fname, operator, value)])
        if operator == 'in' and False in value:
            found |= ~Domain('sending_id', 'any', [('id', '!=', False)])
        return found
