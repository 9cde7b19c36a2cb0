from odoo import api, fields, models
from odoo.tools import SQL

from .. import table

# So many lines are on the screen; the others are in the file.
SHOWN = 1_000
BATCH = 10_000


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
        ondelete='cascade',
    )
    line = fields.Integer(required=True, readonly=True)
    reason = fields.Char(required=True, readonly=True)

    _line_idx = models.Index('(import_id, line, id)')

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
            record.invalidate_recordset(['problem_ids', 'problem_count'])


class RefillCardImport(models.Model):
    """The lines that are left out, of which there may be a million."""

    _inherit = 'refill.card.import'

    problem_ids = fields.One2many(
        comodel_name='refill.card.import.problem',
        string="Left Out",
        compute='_compute_problem_ids',
        help="The first of them; the file has all.",
    )
    problem_count = fields.Integer(string="Lines Left Out", compute='_compute_problem_count')

    def _compute_problem_ids(self):
        problems = self.env['refill.card.import.problem']
        for record in self:
            record.problem_ids = problems.search([('import_id', '=', record.id)], limit=SHOWN)

    def _compute_problem_count(self):
        problems_sudo = self.env['refill.card.import.problem'].sudo()  # sudo: for the list
        groups = problems_sudo._read_group(
            [('import_id', 'in', self.ids)], ['import_id'], ['__count']
        )
        counts = {record.id: count for record, count in groups}
        for record in self:
            record.problem_count = counts.get(record.id, 0)

    def action_download_problems(self):
        """Download why lines are left out, with their numbers."""
        self.ensure_one()
        self.check_access('read')
        return {
            'type': 'ir.actions.act_url',
            'url': f'/refill_cards/import/{self.id}/problems',
            'target': 'download',
        }

    def _write_problems(self, file):
        """Write why lines are left out as CSV for spreadsheets, without having all in memory.

        :param file: to write to, in bytes.
        """
        style = table.spreadsheet(self._get_language().decimal_point)
        table.write_lines(self._iterate_problems(), file, style)

    def _iterate_problems(self):
        """Yield the number of each line that is left out and why, below the names of both."""
        yield self.env._("Line"), self.env._("Left out because")
        last = (0, 0)
        while True:
            batch = self.env.execute_query(
                SQL(
                    "SELECT line, id, reason FROM refill_card_import_problem"
                    " WHERE import_id = %s AND (line, id) > %s ORDER BY line, id LIMIT %s",
                    *(self.id, last, BATCH),
                )
            )
            if not batch:
                return
            yield from ((str(line), reason) for line, _id, reason in batch)
            last = batch[-1][:2]
