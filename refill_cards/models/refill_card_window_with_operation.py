from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ..wording import format_count


class RefillCardOperationMixin(models.AbstractModel):
    """Windows that do something to the selected cards, and say before to how many and which not.

    The window has a field ``operation``, a key of ``refill.card``'s ``_get_operation_states``.
    """

    _name = 'refill.card.operation.mixin'
    _inherit = 'refill.card.selection.mixin'
    _description = "Operation on Refill Cards"

    operation = fields.Selection(selection=[])
    card_count = fields.Integer(string="Cards to Change")
    skipped = fields.Char(compute='_compute_skipped')
    problem = fields.Char(compute='_compute_problem')

    def _get_cards_domain(self):
        if not self.operation:
            return Domain.FALSE
        changed = self.env['refill.card']._get_operation_domain(self.operation)
        return self._get_selection_domain() & changed

    @api.depends('operation')
    def _compute_card_count(self):
        return super()._compute_card_count()

    @api.depends('card_ids', 'series_ids', 'first_id', 'last_id', 'operation')
    def _compute_skipped(self):
        for window in self:
            window.skipped = window.operation and window._describe_skipped()

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
        kept_back = self._get_kept_back()
        others = domain & mine & ~cards._get_operation_domain(self.operation)
        stated = others & ~Domain.OR(each for each, _sentence in kept_back)
        reasons = [
            self._describe_state(state, reason, count)
            for state, reason, count in cards._read_group(
                stated, ['state', 'disable_reason'], ['__count']
            )
        ]
        for each, sentence in kept_back:
            if count := cards.search_count(others & each):
                reasons.append(sentence % {'count': format_count(self.env, count)})
                others &= ~each
        if count := cards.search_count(domain & ~mine):
            reasons.append(
                self.env._(
                    "%(count)s issued by another company", count=format_count(self.env, count)
                )
            )
        return ', '.join(reasons)

    def _get_kept_back(self):
        """Return what keeps cards back that are in the right state.

        :return: of each reason the cards, and how it is said of a ``count`` of them.
        :rtype: list[tuple[odoo.fields.Domain, str]]
        """
        late = self.env['refill.card']._get_too_late_domain(self.operation)
        return [(late, self.env._("%(count)s past their last day"))]

    def _describe_state(self, state, reason, count):
        labels = {
            fname: dict(self.env['refill.card']._fields[fname]._description_selection(self.env))
            for fname in ('state', 'disable_reason')
        }
        label = labels['state'][state].lower()
        if reason:
            label = f'{label} ({labels["disable_reason"][reason].lower()})'
        return f'{format_count(self.env, count)} {label}'

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
        approval, changed = self.env['refill.card.approval']._try(self._apply)
        if approval:
            return approval._get_window_action()
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

    def _apply(self):
        """Do it, and return to how many cards."""
        raise NotImplementedError
