from datetime import timedelta

from dateutil.relativedelta import relativedelta
from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError
from odoo.tools import format_date


class RefillCardRollForward(models.TransientModel):
    """What a company owes to holders of cards, on any day, beside what its ledger says."""

    _name = 'refill.card.roll.forward'
    _description = "Owed for Refill Cards"

    company_id = fields.Many2one(
        comodel_name='res.company',
        required=True,
        default=lambda self: self.env.company.root_id,
        domain="[('parent_id', '=', False), ('id', 'in', allowed_company_ids)]",
    )
    currency_id = fields.Many2one(related='company_id.currency_id')
    date_from = fields.Date(
        string="From",
        required=True,
        default=lambda self: self._get_last_month() + relativedelta(day=1),
    )
    date_to = fields.Date(string="To", required=True, default=lambda self: self._get_last_month())
    line_ids = fields.One2many(
        comodel_name='refill.card.roll.forward.line', inverse_name='roll_forward_id'
    )
    balance_line_ids = fields.One2many(
        comodel_name='refill.card.roll.forward.line',
        inverse_name='roll_forward_id',
        domain=[('measure', '=', 'balance')],
    )
    amount_line_ids = fields.One2many(
        comodel_name='refill.card.roll.forward.line',
        inverse_name='roll_forward_id',
        domain=[('measure', '=', 'amount')],
    )
    count_line_ids = fields.One2many(
        comodel_name='refill.card.roll.forward.line',
        inverse_name='roll_forward_id',
        domain=[('measure', '=', 'count')],
    )
    reason_ids = fields.One2many(
        comodel_name='refill.card.roll.forward.reason', inverse_name='roll_forward_id'
    )
    debtor_ids = fields.One2many(
        comodel_name='refill.card.roll.forward.debtor', inverse_name='roll_forward_id'
    )
    shown = fields.Char(readonly=True, help="For which company and days the figures are.")
    is_shown = fields.Boolean(compute='_compute_is_shown')
    is_open = fields.Boolean(compute='_compute_is_open')
    has_stated = fields.Boolean(compute='_compute_columns')
    has_moved = fields.Boolean(compute='_compute_columns')
    overdrawn = fields.Char(compute='_compute_columns')

    @api.model
    def _get_last_month(self):
        """Return the last day of the month before this one.

        :rtype: datetime.date
        """
        today = self.env.company._get_refill_card_day()
        return today.replace(day=1) - timedelta(days=1)

    @api.depends('date_from', 'date_to')
    def _compute_display_name(self):
        for window in self:
            window.display_name = self.env._(
                "Owed for Cards, %(period)s", period=window._get_period()
            )

    @api.depends('company_id', 'date_from', 'date_to', 'shown')
    def _compute_is_shown(self):
        """Other days are chosen, and the figures are still those of before."""
        for window in self:
            window.is_shown = window.shown and window.shown == window._describe()

    @api.depends('company_id', 'date_to')
    def _compute_is_open(self):
        for window in self:
            company = window.company_id
            journal = company._get_refill_card_method_line().journal_id
            window.is_open = not (
                window.date_to and company._get_violated_lock_dates(window.date_to, False, journal)
            )

    @api.depends('line_ids')
    def _compute_columns(self):
        for window in self:
            counts = window.line_ids.filtered(lambda line: line.measure == 'count')
            window.has_stated = any(counts.mapped('stated'))
            window.has_moved = any(counts.mapped('moved'))
            negative = counts.filtered(lambda line: line.series_id and line.end < 0)
            window.overdrawn = ', '.join(negative.mapped('name'))

    @api.constrains('date_from', 'date_to')
    def _check_days(self):
        for window in self:
            if window.date_from > window.date_to:
                raise ValidationError(self.env._("The period ends before it begins."))

    @api.constrains('company_id')
    def _check_company(self):
        """:raise AccessError: when the user does not see the books of the whole company."""
        for window in self:
            if window.company_id not in self.env.companies or window.company_id.parent_id:
                raise AccessError(
                    self.env._(
                        "%(company)s and its branches share their books: choose the main company"
                        " among your companies.",
                        company=window.company_id.sudo().root_id.name,  # sudo: to name it
                    )
                )

    def _describe(self):
        return f'{self.company_id.id} {self.date_from} {self.date_to}'

    @api.model
    def action_open(self):
        """Open the report for the last month.

        :rtype: dict
        """
        window = self.create({})
        window.action_show()
        return {
            'type': 'ir.actions.act_window',
            'name': self.env._("Owed for Cards"),
            'res_model': self._name,
            'res_id': window.id,
            'view_mode': 'form',
        }

    def action_show(self):
        """Add up what is shown."""
        self.ensure_one()
        self._check_days()
        self._check_company()
        self._fill()
        self.shown = self._describe()

    def _show_once(self):
        if not self.is_shown:
            self.action_show()

    def action_print(self):
        """Print what is shown.

        :rtype: dict
        """
        self._show_once()
        report = self.env.ref('refill_cards.action_report_refill_card_roll_forward')
        return report.report_action(self)

    def action_export(self):
        """Download what is shown as an Excel workbook.

        :rtype: dict
        """
        self._show_once()
        return {
            'type': 'ir.actions.act_url',
            'url': f'/web/content/{self._name}/{self.id}/xlsx?download=true'
            '&filename_field=xlsx_name',
            'target': 'download',
        }

    def _get_period(self):
        return self.env._(
            "%(first)s to %(last)s",
            first=format_date(self.env, self.date_from),
            last=format_date(self.env, self.date_to),
        )

    # -------------------------------------------------------------------------
    # WHAT STANDS BEHIND A FIGURE
    # -------------------------------------------------------------------------

    def _get_events_action(self, name, domain):
        view = self.env.ref('refill_cards.refill_card_event_view_list_movements')
        return {
            'type': 'ir.actions.act_window',
            'name': name,
            'res_model': 'refill.card.event',
            'views': [(view.id, 'list')],
            'search_view_id': [self.env.ref('refill_cards.refill_card_event_view_search').id],
            'domain': domain,
        }

    def _prepare_action(self, name, model, domain):
        if model == 'refill.card.event':
            return self._get_events_action(name, domain)
        return {
            'type': 'ir.actions.act_window',
            'name': name,
            'res_model': model,
            'view_mode': 'list,form',
            'domain': domain,
        }

    def _get_account_domain(self, accounts):
        return [
            ('account_id', 'in', accounts.ids),
            ('parent_state', '=', 'posted'),
            *self._get_company_domain(),
        ]

    def _get_company_domain(self):
        """Return the domain of what the company and its branches booked till the last day."""
        return [
            ('company_id', 'in', self.company_id._get_refill_card_branches().ids),
            ('date', '<=', fields.Date.to_string(self.date_to)),
        ]
