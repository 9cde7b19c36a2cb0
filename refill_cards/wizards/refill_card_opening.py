from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command

from ..models.account_move_line_sold_before import Opening
from ..wording import format_count


class RefillCardOpening(models.TransientModel):
    """State once what was sold before it was booked here: by how many cards of each series."""

    _name = 'refill.card.opening'
    _inherit = 'refill.card.window'
    _description = "Opening Balance of Refill Cards"

    company_id = fields.Many2one(
        comodel_name='res.company',
        required=True,
        readonly=True,
        default=lambda self: self.env.company.root_id,
    )
    date = fields.Date(
        required=True,
        default=lambda self: self._get_end_of_last_month(),
        help="Of the entry: from this day on the books say that the cards are owed.",
    )
    account_id = fields.Many2one(
        comodel_name='account.account',
        string="Debit",
        check_company=True,
        domain="[('account_type', '!=', 'off_balance')]",
        help="Where the sales of these cards were credited. Where they were booked by hand on the"
        " liability itself, choose that: the entry then leaves its balance as it is, and says of"
        " which series the cards are. Where they were booked nowhere, choose an account of"
        " equity, such as that for earlier years' profits.",
    )
    liability_account_id = fields.Many2one(
        comodel_name='account.account', string="Credit", compute='_compute_liability_account_id'
    )
    line_ids = fields.One2many(
        comodel_name='refill.card.opening.line',
        inverse_name='opening_id',
        default=lambda self: self._get_default_lines(),
    )

    @api.depends('company_id')
    def _compute_liability_account_id(self):
        for window in self:
            method_line = window.company_id._get_refill_card_method_line()
            window.liability_account_id = method_line.payment_account_id

    @api.model
    def _get_end_of_last_month(self):
        return self.env.company._get_refill_card_day().replace(day=1) - timedelta(days=1)

    @api.model
    def _get_default_lines(self):
        series = self._find_series(self.env.company.root_id)
        return [Command.create({'series_id': each.id}) for each in series]

    @api.model
    def _find_series(self, company):
        """Return the series of a company that have cards which may have been sold before.

        Those that an opening balance tells about already are left out.

        :param res.company company: a root company; its branches' series are among these.
        :rtype: refill.card.series
        """
        series = self.env['refill.card.series'].with_context(active_test=False)
        series = series.search(
            [
                ('company_id', 'child_of', company.ids),
                ('company_id', 'in', self.env.companies.ids),
                ('state', '=', 'ready'),
            ]
        )
        # sudo: of the series that the user sees, whatever the user sees of the books
        counts = self.env['refill.card'].sudo()._count_sold_before(series)
        openings_sudo = self.env['account.move.line'].sudo()._find_refill_card_openings(series)
        opened = openings_sudo.refill_card_series_id
        return series.filtered(lambda each: each.sudo() in counts and each.sudo() not in opened)

    # -------------------------------------------------------------------------
    # THE ENTRY
    # -------------------------------------------------------------------------

    def action_state(self):
        """Book what was sold before, mark as many cards as sold, and open the entry.

        :raise AccessError: when the user does not keep the company's books and manage its cards.
        :raise UserError: when something is missing, or cannot be.
        """
        self.ensure_one()
        self._check_may_state()
        lines = self._check_lines()
        moves = self.env['account.move'].with_company(self.company_id)
        move = moves.with_context(refill_card_opening=Opening()).create(self._prepare_entry(lines))
        move = move.with_env(self.env)
        move._check_fiscal_lock_dates()  # Odoo would book it on another day
        move.action_post()
        return move._get_records_action(name=self.env._("Opening Balance"))

    def _check_may_state(self):
        self.check_access('write')
        self.env['refill.card']._check_may_hand_out()
        if self.company_id not in self.env.companies:
            raise AccessError(
                self.env._(
                    "The opening balance is that of %(company)s: choose it among your companies.",
                    company=self.company_id.sudo().name,  # sudo: to name it
                )
            )

    def _check_lines(self):
        """Return the lines that say something.

        :rtype: refill.card.opening.line
        :raise UserError: when a line says what cannot be, or none says anything.
        """
        if not self.account_id:
            raise UserError(self.env._("Choose the account to debit: where the sales were booked."))
        if not self.liability_account_id:
            raise UserError(
                self.env._(
                    "%(company)s has no accounts for refill cards: see the settings of Invoicing.",
                    company=self.company_id.name,
                )
            )
        lines = self.line_ids.filtered('sold_count')
        if not lines:
            raise UserError(self.env._("Type how many cards of a series were sold before."))
        for line in lines:
            if line.sold_count < 0:
                raise UserError(
                    self.env._(
                        "Series %(series)s: fewer than none (%(count)s) cannot have been sold.",
                        series=line.series_id.name,
                        count=format_count(self.env, line.sold_count),
                    )
                )
        offered = self._find_series(self.company_id)
        for series, same in lines.grouped('series_id').items():
            if len(same) > 1 or series not in offered:
                raise UserError(
                    self.env._(
                        "Series %(series)s: its opening balance is stated once, and here only if it"
                        " has cards that nobody has. Open this window again to see which have.",
                        series=series.name,
                    )
                )
        return lines

    def _prepare_entry(self, lines):
        """Return the values of the entry: a line a series, and what is debited a currency."""
        credits = [line._prepare_entry_line() for line in lines]
        debits = {}
        for values in credits:
            debit = debits.setdefault(
                values['currency_id'],
                {
                    'name': self.env._("Refill cards sold before"),
                    'account_id': self.account_id.id,
                    'currency_id': values['currency_id'],
                    'amount_currency': 0,
                    'balance': 0,
                },
            )
            debit['amount_currency'] -= values['amount_currency']
            debit['balance'] -= values['balance']
        return {
            'move_type': 'entry',
            'company_id': self.company_id.id,
            'date': self.date,
            'ref': self.env._("Opening balance of refill cards"),
            'line_ids': [Command.create(values) for values in [*debits.values(), *credits]],
        }
