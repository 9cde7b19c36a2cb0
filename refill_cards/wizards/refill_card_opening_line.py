from odoo import api, fields, models

from ..wording import format_count


class RefillCardOpeningLine(models.TransientModel):
    """How many cards of a series were sold before."""

    _name = 'refill.card.opening.line'
    _inherit = 'refill.card.window'
    _description = "Opening Balance of a Series of Refill Cards"

    opening_id = fields.Many2one(
        comodel_name='refill.card.opening', required=True, ondelete='cascade'
    )
    series_id = fields.Many2one(
        comodel_name='refill.card.series', required=True, readonly=True, ondelete='cascade'
    )
    price = fields.Monetary(related='series_id.price', string="Face Value")
    currency_id = fields.Many2one(related='series_id.currency_id')
    used_count = fields.Integer(
        string="Used Already",
        compute='_compute_counts',
        help="Cards that were redeemed, though the books say nothing of their sale.",
    )
    unused_count = fields.Integer(
        string="Nobody Has",
        compute='_compute_counts',
        help="Cards that can still be redeemed, or expired, of which the books say nothing.",
    )
    sold_count = fields.Integer(
        string="Sold Before",
        help="How many were sold in all, those among them that were used already too.",
    )
    total = fields.Monetary(compute='_compute_total')

    @api.depends('series_id')
    def _compute_counts(self):
        # sudo: of series that the user may see, see `refill.card.window`
        counts = self.env['refill.card'].sudo()._count_sold_before(self.series_id._origin.sudo())
        for line in self:
            series_sudo = line.series_id._origin.sudo()
            line.used_count, line.unused_count = counts.get(series_sudo, (0, 0))

    @api.depends('sold_count', 'price')
    def _compute_total(self):
        for line in self:
            line.total = line.sold_count * line.price

    def _convert_total(self):
        """Return what is booked in the company's currency.

        For used cards what their use debited; for the others at the rate of the day, each alike.

        :rtype: float
        """
        series_sudo = self.series_id.sudo()  # sudo: of a series that the user may see
        if series_sudo._is_in_company_currency():
            return self.total
        cards_sudo = self.env['refill.card'].sudo()
        booked, unused = cards_sudo._sum_used_before(series_sudo, self.sold_count)
        return booked + unused * series_sudo._convert_face_value(self.opening_id.date)

    def _prepare_entry_line(self):
        """Return the values of the journal item on the liability."""
        opening, currency = self.opening_id, self.currency_id
        return {
            'name': self.env._(
                "Refill cards sold before: %(count)s of series %(series)s",
                count=format_count(self.env, self.sold_count),
                series=self.series_id.name,
            ),
            'account_id': opening.liability_account_id.id,
            'currency_id': currency.id,
            'quantity': self.sold_count,
            'amount_currency': -self.total,
            'balance': -self._convert_total(),
            'tax_ids': False,
            'refill_card_role': 'opening',
            'refill_card_series_id': self.series_id.id,
        }
