from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import format_amount, format_date

from ..wording import format_count


class RefillCardRelease(models.TransientModel):
    """Release what is owed for sold cards that expired."""

    _name = 'refill.card.release'
    _inherit = 'refill.card.window'
    _description = "Release Expired Value of Refill Cards"

    company_id = fields.Many2one(
        comodel_name='res.company',
        required=True,
        readonly=True,
        default=lambda self: self.env.company.root_id,
    )
    day = fields.Date(
        string="Date",
        required=True,
        default=lambda self: self.env.company.root_id._get_refill_card_day(),
        help="Of the entry. Cards count that had been expired by then for as many days as the"
        " settings say.",
    )
    is_released = fields.Boolean(related='company_id.refill_card_release')
    days = fields.Integer(related='company_id.refill_card_release_days')
    preview = fields.Html(compute='_compute_preview')
    card_count = fields.Integer(compute='_compute_preview')
    has_value = fields.Boolean(compute='_compute_preview')

    @api.depends('day', 'company_id')
    def _compute_preview(self):
        for window in self:
            counts, due = window._get_counts(), window._get_due_estimates()
            window.card_count = sum(count for _series, count, _balance in counts)
            window.has_value = bool(counts or due)
            window.preview = self.env['ir.qweb']._render(
                'refill_cards.refill_card_release_preview',
                {
                    'is_released': window.is_released,
                    'days': format_count(self.env, window.days),
                    'counts': window._prepare_rows(
                        (series, count, count * series.price) for series, count, _balance in counts
                    ),
                    'estimates': window._prepare_rows(
                        (series, 0, estimate.due_amount) for series, estimate in due.items()
                    ),
                },
            )

    def _get_counts(self):
        try:
            return self.env['account.move']._get_releasable_refill_cards(self.company_id, self.day)
        except AccessError:
            return []

    def _get_due_estimates(self):
        moves = self.env['account.move']
        try:
            return moves._get_due_refill_card_estimates(self.company_id, self.day)
        except AccessError:
            return {}

    def _prepare_rows(self, values):
        """Return what is released of each series, in words, with totals.

        :param values: series, how many cards, and what is released.
        :rtype: dict[str, list]
        """
        rows, totals = [], {}
        for series, count, value in values:
            currency = series.currency_id
            totals[currency] = totals.get(currency, 0) + value
            rows.append(
                {
                    'series': series.name,
                    'price': format_amount(self.env, series.price, currency),
                    'count': count and format_count(self.env, count),
                    'value': format_amount(self.env, value, currency),
                }
            )
        totals = [format_amount(self.env, value, currency) for currency, value in totals.items()]
        return {'rows': rows, 'totals': totals}

    def action_release(self):
        """Make the drafts, and open them.

        :raise UserError: when there is nothing to release.
        """
        self.ensure_one()
        moves = self.env['account.move']._recognise_unused_refill_cards(self.company_id, self.day)
        if not moves:
            raise UserError(
                self.env._(
                    "No sold cards had been expired for more than %(days)s days on %(day)s that"
                    " are not released yet, and no estimate is due.",
                    days=format_count(self.env, self.days),
                    day=format_date(self.env, self.day),
                )
            )
        return {**moves._get_records_action(), 'name': self.env._("Expired Value")}
