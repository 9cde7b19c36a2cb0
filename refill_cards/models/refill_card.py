import os
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta

from odoo import api, fields, models
from odoo.addons.base.models.res_users import check_identity
from odoo.exceptions import AccessError, LockError, UserError
from odoo.fields import Command, Domain
from odoo.tools import SQL, config, format_date, format_datetime

from .. import codes, table
from .refill_card_attempt import REASONS
from .visible_fields import VisibleMany2one

STATES = [
    ('inactive', "Inactive"),
    ('active', "Active"),
    ('used', "Used"),
    ('expired', "Expired"),
    ('disabled', "Disabled"),
]
DISABLE_REASONS = [
    ('lost', "Lost"),
    ('stolen', "Stolen"),
    ('damaged', "Damaged"),
    ('misprinted', "Misprinted"),
    ('cancelled', "Cancelled"),
    ('other', "Other"),
]
EXPIRING_BATCH = 20_000
TRANSITIONS = {
    ('inactive', 'active'),
    ('inactive', 'disabled'),
    ('inactive', 'expired'),
    ('active', 'inactive'),
    ('active', 'used'),
    ('active', 'disabled'),
    ('active', 'expired'),
    ('used', 'active'),
    ('used', 'expired'),
    ('used', 'disabled'),
    ('disabled', 'inactive'),
    ('disabled', 'active'),
    ('disabled', 'expired'),
    ('expired', 'inactive'),
    ('expired', 'active'),
}


class RefillCardRefused(UserError):
    """A card was not redeemed.

    :param str message: a sentence for the one who tried; it never holds the code.
    :param str reason: a key of ``refill.card.attempt``'s reasons; JSON-2 answers it in ``context``.
    :param int card_id: the card, when it is known which one it is.
    :param context: what else JSON-2 answers.
    """

    def __init__(self, message, reason, card_id=None, **context):
        assert reason in dict(REASONS)
        super().__init__(message)
        self.reason = reason
        self.card_id = card_id
        self.is_recorded = False
        self.context = {'reason': reason, **context}


