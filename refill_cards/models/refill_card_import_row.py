from odoo import fields, models
from odoo.tools import SQL

# Of two lines with one code counts the later state of the card.
LATEST = ('used', 'disabled', 'expired', 'active', 'inactive')
# Of a row, in the order in which the reader tells them.
COLUMNS = (
    *('line', 'sealed', 'twin', 'group_number', 'state', 'serial', 'valid_till'),
    *('used_on', 'partner_id'),
)
TYPES = {
    'line': SQL("integer"),
    'sealed': SQL("varchar"),
    'twin': SQL("varchar"),
    'group_number': SQL("integer"),
    'state': SQL("varchar"),
    'serial': SQL("varchar"),
    'valid_till': SQL("date"),
    'used_on': SQL("timestamp"),
    'partner_id': SQL("integer"),
}


class RefillCardImportRow(models.Model):
    """A checked line of a table, its code sealed, until a card is made of it.

    Only what is written in SQL, a batch at a time. Nobody has access.
    """

    _name = 'refill.card.import.row'
    _description = "Checked Line of an Import of Refill Cards"
    _log_access = False

    # No foreign keys: a million rows are written, and gone soon.
    import_id = fields.Integer(required=True)
    line = fields.Integer(required=True)
    sealed = fields.Char(required=True, groups=fields.NO_ACCESS)
    twin = fields.Char(help="The same for codes that differ in their separators only.")
    group_number = fields.Integer(required=True, help="Which cards go into one series.")
    state = fields.Char(required=True)
    serial = fields.Char()
    valid_till = fields.Date()
    used_on = fields.Datetime()
    partner_id = fields.Integer()

    _group_idx = models.Index('(import_id, group_number, id)')

    def _stage(self, record, rows):
        """Keep checked lines.

        :param refill.card.import record: the import.
        :param list[tuple] rows: the values of ``COLUMNS`` each.
        """
        if not rows:
            return
        columns = [list(column) for column in zip(*rows, strict=True)]
        self.env.cr.execute(
            SQL(
                "INSERT INTO refill_card_import_row (import_id, %s) SELECT %s, * FROM unnest(%s)",
                SQL(", ").join(map(SQL.identifier, COLUMNS)),
                record.id,
                SQL(", ").join(
                    SQL("%s::%s[]", column, TYPES[name])
                    for name, column in zip(COLUMNS, columns, strict=True)
                ),
            )
        )

    def _forget(self, records):
        """Forget the checked lines of imports."""
        query = SQL("DELETE FROM refill_card_import_row WHERE import_id = ANY(%s)", records.ids)
        self.env.cr.execute(query)

    def _gc(self):
        """Forget the lines of imports that are gone."""
        self.env.cr.execute(
            SQL(
                "DELETE FROM refill_card_import_row"
                " WHERE import_id NOT IN (SELECT id FROM refill_card_import)"
            )
        )

    def _give_up(self, record, reason):
        """Note all lines of an import that are waiting as left out.

        :param refill.card.import record: the import.
        :param str reason: the sentence that says why.
        """
        self.env.cr.execute(
            SQL(
                """
                WITH waiting AS (
                    DELETE FROM refill_card_import_row WHERE import_id = %s RETURNING line
                )
                INSERT INTO refill_card_import_problem (import_id, line, reason)
                SELECT %s, line, %s FROM waiting
                """,
                *(record.id, record.id, reason),
            )
        )
        record.invalidate_recordset(['problem_ids', 'problem_count'])

    def _remove_twins(self, record, reason, place):
        """Leave out lines whose code stands on another line, too, and there in a later state.

        Of those in the same state the first one stays. There may be a million, so they are noted
        as left out in the same statement.

        :param refill.card.import record: the import.
        :param str reason: the sentence that says why.
        :param str place: what stands in it for the number of the line that stays.
        """
        self.env.cr.execute(
            SQL(
                """
                WITH twin AS (
                    SELECT id, first_value(line) OVER (
                               PARTITION BY twin
                               ORDER BY array_position(%(latest)s::varchar[], state) NULLS LAST,
                                        line
                           ) AS kept
                      FROM refill_card_import_row WHERE import_id = %(record)s
                ), gone AS (
                    DELETE FROM refill_card_import_row AS row USING twin
                     WHERE row.id = twin.id AND row.line <> twin.kept
                 RETURNING row.line, twin.kept
                )
                INSERT INTO refill_card_import_problem (import_id, line, reason)
                SELECT %(record)s, line, replace(%(reason)s, %(place)s, kept::text)
                  FROM gone ORDER BY line
                """,
                latest=list(LATEST),
                record=record.id,
                reason=reason,
                place=place,
            )
        )
        record.invalidate_recordset(['problem_ids', 'problem_count'])

    def _remove_known(self, record, twins, reason):
        """Leave out lines with certain codes.

        :param refill.card.import record: the import.
        :param list[str] twins: of the codes.
        :param str reason: the sentence that says why.
        """
        self.env.cr.execute(
            SQL(
                """
                WITH gone AS (
                    DELETE FROM refill_card_import_row
                     WHERE import_id = %s AND twin = ANY(%s) RETURNING line
                )
                INSERT INTO refill_card_import_problem (import_id, line, reason)
                SELECT %s, line, %s FROM gone ORDER BY line
                """,
                *(record.id, twins, record.id, reason),
            )
        )
        record.invalidate_recordset(['problem_ids', 'problem_count'])

    def _count(self, record):
        """Return how many lines there are by group and state.

        :rtype: list[tuple[int, str, int]]
        """
        query = SQL(
            "SELECT group_number, state, count(*) FROM refill_card_import_row"
            " WHERE import_id = %s GROUP BY 1, 2 ORDER BY 1, 2",
            record.id,
        )
        return self.env.execute_query(query)

    def _is_waiting(self, record, group):
        """Return whether lines of an import wait whose cards go into one series.

        :param int group: the number of the group.
        """
        query = SQL(
            "SELECT EXISTS (SELECT FROM refill_card_import_row"
            " WHERE import_id = %s AND group_number = %s)",
            *(record.id, group),
        )
        [[is_waiting]] = self.env.execute_query(query)
        return is_waiting

    def _get_days(self, record):
        """Return of each group the number of lines, and the first and the last of the last days.

        A group in which some cards have none has none.

        :rtype: dict[int, tuple[int, datetime.date | None]]
        """
        query = SQL(
            """
            SELECT group_number, count(*),
                   CASE WHEN min(valid_till) = max(valid_till) AND count(valid_till) = count(*)
                        THEN min(valid_till) END
              FROM refill_card_import_row WHERE import_id = %s GROUP BY 1 ORDER BY 1
            """,
            record.id,
        )
        return {number: (count, day) for number, count, day in self.env.execute_query(query)}
