from collections import defaultdict

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command, Domain

from .refill_card_history import Operation


class RefillCardSeries(models.Model):
    """The companies that a series is meant for; other cards move to a series of their own."""

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

    def _set_companies(self, companies, reference):
        """Let these companies accept the cards, and still those that the user does not see.

        :param res.company companies: empty for any company.
        :param str reference: what the events of the operation share.
        """
        self.env.flush_all()
        self.invalidate_recordset(['company_ids'])  # as superuser it may have been read with all
        old = self.company_names
        series = self.with_context(refill_card_operation=Operation(reference))
        series.write({'company_ids': [Command.set(companies.ids)]})
        self._log_companies_of_cards(old, reference)

    def _split_off(self, domain, companies, reference):
        """Move unused cards into a series of their own, which other companies accept.

        Which companies accept a card is its series' business, because a million cards would need
        millions of rows. Serial numbers and codes stay.

        :param odoo.fields.Domain domain: which cards; not all of this series.
        :param res.company companies: who accepts them, empty for any company.
        :param str reference: what the events of the operation share.
        :return: how many cards moved.
        :rtype: int
        :raise UserError: when cards of the series are still being generated.
        """
        self.ensure_one()
        self._lock()
        if self.state != 'ready':
            raise UserError(self.env._("The cards are still being generated."))
        domain &= Domain('series_id', '=', self.id) & Domain('used_on', '=', False)
        # sudo: whoever may change a series may change all of its cards
        cards_sudo = self.env['refill.card'].sudo()
        moved = cards_sudo.search_count(domain)
        # sudo: nobody creates a series by hand. Read anew, with the companies that the user does
        # not see, which keep the cards.
        self.env.flush_all()
        self.invalidate_recordset(['company_ids'])
        series_sudo = self.sudo()
        left = series_sudo.quantity - moved
        series_sudo.write({'quantity': left, 'generated': left})
        values = {
            'quantity': moved,
            'generated': moved,
            'state': 'ready',
            'company_ids': series_sudo.company_ids.ids,
            'codes_left_on': series_sudo.codes_left_on,
            'agreed_company_ids': series_sudo.agreed_company_ids.ids,
        }
        new_sudo = series_sudo.copy(values)
        new = new_sudo.sudo(False)
        new._set_companies(companies, reference)
        note = new._get_companies_note()
        cards_sudo._log(domain=domain, note=note, reference=reference)
        cards_sudo._set_series(domain, new)
        for series in self + new:
            series._log_move(self, new, moved, reference)
        return moved
