from collections import defaultdict

from odoo import api, fields, models
from odoo.fields import Command


class RefillCardSeries(models.Model):
    """The companies that the cards of a series are meant for."""

    _inherit = 'refill.card.series'

    company_ids = fields.Many2many(
        comodel_name='res.company',
        string="Available to",
        tracking=True,
        help="Whom the cards are meant for, with their branches. Leave empty for any company that"
        " accepts cards of the issuer.",
    )
    # A user sees no other companies than their own: an empty list may mislead.
    company_names = fields.Char(compute='_compute_company_names', compute_sudo=True)
    has_hidden_companies = fields.Boolean(compute='_compute_company_names', compute_sudo=True)
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

    @api.depends('company_ids')
    @api.depends_context('uid')
    def _compute_company_names(self):
        named = self._get_named_companies()
        for series in self:
            companies = named[series._origin]
            series.company_names = ', '.join(companies.mapped('name')) or self.env._("Any company")
            series.has_hidden_companies = bool(companies - self.env.user.company_ids)

    def _get_named_companies(self):
        """Return the companies that each series is meant for, also those that the user may not see.

        :return: by series; empty for any company.
        :rtype: defaultdict[refill.card.series, res.company]
        """
        # Grouped in SQL: the cache holds only the companies that the user sees.
        every = self.sudo().with_context(active_test=False)
        groups = every._read_group([('id', 'in', self.ids)], ['company_ids'], ['id:array_agg'])
        named = defaultdict(self.env['res.company'].sudo().browse)
        for company, ids in groups:
            for series in self.browse(ids):
                named[series] |= company
        return named

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

    def write(self, vals):
        """Choose among all companies that the user works in, ticked in the switcher or not."""
        if 'company_ids' not in vals:
            return super().write(vals)
        return super(RefillCardSeries, self._with_own_companies()).write(vals)
