from datetime import timedelta

from dateutil.relativedelta import relativedelta
from odoo import api, fields, models
from odoo.exceptions import AccessError, LockError, ValidationError
from odoo.fields import Domain
from odoo.tools import SQL, format_date

from .refill_card_history import Operation

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
EXPIRING_BATCH = 20_000
# Later is a typing error.
MAX_YEARS = 50


class RefillCard(models.Model):
    """What becomes of cards until they are redeemed: locks, states, days, expiry."""

    _inherit = 'refill.card'

    is_redeemable = fields.Boolean(compute='_compute_is_redeemable')

    def write(self, vals):
        """Only the validity of a card is edited by hand, and only until it is used.

        :raise AccessError: when what only an operation changes is written, by whomever.
        :raise UserError: when the card was used, or the day has passed.
        """
        if Operation.take(self.env):
            return super().write(vals)
        others = dict(vals)
        if any(self._is_protected(fname) for fname in vals):
            raise AccessError(
                self.env._("Only the validity of a refill card can be changed by hand.")
            )
        if 'valid_till' in others:
            self.check_access('write')
            day = fields.Date.to_date(others.pop('valid_till')) or None
            self._check_not_used()
            self._lock()
            self._check_day(day)
            # sudo: the right is checked; PostgreSQL would look at the rules for each statement
            self.sudo()._set_valid_till(Domain('id', 'in', self.ids), day)
        return super().write(others)

    def unlink(self):
        self.check_access('unlink')
        self._lock(allow_referencing=False)
        self.env['refill.card.event']._check_seen('card_id', self)
        reference = self._next_reference()
        self._log_deleted(reference)
        for series, cards in self.grouped('series_id').items():
            series._log_cards_deleted(cards, reference)
        return super().unlink()

    def _is_protected(self, fname):
        """Return whether only an operation sets the field; another addon's own is not meant."""
        field = self._fields.get(fname)
        return field and fname != 'valid_till' and self._original_module in field._modules

    def _lock(self, allow_referencing=True):
        """Keep other transactions from changing the cards until this one ends.

        :param bool allow_referencing: whether they may write about them.
        :raise RefillCardRefused: when one of them holds a card (``busy``).
        """
        try:
            self.lock_for_update(allow_referencing=allow_referencing)
        except LockError:
            raise self[:1]._refusal('busy') from None

    @api.model
    def _touch(self, series):
        """Write all cards of series, so that whoever uses one meanwhile has to try again.

        PostgreSQL lets two transactions pass that only read what the other one writes.
        """
        if series:
            self.env.cr.execute(
                SQL(
                    "UPDATE refill_card SET write_date = %s WHERE series_id = ANY(%s)",
                    fields.Datetime.now(),
                    list(series.ids),
                )
            )

    def _keep(self):
        """Return the ids of those of the cards that stay until this transaction ends.

        In SQL, because the ORM has no lock that lets others change the cards meanwhile. It does not
        wait for whoever just deletes a card.

        :rtype: set[int]
        """
        rows = self.env.execute_query(
            SQL(
                "SELECT id FROM refill_card WHERE id = ANY(%s) FOR KEY SHARE SKIP LOCKED",
                list(filter(None, self._ids)),
            )
        )
        return {row[0] for row in rows}

    # -------------------------------------------------------------------------
    # STATES
    # -------------------------------------------------------------------------

    def _change_state(
        self,
        state,
        *,
        channel='backend',
        note=None,
        reference=None,
        event=None,
        domain=None,
        limit=None,
        wait=True,
        **values,
    ):
        """Move cards to another state and into the audit log: the only way to do so.

        Cards from whose state the new one cannot be reached are left alone, and so are those that
        another card replaced. Set-based in SQL: the
        ORM would load, write and log one card at a time. Who did it is told by the log: another
        user in each card, checked against res_users, would add a tenth to the time.

        :param str state: the new state.
        :param str channel: see ``refill.card.event``.
        :param str note: goes into the audit log; must not hold a code, nor anybody's name.
        :param str reference: what the events of one operation share.
        :param dict event: further column values of the events; SQL may name the card's new
            ``terms`` and ``holder_id``, and its ``old_terms``, as ``card``'s.
        :param odoo.fields.Domain domain: which cards, when they are too many for a recordset.
        :param int limit: see :meth:`_get_condition`.
        :param bool wait: wait for transactions that hold a card; else such cards are left alone.
        :param values: column values to set with it; SQL may name the tables ``card``, ``series``
            and ``before``.
        :return: how many cards changed.
        :rtype: int
        """
        self.flush_model()
        assignments = {
            'state': state,
            'was_inactive': SQL(
                "CASE before.state WHEN 'inactive' THEN TRUE WHEN 'active' THEN NULL"
                " ELSE card.was_inactive END"
            ),
            'was_used': SQL("CASE before.state WHEN 'used' THEN TRUE ELSE card.was_used END"),
            'write_date': fields.Datetime.now(),
            **values,
        }
        events = {'channel': channel, 'note': note, 'reference': reference, **(event or {})}
        [[changed]] = self.env.execute_query(
            SQL(
                """
                WITH before AS (
                    SELECT * FROM refill_card
                     WHERE %(which)s AND state = ANY(%(sources)s)
                       AND disable_reason IS DISTINCT FROM 'replaced'
                       FOR NO KEY UPDATE %(locked)s
                ), changed AS (
                    UPDATE refill_card card SET %(assignments)s
                      FROM before JOIN refill_card_series series ON series.id = before.series_id
                     WHERE card.id = before.id
                 RETURNING card.id, card.series_id, series.company_id, card.name,
                           before.state AS old_state, before.terms AS old_terms,
                           card.terms, card.holder_id, card.historical_value
                ), logged AS (%(logged)s), noticed AS (%(noticed)s)
                SELECT count(*) FROM changed
                """,
                which=self._get_condition(domain, limit),
                sources=[old for old, new in TRANSITIONS if new == state],
                locked=SQL() if wait else SQL("SKIP LOCKED"),
                assignments=SQL(', ').join(
                    SQL("%s = %s", SQL.identifier(column), value)
                    for column, value in assignments.items()
                ),
                logged=self.env['refill.card.event']._get_insert(
                    SQL("changed"), new_state=state, **events
                ),
                noticed=self.env['refill.card.outbox']._get_insert(SQL("logged")),
            )
        )
        if domain is None:
            self.invalidate_recordset()
        else:
            self.invalidate_model()
        if changed and state in ('inactive', 'active'):
            self._unarchive_series()
        return changed

    @api.model
    def _unarchive_series(self):
        """Show the series again of which cards can be redeemed again."""
        # sudo: what the cards are worth is not hidden, whoever changed them
        series_sudo = self.env['refill.card.series'].sudo()
        alive = Domain('card_ids.state', 'in', ['inactive', 'active'])
        series_sudo.search(Domain('active', '=', False) & alive).action_unarchive()

    @api.model
    def _restore(self, domain, **kwargs):
        """Make disabled or expired cards again what they were, or expired when their day is over.

        :param odoo.fields.Domain domain: which cards.
        :param kwargs: as for :meth:`_change_state`; ``valid_till`` is the new last day, if any.
        :return: how many cards changed.
        :rtype: int
        """
        over = self._get_over_domain()
        if 'valid_till' in kwargs:  # which has not passed
            over = Domain.FALSE
        inactive = Domain('was_inactive', '=', True)
        return sum(
            self._change_state(state, domain=domain & condition, **kwargs)
            for state, condition in (
                ('expired', over),
                ('inactive', ~over & inactive),
                ('active', ~over & ~inactive),
            )
        )

    # -------------------------------------------------------------------------
    # DAYS
    # -------------------------------------------------------------------------
    # A card is accepted on its last day, as long as that lasts where the customer is.

    @api.depends('state', 'valid_till')
    @api.depends_context('company')
    def _compute_is_redeemable(self):
        today = self.env.company._get_refill_card_day()
        for card in self:
            card.is_redeemable = card.state == 'active' and (
                not card.valid_till or card.valid_till >= today
            )

    @api.model
    def _get_redeemable_domain(self):
        """Return the domain of the cards that can be redeemed today, at once or once activated.

        :rtype: odoo.fields.Domain
        """
        today = self.env.company._get_refill_card_day()
        return Domain('state', 'in', ['inactive', 'active']) & (
            Domain('valid_till', '=', False) | Domain('valid_till', '>=', today)
        )

    def _is_over(self, partner, company):
        """Return whether the last day is over where the customer is, else the company."""
        return bool(self.valid_till) and self.valid_till < company._get_refill_card_day(partner)

    @api.model
    def _check_day(self, day):
        """:raise ValidationError: when the last day has passed, or is too far away."""
        today = self.env.company._get_refill_card_day()
        if day and day > today + relativedelta(years=MAX_YEARS):
            raise ValidationError(self._get_too_long_sentence())
        if day and day < today:
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

    @api.model
    def _set_valid_till(self, domain, day, reference=None):
        """Give unused cards another last day; expired ones are again what they were.

        :param odoo.fields.Domain domain: which cards; used ones are left alone.
        :param datetime.date | None day: None for cards that stay valid; not a passed day.
        :param str reference: what the events of one operation share.
        :return: how many cards changed.
        :rtype: int
        """
        note = self.env._("Valid without end")
        if day:
            note = self.env._("Valid till %(day)s", day=day)
        history = {'note': note, 'reference': reference}
        domain &= Domain('used_on', '=', False)
        others = domain & Domain('state', '!=', 'expired')
        self._log(domain=others, **history)
        # The ORM would load all the cards.
        self.env.cr.execute(
            SQL(
                "UPDATE refill_card SET valid_till = %s, write_date = %s WHERE %s",
                *(day, fields.Datetime.now(), self._get_condition(others)),
            )
        )
        changed = self.env.cr.rowcount
        expired = domain & Domain('state', '=', 'expired')
        changed += self._restore(expired, valid_till=day, **history)
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
    def _get_over_domain(self):
        """Return the domain of the cards whose last day is over everywhere on earth.

        :rtype: odoo.fields.Domain
        """
        return Domain('valid_till', '<', self._get_westernmost_day())

    @api.model
    def _cron_expire(self):
        """Expire the cards whose last day is over everywhere on earth."""
        over = Domain('state', 'in', ['active', 'inactive']) & self._get_over_domain()
        time_left = True
        while time_left and (
            expired := self._change_state(
                'expired', channel='automatic', domain=over, limit=EXPIRING_BATCH
            )
        ):
            time_left = self.env['ir.cron']._commit_progress(expired)
