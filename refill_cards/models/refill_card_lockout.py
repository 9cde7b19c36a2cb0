import logging
from contextlib import contextmanager
from datetime import timedelta
from math import ceil

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tools import SQL, format_date, format_time, hmac
from odoo.tools.constants import GC_UNLINK_LIMIT
from psycopg2 import Error

from ..codes import read_each
from ..refusals import RefillCardRefused
from .visible_fields import VisibleMany2one

_logger = logging.getLogger(__name__)

# Of the settings; codes.GUESSES_A_YEAR follows from them.
DEFAULTS = {
    'guesses': 5,  # unknown codes a lock
    'first_lock': 15,  # minutes
    'second_lock': 60,  # minutes
    'further_lock': 24 * 60,  # minutes
    'short_guesses': 2,  # the same, of codes that could be guessed
    'address_guesses': 20,  # unknown codes
    'address_window': 10,  # minutes
    'address_wait': 1,  # minutes
    'typos': 60,  # an hour
    'alert': 200,  # refused codes an hour
    'person_alert': 20,  # codes shown or guessed an hour
    'attempt_days': 90,  # days
}
HIGHEST_NUMBER = 100_000
TYPOS_WINDOW = timedelta(hours=1)
# Between a gateway's login and its caller.
GATEWAY = ' / '
GATEWAY_FACTOR = 10
# Unknown codes: more than lock out anybody but a whole gateway.
REMEMBERED = 50


