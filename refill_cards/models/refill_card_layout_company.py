from odoo import api, fields, models
from odoo.exceptions import UserError


class RefillCardLayout(models.Model):
    """Layouts belong to a company, whose branches use them too, or to all companies."""

    _inherit = 'refill.card.layout'
    _check_company_domain = models.check_company_domain_parent_of

    company_id = fields.Many2one(
        comodel_name='res.company',
        index='btree_not_null',
        ondelete='cascade',
        default=lambda self: self.env.company,
        help="Who uses this layout, with the branches. Leave empty for all companies: then only"
        " those who manage refill cards in all of them may change it.",
    )
    can_manage = fields.Boolean(compute='_compute_can_manage')

    @api.depends('company_id')
    @api.depends_context('uid', 'allowed_company_ids')
    def _compute_can_manage(self):
        writable = self._filtered_access('write')
        for layout in self:
            layout.can_manage = not layout.id or layout in writable

    def write(self, vals):
        """:raise AccessError: when a layout is given to companies that are not the user's."""
        res = super().write(vals)
        if 'company_id' in vals:
            self.check_access('write')
        return res

    @api.constrains('company_id')
    def _check_company_of_series(self):
        """A layout stays with the series that are printed by it."""
        # sudo: wherever the user looks
        series_sudo = self.env['refill.card.series'].sudo().with_context(active_test=False)
        for layout in self.filtered('company_id'):
            for series in series_sudo.search([('layout_id', '=', layout.id)]):
                if layout.company_id not in series.company_id.parent_ids:
                    raise UserError(
                        self.env._(
                            "Series of other companies are printed by layout %(layout)s: it stays"
                            " theirs. Duplicate it instead.",
                            layout=layout.name,
                        )
                    )

    def copy_data(self, default=None):
        """A copy is the user's company's, unless they may change what is shared by all."""
        values = super().copy_data(default)
        for layout, copied in zip(self, values, strict=True):
            if not layout.can_manage and 'company_id' not in (default or {}):
                copied['company_id'] = self.env.company.id
        return values

    @api.model
    def _get_default(self):
        """Return the first layout that the current company may use, whoever looks."""
        return self.search(self._check_company_domain(self.env.company), limit=1)
