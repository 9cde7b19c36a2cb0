from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL, format_date

from ..foreign import ForeignFormat
from ..presets import PRESETS
from .refill_card_generation import NUMBER_DIGITS


class RefillCard(models.Model):
    """Cards that came along from another system, where some were used already."""

    _inherit = 'refill.card'

    foreign_serial = fields.Char(
        string="Serial Number There",
        readonly=True,
        index='btree_not_null',
        help="What is printed on a card that another system made.",
    )

    @api.model
    def _find_by_foreign_serial(self, serial, domain):
        """Return the card that the user sees with this serial number of another system.

        :param str serial: as it is printed.
        :param odoo.fields.Domain domain: among which cards.
        :return: empty without one, and where several have it.
        :rtype: refill.card
        """
        formats = self.env['refill.card.series']._get_formats()
        if not serial or not any(isinstance(fmt, ForeignFormat) for fmt in formats):
            return self.browse()
        cards = self.search(Domain('foreign_serial', '=', serial) & domain, limit=2)
        return cards if len(cards) == 1 else cards.browse()

    def _was_used_elsewhere(self):
        """Return whether the card was used before it came here, so that there is no payment."""
        # sudo: a payment that the user does not see is one all the same
        return self.state == 'used' and not self.sudo().payment_id

    def _refuse_used_elsewhere(self):
        """Return the refusal of such a card, with the day of its use where that is known."""
        # What the table did not tell is the moment of the import.
        if self.used_on >= self.create_date:
            return self._refusal('used')
        context = {'used_for_this_customer': False}
        day = format_date(self.env, fields.Datetime.context_timestamp(self, self.used_on).date())
        return self._refusal('used', 'used_elsewhere', context=context, day=day)

    @api.model
    def _insert_imported(self, record, series, limit):
        """Make cards of the next checked lines of a series, each with an event, in one statement.

        Lines whose code a card got since they were checked are noted as left out. The ORM would
        take far longer, as in :meth:`_insert`.

        :param refill.card.import record: as whoever confirmed it.
        :param refill.card.series series: of the lines' group.
        :param int limit: how many lines, at most.
        :return: how many lines there were, and how many cards were made.
        :rtype: tuple[int, int]
        """
        self.env.flush_all()
        note = self.env._("Imported from %(system)s", system=PRESETS[record.preset].name)
        events = self.env['refill.card.event']._get_insert(
            SQL(
                "(SELECT id, series_id, %s AS company_id, name, state AS old_state,"
                " NULL::numeric AS historical_value FROM card)",
                series.company_id.id,
            ),
            new_state=SQL("card.old_state"),
            channel='backend',
            note=note,
            reference=record.reference,
        )
        [[taken, made]] = self.env.execute_query(
            SQL(
                """
                WITH taken AS (
                    DELETE FROM refill_card_import_row
                     WHERE id IN (SELECT id FROM refill_card_import_row
                                   WHERE import_id = %(record)s AND group_number = %(group)s
                                   ORDER BY id LIMIT %(limit)s)
                 RETURNING *
                ), drawn AS (
                    SELECT nextval('refill_card_id_seq')::int AS card_id, ordered.*
                      FROM (SELECT * FROM taken ORDER BY line) AS ordered
                ), code AS (
                    INSERT INTO refill_card_code (id, sealed)
                    SELECT card_id, sealed FROM drawn ORDER BY sealed
                        ON CONFLICT (sealed) DO NOTHING
                 RETURNING id
                ), numbered AS (
                    SELECT drawn.*, %(made)s + row_number() OVER (ORDER BY line) AS number
                      FROM drawn WHERE card_id IN (SELECT id FROM code)
                ), card AS (
                    INSERT INTO refill_card (id, series_id, number, name, foreign_serial, state,
                                             was_inactive, valid_till, disable_reason, used_on,
                                             partner_id, create_date, write_date)
                    SELECT card_id, %(series)s, number,
                           %(name)s || '-' || lpad(number::text, %(digits)s, '0'),
                           serial, state,
                           CASE WHEN %(is_stock)s AND state <> 'inactive' THEN TRUE END,
                           valid_till, CASE state WHEN 'disabled' THEN 'other' END,
                           CASE state WHEN 'used' THEN coalesce(used_on, %(now)s) END,
                           (SELECT id FROM res_partner WHERE id = numbered.partner_id),
                           %(now)s, %(now)s
                      FROM numbered ORDER BY number
                 RETURNING id, series_id, name, state
                ), logged AS (%(events)s
                ), late AS (
                    INSERT INTO refill_card_import_problem (import_id, line, reason)
                    SELECT %(record)s, line, %(reason)s FROM drawn
                     WHERE card_id NOT IN (SELECT id FROM code)
                )
                SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM card)
                """,
                record=record.id,
                group=series.import_group,
                limit=limit,
                made=series.generated,
                series=series.id,
                name=series.name,
                digits=max(NUMBER_DIGITS, len(str(series.quantity))),
                is_stock=series.activation_required,
                now=fields.Datetime.now(),
                events=events,
                reason=self.env._("Meanwhile there is a card with this code."),
            )
        )
        self.invalidate_model()
        return taken, made
