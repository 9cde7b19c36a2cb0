from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command, Domain

# What a credit note computes of its own lines.
COMPUTED = ('move_id', 'amount_currency', 'balance', 'date_maturity', 'sequence')


class RefillCardReturn(models.TransientModel):
    """Take back sold cards that nobody has used: opens the draft of the credit note."""

    _name = 'refill.card.return'
    _inherit = 'refill.card.invoice.mixin'
    _description = "Return Refill Cards"

    invoice_id = fields.Many2one(comodel_name='account.move', readonly=True)
    problem = fields.Char(compute='_compute_problem')

    @api.depends('invoice_id')
    def _compute_card_count(self):
        return super()._compute_card_count()

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id', 'invoice_id')
    def _compute_problem(self):
        """Say why these cards cannot be returned, once some are chosen."""
        for window in self:
            window.problem = False
            if window._names_cards() or window.invoice_id:
                try:
                    window._check_cards()
                except UserError as refused:
                    window.problem = str(refused)

    def _names_cards(self):
        return bool(self.card_ids or self.series_ids or self.first_id and self.last_id)

    def _get_cards_domain(self):
        """Those that are chosen, or all of the invoice that nobody has used."""
        if self._names_cards():
            return self._get_selection_domain()
        sold = self.invoice_id._origin.invoice_line_ids
        return self.env['refill.card']._get_returnable_domain(sold)

    def _check_cards(self):
        """:raise UserError: when there is a card among these that cannot be returned."""
        cards = self.env['refill.card']
        if self._names_cards():
            self._check_chosen()
        else:
            cards._check_may_hand_out()
        domain = self._get_cards_domain()
        if not cards.search_count(domain, limit=1):
            raise UserError(self.env._("There is no card to return: all were used or returned."))
        cards._check_returnable(domain)
        if self.invoice_id:
            elsewhere = Domain('invoice_line_id.move_id', '!=', self.invoice_id._origin.id)
            sentence = self.env._("not sold by %(invoice)s.", invoice=self.invoice_id.display_name)
            cards._check_none(domain, [(elsewhere, sentence)])

    def action_return(self):
        """Open the drafts of the credit notes, one for each invoice, with the cards kept for them.

        :raise AccessError: when the user does not keep books and manage cards.
        :raise UserError: when a card cannot be returned.
        """
        self.ensure_one()
        self.check_access('write')
        self._check_cards()
        domain = self._get_cards_domain()
        groups = self.env['refill.card']._read_group(domain, ['invoice_line_id'], ['__count'])
        counts = dict(groups)
        notes = self.env['account.move']
        for invoice, lines in notes.line_ids.union(*counts).grouped('move_id').items():
            values = self._prepare_credit_note_values(invoice, lines, counts)
            note = notes.with_company(invoice.company_id).create(values)
            for line, sold in zip(note.invoice_line_ids.sorted('id'), lines, strict=True):
                self._reserve(line, domain & Domain('invoice_line_id', '=', sold.id), counts[sold])
            notes |= note
        return notes._get_records_action(name=self.env._("Credit Notes"))

    def _prepare_credit_note_values(self, invoice, lines, counts):
        """Return the values of the credit note for cards of an invoice.

        :param account.move.line lines: which sold the cards.
        :param dict[account.move.line, int] counts: how many cards of each line are returned.
        """
        return {
            'move_type': 'out_refund',
            'reversed_entry_id': invoice.id,
            'invoice_origin': invoice.name,
            'company_id': invoice.company_id.id,
            'journal_id': invoice.journal_id.id,
            'currency_id': invoice.currency_id.id,
            'partner_id': invoice.partner_id.id,
            'partner_shipping_id': invoice.partner_shipping_id.id,
            'fiscal_position_id': invoice.fiscal_position_id.id,
            'invoice_user_id': invoice.invoice_user_id.id,
            'invoice_line_ids': [
                Command.create(self._prepare_line_values(line, counts[line])) for line in lines
            ],
        }

    def _prepare_line_values(self, line, count):
        """Return the values of a line that takes back cards, at the price as sold."""
        [values] = line.with_context(include_business_fields=True).copy_data()
        for fname in COMPUTED:
            values.pop(fname, None)
        product = line.product_id
        unit = product.uom_id
        return {
            **values,
            'product_uom_id': unit.id,
            'quantity': count,
            'price_unit': line.product_uom_id._compute_price(line.price_unit, unit),
        }

    def _get_window(self):
        """Return the action that opens this window."""
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_return_action'
        )
        return {**action, 'res_id': self.id}
