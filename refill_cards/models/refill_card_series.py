from uuid import uuid4

from odoo import api, fields, models
from odoo.exceptions import AccessError, LockError, UserError, ValidationError
from odoo.fields import Command
from odoo.tools import format_amount

from .. import codes
from .refill_card_life import MAX_YEARS

# What fits on a card, and times the quantity is still told to the cent.
MAX_PRICE = 9_999_999.99


class RefillCardSeries(models.Model):
    _name = 'refill.card.series'
    _description = "Refill Card Series"
    _inherit = ['mail.thread', 'refill.card.companies.mixin', 'refill.card.export.mixin']
    _order = 'id desc'
    _check_company_auto = True

    name = fields.Char(string="Reference", required=True, readonly=True, copy=False)
    # Finds the series of a serial number that is typed without dashes, whatever its format.
    stem = fields.Char(compute='_compute_stem', store=True, index=True)
    active = fields.Boolean(string="In Use", default=True, copy=False, tracking=True)
    prefix = fields.Char(
        tracking=True, help="Letters and digits printed in front of each code; may be left out."
    )
    quantity = fields.Integer(required=True, readonly=True, aggregator=None)
    price = fields.Monetary(string="Face Value", required=True, tracking=True, aggregator=None)
    currency_id = fields.Many2one(
        comodel_name='res.currency',
        required=True,
        tracking=True,
        default=lambda self: self.env.company.currency_id,
    )
    company_id = fields.Many2one(
        comodel_name='res.company',
        string="Issued by",
        required=True,
        readonly=True,
        default=lambda self: self.env.company,
    )
    valid_till = fields.Date(
        string="Valid till",
        tracking=True,
        help="Last day on which the cards are accepted. Leave empty for cards that stay valid.",
    )
    activation_required = fields.Boolean(
        readonly=True, help="The cards are worthless until they are activated."
    )
    validity_days = fields.Integer(
        string="Days from Activation",
        readonly=True,
        aggregator=None,
        help="How many days a card is accepted after the day of its activation.",
    )
    alphabet = fields.Selection(
        selection=[('base32', "Letters and digits"), ('digits', "Digits only")],
        required=True,
        readonly=True,
        default='base32',
        help="Digits only suits keypads and phone menus, at the cost of longer codes.",
    )
    code_length = fields.Integer(
        string="Random Characters",
        required=True,
        readonly=True,
        default=codes.DEFAULT_LENGTHS['base32'],
        aggregator=None,
        help="Random characters in a code; a check character follows them.",
    )
    former_prefixes = fields.Char(
        readonly=True, help="Prefixes of before, separated by spaces, that go on being read."
    )
    layout_id = fields.Many2one(
        comodel_name='refill.card.layout',
        default=lambda self: self.env['refill.card.layout']._get_default(),
        ondelete='set null',
        check_company=True,
        help="How the cards are printed.",
    )
    card_ids = fields.One2many(comodel_name='refill.card', inverse_name='series_id', string="Cards")
    for_sale = fields.Boolean(
        tracking=True, help="Products that take cards from any series find these cards, too."
    )
    can_manage = fields.Boolean(
        compute='_compute_can_manage', help="Whether the user manages cards of the issuing company."
    )

    _name_unique = models.UniqueIndex('(name)', "Two series cannot have the same reference.")

    # -------------------------------------------------------------------------
    # COMPUTE
    # -------------------------------------------------------------------------

    @api.depends('name')
    def _compute_stem(self):
        for series in self:
            series.stem = codes.stem(series.name or '')

    @api.depends_context('uid', 'allowed_company_ids')
    def _compute_can_manage(self):
        writable = self._filtered_access('write')
        for series in self:
            series.can_manage = series in writable

    # -------------------------------------------------------------------------
    # CONSTRAINTS
    # -------------------------------------------------------------------------

    @api.constrains('price', 'currency_id')
    def _check_price(self):
        for series in self:
            if series.currency_id.compare_amounts(series.price, 0) <= 0:
                raise ValidationError(
                    self.env._("The face value of a card must be more than zero.")
                )
            if series.price > MAX_PRICE:
                raise ValidationError(
                    self.env._(
                        "The face value of a card is %(maximum)s at the most.",
                        maximum=format_amount(self.env, MAX_PRICE, series.currency_id),
                    )
                )

    @api.constrains('prefix')
    def _check_prefix(self):
        for prefix in filter(None, self.mapped('prefix')):
            if not (prefix.isascii() and prefix.isalnum()):
                raise ValidationError(
                    self.env._("The prefix may have letters A to Z and digits only.")
                )
            if len(prefix) > codes.PREFIX_LENGTH:
                raise ValidationError(
                    self.env._(
                        "The prefix may have up to %(maximum)s characters.",
                        maximum=codes.PREFIX_LENGTH,
                    )
                )

    @api.constrains('alphabet', 'code_length', 'quantity')
    def _check_code(self):
        """Refuse codes that could be guessed; those of another system are as they are."""
        for series in self.filtered(lambda series: not series.is_foreign):
            lengths = codes.LENGTHS[series.alphabet]
            if series.code_length not in lengths:
                raise ValidationError(
                    self.env._(
                        "These codes have between %(minimum)s and %(maximum)s random characters.",
                        minimum=lengths[0],
                        maximum=lengths[-1],
                    )
                )
            cards = self._count_guessable(series.alphabet, series.code_length)
            fmt = series._get_format()
            if fmt.guessing_probability(cards) >= codes.MAX_GUESSING_PROBABILITY:
                raise ValidationError(
                    self.env._(
                        "The code is too short for so many cards: it could be guessed. Use at"
                        " least %(length)s characters.",
                        length=fmt.safe_length(cards),
                    )
                )

    @api.constrains('activation_required', 'validity_days', 'valid_till')
    def _check_validity_days(self):
        for series in self.filtered('validity_days'):
            if series.validity_days > MAX_YEARS * 365:
                raise ValidationError(self.env['refill.card']._get_too_long_sentence())
            if series.validity_days < 0:
                raise ValidationError(
                    self.env._("Cards must be valid for at least a day from their activation.")
                )
            if not series.activation_required or series.valid_till:
                raise ValidationError(
                    self.env._(
                        "Cards that are valid for some days from their activation must be"
                        " activated first, and have no last day before. Change the validity of the"
                        " cards, not of the series."
                    )
                )

    # -------------------------------------------------------------------------
    # CRUD
    # -------------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._clean_values(vals)
            if vals.get('state') != 'ready':  # cards made before keep their day
                self.env['refill.card']._check_day(fields.Date.to_date(vals.get('valid_till')))
            # Unique, until it is sure that the series is made: refusals burn no number.
            vals['name'] = str(uuid4())
        made = super().create(vals_list)
        self.env['refill.card.key']._get_generating_sealer()
        for series in made:
            name = self.env['ir.sequence'].sudo().next_by_code('refill.card.series')
            series.sudo().name = name  # sudo: nobody names a series by hand
        return made

    @api.model
    def _clean_values(self, vals):
        if vals.get('prefix'):
            vals['prefix'] = vals['prefix'].strip().upper()

    def _lock(self):
        """Keep other transactions from adding cards or redeeming them until this one ends.

        :raise UserError: when one of them is just doing so.
        """
        try:
            self.lock_for_update()
        except LockError:
            raise UserError(
                self.env._(
                    "Cards of this series are just being generated or redeemed. Please try again in"
                    " a moment."
                )
            ) from None

    # -------------------------------------------------------------------------
    # CODES
    # -------------------------------------------------------------------------

    def _count_usable(self):
        """Return how many cards the series has, or will have, that can become of use.

        :rtype: int
        """
        return self.quantity

    @api.model
    def _count_guessable(self, alphabet, length):
        """Return how many cards a guess in this format could hit, at the most.

        :rtype: int
        """
        [[cards]] = (
            self.sudo()
            .with_context(active_test=False)
            ._read_group(
                [
                    ('alphabet', '=', alphabet),
                    ('code_length', '=', length),
                    ('is_foreign', '=', False),
                ],
                [],
                ['quantity:sum'],
            )
        )
        return cards or 0

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_open_cards(self):
        """Open the table of the cards, as many as the button says."""
        self.ensure_one()
        context, domain = {'hide_series': True}, [('series_id', '=', self.id)]
        replaced = ('disable_reason', '=', 'replaced')
        if self.env['refill.card'].search_count([*domain, replaced]):
            context['search_default_not_replaced'] = True
        return {
            **self.env['ir.actions.act_window']._for_xml_id('refill_cards.refill_card_action'),
            'display_name': self.env._("Cards of %(series)s", series=self.name),
            'domain': domain,
            'context': context,
        }

    def action_change(self):
        """Open the window that changes the cards of these series."""
        return self.env['refill.card.change'].create({'series_ids': self.ids})._get_window()

    def action_edit(self):
        """Open the form."""
        self.ensure_one()
        return self._get_records_action(view_mode='form')

    def _open_export_window(self, **values):
        self._check_may_export()
        wizards = self.env['refill.card.export.wizard']
        return wizards._open({'series_ids': [Command.set(self.ids)], **values})

    def _may_see_codes(self):
        """Return whether the user may get at codes: a manager of the company that issued them."""
        return self.env.su or (
            self.env.user.has_group('refill_cards.group_refill_card_manager')
            and self.sudo().company_id in self.env.companies
        )

    def _check_may_export(self):
        """:raise AccessError: when the user may not see the codes of one of the series."""
        self.check_access('read')
        if not all(series._may_see_codes() for series in self):
            raise AccessError(self.env._("You may not export the codes of these refill cards."))

    def action_delete(self):
        """Delete the series, which the list asks to confirm."""
        self.unlink()
