import logging
from collections import defaultdict
from datetime import timedelta
from uuid import uuid4

from dateutil.relativedelta import relativedelta
from markupsafe import Markup
from odoo import api, fields, models
from odoo.addons.base.models.res_users import check_identity
from odoo.exceptions import AccessError, LockError, UserError, ValidationError
from odoo.fields import Command, Domain
from odoo.tools import SQL, format_amount, format_date

from .. import codes
from ..wording import format_count
from .refill_card import STATES

_logger = logging.getLogger(__name__)

MAX_QUANTITY = 1_000_000
# What fits on a card, and times the quantity is still told to the cent.
MAX_PRICE = 9_999_999.99
# Later is a typing error.
MAX_YEARS = 50
# Digits of a card's number in its serial number, which sort as texts.
NUMBER_DIGITS = 6
# Up to here the user waits, for about a second; more are generated in the background.
IMMEDIATE_QUANTITY = 20_000
BATCH = 20_000
GENERATED = {
    'name',
    'quantity',
    'company_id',
    'alphabet',
    'code_length',
    'activation_required',
    'validity_days',
    'state',
    'generated',
    'card_ids',
    'codes_left_on',
    'former_prefixes',
    'agreed_company_ids',
}
# What a code says, once it was handed out.
FROZEN = {'prefix', 'price', 'currency_id', 'alphabet', 'code_length'}
# Whose changes are written into the history, in the order of the sentence.
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
)


