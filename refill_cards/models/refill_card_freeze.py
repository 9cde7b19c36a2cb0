import logging
from datetime import timedelta

from odoo import SUPERUSER_ID, api, fields, models
from odoo.tools import SQL

from ..wording import format_count
from .visible_fields import UncheckedMany2one

_logger = logging.getLogger(__name__)

# How many series an alert names.
NAMED = 10
# For whoever holds a series, in milliseconds, and until the job tries again.
LOCK_TIMEOUT = '1000'
RETRY = timedelta(seconds=10)


class RefillCardFreeze(models.Model):
    """Which series are frozen, why, and since when: one row each, gone once it is released.

    Apart from the series, whose row may be held by somebody who waits for this. Nobody has access.
    """

    _name = 'refill.card.freeze'
    _description = "Frozen Refill Card Series"
    _order = 'id'
    _log_access = False

    series_id = UncheckedMany2one(
        comodel_name='refill.card.series', required=True, ondelete='cascade'
    )
    date = fields.Datetime(required=True)
    cause = fields.Selection(
        selection=[('guesses', "Wrong Codes"), ('canary', "Canary")], required=True
    )
    guesses = fields.Integer(help="How many wrong codes came in within an hour.")
    user_id = UncheckedMany2one(comodel_name='res.users', help="Who typed the canary.")
    channel = fields.Char(required=True, help="Where: see refill.card.event.")
    is_told = fields.Boolean(help="Whether the audit log and the managers were told.")

    _series_unique = models.UniqueIndex('(series_id)')

    # -------------------------------------------------------------------------
    # FREEZING
    # -------------------------------------------------------------------------

    @api.model
    def _freeze_guessed(self, guesses):
        """Freeze the series of which too many wrong codes came in.

        :param dict[int, int] guesses: how many, by the id of the series.
        :return: the ids of the series.
        :rtype: set[int]
        """
        return self._freeze('guesses', guesses, SUPERUSER_ID, 'automatic')

    @api.model
    def _freeze_caught(self, series_ids, channel):
        """Freeze the series of which the user typed a canary.

        :param list[int] series_ids: the ids of the series.
        :param str channel: where it was typed, see ``refill.card.event``.
        :return: the ids of the series.
        :rtype: set[int]
        """
        return self._freeze('canary', dict.fromkeys(series_ids, 0), self.env.uid, channel)

    @api.model
    def _freeze(self, cause, guesses, user_id, channel):
        """Freeze series once, whoever else does so, and whatever becomes of the request.

        That codes of a series were stolen is told although wrong codes froze it before.

        In SQL, because the ORM does not pass over those that somebody just froze.

        :param str cause: why.
        :param dict[int, int] guesses: how many wrong codes came in, by the id of the series.
        :param int user_id: who did it, for the audit log.
        :param str channel: where it was done.
        :return: the ids of the series.
        :rtype: set[int]
        """
        if not guesses:
            return set()
        series_ids = sorted(guesses)  # in one order, whoever freezes several
        query = SQL(
            """
            INSERT INTO refill_card_freeze
                   (series_id, guesses, date, cause, user_id, channel, is_told)
            SELECT id, guesses, %s, %s, %s, %s, FALSE
              FROM unnest(%s, %s) AS series (id, guesses)
                ON CONFLICT (series_id) DO UPDATE
               SET cause = EXCLUDED.cause, user_id = EXCLUDED.user_id,
                   channel = EXCLUDED.channel, is_told = FALSE
             WHERE refill_card_freeze.cause = 'guesses' AND EXCLUDED.cause = 'canary'
         RETURNING id
            """,
            *(fields.Datetime.now(), cause, user_id, channel),
            *(series_ids, [guesses[id_] for id_ in series_ids]),
        )
        try:
            with self.env.registry.cursor() as cr:
                self.env['refill.card.lockout'].with_env(self.env(cr=cr))._execute_alone(query)
                is_new = bool(cr.rowcount)
            if is_new:
                self._tell_at_once()
        except Exception:
            # Whoever typed the code gets the answer of any other.
            _logger.exception("Series are not frozen: %s", series_ids)
        return set(guesses)

    def _describe_cause(self):
        """Return why the series is frozen.

        :rtype: str
        """
        if self.cause == 'canary':
            return self.env._(
                "Somebody typed one of its canaries, which no customer has: codes were stolen."
            )
        return self.env._(
            "%(count)s wrong codes that look like those of the series came in within an hour.",
            count=format_count(self.env, self.guesses),
        )

    # -------------------------------------------------------------------------
    # TELLING
    # -------------------------------------------------------------------------

    @api.model
    def _tell_at_once(self):
        """Tell the audit log, the managers and other systems now; if that fails, a job does soon.

        The series may be held, even by the transaction that waits for this one.
        """
        try:
            self._tell()
        except Exception:
            # The series is frozen all the same.
            _logger.warning("A frozen series is told of later", exc_info=True)
            with self.env.registry.cursor() as cr:
                job = self.with_env(self.env(cr=cr)).env.ref('refill_cards.ir_cron_alert')
                job.sudo()._trigger(fields.Datetime.now() + RETRY)  # sudo: whoever typed a code

    @api.model
    def _tell(self):
        """Tell once of each series that was frozen: one alert for those frozen together.

        In a transaction of its own: what fails here must not end the one of the caller. What cannot
        be told to one company is told to the others, and of what is gone nobody is told.

        :raise Exception: when one company could not be told, after the others were.
        """
        failures = []
        query = SQL(
            "UPDATE refill_card_freeze SET is_told = TRUE WHERE id IN"
            " (SELECT id FROM refill_card_freeze WHERE NOT is_told FOR UPDATE SKIP LOCKED)"
            " RETURNING id"
        )
        with self.env.registry.cursor() as cr:
            freezes = self.with_env(self.env(cr=cr, user=SUPERUSER_ID, context={}))
            freezes.env['refill.card.lockout']._execute_alone(query)
            told = freezes.browse(sorted(row[0] for row in cr.fetchall()))
            cr.execute(SQL("SET LOCAL lock_timeout = %s", LOCK_TIMEOUT))
            there = told.series_id.exists()
            gone = told.filtered(lambda freeze: freeze.series_id not in there)
            for company, theirs in (told - gone).grouped(lambda f: f.series_id.company_id).items():
                try:
                    with cr.savepoint():
                        theirs._tell_of(company)
                except Exception as failure:
                    failures.append(failure)
                    theirs.is_told = False
            gone.unlink()
        if failures:
            raise failures[0]

    def _tell_of(self, company):
        for freeze in self:
            freeze._write_down()
        self._tell_managers_of(company)

    def _write_down(self):
        """Tell the audit log, and other systems."""
        here = self.with_context(lang=self.series_id.company_id.partner_id.lang)
        note = here.env._("Frozen: %(why)s", why=here._describe_cause())
        self.series_id._log(note, user_id=self.user_id.id, channel=self.channel)
        data = {'alert': 'series_frozen', 'cause': self.cause, 'count': self.guesses}
        self.series_id._tell('alert', data)

    def _tell_managers_of(self, company):
        """Give each manager of the company an activity, an e-mail, and a word on their screen."""
        template = self.env.ref('refill_cards.mail_template_frozen_series')
        for manager in company._get_refill_card_managers():
            # Without Odoo's own e-mail about a new activity, which would be the second one.
            theirs = self.with_context(lang=manager.lang, mail_activity_quick_update=True)
            summary, note = theirs._describe()
            company.with_env(theirs.env).partner_id.activity_schedule(
                'mail.mail_activity_data_warning',
                user_id=manager.id,
                summary=summary,
                note=note,
            )
            template.with_context(frozen_note=note).send_mail(manager.id)
            action = theirs.series_id._get_frozen_action()
            manager._tell_refill_cards_done(summary, theirs.env._("Open"), action, success=False)
        self.env.ref('mail.ir_cron_mail_scheduler_action')._trigger()

    def _describe(self):
        """Return the title and the text of the alert.

        :rtype: tuple[str, str]
        """
        names = self.series_id.mapped('name')
        if more := names[NAMED:]:
            names = [*names[:NAMED], self.env._("%(count)s more", count=len(more))]
        names = ', '.join(names)
        summary = self.env._("Refill cards are frozen: series %(series)s", series=names)
        note = self.env._(
            "Series %(series)s cannot be redeemed in the portal and over the API. %(why)s Refill"
            " Cards > Protection > Refused Codes says who typed them, and from where. Staff can"
            " still redeem these cards. Once you know what happened, release the series.",
            series=names,
            why=self[:1]._describe_cause(),
        )
        return summary, note
