from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain


class RefillCardChoose(models.TransientModel):
    """Say which cards the line of a draft sells or takes back: those of the box in the hand."""

    _name = 'refill.card.choose'
    _inherit = 'refill.card.invoice.mixin'
    _description = "Choose Refill Cards"

    move_id = fields.Many2one(comodel_name='account.move', readonly=True)
    line_id = fields.Many2one(
        comodel_name='account.move.line',
        domain="[('move_id', '=', move_id), ('refill_card_role', '=', 'sale')]",
    )
    chosen = fields.Char(string="Chosen so Far", compute='_compute_chosen')
    problem = fields.Char(compute='_compute_problem')

    @api.depends('line_id')
    def _compute_chosen(self):
        cards = self.env['refill.card']
        for window in self:
            kept = Domain('reserved_line_id', 'in', window.line_id._origin.ids)
            window.chosen = cards._name_ranges(kept)

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id', 'line_id')
    def _compute_problem(self):
        """Say why these cards cannot be chosen, once some are."""
        for window in self:
            window.problem = False
            if window.first_id and window.last_id and window.line_id:
                try:
                    window._check_cards()
                except UserError as refused:
                    window.problem = str(refused)

    def _check_cards(self):
        """:raise UserError: when one of the cards cannot be chosen for the line."""
        self._check_chosen()
        line, cards = self.line_id._origin, self.env['refill.card']
        if line.move_id.state != 'draft' or line.refill_card_role != 'sale':
            raise UserError(
                self.env._("Cards are chosen for the lines of drafts that sell refill cards.")
            )
        domain = self._get_selection_domain()
        if line.move_id.move_type == 'out_refund':
            cards._check_returnable(domain, line)
        else:
            cards._check_sellable(domain, line)
        product = line.product_id
        for series in self._get_series():
            if (
                series.company_id.root_id != line.company_id.root_id
                or series.currency_id != product.refill_card_currency_id
                or series.currency_id.compare_amounts(series.price, product.refill_card_price)
            ):
                raise UserError(
                    self.env._(
                        "Series %(series)s has another face value than %(product)s, or another"
                        " company issued it. Choose other cards.",
                        series=series.name,
                        product=product.display_name,
                    )
                )

    def action_choose(self):
        """Keep the cards for the line, which then sells so many; free those it had before.

        :raise AccessError: when the user does not keep books and manage cards.
        :raise UserError: when a card cannot be chosen.
        """
        self.ensure_one()
        self.check_access('write')
        self.line_id.move_id.check_access('write')
        if not self.line_id:
            raise UserError(self.env._("Choose the line."))
        self._check_cards()
        line, count = self.line_id, self.card_count
        self._reserve(line, self._get_selection_domain(), count)
        if line._get_refill_card_count() != count:
            line.write(self._prepare_quantity_values(line, count))
        return {'type': 'ir.actions.act_window_close'}

    def _prepare_quantity_values(self, line, count):
        """Return the values with which a line is about so many cards, each at its price."""
        unit = line.product_id.uom_id
        return {
            'product_uom_id': unit.id,
            'quantity': count,
            'price_unit': line.product_uom_id._compute_price(line.price_unit, unit),
        }
