from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import format_date

from ..models.refill_card import DISABLE_REASONS
from ..wording import format_count


class RefillCardChange(models.TransientModel):
    """One window for whatever is done to one card, to some, to a range or to whole series."""

    _name = 'refill.card.change'
    _inherit = ['refill.card.companies.mixin', 'refill.card.selection.mixin']
    _description = "Change Cards"

    operation = fields.Selection(
        selection=[
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
    card_count = fields.Integer(string="Cards to Change")
    skipped = fields.Char(compute='_compute_skipped')
    last_days = fields.Char(compute='_compute_last_days')
    problem = fields.Char(compute='_compute_problem')

    def _get_cards_domain(self):
        if not self.operation:
            return Domain.FALSE
        changed = self.env['refill.card']._get_operation_domain(self.operation)
        return self._get_selection_domain() & changed

    @api.depends('operation')
    def _compute_card_count(self):
        super()._compute_card_count()

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id', 'operation')
    def _compute_skipped(self):
        for window in self:
            window.skipped = window.operation and window._describe_skipped()

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id', 'operation')
    def _compute_last_days(self):
        """Name the last day that cards get which count their days from now on."""
        for window in self:
            days = []
            if window.operation == 'activate':
                days = self.env['refill.card']._get_last_days(window._get_selection_domain())
            window.last_days = ', '.join(format_date(self.env, day) for day in days)

    @api.depends('first_id', 'last_id')
    def _compute_problem(self):
        for window in self:
            window.problem = window._get_range_problem()

    def _describe_skipped(self):
        """Return how many cards are left alone, and why.

        :rtype: str
        """
        cards = self.env['refill.card']
        domain, mine = self._get_selection_domain(), cards._get_manageable_domain()
        late = cards._get_too_late_domain(self.operation)
        others = domain & mine & ~late & ~cards._get_operation_domain(self.operation)
        reasons = [
            self._describe_state(state, reason, count)
            for state, reason, count in cards._read_group(
                others, ['state', 'disable_reason'], ['__count']
            )
        ]
        if count := cards.search_count(domain & mine & late):
            reasons.append(
                self.env._("%(count)s past their last day", count=format_count(self.env, count))
            )
        if count := cards.search_count(domain & ~mine):
            reasons.append(
                self.env._(
                    "%(count)s issued by another company", count=format_count(self.env, count)
                )
            )
        return ', '.join(reasons)

    def _describe_state(self, state, reason, count):
        labels = {
            fname: dict(self.env['refill.card']._fields[fname]._description_selection(self.env))
            for fname in ('state', 'disable_reason')
        }
        label = labels['state'][state].lower()
        if reason:
            label = f'{label} ({labels["disable_reason"][reason].lower()})'
        return f'{format_count(self.env, count)} {label}'

    # -------------------------------------------------------------------------
    # DOING IT
    # -------------------------------------------------------------------------

    def action_confirm(self):
        """Change the cards, and say how many were changed and how many were left alone and why.

        :raise UserError: when something is missing, or no card can be changed.
        """
        self.ensure_one()
        self.env['refill.card'].check_access('write')
        self._check_complete()
        total, skipped = self.total, self.skipped
        label = dict(self._fields['operation']._description_selection(self.env))[self.operation]
        if not self.card_count:
            raise UserError(
                self.env._(
                    "%(operation)s: none of these cards can be changed. Left alone: %(skipped)s.",
                    operation=label,
                    skipped=skipped or self.env._("nothing"),
                )
            )
        changed = self._apply()
        message = self.env._(
            "Cards changed: %(count)s, worth %(total)s.",
            count=format_count(self.env, changed),
            total=total,
        )
        if skipped:
            message += ' ' + self.env._("Left alone: %(skipped)s.", skipped=skipped)
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'type': 'success',
                'sticky': bool(skipped),
                'title': label,
                'message': message,
                'next': {'type': 'ir.actions.client', 'tag': 'soft_reload'},
            },
        }

    def _check_complete(self):
        """:raise UserError: when something is missing."""
        if not self.operation:
            raise UserError(self.env._("Choose what happens to the cards."))
        if not (self.series_ids or self.card_ids or self.first_id and self.last_id):
            raise UserError(self.env._("Type or scan the first and the last card of the range."))
        self._check_selection()
        if self.operation == 'disable':
            if not self.reason:
                raise UserError(self.env._("Choose why the cards are disabled."))
            if self.reason == 'other' and not (self.reason_text or '').strip():
                raise UserError(self.env._("Say in the details why the cards are disabled."))

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
