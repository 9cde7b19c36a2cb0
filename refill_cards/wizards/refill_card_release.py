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

    @api.depends('day', 'company_id')
    def _compute_preview(self):
        for window in self:
            counts = window._get_counts()
            window.card_count = sum(count for _series, count in counts)
            window.preview = self.env['ir.qweb']._render(
                'refill_cards.refill_card_release_preview', window._prepare_preview(counts)
            )

    def _get_counts(self):
        try:
            return self.env['account.move']._get_releasable_refill_cards(self.company_id, self.day)
        except AccessError:
            return []

    def _prepare_preview(self, counts):
        """Return what is released of each series, in words."""
        totals = {}
        for series, count in counts:
            value = count * series.price
            totals[series.currency_id] = totals.get(series.currency_id, 0) + value
        return {
            'rows': [
                {
                    'series': series.name,
                    'price': format_amount(self.env, series.price, series.currency_id),
                    'count': format_count(self.env, count),
                    'value': format_amount(self.env, count * series.price, series.currency_id),
                }
                for series, count in counts
            ],
            'totals': [
                format_amount(self.env, value, currency) for currency, value in totals.items()
            ],
        }

    def action_release(self):
        """Make the drafts, and open them.

        :raise UserError: when there is nothing to release.
        """
        self.ensure_one()
        moves = self.env['account.move']._release_expired_refill_cards(self.company_id, self.day)
        if not moves:
            raise UserError(
                self.env._(
                    "No sold cards had been expired for more than %(days)s days on %(day)s that"
                    " are not released yet.",
                    days=format_count(self.env, self.days),
                    day=format_date(self.env, self.day),
                )
            )
        return {**moves._get_records_action(), 'name': self.env._("Expired Value")}
