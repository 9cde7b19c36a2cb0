from odoo import api, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain

from .refill_card_history import Operation

# Whose changes are written into the audit log, in the order of the sentence.
RECORDED = (
    'price',
    'currency_id',
    'prefix',
    'company_ids',
    'valid_till',
    'activation_required',
    'validity_days',
    'layout_id',
    'active',
    'company_id',
    'alphabet',
    'code_length',
    'canary_count',
)


class RefillCardSeries(models.Model):
    """What changes with a series: the audit log, and its cards."""

    _inherit = 'refill.card.series'

    @api.constrains('active')
    def _check_finished(self):
        """An archived series holds nothing that a customer could still redeem."""
        for series in self.filtered(lambda series: not series.active):
            if series.state != 'ready' or series.active_count or series.inactive_count:
                raise ValidationError(
                    self.env._(
                        "Series %(series)s has cards that can still be redeemed. Cancel the rest"
                        " before you archive it.",
                        series=series.name,
                    )
                )

    def write(self, vals):
        """Write what changed into the audit log; the cards follow, as one operation.

        Within an operation on cards, which sees to them itself, only the series changes.

        :raise ValidationError: when the last day has passed.
        """
        recorded = [fname for fname in RECORDED if fname in vals]
        if not recorded:
            return super().write(vals)
        under_way = Operation.take(self.env)
        cards = self.env['refill.card']
        reference = under_way.reference if under_way else cards._next_reference()
        before = {series: series._describe(recorded) for series in self}
        days, names = {}, {}
        if not under_way and 'valid_till' in vals:
            days = {series: series.valid_till for series in self}
        if not under_way and 'company_ids' in vals:
            names = {series: series.company_names for series in self}
        res = super().write(vals)
        for series, old in before.items():
            series._log_changes(old, series._describe(recorded), reference)
        self._move_last_days(days, reference)
        for series, old in names.items():
            series._log_companies_of_cards(old, reference)
        return res

    def _move_last_days(self, olds, reference):
        """Give the cards that had the last day of their series the new one; revive expired ones.

        :param dict[refill.card.series, datetime.date | bool] olds: the last days until now.
        :param str reference: what the events of the operation share.
        """
        # sudo: whoever may change a series may change all of its cards
        cards_sudo = self.env['refill.card'].sudo()
        for series, old in olds.items():
            day = series.valid_till
            if day != old:
                cards_sudo._check_day(day)
                domain = Domain('series_id', '=', series.id) & Domain('valid_till', '=', old)
                cards_sudo._set_valid_till(domain, day or None, reference)

    def _extend(self, day):
        """Give all cards of series another last day, and the series where it has one.

        :param datetime.date | None day: None for cards that stay valid.
        :return: how many cards changed.
        :rtype: int
        :raise ValidationError: when the day has passed, or is too far away.
        """
        cards = self.env['refill.card']
        reference = cards._next_reference()
        changed = cards._extend(day, Domain('series_id', 'in', self.ids), reference)
        # Where each card counts its own days, the series has no last day.
        dated = self.filtered(lambda series: not series.validity_days)._filtered_access('write')
        dated.with_context(refill_card_operation=Operation(reference)).write({'valid_till': day})
        return changed
