import base64
import secrets
from itertools import islice

from odoo import api, fields, models
from odoo.exceptions import LockError, UserError

from .. import codes, foreign, table
from ..wording import format_count
from .refill_card_generation import MAX_QUANTITY
from .refill_card_import_reading import Problem, Reader

# What is checked and imported while the user waits; more is in the background.
IMMEDIATE_LINES = 20_000
BATCH = 10_000
# Cards of one value, currency, batch and state make a series.
MAX_SERIES = 1_000
MAX_FORMS = 200
MAX_TRIES = 3


class RefillCardImport(models.Model):
    """The dry run: each line of the table is read, and nothing becomes a card."""

    _inherit = 'refill.card.import'

    total_ids = fields.One2many(
        comodel_name='refill.card.import.total', inverse_name='import_id', string="Totals"
    )
    problem_ids = fields.One2many(
        comodel_name='refill.card.import.problem', inverse_name='import_id', string="Left Out"
    )
    problem_count = fields.Integer(string="Lines Left Out", compute='_compute_problem_count')
    problems_file = fields.Binary(string="Lines Left Out (CSV)", compute='_compute_problems_file')
    guessing_probability = fields.Float(readonly=True, digits=(16, 16))
    guessing_risk = fields.Char(
        string="Risk of Guessing",
        compute='_compute_guessing_risk',
        help="The chance that somebody who keeps guessing finds any of these cards within a year.",
    )
    is_short = fields.Boolean(compute='_compute_guessing_risk')
    risk_reason = fields.Char(
        string="Why All the Same",
        help="Another manager reads this, who has to accept that these codes could be guessed.",
    )
    # Of a check: what is approved is what was checked then.
    check_key = fields.Char(readonly=True, groups=fields.NO_ACCESS)
    digits_only = fields.Boolean(readonly=True)

    @api.depends('problem_ids')
    def _compute_problem_count(self):
        groups = (
            self.env['refill.card.import.problem']
            .sudo()
            ._read_group([('import_id', 'in', self.ids)], ['import_id'], ['__count'])
        )
        counts = {record.id: count for record, count in groups}
        for record in self:
            record.problem_count = counts.get(record.id, 0)

    def _compute_problems_file(self):
        for record in self:
            style = table.spreadsheet(record._get_language().decimal_point)
            lines = [(self.env._("Line"), self.env._("Left out because"))]
            lines += [(str(each.line), each.reason) for each in record.problem_ids]
            record.problems_file = base64.b64encode(table.write_lines(lines, style))

    @api.depends('guessing_probability')
    @api.depends_context('lang')
    def _compute_guessing_risk(self):
        for record in self:
            risk = record.guessing_probability
            record.is_short = risk >= codes.MAX_GUESSING_PROBABILITY
            record.guessing_risk = risk and self.env._(
                "1 in %(odds)s a year", odds=format_count(self.env, max(round(1 / risk), 1))
            )

    def _check_unchecked(self):
        """:raise UserError: when the table was checked."""
        if any(record.state != 'new' for record in self):
            raise UserError(
                self.env._("Go back to the columns first: what was checked stays as it is.")
            )

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_check(self):
        """Check the table: a small one at once, a large one in the background.

        :raise UserError: when a column is missing, or named twice.
        """
        self.ensure_one()
        self.check_access('write')
        self._lock()
        self._check_unchecked()
        self._check_columns()
        # sudo: steps are written by nobody by hand
        self.sudo().write({'state': 'checking', 'tries': 0, 'problem': False, 'done_count': 0})
        lines = sum(1 for _line in islice(self._open_table(), IMMEDIATE_LINES + 1))
        if lines <= IMMEDIATE_LINES:
            self._check_table()
        else:
            self.env.ref('refill_cards.ir_cron_import').sudo()._trigger()

    def action_back(self):
        """Go back to the columns; what was checked is forgotten."""
        self.ensure_one()
        self.check_access('write')
        self._lock()
        if self.state not in ('checked', 'failed'):
            raise UserError(self.env._("This import cannot go back to its columns any more."))
        self.env['refill.card.import.row']._forget(self)
        self._forget_findings()
        self.sudo().state = 'new'  # sudo: as above

    def action_download_problems(self):
        """Download why lines are left out, with their numbers."""
        self.ensure_one()
        name = self.env._("Lines left out of %(file)s", file=self.name.rpartition('.')[0])
        return {
            'type': 'ir.actions.act_url',
            'url': f'/web/content/{self._name}/{self.id}/problems_file/{name}.csv?download=true',
            'target': 'download',
        }

    def _lock(self):
        """:raise UserError: when somebody else is just at it."""
        try:
            self.lock_for_update()
        except LockError as error:
            raise UserError(
                self.env._("Somebody else works on this import just now. Try again in a moment.")
            ) from error

    def _check_columns(self):
        """:raise UserError: when no column holds the codes, or two tell the same."""
        purposes = [column.purpose for column in self.column_ids if column.purpose]
        labels = dict(self.column_ids._selection_purpose())
        for purpose in purposes:
            if purposes.count(purpose) > 1:
                raise UserError(
                    self.env._(
                        "Two columns tell the same: %(what)s. Choose one.", what=labels[purpose]
                    )
                )
        if 'code' not in purposes:
            raise UserError(self.env._("Say which column holds the codes."))
        if 'value' not in purposes and self.currency_id.compare_amounts(self.price, 0) <= 0:
            raise UserError(
                self.env._("Say which column holds the face values, or type one for all cards.")
            )

    # -------------------------------------------------------------------------
    # THE DRY RUN
    # -------------------------------------------------------------------------

    def _check_table(self, on_progress=None):
        """Check the table for whoever made the import, from its beginning.

        :param on_progress: called with the number of lines done, after each batch.
        """
        record = self.create_uid._take_over(self, self.company_id)
        self.env['refill.card.import.row']._forget(self)
        self._forget_findings()
        record._choose_case()
        follows = self._count_confirmed(('done', 'reversed'))
        checking = _Checking(record)
        lines = record._open_table()
        while batch := list(islice(lines, BATCH)):
            checking.take(batch)
            if on_progress:
                on_progress(checking.count)
        record._remove_twins()
        record._conclude(checking)
        self.sudo().follows = follows  # sudo: steps are written by nobody by hand

    @api.model
    def _count_confirmed(self, states=('importing', 'done', 'reversed')):
        # sudo: their codes are those of any company
        return self.sudo().search_count([('state', 'in', states)])

    def _choose_case(self):
        """Where case does not matter, keep the codes as most of them are written."""
        case = 'exact'
        if not self.case_matters:
            place = self.column_ids.sorted('position').mapped('purpose').index('code')
            cells = (cells for _line, cells in islice(self._open_table(), BATCH) if cells)
            text = ''.join(str(cells[place]) for cells in cells if place < len(cells))
            lower = sum(map(str.islower, text))
            case = 'lower' if lower > sum(map(str.isupper, text)) else 'upper'
        self.sudo().case = case  # sudo: steps are written by nobody by hand

    def _remove_twins(self):
        """Leave out lines that repeat the code of another one."""
        repeated = self.env['refill.card.import.row']._remove_twins(self)
        self.env['refill.card.import.problem']._note(
            self,
            [
                (line, self.env._("Line %(number)s has the same code.", number=kept))
                for line, kept in sorted(repeated)
            ],
        )

    def _conclude(self, checking):
        """Say what the table holds, and of which series and how strong the codes are."""
        counts = self.env['refill.card.import.row']._count(self)
        totals = {}
        for number, state, count in counts:
            group = checking.groups[number]
            key = group.currency_id, state
            cards, amount = totals.get(key, (0, 0))
            totals[key] = cards + count, amount + count * group.price
        alike = self.env['refill.card.series']._count_like(checking.forms)
        # sudo: steps are written by nobody by hand
        self.sudo().write(
            {
                'state': 'checked',
                'check_key': secrets.token_hex(8),
                'line_count': checking.count,
                'done_count': 0,
                'ready_count': sum(count for _number, _state, count in counts),
                'groups': checking.groups,
                'forms': foreign.BESIDE.join(sorted(checking.forms)),
                'digits_only': checking.strength.digits_only,
                'guessing_probability': checking.strength.guessing_probability(alike),
                'total_ids': [
                    fields.Command.create(
                        {
                            'currency_id': currency_id,
                            'state': state,
                            'count': count,
                            'amount': amount,
                        }
                    )
                    for (currency_id, state), (count, amount) in totals.items()
                ],
            }
        )

    def _forget_findings(self):
        # sudo: nobody writes them by hand
        self.env['refill.card.import.problem']._forget(self)
        self.sudo().total_ids.unlink()
        self.sudo().write({'line_count': 0, 'ready_count': 0, 'guessing_probability': 0})


