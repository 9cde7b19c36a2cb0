from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

from ..models.refill_card import DISABLE_REASONS


class RefillCardChange(models.TransientModel):
    """One window for whatever is done to one card, to some, to a range or to whole series."""

    _name = 'refill.card.change'
    _inherit = ['refill.card.companies.mixin', 'refill.card.operation.mixin']
    _description = "Change Cards"

    operation = fields.Selection(
        selection_add=[
            ('activate', "Activate"),
            ('deactivate', "Deactivate"),
            ('disable', "Disable"),
            ('enable', "Enable Again"),
            ('extend', "Change Validity"),
            ('companies', "Change Companies"),
        ]
    )
    reason = fields.Selection(selection=DISABLE_REASONS)
    reason_text = fields.Char(string="Details", help="Goes into the audit log.")
    valid_till = fields.Date(
        string="Valid till",
        help="Last day on which the cards are accepted. Leave empty for cards that stay valid.",
    )
    company_ids = fields.Many2many(
        comodel_name='res.company',
        string="Available to",
        # All companies that the user works in, not only those ticked in the switcher.
        context={'allowed_company_ids': [], 'active_test': False},
        help="Whom the cards are meant for, with their branches. Leave empty for any company that"
        " accepts cards of the issuer.",
    )
    last_days = fields.Char(compute='_compute_last_days')
    law_warning = fields.Char(compute='_compute_law_warning')

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id', 'operation')
    def _compute_last_days(self):
        """Name the last day that cards get which count their days from now on."""
        for window in self:
            days = []
            if window.operation == 'activate':
                days = self.env['refill.card']._get_last_days(window._get_selection_domain())
            window.last_days = ', '.join(format_date(self.env, day) for day in days)

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id', 'operation', 'valid_till')
    def _compute_law_warning(self):
        cards = self.env['refill.card']
        for window in self:
            day = {'activate': (), 'extend': (window.valid_till or None,)}.get(window.operation)
            broken = []
            if day is not None:
                broken = cards._get_broken_laws(window._get_cards_domain(), *day)
            window.law_warning = ' '.join(law._describe(company) for company, law in broken)

    def _check_complete(self):
        if self.operation == 'disable':
            if not self.reason:
                raise UserError(self.env._("Choose why the cards are disabled."))
            if self.reason == 'other' and not (self.reason_text or '').strip():
                raise UserError(self.env._("Say in the details why the cards are disabled."))
        return super()._check_complete()

    def _apply(self):
        """Change the cards and return how many."""
        cards, domain = self.env['refill.card'], self._get_selection_domain()
        match self.operation:
            case 'activate':
                return cards._activate(domain)
            case 'deactivate':
                return cards._deactivate(domain)
            case 'enable':
                return cards._enable(domain)
            case 'disable':
                return cards._disable(self.reason, (self.reason_text or '').strip(), domain)
            case 'extend' if series := self._get_whole_series():
                return series._extend(self.valid_till or None)
            case 'extend':
                return cards._extend(self.valid_till or None, domain)
            case 'companies':
                return cards._move_to_companies(self.company_ids, domain)

    def _get_window(self):
        """Return the action that opens this window."""
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_change_action'
        )
        action['res_id'] = self.id
        if self.operation:
            # Opened by a button for one operation: the window is called as the button.
            action['name'] = self._get_operation_label()
            action['context'] = {'is_operation_chosen': True}
        return action

    def _get_operation_label(self):
        if self.operation == 'disable' and self.reason == 'cancelled':
            return self.env._("Cancel the Rest")
        return dict(self._fields['operation']._description_selection(self.env))[self.operation]