class RefillCardSeries(models.Model):
    _name = 'refill.card.series'
    _description = "Refill Card Series"
    _inherit = ['mail.thread']
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
    price = fields.Monetary(required=True, tracking=True, aggregator=None)
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
    company_ids = fields.Many2many(
        comodel_name='res.company',
        string="Available to",
        tracking=True,
        help="Whom the cards are meant for, with their branches. Leave empty for any company that"
        " accepts cards of the issuer.",
    )
    # A user sees no other companies than their own: an empty list may mislead.
    available_to = fields.Char(compute='_compute_available_to', compute_sudo=True)
    has_hidden_companies = fields.Boolean(compute='_compute_available_to', compute_sudo=True)
    valid_till = fields.Date(
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
    state = fields.Selection(
        selection=[('generating', "Generating"), ('ready', "Ready")],
        string="Status",
        required=True,
        readonly=True,
        default='generating',
        copy=False,
    )
    generated = fields.Integer(
        readonly=True, copy=False, aggregator=None, help="Cards made so far."
    )
    codes_left_on = fields.Datetime(
        string="Codes Left on",
        readonly=True,
        copy=False,
        help="When a code was first exported, printed, sent or shown. From then on the price, the"
        " currency and the prefix stay as they are.",
    )
    former_prefixes = fields.Char(
        readonly=True, help="Prefixes of before, separated by spaces, that go on being read."
    )
    progress = fields.Float(compute='_compute_progress', help="Percentage of the cards made.")
    layout_id = fields.Many2one(
        comodel_name='refill.card.layout',
        default=lambda self: self.env['refill.card.layout']._get_default(),
        ondelete='set null',
        check_company=True,
        help="How the cards are printed.",
    )
    card_ids = fields.One2many(comodel_name='refill.card', inverse_name='series_id', string="Cards")
    card_count = fields.Integer(compute='_compute_counts', aggregator='sum')
    has_used_cards = fields.Boolean(compute='_compute_has_used_cards')
    is_frozen = fields.Boolean(
        compute='_compute_is_frozen',
        help="A code left Odoo, or a card was used: what the cards say stays as it is.",
    )
    is_editable = fields.Boolean(compute='_compute_is_editable')
    inactive_count = fields.Integer(string="Inactive", compute='_compute_counts', aggregator='sum')
    inactive_amount = fields.Monetary(compute='_compute_counts')
    active_count = fields.Integer(string="Active", compute='_compute_counts', aggregator='sum')
    active_amount = fields.Monetary(compute='_compute_counts')
    used_count = fields.Integer(string="Used", compute='_compute_counts', aggregator='sum')
    used_amount = fields.Monetary(compute='_compute_counts')
    expired_count = fields.Integer(string="Expired", compute='_compute_counts', aggregator='sum')
    expired_amount = fields.Monetary(compute='_compute_counts')
    disabled_count = fields.Integer(string="Disabled", compute='_compute_counts', aggregator='sum')
    disabled_amount = fields.Monetary(compute='_compute_counts')

    _name_unique = models.UniqueIndex('(name)', "Two series cannot have the same reference.")

    # -------------------------------------------------------------------------
    # COMPUTE
    # -------------------------------------------------------------------------

    @api.depends('name')
    def _compute_stem(self):
        for series in self:
            series.stem = codes.stem(series.name or '')

    @api.depends('company_ids')
    @api.depends_context('uid')
    def _compute_available_to(self):
        named = self._get_named_companies()
        for series in self:
            companies = named[series._origin]
            series.available_to = ', '.join(companies.mapped('name')) or self.env._("Any company")
            series.has_hidden_companies = bool(companies - self.env.user.company_ids)

    def _get_named_companies(self):
        """Return the companies that each series is meant for, also those that the user may not see.

        :return: by series; empty for any company.
        :rtype: defaultdict[refill.card.series, res.company]
        """
        # Grouped in SQL: the cache holds only the companies that the user sees.
        every = self.sudo().with_context(active_test=False)
        groups = every._read_group([('id', 'in', self.ids)], ['company_ids'], ['id:array_agg'])
        named = defaultdict(self.env['res.company'].sudo().browse)
        for company, ids in groups:
            for series in self.browse(ids):
                named[series] |= company
        return named

    @api.depends('generated', 'quantity')
    def _compute_progress(self):
        for series in self:
            series.progress = 100 * series.generated / (series.quantity or 1)

    @api.depends('card_ids.state', 'price')
    def _compute_counts(self):
        groups = self.env['refill.card']._read_group(
            [('series_id', 'in', self.ids)], ['series_id', 'state'], ['__count']
        )
        counts = {(series.id, state): count for series, state, count in groups}
        for series in self:
            series.card_count = 0
            for state, _label in STATES:
                count = counts.get((series._origin.id, state), 0)
                series[f'{state}_count'] = count
                series[f'{state}_amount'] = count * series.price
                series.card_count += count

    @api.model
    def _read_group_select(self, aggregate_spec, query):
        """Let groups count the cards that are there, which are not stored with the series."""
        counted = {'card_count:sum': Domain.TRUE}
        for state, _label in STATES:
            counted[f'{state}_count:sum'] = Domain('state', '=', state)
        if aggregate_spec not in counted:
            return super()._read_group_select(aggregate_spec, query)
        cards = self.env['refill.card']
        found = cards._search(counted[aggregate_spec])
        series_id = cards._field_to_sql(cards._table, 'series_id', found)
        found.add_where(SQL("%s = %s", series_id, SQL.identifier(query.table, 'id')))
        return SQL("SUM(%s)", found.subselect(SQL("COUNT(*)")))

    @api.depends('card_ids.used_on')
    def _compute_has_used_cards(self):
        used = self._get_used()
        for series in self:
            series.has_used_cards = series._origin in used

    @api.depends('has_used_cards', 'codes_left_on')
    def _compute_is_frozen(self):
        for series in self:
            series.is_frozen = series.has_used_cards or series.codes_left_on

    def _get_used(self):
        """Return the series of which a card was ever used, wherever.

        :rtype: refill.card.series
        """
        in_series = Domain('series_id', 'in', self.ids)
        now = Domain('state', 'in', ['used', 'disabled']) & Domain('used_on', '!=', False)
        # The cards' events, because a card may have moved to another series since.
        undone = Domain('event_ids.old_state', '=', 'used')
        # sudo: also the cards used where the user does not look count
        cards = self.env['refill.card'].sudo()
        groups = [
            *cards._read_group(in_series & now, ['series_id']),
            *cards._read_group(in_series & undone, ['series_id']),
        ]
        return self.browse({series.id for [series] in groups})

    @api.depends_context('uid', 'allowed_company_ids')
    def _compute_is_editable(self):
        writable = self._filtered_access('write')
        for series in self:
            series.is_editable = series in writable

    # -------------------------------------------------------------------------
    # CONSTRAINTS
    # -------------------------------------------------------------------------

    @api.constrains('quantity')
    def _check_quantity(self):
        for series in self:
            if not 1 <= series.quantity <= MAX_QUANTITY:
                raise ValidationError(
                    self.env._(
                        "A series has between 1 and %(maximum)s cards.",
                        maximum=format_count(self.env, MAX_QUANTITY),
                    )
                )

    @api.constrains('price', 'currency_id')
    def _check_price(self):
        for series in self:
            if series.currency_id.compare_amounts(series.price, 0) <= 0:
                raise ValidationError(self.env._("The price of a card must be more than zero."))
            if series.price > MAX_PRICE:
                raise ValidationError(
                    self.env._(
                        "The price of a card is %(maximum)s at the most.",
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
        """Refuse codes that could be guessed."""
        for series in self:
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
                raise ValidationError(self._get_too_long_sentence())
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

    @api.model
    def _check_day(self, day):
        """:raise ValidationError: when the day has passed, or is too far away."""
        if day and day > self.env.company._get_refill_card_day() + relativedelta(years=MAX_YEARS):
            raise ValidationError(self._get_too_long_sentence())
        if day and day < self.env.company._get_refill_card_day():
            raise ValidationError(
                self.env._(
                    "%(day)s has passed. Cards must be valid till today or later.",
                    day=format_date(self.env, day),
                )
            )

    @api.model
    def _get_too_long_sentence(self):
        return self.env._(
            "Cards are valid for %(maximum)s years at the most. Leave the last day empty for cards"
            " that stay valid.",
            maximum=MAX_YEARS,
        )

    # -------------------------------------------------------------------------
    # CRUD
    # -------------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._clean_values(vals)
            if vals.get('state') != 'ready':  # cards made before keep their day
                self._check_day(fields.Date.to_date(vals.get('valid_till')))
            # Unique, until it is sure that the series is made: refusals burn no number.
            vals['name'] = str(uuid4())
        made = super().create(vals_list)
        made._agree()
        self.env['refill.card']._get_generating_sealer()
        for series, vals in zip(made, vals_list, strict=True):
            name = self.env['ir.sequence'].sudo().next_by_code('refill.card.series')
            series._write_recorded({'name': name})
            if vals.get('state') != 'ready':
                series._record_event(series._get_generation_note())
        return made

    def _get_generation_note(self):
        fnames = [name for name in RECORDED if name in ('company_ids', 'valid_till', 'layout_id')]
        details = [f'{label}: {value}' for label, value in self._describe(fnames).items()]
        generated = self.env._(
            "Generated: %(count)s cards of %(price)s",
            count=format_count(self.env, self.quantity),
            price=format_amount(self.env, self.price, self.currency_id),
        )
        return '. '.join([generated, *details])

    def write(self, vals):  # pylint: disable=method-required-super
        """What the codes say is frozen once one left or a card was used; cards follow the day.

        :raise AccessError: when something is written that is not edited by hand.
        :raise UserError: when something frozen changes, or the day has passed.
        """
        if not self.env.su and vals.keys() & GENERATED:
            raise AccessError(
                self.env._(
                    "Of a series only the prefix, the price, the currency, the companies and the"
                    " validity can be changed."
                )
            )
        self.check_access('write')
        self._clean_values(vals)
        changed = self.filtered(lambda series: series._changes_frozen(vals))
        changed._check_not_frozen()
        changed._collide_with_redemptions()
        extended = self.browse()
        if 'valid_till' in vals:
            day = fields.Date.to_date(vals['valid_till'])
            extended = self.filtered(lambda series: (series.valid_till or None) != day)
            if extended:
                self._check_day(day)
        olds = {series: series.valid_till or None for series in extended}
        companies = {}
        if 'company_ids' in vals:
            companies = {series: series.available_to for series in self}
        reference = None
        if vals.keys() & set(RECORDED):
            reference = self.env['refill.card']._next_reference()
        res = self._write_recorded(vals, reference)
        for series, old in olds.items():
            series._move_valid_till(old, reference)
        for series, old in companies.items():
            series._record_companies(old, reference)
        return res

    def _write_recorded(self, vals, reference=None):  # pylint: disable=missing-return
        """Write, and say in the history what changed; every change of a series comes here.

        :param dict vals: as for :meth:`write`.
        :param str reference: what the events of one operation share.
        """
        recorded = [fname for fname in RECORDED if fname in vals]
        olds = {series: series._describe(recorded) for series in self}
        prefixes = {series: series.prefix for series in self}
        records = self
        if 'company_ids' in vals:  # of all those the user works in, ticked in the switcher or not
            works_in = [*self.env.companies.ids, *self.env.user._get_company_ids()]
            records = self.with_context(allowed_company_ids=list(dict.fromkeys(works_in)))
        # pylint: disable-next=super-method-mismatch
        res = super(RefillCardSeries, records).write(vals)
        if 'company_ids' in vals:
            self._agree()
        for series, old in olds.items():
            if series.prefix != prefixes[series] and prefixes[series]:
                former = {*(series.former_prefixes or '').split(), prefixes[series]}
                values = {'former_prefixes': ' '.join(sorted(former))}
                super(RefillCardSeries, series).write(values)  # pylint: disable=super-method-mismatch
            new = series._describe(recorded)
            changes = [
                self.env._("%(field)s: %(old)s → %(new)s", field=label, old=old[label], new=value)
                for label, value in new.items()
                if value != old[label]
            ]
            if changes:
                series._record_event('. '.join(changes), reference)
        return res

    def _describe(self, fnames):
        """Return what fields hold, in words.

        :param list[str] fnames: some of ``RECORDED``.
        :return: by the label of the field.
        :rtype: dict[str, str]
        """
        self.ensure_one()
        series_sudo = self.sudo()  # sudo: to name the company and the layout
        nothing = self.env._("none")

        def describe(field):
            if field.name == 'company_ids':  # unread, so that writing keeps those out of sight
                return self.available_to
            value = series_sudo[field.name]
            if field.type == 'boolean':
                return self.env._("Yes") if value else self.env._("No")
            if not value:
                return nothing
            match field.type:
                case 'monetary':
                    return format_amount(self.env, value, series_sudo.currency_id)
                case 'many2one':
                    return value.display_name
                case 'date':
                    return format_date(self.env, value)
                case 'selection':
                    return dict(field._description_selection(self.env))[value]
            return str(value)

        described = [self._fields[fname] for fname in fnames]
        return {field._description_string(self.env): describe(field) for field in described}

    def _mark_codes_left(self):
        """Freeze what the codes of these series say, because one leaves Odoo.

        Written at once, so that a transaction that changes the price meanwhile is tried again, or
        this one is: PostgreSQL lets two pass that only read what the other one writes.
        """
        # sudo: whoever may see a code freezes its series
        staying_sudo = self.sudo().filtered(lambda series: not series.codes_left_on)
        staying_sudo.write({'codes_left_on': fields.Datetime.now()})
        staying_sudo.flush_recordset(['codes_left_on'])

    def _record_companies(self, old, reference):
        """Write into the history of the cards which companies accept them from now on.

        :param str old: which did until now; nothing is written when they still do.
        :param str reference: what the events of the operation share.
        """
        if self.available_to != old:
            self.env['refill.card']._record_events(
                None,
                channel='backend',
                note=self._get_companies_note(),
                reference=reference,
                where=SQL("series_id = %s AND used_on IS NULL", self.id),
            )

    def _set_companies(self, companies, reference):
        """Let these companies accept the cards, and still those that the user does not see.

        :param res.company companies: empty for any company.
        :param str reference: what the events of the operation share.
        """
        self.env.flush_all()
        self.invalidate_recordset(['company_ids'])  # as superuser it may have been read with all
        old = self.available_to
        # Past our own `write`, which would be another operation.
        self._write_recorded({'company_ids': [Command.set(companies.ids)]}, reference)
        self._record_companies(old, reference)

    def _set_last_day(self, day, reference):
        """Change the last day of the series only: its cards were given theirs.

        :param datetime.date | None day: None for cards that stay valid.
        :param str reference: what the events of the operation share.
        """
        self._write_recorded({'valid_till': day}, reference)

    def _get_companies_note(self):
        return self.env._("Available to: %(companies)s", companies=self.available_to)

    def _split_off(self, where, companies, reference):
        """Move unused cards into a series of their own, which other companies accept.

        Which companies accept a card is its series' business, because a million cards would need
        millions of rows. Serial numbers and codes stay.

        :param SQL where: which cards; not all of this series.
        :param res.company companies: who accepts them, empty for any company.
        :param str reference: what the events of the operation share.
        :return: how many cards moved.
        :rtype: int
        :raise UserError: when cards of the series are still being generated.
        """
        self.ensure_one()
        self._lock()
        if self.state != 'ready':
            raise UserError(self.env._("The cards are still being generated."))
        where = SQL("series_id = %s AND used_on IS NULL AND %s", self.id, where)
        cards = self.env['refill.card']
        [[moved]] = self.env.execute_query(SQL("SELECT count(*) FROM refill_card WHERE %s", where))
        # sudo: nobody creates a series by hand. Read anew, with the companies that the user does
        # not see, which keep the cards.
        self.env.flush_all()
        self.invalidate_recordset(['company_ids'])
        series_sudo = self.sudo()
        left = series_sudo.quantity - moved
        series_sudo.write({'quantity': left, 'generated': left})
        values = {
            'quantity': moved,
            'generated': moved,
            'state': 'ready',
            'company_ids': series_sudo.company_ids.ids,
            'codes_left_on': series_sudo.codes_left_on,
            'agreed_company_ids': series_sudo.agreed_company_ids.ids,
        }
        new_sudo = series_sudo.copy(values)
        new = new_sudo.sudo(False)
        new._set_companies(companies, reference)
        note = new._get_companies_note()
        cards._record_events(None, channel='backend', note=note, reference=reference, where=where)
        # The ORM would load all the cards.
        self.env.cr.execute(SQL("UPDATE refill_card SET series_id = %s WHERE %s", new.id, where))
        self.env.invalidate_all()
        for series in self + new:
            series._log_move(self, new, moved, reference)
        return moved

    def _log_move(self, old, new, count, reference):
        """Say in the chatter and in the history that cards moved to another series."""
        names = {'count': format_count(self.env, count), 'old': old.name, 'new': new.name}
        self._record_event(
            self.env._("%(count)s cards moved from series %(old)s to %(new)s", **names), reference
        )
        self.message_post(
            body=self.env._(
                "%(count)s cards moved from series %(old)s to %(new)s (%(reference)s). %(note)s",
                reference=reference,
                note=new._get_companies_note(),
                **names,
            )
        )

    @api.model
    def _clean_values(self, vals):
        if vals.get('prefix'):
            vals['prefix'] = vals['prefix'].strip().upper()

    def _changes_frozen(self, vals):
        """Return whether writing these values changes what the codes say."""
        return any(
            self._fields[fname].convert_to_write(self[fname], self) != vals[fname]
            for fname in FROZEN & vals.keys()
        )

    def _check_not_frozen(self):
        """:raise UserError: when a code left Odoo or a card was used."""
        self._check_unused()
        if left := self.sudo().filtered('codes_left_on'):  # sudo: whoever writes
            raise UserError(
                self.env._(
                    "Codes of series %(series)s were exported, printed, sent or shown: its price,"
                    " currency and prefix stay as they are. Cancel its cards and generate others"
                    " instead.",
                    series=left[0].name,
                )
            )

    def _check_unused(self):
        """:raise UserError: when a card was used."""
        if used := self._get_used():
            raise UserError(
                self.env._(
                    "Cards of series %(series)s were used: its price, currency and prefix stay as"
                    " they are, and it cannot be deleted. Cancel the rest of its cards instead.",
                    series=used[0].name,
                )
            )

    def _collide_with_redemptions(self):
        """Write the cards, so that a redemption under way at the old price is tried again.

        PostgreSQL lets two transactions pass that only read what the other one writes.
        """
        if self:
            self.env.cr.execute(
                SQL(
                    "UPDATE refill_card SET write_date = %s WHERE series_id = ANY(%s)",
                    fields.Datetime.now(),
                    list(self.ids),
                )
            )

    def _move_valid_till(self, old, reference):
        """Give the cards that had the series' old last day the new one; revive expired ones.

        :param datetime.date | None old: the last day until now.
        :param str reference: what the events of the operation share.
        """
        where = SQL("series_id = %s AND valid_till IS NOT DISTINCT FROM %s", self.id, old)
        self.env['refill.card']._change_valid_till(self.valid_till or None, where, reference)

    @api.model
    def _get_validity_note(self, day):
        if day:
            return self.env._("Valid till %(day)s", day=day)
        return self.env._("Valid without end")

    def unlink(self):
        """Delete series whose cards were never used, with the cards.

        :raise UserError: when a card was used.
        """
        self.check_access('unlink')
        self._lock()
        self._check_unused()
        reference = self.env['refill.card']._next_reference()
        for series in self:
            series._record_deletion(reference)
        return super().unlink()

    def _record_deletion(self, reference):
        """Write down that the series is deleted, and which cards: one line, however many."""
        # sudo: all of them, wherever the user looks
        cards_sudo = self.env['refill.card'].sudo()
        domain = [('series_id', '=', self.id)]
        [[count]] = cards_sudo._read_group(domain, [], ['__count'])
        note = self.env._("a series without cards")
        if count:
            note = self.env._(
                "%(count)s cards, %(first)s to %(last)s",
                count=format_count(self.env, count),
                first=cards_sudo.search(domain, order='name', limit=1).name,
                last=cards_sudo.search(domain, order='name desc', limit=1).name,
            )
        self._record_event(note, reference, new_state='deleted', amount=count * self.price)

    def _record_event(self, note, reference=None, **values):
        """Write into the history what was done with the whole series.

        :param str note: must not hold a code, nor anybody's name.
        :param str reference: what the events of one operation share.
        :param values: further ones of the event.
        """
        # sudo: history is only added to, and by nobody by hand
        self.env['refill.card.event'].sudo().create(
            {
                'series_id': self.id,
                'company_id': self.sudo().company_id.id,  # sudo: whether or not it is chosen
                'serial': self.name,
                'date': fields.Datetime.now(),
                'user_id': self.env.uid,
                'channel': 'backend',
                'note': note,
                'reference': reference,
                'currency_id': self.currency_id.id,
                **values,
            }
        )

    def _log_deletion(self, cards, reference):
        """Say in the chatter which cards were deleted; its author is who deleted them."""
        serials = sorted(cards.mapped('name'))
        self.message_post(
            body=self.env._(
                "%(count)s cards deleted, between %(first)s and %(last)s (%(reference)s).",
                count=format_count(self.env, len(cards)),
                first=serials[0],
                last=serials[-1],
                reference=reference,
            )
        )

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

    def _get_format(self):
        self.ensure_one()
        former = (self.former_prefixes or '').split()
        return codes.Format(self.alphabet, self.code_length, self.prefix or '', tuple(former))

    @api.model
    def _get_formats(self):
        """Return how the codes of all series look.

        :rtype: list[codes.Format]
        """
        # sudo: reading what was typed must not depend on which series one may see
        every = self.sudo().with_context(active_test=False)
        fnames = ['alphabet', 'code_length', 'prefix', 'former_prefixes']
        return [
            codes.Format(alphabet, length, prefix or '', tuple((former or '').split()))
            for alphabet, length, prefix, former in every._read_group([], fnames)
        ]

    @api.model
    def _count_guessable(self, alphabet, length):
        """Return how many cards a guess in this format could hit, at the most.

        :rtype: int
        """
        [[cards]] = (
            self.sudo()
            .with_context(active_test=False)
            ._read_group(
                [('alphabet', '=', alphabet), ('code_length', '=', length)], [], ['quantity:sum']
            )
        )
        return cards or 0

    # -------------------------------------------------------------------------
    # GENERATION
    # -------------------------------------------------------------------------

    def _generate(self):
        """Generate all cards: a small series at once, a large one in the background."""
        self.ensure_one()
        if self.quantity <= IMMEDIATE_QUANTITY:
            self._generate_cards(self.quantity)
        else:
            self.env.ref('refill_cards.ir_cron_generate')._trigger()

    def _generate_cards(self, count):
        """Generate the next cards, set-based; numbers and codes are unique whoever else generates.

        :param int count: how many; no more than the series still lacks are made.
        """
        self.ensure_one()
        self.flush_recordset()
        sealer = self.env['refill.card']._get_generating_sealer()
        last = min(self.generated + count, self.quantity)
        numbers = list(range(self.generated + 1, last + 1))
        while numbers:
            bodies = self._get_format().generate(len(numbers))
            # In order, so that neighbours in the index of the codes are written together.
            made = self._insert_cards(numbers, sorted(sealer.seal(body) for body in bodies))
            if made == len(numbers):
                break
            # Another card has one of the codes, which is very rare: draw again for these numbers.
            numbers = self._get_missing_numbers(numbers)
        self.generated = last
        self.state = 'ready' if last == self.quantity else 'generating'
        self.invalidate_recordset(['card_ids'])

    def _insert_cards(self, numbers, sealed):
        """Insert cards; those whose code another card has are left out.

        The ORM would take four times as long. The series says who made them: two users a card,
        each checked against res_users, would add a half to the time.

        :param list[int] numbers: the cards' numbers in the series.
        :param list[str] sealed: their sealed codes.
        :return: how many were inserted.
        :rtype: int
        """
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO refill_card (series_id, number, name, code_sealed, state, valid_till,
                                         create_date, write_date)
                SELECT %(series)s, number, %(name)s || '-' || lpad(number::text, %(digits)s, '0'),
                       sealed, %(state)s, %(valid_till)s, %(now)s, %(now)s
                  FROM unnest(%(numbers)s, string_to_array(%(sealed)s, ' '))
                    AS card (number, sealed)
                    ON CONFLICT (code_sealed) DO NOTHING
                """,
                series=self.id,
                name=self.name,
                digits=max(NUMBER_DIGITS, len(str(self.quantity))),
                state='inactive' if self.activation_required else 'active',
                valid_till=self.valid_till or None,
                now=fields.Datetime.now(),
                numbers=numbers,
                # As one text: psycopg2 and PostgreSQL take their time over long lists of texts.
                sealed=' '.join(sealed),
            )
        )
        return self.env.cr.rowcount

    def _get_missing_numbers(self, numbers):
        rows = self.env.execute_query(
            SQL(
                "SELECT number FROM refill_card WHERE series_id = %s AND number >= %s",
                self.id,
                numbers[0],
            )
        )
        return sorted(set(numbers) - {number for [number] in rows})

    @api.model
    def _cron_generate(self):
        """Generate the cards of large series, a batch a transaction."""
        waiting = Domain('state', '=', 'generating')
        time_left = True
        while time_left and (
            # One by one: locking several at once does not keep their order.
            series := next(
                (
                    s
                    for s in self.search(waiting, order='id')
                    if s.try_lock_for_update(allow_referencing=True)
                ),
                None,
            )
        ):
            before = series.generated
            try:
                series._generate_cards(BATCH)
            except UserError as problem:
                self.env.cr.rollback()
                series._note_problem(str(problem))
                return
            made = series.generated - before
            series.create_uid._bus_send(
                'refill_cards/progress', {'model': series._name, 'id': series.id}
            )
            if series.state == 'ready':
                series._tell_maker()
            [[quantity, generated]] = self._read_group(
                waiting, [], ['quantity:sum', 'generated:sum']
            )
            time_left = self.env['ir.cron']._commit_progress(
                made, remaining=(quantity or 0) - (generated or 0)
            )
        if time_left and self.search_count(waiting, limit=1):
            # Somebody is just editing the series that are left.
            soon = fields.Datetime.now() + timedelta(minutes=1)
            self.env.ref('refill_cards.ir_cron_generate')._trigger(soon)

    def _tell_maker(self):
        """Tell whoever generated the series in the background that its cards are there."""
        maker = self.create_uid
        series = self.with_user(maker).with_context(lang=maker.lang)
        message = series.env._(
            "The %(quantity)s cards of series %(series)s are generated",
            quantity=format_count(series.env, self.quantity),
            series=self.name,
        )
        maker._tell_refill_cards_done(message, series.env._("Open"), series.action_open_cards())

    def _note_problem(self, problem):
        """Say in the chatter, once, why the cards are not made yet; the job tries again later."""
        _logger.warning("The cards of series %s are not made: %s", self.name, problem)
        if problem not in (self.message_ids[:1].body or ''):
            self.message_post(body=problem)

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_open_cards(self):
        """Open the table of the cards."""
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id('refill_cards.refill_card_action')
        generating = self.state == 'generating'
        if generating:
            action['help'] = self._get_progress_help()
        return {
            **action,
            'display_name': self.env._("Cards of %(series)s", series=self.name),
            'domain': [('series_id', '=', self.id)],
            'context': {'hide_series': True, 'generating_series_id': generating and self.id},
        }

    def _get_progress_help(self):
        """Return what an empty list of cards says while they are generated, as HTML."""
        progress = self.env._(
            "The cards are being generated: %(made)s of %(quantity)s are made.",
            made=format_count(self.env, self.generated),
            quantity=format_count(self.env, self.quantity),
        )
        promise = self.env._(
            "They appear here as they are made. You are told when the series is ready."
        )
        html = Markup('<p class="o_view_nocontent_smiling_face">%s</p><p>%s</p>')
        return html % (progress, promise)

    def action_change(self):
        """Open the window that changes the cards of these series."""
        return self.env['refill.card.change'].create({'series_ids': self.ids})._get_window()

    def action_edit(self):
        """Open the form."""
        self.ensure_one()
        return self._get_records_action(view_mode='form')

    @check_identity
    def action_export(self):
        """Open the window that exports the cards with their codes."""
        return self._open_export_window()

    @check_identity
    def action_print(self):
        """Open the window that exports the cards, for a PDF."""
        return self._open_export_window(file_format='pdf')

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
