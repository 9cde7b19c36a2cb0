from datetime import timedelta

from dateutil.relativedelta import relativedelta
from odoo import api, fields, models

from .. import codes
from ..models.refill_card_life import MAX_YEARS
from ..wording import format_count


class RefillCardGenerate(models.TransientModel):
    _name = 'refill.card.generate'
    _inherit = 'refill.card.companies.mixin'
    _description = "Generate Refill Cards"

    quantity = fields.Integer(required=True, default=100)
    prefix = fields.Char(help="Letters and digits printed in front of each code; may be left out.")
    price = fields.Monetary(string="Face Value", required=True, default=10)
    currency_id = fields.Many2one(
        comodel_name='res.currency',
        required=True,
        default=lambda self: self.env.company.currency_id,
    )
    total = fields.Monetary(string="Total Value", compute='_compute_total')
    company_ids = fields.Many2many(
        comodel_name='res.company',
        string="Available to",
        default=lambda self: self.env.company,
        # All companies that the user works in, not only those ticked in the switcher.
        context={'allowed_company_ids': [], 'active_test': False},
        help="Whom the cards are meant for, with their branches. Leave empty for any company that"
        " accepts cards of the company that issues them.",
    )
    accepted_by = fields.Char(
        string="Accepted by",
        compute='_compute_accepted_by',
        compute_sudo=True,
        help="The companies that redeem the cards, with their branches: of those that they are"
        " available to, the issuer, those where you may manage cards, and those whose settings"
        " accept cards of the issuer.",
    )
    not_accepted_by = fields.Char(
        string="Not accepted by", compute='_compute_accepted_by', compute_sudo=True
    )
    valid_till = fields.Date(
        string="Valid till",
        default=lambda self: self.env.company._get_refill_card_day() + relativedelta(years=1),
        help="Last day on which the cards are accepted. Leave empty for cards that stay valid.",
    )
    activation_required = fields.Boolean(
        help="The cards are worthless until they are activated, so that nobody can redeem cards"
        " stolen before they are sold.",
    )
    validity_days = fields.Integer(
        string="Days from Activation",
        help="How many days a card is accepted after the day of its activation, instead of until a"
        " fixed day. Leave empty for the fixed day.",
    )
    last_day = fields.Date(
        compute='_compute_last_day',
        help="Until when a card is accepted that is activated today.",
    )
    for_sale = fields.Boolean(
        help="Products that take cards from any series find these cards, too."
    )
    alphabet = fields.Selection(
        selection=lambda self: (
            self.env['refill.card.series']._fields['alphabet']._description_selection(self.env)
        ),
        required=True,
        default='base32',
        help="Digits only suits keypads and phone menus, at the cost of longer codes.",
    )
    code_length = fields.Integer(
        string="Random Characters",
        compute='_compute_code_length',
        store=True,
        readonly=False,
        help="A check character follows them, so that typing errors are noticed.",
    )
    canary_count = fields.Integer(
        string="Canaries",
        help="Codes made for nobody, besides the cards. Plant their file where only a thief would"
        " look: once somebody types one, the series is frozen, and managers are told.",
    )
    code_example = fields.Char(string="Example", compute='_compute_guessing')
    guessing_probability = fields.Char(
        string="Risk of Guessing",
        compute='_compute_guessing',
        help="The chance that somebody who keeps guessing finds any card within a year.",
    )
    guessable = fields.Boolean(compute='_compute_guessing')
    law_warning = fields.Char(compute='_compute_law_warning')

    @api.depends('quantity', 'price')
    def _compute_total(self):
        for wizard in self:
            wizard.total = wizard.quantity * wizard.price

    @api.depends('validity_days')
    @api.depends_context('company')
    def _compute_last_day(self):
        today = self.env.company._get_refill_card_day()
        for wizard in self:
            is_possible = 0 < wizard.validity_days <= MAX_YEARS * 365
            wizard.last_day = is_possible and today + timedelta(days=wizard.validity_days)

    @api.depends('activation_required', 'validity_days', 'valid_till')
    @api.depends_context('company')
    def _compute_law_warning(self):
        company = self.env.company
        for wizard in self:
            days = wizard.activation_required and wizard.validity_days
            law = self.env['refill.card.series']._find_broken_law(company, wizard.valid_till, days)
            wizard.law_warning = law._describe(company)

    @api.depends('company_ids')
    @api.depends_context('uid', 'company')
    def _compute_accepted_by(self):
        for wizard in self:
            named = wizard.company_ids._origin
            accepting = self.env['refill.card.series']._find_accepting_companies(named)
            refusing = named.filtered(lambda c, accepting=accepting: c not in accepting)
            wizard.accepted_by = accepting._name_refill_card_acceptors()
            wizard.not_accepted_by = ', '.join(refusing.mapped('name'))

    @api.depends('alphabet', 'quantity')
    def _compute_code_length(self):
        for wizard in self.filtered('alphabet'):
            default = codes.DEFAULT_LENGTHS[wizard.alphabet]
            safe = codes.Format(wizard.alphabet, default).safe_length(wizard._count_cards(default))
            wizard.code_length = max(default, safe or 0)

    @api.depends('alphabet', 'code_length', 'quantity', 'prefix')
    def _compute_guessing(self):
        for wizard in self:
            wizard.guessing_probability = False
            wizard.code_example = False
            wizard.guessable = False
            if wizard.code_length in codes.LENGTHS.get(wizard.alphabet, ()):
                fmt = codes.Format(
                    wizard.alphabet, wizard.code_length, (wizard.prefix or '').strip().upper()
                )
                probability = fmt.guessing_probability(wizard._count_cards(wizard.code_length))
                wizard.code_example = fmt.display(fmt.generate(1)[0])
                wizard.guessable = probability >= codes.MAX_GUESSING_PROBABILITY
                wizard.guessing_probability = self.env._(
                    "1 in %(odds)s a year", odds=format_count(self.env, round(1 / probability))
                )

    def _count_cards(self, length):
        """Return how many cards a guess could hit once these are generated."""
        existing = self.env['refill.card.series']._count_guessable(self.alphabet, length)
        return existing + max(self.quantity, 1)

    def _prepare_series_values(self):
        """Return the values of the series to generate."""
        self.ensure_one()
        days = self.activation_required and self.validity_days
        return {
            'quantity': self.quantity,
            'prefix': self.prefix,
            'price': self.price,
            'currency_id': self.currency_id.id,
            'company_ids': self.company_ids.ids,
            'valid_till': not days and self.valid_till,
            'activation_required': self.activation_required,
            'validity_days': days,
            'for_sale': self.for_sale,
            'alphabet': self.alphabet,
            'code_length': self.code_length,
            'canary_count': self.canary_count,
        }

    def action_generate(self):
        """Generate the series and open the table of its cards, or what it waits for."""
        approval, series = self._generate()
        return approval._get_window_action() if approval else series.action_open_cards()

    def _generate(self):
        """Generate the series, unless another manager has to approve that first.

        :rtype: tuple[refill.card.approval, refill.card.series]
        """
        self.ensure_one()
        self.check_access('write')
        values = self._prepare_series_values()
        series = self.env['refill.card.series']
        return self.env['refill.card.approval']._try(lambda: series._make(values))
