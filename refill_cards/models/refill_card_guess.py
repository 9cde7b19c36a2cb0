import hashlib
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL
from odoo.tools.constants import GC_UNLINK_LIMIT

from .. import codes

WINDOW = timedelta(hours=1)
# Of how many customers, and addresses or logins, the wrong codes are at least that freeze a series.
# A lockout lets a customer type ten wrong codes an hour by the defaults, a tenth of those that
# freeze: so it costs guessing by many nothing, and one address, which may type more, counts no
# more than a customer does.
ORIGINS = 10


class RefillCardGuess(models.Model):
    """Counts the wrong codes that look like those of a series, whoever types them.

    The cards of series with the same look share a count, because a wrong code is of neither; where
    their companies freeze them by different numbers, a count a number. Who types more than their
    share, a tenth of the number, is not counted any more: nobody freezes a series alone, which
    would be a cheap way to stop all other customers.

    It is written in a transaction of its own, in the order of the looks: so codes typed at the same
    time are counted one after the other, and none is lost when its request is rolled back. Nobody
    has access.
    """

    _name = 'refill.card.guess'
    _description = "Wrong Codes That Look Like Those of a Series"
    _log_access = False

    look = fields.Char(required=True, help="The format of the codes, and the number that freezes.")
    guesses = fields.Json(help="When, in UTC, which, by a keyed hash, and whose lockouts.")
    counted_on = fields.Datetime(required=True)

    _look_unique = models.UniqueIndex('(look)')

    @api.model
    def _count(self, typed, origins):
        """Count a wrong code, and freeze the series of which too many came in.

        :param str typed: the code, as it came.
        :param list[int] origins: whose it is, by the ids of ``refill.card.lockout``; it counts in
            any case where nobody knows.
        :return: the ids of the series that are frozen since.
        :rtype: set[int]
        """
        limits = self._get_limits(typed)
        counts = {}
        if limits:
            with self.env.registry.cursor() as cr:
                guesses = self.with_env(self.env(cr=cr, su=True))  # su: nobody has access
                counts = guesses._add(limits, origins, guesses._seal(typed))
        # Only now: others wait for the counts.
        return self.env['refill.card.freeze']._freeze_guessed(self._find_reached(limits, counts))

    @api.model
    def _get_limits(self, typed):
        """Return of which looks a wrong code is, and how many of them freeze a series.

        :rtype: dict[str, int]
        """
        series = self.env['refill.card.series']
        limited = [
            (fmt, company.refill_card_freeze_guesses)
            for fmt, company in series._read_formats_and_issuers(self._get_limited_domain())
        ]
        alike = codes.read_each(typed, {fmt for fmt, _limit in limited})
        return {self._tell_look(fmt, limit): limit for fmt, limit in limited if fmt in alike}

    @api.model
    def _get_limited_domain(self):
        """Return the domain of the series that wrong codes can freeze."""
        return Domain('company_id.refill_card_freeze_guesses', '>', 0)

    @api.model
    def _tell_look(self, fmt, limit):
        """Return a hash of a format and of the number of wrong codes that freeze its series.

        With all forms of imported codes the format itself is too long to index.
        """
        return hashlib.sha256(f'{limit} {fmt}'.encode()).hexdigest()

    @api.model
    def _seal(self, typed):
        """Return what tells a wrong code from others: what went round among many is one guess."""
        return self.env['refill.card.lockout']._digest_sought('refill_cards-guess', typed)[:16]

    @api.model
    def _add(self, limits, origins, seal):
        """Count one more wrong code of each look, unless it is the same again, or of somebody who
        has used up their share.

        In SQL, because the ORM does not insert what may be there already. The row is held until
        this transaction ends.

        :param dict[str, int] limits: how many freeze a series, by look.
        :param list[int] origins: whose it is.
        :param str seal: see :meth:`_seal`.
        :return: how many came in within the hour, by look.
        :rtype: dict[str, int]
        """
        now = fields.Datetime.now()
        query = SQL(
            """
            INSERT INTO refill_card_guess (look, counted_on)
            SELECT look, %s FROM unnest(%s::varchar[]) AS look
                ON CONFLICT (look) DO UPDATE SET counted_on = EXCLUDED.counted_on
         RETURNING id, look, guesses
            """,
            now,
            sorted(limits),
        )
        self.env['refill.card.lockout']._execute_alone(query)
        oldest = fields.Datetime.to_string(now - WINDOW)
        counts = {}
        for id_, look, before in self.env.cr.fetchall():
            recent = [each for each in before or [] if each[0] > oldest]
            share = max(limits[look] // ORIGINS, 1)
            is_other = all(seal != each for _time, each, *_whose in recent)
            if is_other and all(
                sum(who in whose for _time, _seal, *whose in recent) < share for who in origins
            ):
                recent.append([fields.Datetime.to_string(now), seal, *origins])
            # More than freeze the series need not be remembered.
            self.browse(id_).guesses = recent[-limits[look] :]
            counts[look] = len(recent)
        return counts

    @api.model
    def _find_reached(self, limits, counts):
        """Return the series of which so many wrong codes came in that they are to be frozen.

        :param dict[str, int] limits: how many freeze a series, by look.
        :param dict[str, int] counts: how many came in, by look.
        :return: how many, by the id of the series.
        :rtype: dict[int, int]
        """
        if all(counts[look] < limit for look, limit in limits.items()):
            return {}
        reached = {}
        every_sudo = self.env['refill.card.series'].sudo()  # sudo: whoever types a code
        for series in every_sudo.search(self._get_limited_domain()):
            look = self._get_look(series)
            if look in limits and counts[look] >= limits[look]:
                reached[series.id] = counts[look]
        return reached

    @api.model
    def _get_look(self, series):
        return self._tell_look(
            series._get_format(), series.sudo().company_id.refill_card_freeze_guesses
        )

    @api.model
    def _forget(self, series):
        """Begin to count anew for series, and for those whose codes look the same.

        :param refill.card.series series: the series.
        """
        self.search([('look', 'in', list(map(self._get_look, series)))]).unlink()

    @api.autovacuum
    def _gc_guesses(self):
        oldest = fields.Datetime.now() - WINDOW
        guesses = self.search([('counted_on', '<', oldest)], limit=GC_UNLINK_LIMIT)
        guesses.unlink()
        return len(guesses), len(guesses) == GC_UNLINK_LIMIT
