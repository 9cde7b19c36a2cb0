from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL, format_amount, format_date
from odoo.tools.sql import escape_psql

from ..models.refill_card import DISABLE_REASONS, RefillCardRefused
from ..wording import format_count

# What can be done, and to cards in which states. Used cards are never touched.
OPERATIONS = {
    'activate': ('inactive',),
    'deactivate': ('active',),
    'disable': ('inactive', 'active'),
    'enable': ('disabled',),
    'extend': ('inactive', 'active', 'expired'),
    'companies': ('inactive', 'active', 'expired', 'disabled'),
}


class RefillCardChange(models.TransientModel):
    """One window for whatever is done to one card, to some, to a range or to whole series."""

    _name = 'refill.card.change'
    _inherit = 'refill.card.window'
    _description = "Change Cards"

    card_ids = fields.Many2many(comodel_name='refill.card', readonly=True)
    series_ids = fields.Many2many(
        comodel_name='refill.card.series', readonly=True, context={'active_test': False}
    )
    # Never stored: what is scanned may be a code.
    first = fields.Char(
        string="First Serial Number", compute='_compute_typed', inverse='_inverse_typed'
    )
    last = fields.Char(
        string="Last Serial Number", compute='_compute_typed', inverse='_inverse_typed'
    )
    first_id = fields.Many2one(comodel_name='refill.card', string="From", readonly=True)
    last_id = fields.Many2one(comodel_name='refill.card', string="To", readonly=True)
    scope = fields.Char(string="Cards", compute='_compute_scope')
    operation = fields.Selection(
        selection=[
            ('activate', "Activate"),
            ('deactivate', "Deactivate"),
            ('disable', "Disable"),
            ('enable', "Enable Again"),
            ('extend', "Change the Validity"),
            ('companies', "Change the Companies"),
        ]
    )
    reason = fields.Selection(selection=DISABLE_REASONS)
    reason_text = fields.Char(string="Details", help="Goes into the history of the cards.")
    valid_till = fields.Date(
        help="Last day on which the cards are accepted. Leave empty for cards that stay valid."
    )
    company_ids = fields.Many2many(
        comodel_name='res.company',
        string="Available to",
        # All companies that the user works in, not only those ticked in the switcher.
        context={'allowed_company_ids': [], 'active_test': False},
        help="Whom the cards are meant for, with their branches. Leave empty for any company that"
        " accepts cards of the issuer.",
    )
    count = fields.Integer(string="Cards to Change", compute='_compute_preview')
    total = fields.Char(string="Their Value", compute='_compute_preview')
    skipped = fields.Char(compute='_compute_preview')
    last_days = fields.Char(compute='_compute_last_days')
    problem = fields.Char(compute='_compute_problem')

    def onchange(self, values, field_names, fields_spec):
        """Name also the companies that are not ticked in the switcher."""
        works_in = [*self.env.companies.ids, *self.env.user._get_company_ids()]
        window = self.with_context(allowed_company_ids=list(dict.fromkeys(works_in)))
        return super(RefillCardChange, window).onchange(values, field_names, fields_spec)

    # -------------------------------------------------------------------------
    # WHICH CARDS
    # -------------------------------------------------------------------------

    def _compute_typed(self):
        self.first = False
        self.last = False

    def _inverse_typed(self):
        for wizard in self:
            for typed, found in (('first', 'first_id'), ('last', 'last_id')):
                if wizard[typed]:
                    wizard[found] = wizard._find_card(wizard[typed])

    @api.onchange('first')
    def _onchange_first(self):
        return self._look_up('first', 'first_id')

    @api.onchange('last')
    def _onchange_last(self):
        return self._look_up('last', 'last_id')

    def _look_up(self, typed, found):
        """Show the card that was typed or scanned, or say why there is none."""
        if not self[typed]:
            return None
        try:
            self[found] = self._find_card(self[typed])
        except UserError as refused:
            self[found] = False
            title = self.env._("No card was found")
            return {'warning': {'title': title, 'message': str(refused), 'type': 'notification'}}

    def _find_card(self, text):
        cards, nobody = self.env['refill.card'], self.env['res.partner']
        try:
            with cards._recording_refusals(nobody, self.env.company, channel='backend'):
                return cards._find(text, nobody)
        except RefillCardRefused as refused:
            if refused.reason != 'typo':
                raise
            raise UserError(
                self.env._(
                    "No card has the serial number that was typed or scanned as the first or the"
                    " last one. Please check it."
                )
            ) from None

    @api.depends('card_ids', 'series_ids')
    def _compute_scope(self):
        for wizard in self:
            wizard.scope = False
            if wizard.series_ids:
                names = ', '.join(wizard.series_ids.mapped('name'))
                wizard.scope = self.env._("All cards of series %(series)s", series=names)
            elif len(wizard.card_ids) == 1:
                wizard.scope = wizard.card_ids.name
            elif wizard.card_ids:
                count = len(wizard.card_ids)
                wizard.scope = self.env._(
                    "%(count)s selected cards", count=format_count(self.env, count)
                )

    def _get_scope_domain(self):
        """Return which cards are meant, whether or not they can be changed."""
        if self.series_ids:
            return Domain('series_id', 'in', self.series_ids.ids)
        if self.card_ids:
            return Domain('id', 'in', self.card_ids.ids)
        if not self._is_range():
            return Domain.FALSE
        first, last = sorted([self.first_id.name, self.last_id.name])
        stem = escape_psql(self._get_stem(self.first_id))
        return (
            Domain('name', '>=', first)
            & Domain('name', '<=', last)
            & Domain('name', '=like', f'{stem}-%')
        )

    def _get_series(self):
        """Return the series of the cards that are meant.

        :rtype: refill.card.series
        """
        groups = self.env['refill.card']._read_group(self._get_scope_domain(), ['series_id'])
        return self.series_ids.union(*(series for [series] in groups))

    def _is_range(self):
        """Return whether two cards are given that were made together."""
        first, last = self.first_id, self.last_id
        return bool(first and last) and self._get_stem(first) == self._get_stem(last)

    @api.model
    def _get_stem(self, card):
        """Return what the serial numbers of cards that were made together begin with."""
        return card.name.rpartition('-')[0]

    def _get_domain(self):
        """Return which cards will be changed."""
        return (
            self._get_scope_domain()
            & self._get_writable_domain()
            & Domain('state', 'in', OPERATIONS[self.operation])
            & Domain('used_on', '=', False)
            & ~self._get_over_domain()
        )

    def _get_over_domain(self):
        """Return which cards are not activated because their last day is over."""
        if self.operation != 'activate':
            return Domain.FALSE
        day = self.env['refill.card']._get_westernmost_day()
        return Domain('state', '=', 'inactive') & Domain('valid_till', '<', day)

    @api.model
    def _get_writable_domain(self):
        return self.env['ir.rule']._compute_domain('refill.card', 'write')

    # -------------------------------------------------------------------------
    # WHAT WILL HAPPEN
    # -------------------------------------------------------------------------

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id', 'operation')
    def _compute_preview(self):
        for wizard in self:
            wizard.count, wizard.total, wizard.skipped = 0, False, False
            if wizard.operation:
                wizard.count, wizard.total, wizard.skipped = wizard._preview()

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id', 'operation')
    def _compute_last_days(self):
        """Name the last day that cards get which count their days from now on."""
        for wizard in self:
            groups = []
            if wizard.operation == 'activate':
                dayless = wizard._get_domain() & Domain('valid_till', '=', False)
                groups = self.env['refill.card']._read_group(dayless, ['series_id'])
            days = {series.validity_days for [series] in groups} - {0}
            today = self.env.company._get_refill_card_day()
            wizard.last_days = ', '.join(
                format_date(self.env, today + timedelta(days=count)) for count in sorted(days)
            )

    @api.depends('first_id', 'last_id')
    def _compute_problem(self):
        for wizard in self:
            wizard.problem = False
            if wizard.first_id and wizard.last_id and not wizard._is_range():
                wizard.problem = wizard._get_other_series_sentence()

    @api.model
    def _get_other_series_sentence(self):
        return self.env._(
            "The first and the last card are not of one series. Change the cards of each series by"
            " themselves."
        )

    def _preview(self):
        """Return how many cards will be changed, their value, and what is left alone and why.

        :rtype: tuple[int, str, str]
        """
        cards = self.env['refill.card']
        scope, writable = self._get_scope_domain(), self._get_writable_domain()
        over = self._get_over_domain()
        groups = cards._read_group(
            scope & writable & ~over, ['series_id', 'state', 'disable_reason'], ['__count']
        )
        changed, totals, skipped = 0, {}, {}
        for series, state, reason, count in groups:
            # Only a card that was used is disabled for this reason.
            if state in OPERATIONS[self.operation] and reason != 'payment':
                changed += count
                totals[series.currency_id] = totals.get(series.currency_id, 0) + (
                    count * series.price
                )
            else:
                skipped[state, reason] = skipped.get((state, reason), 0) + count
        reasons = [self._describe_skipped(*group) for group in skipped.items()]
        if late := cards.search_count(scope & writable & over):
            reasons.append(
                self.env._("%(count)s past their last day", count=format_count(self.env, late))
            )
        if foreign := cards.search_count(scope & ~writable):
            reasons.append(
                self.env._(
                    "%(count)s issued by another company", count=format_count(self.env, foreign)
                )
            )
        amounts = [format_amount(self.env, amount, currency) for currency, amount in totals.items()]
        return changed, ', '.join(amounts), ', '.join(reasons)

    def _describe_skipped(self, group, count):
        state, reason = group
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
        count, total, skipped = self._preview()
        label = dict(self._fields['operation']._description_selection(self.env))[self.operation]
        if not count:
            raise UserError(
                self.env._(
                    "%(operation)s: there is no card to do this to. Left alone: %(skipped)s.",
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
        if not (self.series_ids or self.card_ids or self._is_range()):
            raise UserError(self._get_other_series_sentence())
        if any(series.state != 'ready' for series in self._get_series()):
            raise UserError(self.env._("The cards are still being generated."))
        if self.operation == 'disable':
            if not self.reason:
                raise UserError(self.env._("Choose why the cards are disabled."))
            if self.reason == 'other' and not (self.reason_text or '').strip():
                raise UserError(self.env._("Say in the details why the cards are disabled."))
        if self.operation == 'extend':
            self.env['refill.card.series']._check_day(self.valid_till or None)

    def _apply(self):
        """Change the cards and return how many."""
        query = self.env['refill.card']._search(self._get_domain())
        where = SQL("id IN %s", query.subselect())
        reference = self.env['refill.card']._next_reference()
        history = {'channel': 'backend', 'reference': reference}
        cards = self.env['refill.card']
        match self.operation:
            case 'activate':
                return self._activate(where, history)
            case 'deactivate':
                counted = SQL("CASE WHEN series.validity_days = 0 THEN card.valid_till END")
                return cards._change_state('inactive', where=where, valid_till=counted, **history)
            case 'disable':
                return self._disable(where, history)
            case 'enable':
                return cards._restore(where, disable_reason=None, **history)
            case 'extend':
                return self._extend(where, reference)
            case 'companies':
                return self._change_companies(where, reference)

    def _activate(self, where, history):
        # Unless the card was given a last day of its own.
        day = SQL(
            "CASE WHEN series.validity_days = 0 THEN card.valid_till"
            " ELSE COALESCE(card.valid_till, %s::date + series.validity_days) END",
            self.env.company._get_refill_card_day(),
        )
        cards = self.env['refill.card']
        return cards._change_state('active', where=where, valid_till=day, **history)

    def _disable(self, where, history):
        note = dict(self._fields['reason']._description_selection(self.env))[self.reason]
        if text := (self.reason_text or '').strip():
            note = self.env._("%(reason)s: %(text)s", reason=note, text=text)
        return self.env['refill.card']._change_state(
            'disabled', where=where, note=note, disable_reason=self.reason, **history
        )

    def _extend(self, where, reference):
        day = self.valid_till or None
        changed = self.env['refill.card']._change_valid_till(day, where, reference)
        # Where each card counts its own days, the series has no last day.
        dated = self.series_ids.filtered(lambda series: not series.validity_days)
        dated._filtered_access('write')._set_last_day(day, reference)
        return changed

    def _change_companies(self, where, reference):
        """Change the companies of series; where cards stay behind, in a series of their own."""
        cards, domain = self.env['refill.card'], self._get_domain()
        changed = 0
        for series, count in cards._read_group(domain, ['series_id'], ['__count']):
            # sudo: also the cards used where the user does not look stay
            total = cards.sudo().search_count([('series_id', '=', series.id)])
            if count == total:
                series._set_companies(self.company_ids, reference)
                changed += count
            else:
                changed += series._split_off(where, self.company_ids, reference)
        return changed

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