class _Checking:
    """What checking learns of a table, batch by batch.

    :param refill.card.import record: as whoever made it.
    """

    def __init__(self, record):
        self.record = record
        self.env = record.env
        self.reader = Reader(record)
        self.sealer = self.env['refill.card.key']._get_sealer()
        self.formats = self.env['refill.card.series']._read_formats()
        self.strength = foreign.Strength()
        self.forms = set()
        self.groups, self.numbers = [], {}
        self.count = 0

    def take(self, lines):
        """Check a batch of lines, and keep those that can become cards.

        :param list[tuple[int, list]] lines: as ``sheets.read`` yields them.
        """
        rows, problems = [], []
        for line, cells in lines:
            try:
                rows.append(self._check_form(self.reader.read_line(line, cells)))
            except Problem as problem:
                problems.append((line, str(problem)))
        self.count += len(lines)
        if self.count > MAX_QUANTITY:
            raise UserError(
                self.env._(
                    "A file holds up to %(maximum)s cards. Import them from several files.",
                    maximum=format_count(self.env, MAX_QUANTITY),
                )
            )
        rows = self._leave_out_ours(rows, problems)
        self.strength.add(row.characters for row in rows if row.state != 'used')
        users = self.reader.find_users(rows)
        self.env['refill.card.import.row']._stage(
            self.record, [self._prepare(row, users) for row in rows]
        )
        self.env['refill.card.import.problem']._note(self.record, sorted(problems))

    def _check_form(self, row):
        """:raise Problem: when there are too many series, or forms of codes."""
        number = self.numbers.get(row.group)
        if number is None:
            if len(self.groups) >= MAX_SERIES:
                raise Problem(
                    self.env._(
                        "The cards have more than %(maximum)s different values, currencies,"
                        " batches and companies. Import the rest from another file.",
                        maximum=format_count(self.env, MAX_SERIES),
                    )
                )
            self.numbers[row.group] = len(self.groups)
            self.groups.append(row.group)
        form = foreign.tell_form(row.code)
        if form not in self.forms:
            if len(self.forms) >= MAX_FORMS:
                raise Problem(
                    self.env._(
                        "The codes of the table have their dashes and spaces in more than"
                        " %(maximum)s different places. Import the rest from another file.",
                        maximum=format_count(self.env, MAX_FORMS),
                    )
                )
            self.forms.add(form)
        return row

    def _leave_out_ours(self, rows, problems):
        """Return the rows without those whose code a card has that is there already.

        :param list problems: takes why the others are left out.
        """
        seals = {
            row.line: list(map(self.sealer.seal, self.reader.find_candidates(row, self.formats)))
            for row in rows
        }
        every = [seal for some in seals.values() for seal in some]
        there = self.env['refill.card.code']._get_ids(every)
        if not there:
            return rows
        left = []
        for row in rows:
            if any(seal in there for seal in seals[row.line]):
                problems.append((row.line, self.env._("There is a card with this code already.")))
            else:
                left.append(row)
        return left

    def _prepare(self, row, users):
        """Return what is kept of a row, see ``refill.card.import.row``."""
        seal = self.sealer.seal
        return (
            row.line,
            seal(row.code),
            seal(row.characters)[:16],
            self.numbers[row.group],
            row.state,
            row.serial,
            row.valid_till,
            row.used_on,
            users.get(row.user),
        )
