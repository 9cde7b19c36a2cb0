from collections import defaultdict
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import format_amount, format_date

from ..wording import format_count


class RefillCardSettle(models.TransientModel):
    """Bill resellers and companies for what they owe for cards."""

    _name = 'refill.card.settle'
    _inherit = 'refill.card.window'
    _description = "Settle Refill Cards"

    company_id = fields.Many2one(
        comodel_name='res.company',
        required=True,
        readonly=True,
        default=lambda self: self.env.company.root_id,
    )
    partner_ids = fields.Many2many(
        comodel_name='res.partner',
        string="Who Owes",
        help="Resellers, or companies whose cards were redeemed here. Left empty, all who owe"
        " something are billed, each till the end of the last period that you agreed on.",
    )
    day = fields.Date(
        string="Till",
        required=True,
        compute='_compute_day',
        store=True,
        readonly=False,
        precompute=True,
        help="The last day that counts.",
    )
    preview = fields.Html(compute='_compute_preview')
    draft_count = fields.Integer(compute='_compute_preview')

    @api.depends('partner_ids')
    def _compute_day(self):
        for window in self:
            company = window.company_id or self.env.company.root_id
            agreements = self.env['refill.card.agreement']
            if len(partner := window.partner_ids._origin) == 1:
                agreements = agreements._get(partner, company)
            yesterday = company._get_refill_card_day() - timedelta(days=1)
            # A day that somebody typed stays.
            if window.day in (False, agreements.browse()._get_last_day(yesterday)):
                window.day = agreements._get_last_day(yesterday)

    @api.depends('partner_ids', 'day', 'company_id')
    def _compute_preview(self):
        for window in self:
            try:
                rows = window._get_preview_rows()
            except AccessError:
                rows = []
            window.draft_count = len(rows)
            window.preview = self.env['ir.qweb']._render(
                'refill_cards.refill_card_settle_preview',
                {'rows': rows, 'day': window.partner_ids and format_date(self.env, window.day)},
            )

    def _get_owed(self):
        """Return what the window bills.

        :rtype: list[Owed]
        """
        return self.env['account.move']._get_refill_cards_owed(
            self.company_id, self.day, self._get_debtors()
        )

    def _get_debtors(self):
        partners = self.partner_ids._origin
        return partners.commercial_partner_id if partners else None

    def _get_preview_rows(self):
        """Return what each debtor owes in a currency, in words.

        :rtype: list[dict]
        """
        if not (self.company_id and self.day):
            return []
        groups = defaultdict(list)
        for owed in self._get_owed():
            groups[owed.debtor, owed.series.currency_id, owed.day].append(owed)
        return [
            {
                'debtor': debtor.display_name,
                'day': format_date(self.env, day),
                'used': format_count(self.env, sum(each.count for each in owed if each.is_used)),
                'activated': format_count(
                    self.env, sum(each.count for each in owed if not each.is_used)
                ),
                'value': format_amount(self.env, sum(each.value for each in owed), currency),
            }
            for (debtor, currency, day), owed in groups.items()
        ]

    def action_settle(self):
        """Make the drafts, and open them.

        :raise UserError: when nothing is owed.
        """
        self.ensure_one()
        moves = self.env['account.move']._settle_refill_cards(
            self.company_id, self.day, self._get_debtors()
        )
        if not moves:
            raise UserError(
                self.env._(
                    "Nothing is owed for refill cards till %(day)s that was not billed yet.",
                    day=format_date(self.env, self.day),
                )
            )
        action = moves._get_records_action()
        return {**action, 'name': self.env._("Settlements")}