class RefillCardLockout(models.Model):
    """Counts the wrong codes for one customer, or from one address or user of the backend."""

    _name = 'refill.card.lockout'
    _description = "Refill Card Lockout"
    _order = 'locked_until desc, id desc'
    _log_access = False

    partner_id = VisibleMany2one(
        comodel_name='res.partner',
        string="Customer",
        ondelete='cascade',
        help="Whom the card was for, whoever typed the code.",
    )
    origin = fields.Char(
        string="IP Address or User",
        help="Of IPv6 the network that one connection usually has. Where staff or a program typed"
        " the code, their login.",
    )
    company_ids = fields.Many2many(
        comodel_name='res.company', string="Companies", help="Where the cards were to be redeemed."
    )
    guesses = fields.Integer(
        string="Unknown Codes",
        default=0,
        help="For a customer since the last success, from an address or user in the last minutes.",
    )
    typos = fields.Integer(string="Typing Errors", default=0, help="Within the last hour.")
    # When, in UTC, oldest first.
    guessed_at = fields.Json()
    mistyped_at = fields.Json()
    # Of the last unknown codes only keyed hashes: typing one of them again is no other guess.
    last_unknown = fields.Char(groups=fields.NO_ACCESS)
    counted_on = fields.Datetime(string="Last Wrong Code", required=True, index=True)
    locked_until = fields.Datetime(string="Locked until")
    # The lock of which a refusal was written down: one is enough.
    recorded_until = fields.Datetime(string="Recorded until")
    is_locked = fields.Boolean(compute='_compute_is_locked')
    # What the alert about a user needs: when they looked at codes, and when managers were told.
    shown_at = fields.Json()
    alerted_on = fields.Datetime(string="Alerted on")
    unlocked_on = fields.Datetime(string="Unlocked on")
    unlocked_by_id = fields.Many2one(
        comodel_name='res.users', string="Unlocked by", ondelete='set null'
    )

    _partner_unique = models.UniqueIndex('(partner_id)')
    _origin_unique = models.UniqueIndex('(origin)')

    @api.depends('locked_until')
    def _compute_is_locked(self):
        now = fields.Datetime.now()
        for lockout in self:
            lockout.is_locked = bool(lockout.locked_until and lockout.locked_until > now)

    @api.depends('partner_id', 'origin')
    @api.depends_context('uid', 'allowed_company_ids')
    def _compute_display_name(self):
        for lockout in self:
            name = lockout.partner_id.display_name or lockout.origin
            lockout.display_name = name or self.env._("A customer out of sight")

    # -------------------------------------------------------------------------
    # GUARD
    # -------------------------------------------------------------------------

    @api.model
    @contextmanager
    def _guarding(self, partner, typed, caller=None):
        """Let one code be looked up inside, and count the refusal that is raised there.

        The counts are held in a transaction of their own from before the code is looked up until
        its refusal is counted. So a refusal counts although it is rolled back, and attempts at the
        same time wait for each other: none is looked up before the one before it was counted.

        :param res.partner partner: whom the card is for; may be empty.
        :param typed: the code, as it came.
        :param str caller: for whom a gateway asks, see ``refill.card.redeem_code``.
        :return: the counts, and the ids of the series that are frozen.
        :raise RefillCardRefused: when the customer, or whoever types, must wait (``locked_out``).
        """
        guessers = None
        with self._holding(partner, caller) as (lockouts, frozen):
            if not (refused := lockouts._refuse_locked(partner)):
                try:
                    yield lockouts, frozen
                except RefillCardRefused as error:
                    guessers = lockouts._count(error.reason, self.env.company, typed)
                    refused = error
                else:
                    lockouts.env.cr.rollback()
        if refused:
            # Only now: whoever else has the same counts waits for them.
            self._count_for_series(typed, guessers)
            raise refused

    @api.model
    def _guard_each(self, partner, typed, caller, look_up):
        """Let many codes be looked up, and count their refusals as if they came one by one.

        :param list typed: the codes, as they came.
        :param look_up: called with what :meth:`_guarding` gives; yields for each of them what was
            found, or its refusal.
        :return: the same, with a refusal where they must wait (``locked_out``).
        :rtype: list
        """
        with self._holding(partner, caller) as (lockouts, frozen):
            outcomes = []
            for code, outcome in zip(typed, look_up(lockouts, frozen), strict=True):
                if refused := lockouts._refuse_locked(partner):
                    outcome = refused
                elif isinstance(outcome, RefillCardRefused):
                    guessers = lockouts._count(outcome.reason, self.env.company, code)
                    frozen |= self._count_for_series(code, guessers)
                outcomes.append(outcome)
            return outcomes

    def _refuse_locked(self, partner):
        """Return the refusal when one of these is locked out, None otherwise.

        Whoever goes on typing is written down once a lock.

        :param res.partner partner: whom the card is for; may be empty.
        """
        locked = self.filtered('is_locked')
        if not locked:
            return None
        latest = locked.sorted('locked_until')[-1]
        refused = RefillCardRefused(latest._describe_lock(partner), 'locked_out')
        unrecorded = locked.filtered(lambda lock: lock.recorded_until != lock.locked_until)
        refused.is_recorded = not unrecorded
        for lockout in unrecorded:
            lockout.recorded_until = lockout.locked_until
        return refused

    def _describe_lock(self, partner):
        """Return the sentence that says how long to wait, and whom to ask.

        :param res.partner partner: whom the card is for; may be empty.
        """
        user = self.env.user
        # sudo: only where the customer's clock stands
        zone = (self.partner_id and partner.sudo().tz) or user.tz or 'UTC'
        # To the next whole minute, which is what is shown.
        until = self.locked_until + timedelta(seconds=59)
        here = self.with_context(tz=zone)
        time = format_time(here.env, until, tz=zone, time_format='short')
        day = fields.Datetime.context_timestamp(here, until).date()
        if day != fields.Date.context_today(here):
            time = f"{format_date(self.env, day)} {time}"
        if zone != user.tz:
            time = f"{time} ({zone})"
        if not user.share:
            return self.env._(
                "Too many wrong codes. Please try again after %(time)s, or ask a manager of refill"
                " cards to unlock it.",
                time=time,
            )
        company = self.env.company
        contact = ', '.join(filter(None, [company.name, company.phone or company.email]))
        return self.env._(
            "Too many wrong codes. Please try again after %(time)s, or ask us: %(contact)s.",
            time=time,
            contact=contact,
        )

    # -------------------------------------------------------------------------
    # COUNTING
    # -------------------------------------------------------------------------

    def _count(self, reason, company, typed):
        """Count a refused code, and lock out whoever has typed too many.

        :param str reason: see ``refill.card.attempt``; only some count.
        :param res.company company: where the card was to be redeemed.
        :param typed: the code, as it came; the same unknown one again is no other guess, also when
            a call that crashed is repeated.
        :return: where it is a guess, whose it is: by the ids, without those of whole gateways.
        :rtype: list[int] | None
        """
        now = fields.Datetime.now()
        customer, is_guess = self.filtered('partner_id'), False
        if reason == 'unknown':
            seal = self._digest_sought('refill_cards-unknown', typed)
            guessing = self.filtered(lambda lockout: seal not in (lockout.last_unknown or ''))
            weight = self._weigh(typed)
            (guessing & customer)._count_guess(now, weight)
            (guessing - customer)._count_guess_of_origin(now, weight)
            for lockout in guessing:
                last = (lockout.last_unknown or '').split()
                lockout.last_unknown = ' '.join([*last, seal][-REMEMBERED:])
            is_guess = bool(guessing or not self)
        elif reason == 'typo':
            (customer or self)._count_typo(now)
        self.write({'counted_on': now, 'company_ids': [Command.link(company.id)]})
        return self.filtered(lambda lockout: not lockout._is_gateway()).ids if is_guess else None

    @api.model
    def _digest_sought(self, scope, typed):
        """Return a keyed hash of what was looked up: of some codes the case matters, of others not.

        :param str scope: what it is for.
        :param str typed: the code, as it came.
        :rtype: str
        """
        return hmac(self.env, scope, ' '.join(sorted(self.env['refill.card']._seal(typed))))

    @api.model
    def _weigh(self, typed):
        """Return as how many guesses a wrong code counts: more where codes could be guessed.

        :rtype: int
        """
        formats = self.env['refill.card.series']._get_formats()
        short = [fmt for fmt in formats if fmt.is_short]
        if not short or not read_each(typed, short):
            return 1
        return ceil(self._get_number('guesses') / self._get_number('short_guesses'))

    def _count_guess(self, now, weight):
        """Lock out the customer when they have guessed so often again, longer each time.

        :param int weight: as how many guesses this one counts.
        """
        limit = self._get_number('guesses')
        for lockout in self:
            before = lockout.guesses // limit
            lockout.guesses += weight
            locks = lockout.guesses // limit
            if locks > before:
                name = ('first_lock', 'second_lock', 'further_lock')[min(locks, 3) - 1]
                lockout.locked_until = now + timedelta(minutes=self._get_number(name))

    def _count_guess_of_origin(self, now, weight):
        """Let whoever is behind the address wait a little when it guesses often.

        :param int weight: as how many guesses this one counts.
        """
        window = timedelta(minutes=self._get_number('address_window'))
        for lockout in self:
            lockout.guessed_at = self._slide(lockout.guessed_at, now, window)
            lockout.guesses = len(lockout.guessed_at)
            if lockout.guesses * weight >= lockout._get_limit('address_guesses'):
                lockout.locked_until = now + timedelta(minutes=self._get_number('address_wait'))

    def _count_typo(self, now):
        """Lock out with a flood of typing errors, until one more would be none."""
        for lockout in self:
            limit = lockout._get_limit('typos')
            lockout.mistyped_at = self._slide(lockout.mistyped_at, now, TYPOS_WINDOW)
            lockout.typos = len(lockout.mistyped_at)
            if lockout.typos >= limit:
                first = fields.Datetime.to_datetime(lockout.mistyped_at[-limit])
                lockout.locked_until = first + TYPOS_WINDOW

    def _get_limit(self, name):
        """Return a setting, higher for a gateway as a whole."""
        return self._get_number(name) * (GATEWAY_FACTOR if self._is_gateway() else 1)

    def _is_gateway(self):
        """Return whether many callers count here together, each of whom counts alone, too."""
        return (self.origin or '').endswith(GATEWAY)

    @api.model
    def _slide(self, times, now, window):
        """Return the times, as text, that are no longer ago than the window, and now."""
        oldest = fields.Datetime.to_string(now - window)
        return [*(time for time in times or [] if time > oldest), fields.Datetime.to_string(now)]

    @api.model
    def _get_number(self, name):
        """Return a setting; what is no sensible number counts as the default.

        :param str name: a key of ``DEFAULTS``.
        """
        # sudo: whoever types a code has no right on the settings
        value = self.env['ir.config_parameter'].sudo().get_param(f'refill_cards.{name}')
        is_number = value and value.isdecimal() and 0 < int(value) <= HIGHEST_NUMBER
        return int(value) if is_number else DEFAULTS[name]

    # -------------------------------------------------------------------------
    # FORGETTING
    # -------------------------------------------------------------------------

    @api.model
    def _forget_on_commit(self, partner):
        """Forget the wrong codes for a customer who has redeemed a card, once that is certain.

        Not while they are locked out: staff can still redeem a card that they pick from the list.
        In SQL, in a transaction of its own: this one cannot see what was counted meanwhile.

        :param res.partner partner: whom the card was for.
        """
        query = SQL(
            """
            UPDATE refill_card_lockout
               SET guesses = 0, typos = 0, mistyped_at = NULL, locked_until = NULL,
                   last_unknown = NULL
             WHERE partner_id = %(partner_id)s AND (guesses > 0 OR typos > 0)
               AND (locked_until IS NULL OR locked_until <= %(now)s)
            """,
            partner_id=partner.commercial_partner_id.id,
            now=fields.Datetime.now(),
        )

        @self.env.cr.postcommit.add
        def forget():
            try:
                with self.env.registry.cursor() as cr:
                    self.with_env(self.env(cr=cr))._execute_alone(query)
            except Error:
                # The card is redeemed: an error now would say that it is not.
                _logger.warning("The wrong codes for a customer stay counted", exc_info=True)

    @api.autovacuum
    def _gc_lockouts(self):
        """Forget whoever has typed no wrong code for as long as attempts are kept."""
        now = fields.Datetime.now()
        lockouts = self.search(
            [
                ('counted_on', '<', now - timedelta(days=self._get_number('attempt_days'))),
                '|',
                ('locked_until', '=', False),
                ('locked_until', '<', now),
            ],
            limit=GC_UNLINK_LIMIT,
        )
        lockouts.unlink()
        return len(lockouts), len(lockouts) == GC_UNLINK_LIMIT

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_unlock(self):
        """Let them try again at once, from the first code on; managers only.

        :raise UserError: when the manager is one of them.
        """
        self.check_access('read')  # which managers have, and nobody else
        self._check_not_own()
        lockouts_sudo = self.sudo()  # sudo: the counts are changed in no other way
        lockouts_sudo.write(
            {
                'guesses': 0,
                'typos': 0,
                'guessed_at': False,
                'mistyped_at': False,
                'last_unknown': False,
                'locked_until': False,
                'unlocked_on': fields.Datetime.now(),
                'unlocked_by_id': self.env.uid,
            }
        )
        for lockout in lockouts_sudo:
            lockout._record_unlocking()

    def _check_not_own(self):
        """:raise UserError: when the user would unlock themselves."""
        user = self.env.user
        own = user.partner_id | user.partner_id.commercial_partner_id
        for lockout in self.sudo():  # sudo: a contact out of sight may be one's own
            origin = lockout.origin or ''
            is_own = origin == user.login or origin.startswith(user.login + GATEWAY)
            if is_own or lockout.partner_id in own:
                raise UserError(
                    self.env._("Nobody unlocks themselves. Please ask another manager to do it.")
                )

    def _record_unlocking(self):
        """Write into the audit log of each company concerned who was unlocked."""
        note = self.env._("Unlocked")
        if self.origin:
            note = self.env._("Unlocked: %(who)s", who=self.origin)
        for company in self.company_ids:
            self.env['refill.card.event']._write_down(
                company, '–', note, partner_id=self.partner_id.id
            )