class RefillCard(models.Model):
    _name = 'refill.card'
    _description = "Refill Card"
    _order = 'id'

    series_id = fields.Many2one(
        comodel_name='refill.card.series', required=True, readonly=True, ondelete='cascade'
    )
    number = fields.Integer(required=True, readonly=True, aggregator=None)
    name = fields.Char(string="Serial Number", required=True, readonly=True)
    code_sealed = fields.Char(required=True, readonly=True, groups=fields.NO_ACCESS)
    code = fields.Char(compute='_compute_code', search='_search_code')
    state = fields.Selection(selection=STATES, string="Status", required=True, readonly=True)
    valid_till = fields.Date(help="Last day on which the card is accepted.")
    partner_id = VisibleMany2one(
        comodel_name='res.partner',
        string="Customer",
        readonly=True,
        index='btree_not_null',
        ondelete='restrict',
    )
    used_on = fields.Datetime(readonly=True)
    used_by_id = VisibleMany2one(comodel_name='res.users', readonly=True)
    company_id = VisibleMany2one(
        comodel_name='res.company', string="Redeemed in", readonly=True, index='btree_not_null'
    )
    payment_id = VisibleMany2one(
        comodel_name='account.payment', readonly=True, index='btree_not_null', ondelete='restrict'
    )
    disable_reason = fields.Selection(
        selection=[*DISABLE_REASONS, ('payment', "Payment taken back")], readonly=True
    )
    # Of a disabled or expired card, which may become again what it was.
    was_inactive = fields.Boolean(readonly=True)
    is_redeemable = fields.Boolean(compute='_compute_is_redeemable')
    is_issued = fields.Boolean(compute='_compute_is_editable', help="By a company of the manager.")
    is_editable = fields.Boolean(compute='_compute_is_editable')
    price = fields.Monetary(related='series_id.price', aggregator='sum')
    currency_id = fields.Many2one(related='series_id.currency_id')
    company_ids = fields.Many2many(related='series_id.company_ids')
    available_to = fields.Char(related='series_id.available_to')
    event_ids = fields.One2many(
        comodel_name='refill.card.event', inverse_name='card_id', string="History"
    )

    _name_unique = models.UniqueIndex('(name)', "Two cards cannot have the same serial number.")
    _code_unique = models.UniqueIndex('(code_sealed)', "Two cards cannot have the same code.")
    _series_state_idx = models.Index('(series_id, state)')
    _expiring_idx = models.Index("(valid_till) WHERE state IN ('active', 'inactive')")

    @api.depends('state', 'valid_till')
    @api.depends_context('company')
    def _compute_is_redeemable(self):
        today = self.env.company._get_refill_card_day()
        for card in self:
            card.is_redeemable = card.state == 'active' and (
                not card.valid_till or card.valid_till >= today
            )

    @api.depends('used_on')
    @api.depends_context('uid', 'allowed_company_ids')
    def _compute_is_editable(self):
        writable = self._filtered_access('write')
        for card in self:
            card.is_issued = card in writable
            card.is_editable = card.is_issued and not card.used_on

    # -------------------------------------------------------------------------
    # CODES
    # -------------------------------------------------------------------------

    @api.depends('code_sealed', 'series_id.prefix')
    @api.depends_context('uid')
    def _compute_code(self):
        """Mask the codes for everybody but the superuser: who looks at one is written down."""
        sealer = self._get_sealer_for_display()
        # sudo: no one reads the sealed code
        for card, card_sudo in zip(self, self.sudo(), strict=True):
            if not card_sudo.code_sealed:
                card.code = False
                continue
            fmt = card_sudo.series_id._get_format()
            if self.env.su:
                card.code = fmt.display(sealer.open(card_sudo.code_sealed))
            else:
                card.code = fmt.mask(self._open_for_display(sealer, card_sudo) or fmt.nothing())

    @api.model
    def _search_code(self, operator, value):
        """Find a card by its whole code, however it is typed; a part of a code finds nothing."""
        if operator not in ('in', '=', 'ilike', '=ilike', 'like'):
            return NotImplemented
        # Through other models, too, only who sees cards searches for codes.
        self.check_access('read')
        nobody = self.env['res.partner']
        found = []
        for text in map(str, [value] if isinstance(value, str) else value):
            # The list's search field takes serial numbers, too, and those are no typing errors.
            if not self._seal(text):
                continue
            try:
                with self._recording_refusals(nobody, self.env.company, channel='backend'):
                    found.append(self._find_by_code(text, nobody).id)
            except RefillCardRefused as refused:
                if refused.reason != 'unknown':
                    raise
        # The record rules still filter the cards found. Their ids, because PostgreSQL would scan
        # the table for "serial number or subquery".
        return Domain('id', 'in', found)

    @api.model
    def _seal(self, text):
        """Return the seals that a typed code can have; empty when it is not a code.

        :rtype: list[str]
        """
        try:
            bodies = codes.read(text, self.env['refill.card.series']._get_formats())
        except codes.Typo:
            return []
        sealer = self._get_sealer()
        return [sealer.seal(body) for body in bodies]

    @api.model
    def _iterate_rows(self, domain, size, on_ids=None, in_words=True):
        """Yield cards with their whole codes, in batches.

        The caller checks the right to see the codes of their series. The ORM would take four times
        as long, and remember all of them.

        :param odoo.fields.Domain domain: which cards.
        :param int size: of a batch.
        :param on_ids: called with the ids of each batch, in ascending order.
        :param bool in_words: the status as the user reads it, else its key.
        :rtype: Iterator[list[table.Row]]
        """
        # sudo: no one reads sealed codes; who may export a series may export all of its cards
        cards_sudo = self.sudo()
        sealer = self._get_sealer()
        words = self._fields['state']._description_selection(self.env)
        states = {state: word if in_words else state for state, word in words}
        columns = ('id', 'series_id', 'name', 'code_sealed', 'valid_till', 'state')
        self.flush_model(columns[1:])
        last = 0
        while True:
            after = domain & Domain('id', '>', last)
            query = cards_sudo._search(after, order='id', limit=size)
            rows = self.env.execute_query(
                query.select(*(SQL.identifier(query.table, column) for column in columns))
            )
            if not rows:
                break
            last = rows[-1][0]
            if on_ids:
                on_ids([row[0] for row in rows])
            series = cards_sudo.series_id.browse({row[1] for row in rows})
            series._mark_codes_left()
            shared = {s.id: (s._get_format(), s.price, s.currency_id.name) for s in series}
            batch = []
            for _id, series_id, name, sealed, valid_till, state in rows:
                fmt, price, currency = shared[series_id]
                code = fmt.display(sealer.open(sealed))
                batch.append(table.Row(name, code, price, currency, valid_till, states[state]))
            yield batch

    @api.model
    def _get_row_header(self):
        """Return the names of the columns of :meth:`_iterate_rows`.

        :rtype: table.Row
        """
        fnames = ('name', 'code', 'price', 'currency_id', 'valid_till', 'state')
        return table.Row(*(self._fields[name]._description_string(self.env) for name in fnames))

    @api.model
    def _get_redeemable_domain(self):
        """Return the domain of the cards that can be redeemed today, at once or once activated.

        :rtype: odoo.fields.Domain
        """
        today = self.env.company._get_refill_card_day()
        return Domain('state', 'in', ['inactive', 'active']) & (
            Domain('valid_till', '=', False) | Domain('valid_till', '>=', today)
        )

    @api.model
    def _get_server_key(self):
        """Return the key of the server's own configuration, None without one."""
        return os.environ.get('REFILL_CARDS_KEY') or config.get('refill_cards_key')

    @api.model
    def _get_sealer(self):
        """Return the sealer of this database's codes.

        :raise UserError: when the key is missing, malformed, or not the one that sealed the codes.
        """
        parameters = self.env['ir.config_parameter'].sudo()  # sudo: they hold the key
        try:
            sealer = codes.Sealer(self._get_key())
            sealer.open(parameters.get_param('refill_cards.key_check') or '')
        except codes.WrongKey:
            raise UserError(
                self.env._(
                    "The key for refill card codes is missing, malformed or not the one that"
                    " sealed the codes. Restore the key in the server's configuration"
                    " (refill_cards_key) and restart Odoo."
                )
            ) from None
        return sealer

    @api.model
    def _get_generating_sealer(self):
        """Return the sealer for new cards; as long as there are none, the key may be another one.

        :raise UserError: as :meth:`_get_sealer`.
        """
        if not self.sudo().search_count([], limit=1):
            self._adopt_key()
        return self._get_sealer()

    @api.model
    def _get_key(self):
        parameters = self.env['ir.config_parameter'].sudo()  # sudo: they hold the key
        # As text, because of what a configuration file may hold instead.
        return str(self._get_server_key() or parameters.get_param('refill_cards.key') or '')

    @api.model
    def _adopt_key(self):
        """Write down which key seals the codes of this database; a malformed one does not."""
        parameters = self.env['ir.config_parameter'].sudo()  # sudo: they hold the key
        with suppress(codes.WrongKey):
            check = codes.Sealer(self._get_key()).seal('refill_cards')
            # Searched, because the cache shows what another transaction may still roll back.
            if parameters.search([('key', '=', 'refill_cards.key_check')]).value != check:
                parameters.set_param('refill_cards.key_check', check)

    @api.model
    def _make_key(self):
        """Make a key at installation, unless the server or an earlier installation has one."""
        if not self._get_key():
            parameters = self.env['ir.config_parameter']
            parameters.set_param('refill_cards.key', codes.generate_key())
        self._adopt_key()

    # -------------------------------------------------------------------------
    # CRUD
    # -------------------------------------------------------------------------

    def write(self, vals):
        """Only the validity of a card is edited by hand, and only until it is used.

        :raise AccessError: when something else is written.
        :raise UserError: when the card was used, or the day has passed.
        """
        if self.env.su:
            return super().write(vals)
        if vals.keys() - {'valid_till'}:
            raise AccessError(
                self.env._("Only the validity of a refill card can be changed by hand.")
            )
        self.check_access('write')
        if vals:
            self._set_valid_till(fields.Date.to_date(vals['valid_till']))
        return True

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        self._check_not_used()
        # sudo: the history counts, wherever the user looks
        undone = self.env['refill.card.event'].sudo()
        domain = [('card_id', 'in', self.ids), ('old_state', '=', 'used')]
        if event := undone.search(domain, limit=1):
            raise UserError(
                self.env._(
                    "Refill card %(serial)s was used before and is part of the books: it cannot be"
                    " deleted. Disable it instead.",
                    serial=event.serial,
                )
            )

    def unlink(self):
        self.check_access('unlink')
        self._lock()
        reference = self._next_reference()
        self._record_events('deleted', channel='backend', reference=reference)
        for series, cards in self.grouped('series_id').items():
            series._log_deletion(cards, reference)
        return super().unlink()

    def _lock(self):
        """Keep other transactions from changing the cards until this one ends.

        :raise RefillCardRefused: when one of them holds a card (``busy``).
        """
        try:
            self.lock_for_update(allow_referencing=True)
        except LockError:
            raise self._refusal('busy') from None

    def _check_not_used(self):
        """:raise UserError: when a card is used, or was and its payment taken back in the books."""
        if used := self.filtered('used_on'):
            raise UserError(
                self.env._(
                    "Refill card %(serial)s was used and is part of the books: it can neither be"
                    " changed nor deleted. A manager can undo its redemption.",
                    serial=used[0].name,
                )
            )

    # -------------------------------------------------------------------------
    # STATES
    # -------------------------------------------------------------------------

    def _change_state(
        self,
        state,
        *,
        channel,
        note=None,
        reference=None,
        event=None,
        where=None,
        wait=True,
        **values,
    ):
        """Move cards to another state and write their history: the only way to do so.

        Cards from whose state the new one cannot be reached are left alone. Set-based in SQL: the
        ORM would load, write and log one card at a time. Who did it is told by the history: another
        user in each card, checked against res_users, would add a tenth to the time.

        :param str state: the new state.
        :param str channel: see ``refill.card.event``.
        :param str note: goes into the history; must not hold a code, nor anybody's name.
        :param str reference: what the events of one operation share.
        :param dict event: further column values of the events.
        :param SQL where: which cards, when they are too many for a recordset.
        :param bool wait: wait for transactions that hold a card; else such cards are left alone.
        :param values: column values to set with it; SQL may name the tables ``card``, ``series``
            and ``before``.
        :return: how many cards changed.
        :rtype: int
        """
        self.flush_model()
        now = fields.Datetime.now()
        assignments = {
            'state': state,
            'was_inactive': SQL(
                "CASE before.state WHEN 'inactive' THEN TRUE WHEN 'active' THEN NULL"
                " ELSE card.was_inactive END"
            ),
            'write_date': now,
            **values,
        }
        [[changed]] = self.env.execute_query(
            SQL(
                """
                WITH before AS (
                    SELECT id, series_id, state FROM refill_card
                     WHERE %(where)s AND state = ANY(%(sources)s)
                       FOR NO KEY UPDATE %(locked)s
                ), changed AS (
                    UPDATE refill_card card SET %(assignments)s
                      FROM before JOIN refill_card_series series ON series.id = before.series_id
                     WHERE card.id = before.id
                 RETURNING card.id, card.series_id, series.company_id, card.name,
                           before.state AS old_state
                ), logged AS (
                    INSERT INTO refill_card_event (card_id, series_id, company_id, serial,
                                                   old_state, new_state, date, user_id, channel,
                                                   note, reference %(event_columns)s)
                    SELECT id, series_id, company_id, name, old_state,
                           %(state)s, %(now)s, %(uid)s, %(channel)s, %(note)s, %(reference)s
                           %(event_values)s
                      FROM changed
                )
                SELECT count(*) FROM changed
                """,
                where=where or SQL("id = ANY(%s)", list(self.ids)),
                sources=[old for old, new in TRANSITIONS if new == state],
                locked=SQL() if wait else SQL("SKIP LOCKED"),
                assignments=SQL(', ').join(
                    SQL("%s = %s", SQL.identifier(column), value)
                    for column, value in assignments.items()
                ),
                state=state,
                now=now,
                uid=self.env.uid,
                channel=channel,
                note=note,
                reference=reference,
                **self._prepare_event_columns(event),
            )
        )
        if where:
            self.invalidate_model()
        else:
            self.invalidate_recordset()
        if changed and state in ('inactive', 'active'):
            self._unarchive_series()
        return changed

    @api.model
    def _prepare_event_columns(self, event):
        """Return what is added to the SQL that writes history.

        :param dict event: column values; may be None.
        :rtype: dict[str, SQL]
        """
        event = event or {}
        return {
            'event_columns': SQL().join(SQL(", %s", SQL.identifier(name)) for name in event),
            'event_values': SQL().join(SQL(", %s", value) for value in event.values()),
        }

    def _prepare_use_values(self):
        """Return what the history tells about the use of the card, besides its change.

        :rtype: dict
        """
        return {
            'partner_id': self.partner_id.id or None,
            'payment_id': self.payment_id.id or None,
            'used_company_id': self.company_id.id or None,
            'amount': self.price,
            'currency_id': self.currency_id.id,
        }

    @api.model
    def _unarchive_series(self):
        """Show the series again of which cards can be redeemed again."""
        # sudo: what the cards are worth is not hidden, whoever changed them
        series_sudo = self.env['refill.card.series'].sudo()
        alive = Domain('card_ids.state', 'in', ['inactive', 'active'])
        series_sudo.search(Domain('active', '=', False) & alive).action_unarchive()

    def _restore(self, where, **kwargs):
        """Make disabled or expired cards again what they were, or expired when their day is over.

        :param SQL where: which cards.
        :param kwargs: as for :meth:`_change_state`; ``valid_till`` is the new last day, if any.
        :return: how many cards changed.
        :rtype: int
        """
        day = kwargs.get('valid_till', SQL("valid_till"))
        over = SQL("(%s)::date < %s", day, self._get_westernmost_day())
        return sum(
            self._change_state(state, where=SQL("%s AND %s", where, condition), **kwargs)
            for state, condition in (
                ('expired', over),
                ('inactive', SQL("(%s) IS NOT TRUE AND was_inactive", over)),
                ('active', SQL("(%s) IS NOT TRUE AND was_inactive IS NOT TRUE", over)),
            )
        )

    def _record_events(
        self, new_state, *, channel, note=None, reference=None, event=None, where=None
    ):
        """Write history without changing the cards; set-based as :meth:`_change_state`.

        :param str new_state: None for the state that a card has.
        :param dict event: further column values of the events.
        """
        self.flush_model()
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO refill_card_event (card_id, series_id, company_id, serial, old_state,
                                               new_state, date, user_id, channel, note, reference
                                               %(event_columns)s)
                SELECT card.id, series_id, series.company_id, card.name, card.state,
                       COALESCE(%(state)s, card.state), %(now)s, %(uid)s, %(channel)s, %(note)s,
                       %(reference)s %(event_values)s
                  FROM (SELECT * FROM refill_card WHERE %(where)s) card
                  JOIN refill_card_series series ON series.id = series_id
                """,
                state=new_state,
                now=fields.Datetime.now(),
                uid=self.env.uid,
                channel=channel,
                note=note,
                reference=reference,
                where=where or SQL("id = ANY(%s)", list(self.ids)),
                **self._prepare_event_columns(event),
            )
        )
        self.invalidate_model(['event_ids'])

    @api.model
    def _next_reference(self):
        """Return the reference for the events of the next operation."""
        # sudo: the sequence is nobody's business
        return self.env['ir.sequence'].sudo().next_by_code('refill.card.event')

    def _set_valid_till(self, valid_till):
        """Give unused cards another last day; expired ones are again what they were.

        :param datetime.date | None valid_till: None for cards that stay valid.
        :raise UserError: when the day has passed, or a card was used.
        """
        self._check_not_used()
        self.env['refill.card.series']._check_day(valid_till)
        self._lock()
        self._change_valid_till(valid_till, SQL("id = ANY(%s)", list(self.ids)))

    @api.model
    def _change_valid_till(self, valid_till, where, reference=None):
        """Give cards another last day, set-based; expired ones are again what they were.

        :param datetime.date | None valid_till: None for cards that stay valid; not a passed day.
        :param SQL where: which cards; used ones are left alone.
        :return: how many cards changed.
        :rtype: int
        """
        note = self.env['refill.card.series']._get_validity_note(valid_till)
        history = {'channel': 'backend', 'note': note, 'reference': reference}
        where = SQL("%s AND used_on IS NULL", where)
        others = SQL("%s AND state <> 'expired'", where)
        self._record_events(None, where=others, **history)
        # The ORM would load all the cards.
        self.env.cr.execute(
            SQL(
                "UPDATE refill_card SET valid_till = %s, write_date = %s WHERE %s",
                *(valid_till, fields.Datetime.now(), others),
            )
        )
        changed = self.env.cr.rowcount
        expired = SQL("%s AND state = 'expired'", where)
        changed += self._restore(expired, valid_till=valid_till, **history)
        self.invalidate_model()
        return changed

    @api.model
    def _get_westernmost_day(self):
        """Return the day before which every day is over everywhere on earth.

        Redemption checks the day itself, in the customer's time zone.

        :rtype: datetime.date
        """
        return (fields.Datetime.now() - timedelta(hours=12)).date()

    @api.model
    def _cron_expire(self):
        """Expire the cards whose last day is over everywhere on earth."""
        over = SQL(
            """
            id IN (
                SELECT id FROM refill_card
                 WHERE state IN ('active', 'inactive') AND valid_till < %s
                 LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
            )
            """,
            self._get_westernmost_day(),
            EXPIRING_BATCH,
        )
        time_left = True
        while time_left and (
            expired := self._change_state('expired', channel='automatic', where=over)
        ):
            time_left = self.env['ir.cron']._commit_progress(expired)

    # -------------------------------------------------------------------------
    # REDEMPTION
    # -------------------------------------------------------------------------

    @api.model
    def redeem_code(self, code, partner_id=None, company_id=None, caller=None):
        """Redeem the card with this code for a customer: the public API.

        :param str code: as typed: case, spaces, dashes, look-alikes and the prefix do not matter.
        :param int partner_id: the customer (res.partner); the user's own contact when left out.
        :param int company_id: the company that books the payment; the user's current one when left
            out.
        :param str caller: whom a gateway with many callers asks for, such as a phone number: wrong
            codes are counted for them, and for the whole gateway at a higher number only.
        :return: ``serial``, ``amount``, ``currency`` (ISO 4217), ``payment`` (its number),
            ``payment_id``, ``balance`` (the customer's credit in the company's currency, negative
            when money is due), ``balance_currency`` and ``invoices``: a list of ``name``,
            ``amount`` and ``currency`` of what the card paid.
        :rtype: dict
        :raise RefillCardRefused: when the card is not redeemed; ``reason`` says why. When it was
            ``used``, ``context`` says whether it was ``used_for_this_customer``, as after a call
            whose answer was lost, and then the number of the ``payment``.
        :raise AccessError: when the user may not redeem, or not in that company.
        """
        if not self.env.user.has_group('refill_cards.group_refill_card_user'):
            raise AccessError(self.env._("You may not redeem refill cards for customers."))
        partner = self.env.user.partner_id
        if partner_id is not None:
            # Read with the user's own contact, whose time zone is needed later.
            ids = [self._check_id(partner_id), partner.id]
            partner = self.env['res.partner'].browse(ids[0]).with_prefetch(ids)
            partner._check_refill_card_customer()
        company = self.env.company
        if company_id is not None:
            company = self.env['res.company'].browse(self._check_id(company_id))
            if company not in self.env.user.company_ids:
                raise AccessError(self.env._("You may not redeem refill cards in this company."))
        caller = self._clean_caller(caller)
        payment = self._redeem_code(code, partner, company, channel='api', caller=caller)
        return payment._prepare_refill_card_result()

    @api.model
    def _check_id(self, value):
        """:raise UserError: when an id that came over the API is not a number."""
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31:
            return value
        raise UserError(self.env._("Customer and company are given by their numeric ids."))

    @api.model
    def _clean_caller(self, caller):
        """:raise UserError: when a gateway's caller is no short text."""
        if caller is None:
            return None
        if isinstance(caller, str) and caller.isprintable() and 0 < len(caller.strip()) <= 100:
            return caller.strip()
        raise UserError(self.env._("The caller is given as text of up to 100 characters."))

    @api.model
    def _redeem_code(self, code, partner, company, *, channel, caller=None):
        """Redeem the card with this code: where every channel comes in that has only a code.

        The caller checks that the user may act for this customer in this company.

        :param str code: as typed.
        :param res.partner partner: the customer.
        :param res.company company: which books the payment; of several, the first that accepts
            the card.
        :param str channel: see ``refill.card.event``.
        :return: the posted payment, as superuser.
        :rtype: account.payment
        :raise RefillCardRefused: when the card is not redeemed; the attempt is written down.
        """
        first = company[:1]
        with self._recording_refusals(partner, first, channel=channel):
            card = self.with_company(first)._find_by_code(code, partner, caller)
            company = card._choose_company(company)
            return card.with_company(company)._redeem(partner, company, channel=channel)

    @contextmanager
    def _recording_refusals(self, partner, company, *, channel):
        """Write down the refusals raised inside."""
        try:
            yield
        except RefillCardRefused as refused:
            if not refused.is_recorded:
                card = self.browse(refused.card_id)
                attempts = self.env['refill.card.attempt']
                attempts._record(refused.reason, partner, company, channel, card)
            raise

    @api.model
    def _find_by_code(self, code, partner, caller=None):
        """Return the card with this code, whoever may see it; wrong codes are counted.

        :param str code: as typed.
        :param res.partner partner: whom the card is for; may be empty.
        :param str caller: for whom a gateway asks.
        :rtype: refill.card
        :raise RefillCardRefused: when it is no code (``typo``) or no card's (``unknown``), or too
            many were typed (``locked_out``).
        """
        with self.env['refill.card.lockout']._guarding(partner, code, caller):
            sealed = self._seal(code) if isinstance(code, str) else []
            if not sealed:
                raise self._refuse_typo(code)
            # sudo: whoever has the code may redeem the card without any right to look at cards
            card = self.sudo().search_fetch([('code_sealed', 'in', sealed)], limit=1)
            if not card:
                raise self._refusal('unknown')
            return card

    def _redeem(self, partner, company, *, channel):
        """Turn the card into a posted payment of the customer, all of it or nothing.

        :param res.partner partner: the customer; the payment goes to the commercial partner.
        :param res.company company: which books the payment.
        :param str channel: see ``refill.card.event``.
        :return: the posted payment, as superuser.
        :rtype: account.payment
        :raise RefillCardRefused: when the card cannot be redeemed.
        :raise UserError: when the company has no journal for refill cards.
        """
        self.ensure_one()
        # A context of our own: the caller's would reach deep into Odoo's accounting, where keys
        # such as `forced_rate_from_register_payment` and `force_payment_move` change the books.
        context = {key: self.env.context.get(key) for key in ('lang', 'tz')}
        # su: redeeming needs no right on cards, payments or invoices
        card_sudo = self.with_env(self.env(su=True, context=context)).with_company(company)
        card_sudo._check_redeemable(partner, company)
        # The portal goes on after an error, with a page: nothing may stay of what failed. Refusals
        # come before, because rolling back takes time that one could measure.
        with self.env.cr.savepoint() if channel == 'portal' else nullcontext():
            payment = card_sudo._turn_into_payment(partner, company, channel=channel)
        self.env['refill.card.lockout']._forget_on_commit(partner)
        return payment.with_context(tracking_disable=False)

    def _turn_into_payment(self, partner, company, *, channel):
        """Mark the card used, and post its payment; the second half of :meth:`_redeem`."""
        values = self._prepare_payment_values(partner, company)
        use = {'partner_id': partner.id, 'used_company_id': company.id}
        used = self._change_state(
            'used',
            channel=channel,
            event={**self._prepare_use_values(), **use},
            wait=False,
            partner_id=partner.id,
            used_on=fields.Datetime.now(),
            used_by_id=self.env.uid,
            company_id=company.id,
        )
        if not used:
            raise self._refusal('busy')
        # In the company's time zone, so that what Odoo books along has the company's day.
        payments = self.env['account.payment'].with_context(
            tracking_disable=True, tz=company.sudo().refill_card_zone
        )
        payment = payments.create(values)
        payment.action_post()
        self.env['refill.card.event']._name_payment(self, payment)
        # Invoices and balance are read with SQL: what is pending is written before, in one go.
        self.env.flush_all()
        payment._pay_open_invoices()
        return payment

    def _check_redeemable(self, partner, company):
        """:raise RefillCardRefused: when the card cannot be redeemed for the customer here."""
        if self.state == 'used':
            raise self._refusal('used', partner)
        if self.state == 'disabled':
            raise self._refusal('disabled')
        if self.state == 'expired' or self._is_over(partner, company):
            raise self._refusal('expired')
        if self.state == 'inactive':
            raise self._refusal('inactive')
        if not self.series_id._is_available_to(company):
            raise self._refusal('company', company=company)
        customer_company = partner.sudo().commercial_partner_id.company_id
        if customer_company and customer_company not in company.sudo().parent_ids:
            raise self._refusal('company', partner, company=company)
        if not self._has_rate(company):
            raise self._refusal('company', company=company)

    def _is_over(self, partner, company):
        """Return whether the last day is over where the customer is, else the company."""
        return bool(self.valid_till) and self.valid_till < company._get_refill_card_day(partner)

    def _has_rate(self, company):
        """Return whether the company can book the card's currency.

        Without a rate Odoo would take one unit for one unit. Only a currency in which some company
        keeps its books, and so the one that rates refer to, may do without.
        """
        if self.currency_id == company.currency_id:
            return True

        def count(currency):
            domain = [
                ('currency_id', '=', currency.id),
                ('company_id', 'in', [False, company.root_id.id]),
                ('name', '<=', company._get_refill_card_day()),
            ]
            return self.env['res.currency.rate'].search_count(domain, limit=1)

        return self.currency_id.active and bool(
            count(self.currency_id)
            or count(company.currency_id)
            and self.env['res.company'].search_count([('currency_id', '=', self.currency_id.id)])
        )

    @api.model
    def _refusal(self, reason, partner=None, company=None):
        """Return the error for a refusal, with a sentence that helps whoever tried.

        A stranger learns that a card is used, and nothing about by whom.

        :param str reason: see ``refill.card.attempt``.
        :rtype: RefillCardRefused
        """
        sentences = {
            'typo': self.env._("This is not a card's code. Please check it for typing errors."),
            'unknown': self.env._(
                "There is no card with this code. Please compare it with the card."
            ),
            'used': self.env._("This card was already used."),
            'inactive': self.env._(
                "This card is not active yet. Please ask whoever sold it to you."
            ),
            'disabled': self.env._("This card was disabled. Please ask whoever sold it to you."),
            'busy': self.env._(
                "This card is just being redeemed. Please look at the balance first."
            ),
        }
        message = sentences.get(reason)
        if reason == 'expired':
            day = format_date(self.env, self.valid_till)
            message = self.env._("This card was valid till %(day)s.", day=day)
        elif reason == 'company':
            message = self.env._(
                "This card is not accepted by %(company)s.", company=company.sudo().name
            )
            if partner:
                message = self.env._(
                    "This customer belongs to another company than %(company)s.",
                    company=company.sudo().name,
                )
        context = {}
        if reason == 'used' and partner:
            context = self._prepare_use_context(partner)
            if context['used_for_this_customer']:
                day = format_datetime(self.env, self.used_on)
                message = self.env._(
                    "This card was already used for this account on %(day)s.", day=day
                )
        return RefillCardRefused(message, reason, card_id=self.id, **context)

    def _prepare_use_context(self, partner):
        """Return what a caller is told whose answer was lost, and nothing to others.

        :rtype: dict
        """
        if not self._was_used_by(partner):
            return {'used_for_this_customer': False}
        context = {'used_for_this_customer': True}
        if self.company_id in self.env.user.company_ids:
            context['payment'] = self.payment_id.name
        return context

    def _was_used_by(self, partner):
        """Return whether it was redeemed for this customer, wherever the contact belongs now."""
        customer = self.payment_id.partner_id.commercial_partner_id
        return self.partner_id == partner or customer == partner.sudo().commercial_partner_id

    def _prepare_payment_values(self, partner, company):
        """Return the values of the payment, booked in the company that redeems.

        :raise UserError: when the company has no journal for refill cards.
        """
        method_line = company._get_refill_card_method_line()
        if not method_line:
            raise UserError(
                self.env._(
                    "%(company)s has no journal for refill cards. Install its chart of accounts,"
                    " bring the archived journal back, or give a cash journal the incoming payment"
                    " method “Refill Card”, with a liability that is not reconciled as its"
                    " outstanding account.",
                    company=company.sudo().name,
                )
            )
        return {
            'payment_type': 'inbound',
            'partner_type': 'customer',
            # On a contact of a company the credit would be out of reach.
            'partner_id': partner.commercial_partner_id.id,
            'company_id': company.id,
            'journal_id': method_line.journal_id.id,
            'payment_method_line_id': method_line.id,
            'currency_id': self.currency_id.id,
            'amount': self.price,
            'date': self._get_payment_date(method_line.journal_id, company),
            'memo': self.name,
            'refill_card_ids': [Command.link(self.id)],
        }

    def _get_payment_date(self, journal, company):
        """Return the company's day, or the one to which a lock moves the entry.

        The payment says so, too.

        :param account.journal journal: where the payment is booked.
        :param res.company company: which books it.
        :rtype: datetime.date
        """
        today = company._get_refill_card_day()
        locks = company.sudo()._get_violated_lock_dates(today, False, journal)
        # Only a locked day makes Odoo's answer another than today, and it takes four queries.
        dated = journal.with_company(company).with_context(move_date=today)
        return dated.accounting_date if locks else today

    def _preview_redemption(self, partner, company):
        """Return what redeeming the card would do; without a card, the balance only.

        :rtype: dict
        :return: ``balance`` and ``new_balance`` in the company's currency; ``invoices``, a list of
            what the card pays: number, amount and currency; ``open``, a list of what stays open
            for a reason: number, amount, currency and the reason.
        """
        # A context of our own, as for a redemption. su: partner users have no right on invoices
        context = {key: self.env.context.get(key) for key in ('lang', 'tz')}
        card_sudo = self.with_env(self.env(su=True, context=context)).with_company(company)
        customer = partner.with_env(card_sudo.env).commercial_partner_id
        balance = customer._get_refill_card_balance(company)
        preview = {'balance': balance, 'new_balance': balance, 'invoices': [], 'open': []}
        method_line = company._get_refill_card_method_line()
        if card_sudo and method_line:
            credit = card_sudo._imagine_credit(customer, company, method_line.journal_id)
            card_sudo._preview_uses(credit, preview)
        return preview

    def _imagine_credit(self, customer, company, journal):
        """Return the credit that redeeming the card would give, which is nowhere in the books.

        :rtype: account.move.line
        """
        company = self.env['res.company'].browse(company.id)
        day = self._get_payment_date(journal, company)
        value = self.currency_id._convert(self.price, company.currency_id, company, day)
        return self.env['account.move.line']._imagine_line(
            company=company,
            date=day,
            payment=True,
            account_id=customer.property_account_receivable_id,
            partner_id=customer,
            currency_id=self.currency_id,
            amount_currency=-self.price,
            balance=-value,
        )

    def _preview_uses(self, credit, preview):
        """Fill in what the credit would do, by the same plan as the redemption."""
        lines = credit.browse()
        tree = credit.company_id.root_id
        preview['new_balance'] -= credit.balance
        debts = lines._find_refill_card_debts(credit.partner_id)
        debts = debts.filtered(lambda line: line.company_id.root_id == tree)
        if not debts:
            return
        older = lines._find_refill_card_credits(credit.partner_id)
        older = older.filtered(lambda line: line.company_id.root_id == tree)
        plan = (older + credit)._plan_refill_card_credit(debts)
        preview['new_balance'] += sum(use.change for use in plan.uses)
        preview['invoices'] = [
            (use.debt.move_id.name, use.amount, use.debt.currency_id)
            for use in plan.uses
            if use.credit == credit
        ]
        reasons = {**{debt: reason for (_, debt), reason in plan.troubles.items()}, **plan.kept}
        preview['open'] = [
            (debt.move_id.name, debt.amount_residual_currency, debt.currency_id, reason)
            for debt, reason in reasons.items()
        ]

    def _release(self):
        """Disable a used card whose payment was taken back in the books."""
        self._change_state(
            'disabled',
            channel='accounting',
            event=self._prepare_use_values(),
            disable_reason='payment',
            payment_id=None,
        )

    # -------------------------------------------------------------------------
    # UNDOING A REDEMPTION
    # -------------------------------------------------------------------------

    def _undo_redemption(self, reason):
        """Take the card's payment back in the books and give the card back to its holder.

        A card whose payment was taken back by an accountant is given back too.

        :param str reason: why, for the history and the payment's chatter.
        :raise UserError: when the card is not used.
        :raise AccessError: when the user does not manage the card, or may not work in the company
            whose books change.
        """
        self.ensure_one()
        self.check_access('write')
        self._lock()
        self._check_undoable()
        # A context of our own, as for a redemption. su: undoing needs no right on payments.
        context = {key: self.env.context.get(key) for key in ('lang', 'tz')}
        card_sudo = self.with_env(self.env(su=True, context=context))
        payment = card_sudo.payment_id.with_company(card_sudo.company_id)
        # The card first, so that the payment finds none to disable.
        with self.env['account.move']._correcting_refill_card_books():
            card_sudo._change_state(
                'expired'
                if card_sudo._is_over(card_sudo.partner_id, card_sudo.company_id)
                else 'active',
                channel='backend',
                note=reason,
                event=card_sudo._prepare_use_values(),
                disable_reason=None,
                partner_id=None,
                used_on=None,
                used_by_id=None,
                company_id=None,
                payment_id=None,
            )
            payment._take_back(reason)

    def _check_undoable(self):
        """:raise UserError: when the card is not used.
        :raise AccessError: when the user may not work in the company that redeemed it.
        """
        if not self.used_on:
            raise UserError(self.env._("Refill card %(serial)s is not used.", serial=self.name))
        if self.sudo().company_id not in self.env.user.company_ids:  # sudo: to name it
            raise AccessError(
                self.env._(
                    "Refill card %(serial)s was redeemed in %(company)s, whose books you may not"
                    " change.",
                    serial=self.name,
                    company=self.sudo().company_id.name,
                )
            )

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    @check_identity
    def action_export(self):
        """Open the window that exports these cards with their codes."""
        return self._open_export_window()

    @check_identity
    def action_print(self):
        """Open the window that exports these cards, for a PDF."""
        return self._open_export_window(file_format='pdf')

    def _open_export_window(self, **values):
        self.series_id._check_may_export()
        wizards = self.env['refill.card.export.wizard']
        return wizards._open({'card_ids': [Command.set(self.ids)], **values})

    def action_redeem(self):
        """Open the window that redeems this card for a customer."""
        self.ensure_one()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_redeem_action'
        )
        return {**action, 'context': {'default_card_id': self.id}}

    def action_change(self):
        """Open the window that changes these cards.

        :raise UserError: when the list may have handed over only a part of what was selected.
        """
        self._check_whole_selection()
        return self.env['refill.card.change'].create({'card_ids': self.ids})._get_window()

    def _check_whole_selection(self):
        """:raise UserError: when the list may have handed over only a part of what was selected."""
        parameters = self.env['ir.config_parameter'].sudo()  # sudo: a setting for everyone
        limit = int(parameters.get_param('web.active_ids_limit', 20000))
        if len(self) >= limit:
            raise UserError(
                self.env._(
                    "More cards are selected than a list hands over. Take their series, or a range"
                    " of serial numbers."
                )
            )

    def action_undo(self):
        """Open the window that undoes the redemption."""
        self.ensure_one()
        self.check_access('write')
        self._check_undoable()
        action = self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_undo_action'
        )
        return {**action, 'context': {'default_card_id': self.id}}

    def action_edit(self):
        """Open the card's form."""
        self.ensure_one()
        return self._get_records_action(view_mode='form')

    def action_delete(self):
        """Delete the card, which the list asks to confirm."""
        self.unlink()

    def action_open_payment(self):
        """Open the payment that the card was turned into."""
        self.ensure_one()
        return self.payment_id._get_records_action()
