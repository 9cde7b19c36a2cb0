from odoo import api, fields, models

ACCOUNTING = 'account.group_account_invoice,account.group_account_readonly'


class RefillCard(models.Model):
    """From a card to its invoice, and to the windows that sell and return cards."""

    _inherit = 'refill.card'

    invoice_id = fields.Many2one(
        comodel_name='account.move',
        compute='_compute_invoice_id',
        groups=ACCOUNTING,
        help="Which sold the card, or whose draft keeps it.",
    )

    @api.depends('invoice_line_id', 'reserved_line_id')
    @api.depends_context('uid', 'allowed_company_ids')
    def _compute_invoice_id(self):
        for card in self:
            card.invoice_id = (card.invoice_line_id or card.reserved_line_id).move_id

    def action_open_invoice(self):
        """Open the invoice that sold the card, or the draft that keeps it."""
        self.ensure_one()
        return self.invoice_id._get_records_action()

    def action_sell(self):
        """Open the window that sells these cards.

        :raise UserError: when the list may have handed over only a part of what was selected.
        """
        self._check_may_hand_out()
        self._check_whole_selection()
        return self.env['refill.card.sell'].create({'card_ids': self.ids})._get_window()

    def action_return(self):
        """Open the window that takes these cards back by credit notes.

        :raise UserError: when the list may have handed over only a part of what was selected.
        """
        self._check_may_hand_out()
        self._check_whole_selection()
        return self.env['refill.card.return'].create({'card_ids': self.ids})._get_window()
