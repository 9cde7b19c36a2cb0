from odoo import api, fields, models


class RefillCardLayoutMixin(models.AbstractModel):
    """Windows that draw cards: with which layout, and where their QR codes lead."""

    _name = 'refill.card.layout.mixin'
    _inherit = 'refill.card.selection.mixin'
    _description = "Refill Cards on Paper"

    layout_id = fields.Many2one(
        comodel_name='refill.card.layout',
        compute='_compute_layout_id',
        store=True,
        readonly=False,
    )
    address = fields.Char(compute='_compute_address')
    address_warning = fields.Char(compute='_compute_address')

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id')
    def _compute_layout_id(self):
        for window in self:
            proposed = window._get_series().layout_id[:1] or window.layout_id
            window.layout_id = proposed or self.env['refill.card.layout']._get_default()

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id')
    def _compute_address(self):
        for window in self:
            company = window._get_series().company_id[:1]
            window.address = company and company._get_refill_card_address()
            window.address_warning = company and company._get_refill_card_address_warning()
