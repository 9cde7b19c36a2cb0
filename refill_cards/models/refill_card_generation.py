from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL
from odoo.tools.sql import escape_psql

MAX_QUANTITY = 1_000_000
# Digits of a card's number in its serial number, which sort as texts.
NUMBER_DIGITS = 6


class RefillCard(models.Model):
    """Cards come into being, and from one series into another, set-based."""

    _inherit = 'refill.card'

    @api.model
    def _insert(self, series, numbers, sealed, like=None):
        """Insert cards with their codes; those whose code another card has are left out.

        The ORM would take four times as long. The series says who made them: two users a card,
        each checked against res_users, would add a half to the time.

        :param refill.card.series series: whose cards they are.
        :param list[int] numbers: the cards' numbers in the series.
        :param list[str] sealed: their sealed codes.
        :param str like: a serial number whose form theirs have; that of the series when left out.
        :return: how many were inserted.
        :rtype: int
        """
        stem, digits = series.name, max(NUMBER_DIGITS, len(str(series.quantity)))
        if like:
            stem, _dash, number = like.rpartition('-')
            digits = len(number)
        self.env.cr.execute(
            SQL(
                """
                WITH drawn AS (
                    SELECT nextval('refill_card_id_seq')::int AS id, number, sealed
                      FROM unnest(%(numbers)s, string_to_array(%(sealed)s, ' '))
                        AS card (number, sealed)
                ), code AS (
                    INSERT INTO refill_card_code (id, sealed) SELECT id, sealed FROM drawn
                        ON CONFLICT (sealed) DO NOTHING
                 RETURNING id
                )
                INSERT INTO refill_card (id, series_id, number, name, state, valid_till,
                                         create_date, write_date)
                SELECT id, %(series)s, number,
                       %(stem)s || '-' || lpad(number::text, %(digits)s, '0'),
                       %(state)s, %(valid_till)s, %(now)s, %(now)s
                  FROM drawn WHERE id IN (SELECT id FROM code) ORDER BY id
                """,
                series=series.id,
                stem=stem,
                digits=digits,
                state='inactive' if series.activation_required else 'active',
                valid_till=series.valid_till or None,
                now=fields.Datetime.now(),
                numbers=numbers,
                # As one text: psycopg2 and PostgreSQL take their time over long lists of texts.
                sealed=' '.join(sealed),
            )
        )
        return self.env.cr.rowcount

    @api.model
    def _get_missing_numbers(self, series, numbers):
        """Return those of ascending numbers of a series for which there is no card."""
        rows = self.env.execute_query(
            SQL(
                "SELECT number FROM refill_card WHERE series_id = %s AND number >= %s",
                series.id,
                numbers[0],
            )
        )
        return sorted(set(numbers) - {number for [number] in rows})

    @api.model
    def _get_range_domain(self, first, last):
        """Return the domain of the cards from one serial number to another.

        Of those that were generated together, in whatever series they are now.

        :param str first: empty for all up to the last; the other way round it is the last.
        :param str last: empty for all from the first on.
        :rtype: odoo.fields.Domain
        """
        domain = Domain.TRUE
        if first and last:
            first, last = sorted([first, last])
        for operator, end in (('>=', first), ('<=', last)):
            if end:
                stem = escape_psql(end.rpartition('-')[0])
                domain &= Domain('name', operator, end) & Domain('name', '=like', f'{stem}-%')
        return domain

    @api.model
    def _get_ranges(self, domain):
        """Return the serial numbers of cards as ranges without a gap.

        :param odoo.fields.Domain domain: which cards.
        :return: of each range the series, the first and the last serial number, and how many.
        :rtype: list[tuple[refill.card.series, str, str, int]]
        """
        self.flush_model()
        rows = self.env.execute_query(
            SQL(
                """
                SELECT series_id, min(name), max(name), count(*)
                  FROM (SELECT series_id, name, number - row_number()
                               OVER (PARTITION BY series_id ORDER BY number) AS island
                          FROM refill_card WHERE %s) AS card
                 GROUP BY series_id, island ORDER BY min(name)
                """,
                self._get_condition(domain),
            )
        )
        return [(self.env['refill.card.series'].browse(row[0]), *row[1:]) for row in rows]

    @api.model
    def _set_series(self, domain, series):
        """Move cards into another series; the ORM would load all of them.

        :param odoo.fields.Domain domain: which cards.
        """
        self.flush_model()
        which = self._get_condition(domain)
        self.env.cr.execute(SQL("UPDATE refill_card SET series_id = %s WHERE %s", series.id, which))
        self.env.invalidate_all()
