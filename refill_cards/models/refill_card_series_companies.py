from odoo import api, fields, models
from odoo.fields import Command


class RefillCardSeries(models.Model):
    """What the form shows and changes of the companies that a series is meant for."""

    _inherit = 'refill.card.series'

    shown_company_ids = fields.Many2many(
        comodel_name='res.company',
        string="Available to (Your Companies)",
        compute='_compute_shown_company_ids',
        inverse='_inverse_shown_company_ids',
        # All companies that the user works in, not only those ticked in the switcher.
        context={'allowed_company_ids': [], 'active_test': False},
        exportable=False,
        help="Whom the cards are meant for, with their branches. Leave empty for any company that"
        " accepts cards of the issuer.",
    )

    def onchange(self, values, field_names, fields_spec):
        """Name also the companies that are not ticked in the switcher."""
        works_in = [*self.env.companies.ids, *self.env.user._get_company_ids()]
        series = self.with_context(allowed_company_ids=list(dict.fromkeys(works_in)))
        return super(RefillCardSeries, series).onchange(values, field_names, fields_spec)

    @api.depends('company_ids')
    @api.depends_context('uid')
    def _compute_shown_company_ids(self):
        named = self._get_named_companies()
        own = self.env.user._get_company_ids()
        for series in self:
            companies = named[series._origin]
            series.shown_company_ids = companies.filtered(lambda company: company.id in own).ids

    def _inverse_shown_company_ids(self):
        """Leave those alone that the user does not work in."""
        for series in self:
            series.write({'company_ids': [Command.set(series.shown_company_ids.ids)]})
