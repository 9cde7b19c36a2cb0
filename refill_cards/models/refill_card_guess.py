import hashlib
from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL
from odoo.tools.constants import GC_UNLINK_LIMIT

from .. import codes

WINDOW = timedelta(hours=1)


class RefillCardGuess(models.Model):
    """Counts the wrong codes that look like those of a series, whoever types them.

    The cards of series with the same look share a count, because a wrong code is of neither. It is
    written in a transaction of its own, by one statement, in the order of the looks: so codes typed
    at the same time are counted one after the other, and none is lost when its request is rolled
    back. Nobody has access.
    """

    _name = 'refill.card.guess'
    _description = "Wrong Codes That Look Like Those of a Series"
    _log_access = False

    look = fields.Char(required=True, help="The format of the codes.")
    minutes = fields.Json(required=True, help="How many in which minute, in UTC.")
    counted_on = fields.Datetime(required=True)

    _look_unique = models.UniqueIndex('(look)')

    @api.model
    def _count(self, typed):
        """Count a wrong code, and freeze the series of which too many came in.

        :param str typed: the code, as it came.
        :return: the ids of the series that are frozen since.
        :rtype: set[int]
        """
        formats = self.env['refill.card.series']._read_formats()
        looks = sorted(map(self._tell_look, codes.read_each(typed, formats)))
        with self.env.registry.cursor() as cr:
            guesses = self.with_env(self.env(cr=cr, su=True))  # su: nobody has access
            guesses.env['refill.card.lockout']._execute_alone(self._get_upsert(looks))
            reached = guesses._find_reached(dict(cr.fetchall()))
        return self.env['refill.card.freeze']._freeze_guessed(reached)

    @api.model
    def _tell_look(self, fmt):
        """Return a hash of a format: with all forms of imported codes it is too long to index."""
        return hashlib.sha256(str(fmt).encode()).hexdigest()

    @api.model
    def _get_upsert(self, looks):
        """Return the statement that counts one more of each look, and returns how many there are.

        :param list[str] looks: in their order.
        :rtype: SQL
        """
        now = fields.Datetime.now()
        return SQL(
            """
            INSERT INTO refill_card_guess AS guess (look, minutes, counted_on)
            SELECT look, jsonb_build_object(%(minute)s, 1), %(now)s
              FROM unnest(%(looks)s::varchar[]) AS look
                ON CONFLICT (look) DO UPDATE
               SET counted_on = %(now)s,
                   minutes = jsonb_build_object(
                       %(minute)s, coalesce((guess.minutes ->> %(minute)s)::int, 0) + 1
                   ) || (
                       SELECT coalesce(jsonb_object_agg(key, value), '{}')
                         FROM jsonb_each(guess.minutes)
                        WHERE key > %(oldest)s AND key <> %(minute)s
                   )
         RETURNING look, (SELECT sum(value::int) FROM jsonb_each_text(minutes))
            """,
            now=now,
            minute=f'{now:%Y-%m-%d %H:%M}',
            oldest=f'{now - WINDOW:%Y-%m-%d %H:%M}',
            looks=looks,
        )

    @api.model
    def _find_reached(self, counted):
        """Return the series of which so many wrong codes came in that they are to be frozen.

        :param dict[str, int] counted: how many, by look.
        :return: how many, by the id of the series.
        :rtype: dict[int, int]
        """
        limited = self.env['res.company'].search([('refill_card_freeze_guesses', '>', 0)])
        lowest = min(limited.mapped('refill_card_freeze_guesses'), default=0)
        if not lowest or max(counted.values(), default=0) < lowest:
            return {}
        reached = {}
        for series in self.env['refill.card.series'].search([('company_id', 'in', limited.ids)]):
            count = counted.get(self._tell_look(series._get_format()), 0)
            if count >= series.company_id.refill_card_freeze_guesses:
                reached[series.id] = count
        return reached

    @api.model
    def _forget(self, series):
        """Begin to count anew for series, and for those whose codes look the same.

        :param refill.card.series series: the series.
        """
        looks = [self._tell_look(each._get_format()) for each in series]
        self.search([('look', 'in', looks)]).unlink()

    @api.autovacuum
    def _gc_guesses(self):
        oldest = fields.Datetime.now() - WINDOW
        guesses = self.search([('counted_on', '<', oldest)], limit=GC_UNLINK_LIMIT)
        guesses.unlink()
        return len(guesses), len(guesses) == GC_UNLINK_LIMIT
