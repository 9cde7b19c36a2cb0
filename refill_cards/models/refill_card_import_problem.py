from odoo import api, fields, models
from odoo.tools import SQL


class RefillCardImportProblem(models.Model):
    """A line of a table that is not imported, and why."""

    _name = 'refill.card.import.problem'
    _description = "Line Left Out of an Import of Refill Cards"
    _order = 'import_id, line, id'
    _log_access = False

    import_id = fields.Many2one(
        comodel_name='refill.card.import',
        required=True,
        readonly=True,
        index=True,
        ondelete='cascade',
    )
    line = fields.Integer(required=True, readonly=True)
    reason = fields.Char(required=True, readonly=True)

    @api.model
    def _forget(self, records):
        """Forget the lines left out of imports; there may be a million."""
        self.env.cr.execute(
            SQL("DELETE FROM refill_card_import_problem WHERE import_id = ANY(%s)", records.ids)
        )
        self.invalidate_model()
        records.invalidate_recordset(['problem_ids', 'problem_count'])

    @api.model
    def _note(self, record, problems):
        """Note why lines are left out.

        :param refill.card.import record: the import.
        :param list[tuple[int, str]] problems: the line and the reason, which holds no code.
        """
        if problems:
            lines, reasons = zip(*problems, strict=True)
            self.env.cr.execute(
                SQL(
                    "INSERT INTO refill_card_import_problem (import_id, line, reason)"
                    " SELECT %s, * FROM unnest(%s, %s)",
                    *(record.id, list(lines), list(reasons)),
                )
            )
            record.invalidate_recordset(['problem_ids'])
