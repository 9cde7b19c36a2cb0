import json
import secrets
from itertools import islice

from odoo import api, fields, models
from odoo.exceptions import LockError, UserError
from odoo.fields import Domain

from .. import codes, foreign
from ..wording import format_count
from .refill_card_generation import MAX_QUANTITY
from .refill_card_import_reading import Group, Problem, Reader

# What is checked and imported while the user waits; more is in the background.
IMMEDIATE_LINES = 20_000
BATCH = 10_000
# Cards of one value, currency, batch and state make a series.
MAX_SERIES = 1_000
MAX_FORMS = 200
MAX_TRIES = 3
# How many codes of cards are compared with all lines at once.
KNOWN = 100_000


class RefillCardImport(models.Model):
    """The dry run: each line of the table is read, and nothing becomes a card."""

    _inherit = 'refill.card.import'

    total_ids = fields.One2many(
        comodel_name='refill.card.import.total', inverse_name='import_id', string="Totals"
    )
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
    # What a check in the background learned until now, sealed, because it tells how codes begin.
    findings = fields.Char(readonly=True, groups=fields.NO_ACCESS, prefetch=False)

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
        self.sudo().write(
            {
                'state': 'checking',
                'tries': 0,
                'problem': False,
                'done_count': 0,
                'findings': False,
            }
        )
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

    def _check_table(self, on_batch=None):
        """Check the table for whoever made the import, from its beginning or where that broke off.

        :param on_batch: called with the number of lines done, after each batch; says whether to go
            on. The batch is kept if it commits.
        :return: whether the table is checked to its end.
        """
        record = self.create_uid._take_over(self, self.company_id)
        checking = record._go_on_checking()
        lines = record._open_table(checking.last_line)
        while batch := list(islice(lines, BATCH)):
            checking.take(batch)
            if on_batch:
                checking.keep()
                if not on_batch(checking.count):
                    return False
        record._remove_twins()
        record._remove_case_variants(checking)
        record._conclude(checking)
        return True

    def _go_on_checking(self):
        """Return what was learned before a check broke off, nothing when it begins.

        :rtype: _Checking
        """
        kept = self.sudo().findings  # sudo: nobody reads them by hand
        if not kept:
            self.env['refill.card.import.row']._forget(self)
            self._forget_findings()
            self._choose_case()
        told = kept and json.loads(self.env['refill.card.key']._get_sealer().open(kept))
        return _Checking(self, told or None)

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
        place = '{line}'
        reason = self.env._("Line %(number)s has the same code.", number=place)
        self.env['refill.card.import.row']._remove_twins(self, reason, place)

    def _remove_case_variants(self, checking):
        """Leave out codes whose case does not matter, but would tell them from those of cards.

        Whoever typed such a code in another case could mean either. The other way round, the codes
        of cards whose case does not matter are among the candidates of each line.
        """
        if self.case == 'exact' or checking.strength.digits_only:
            return
        lengths = set(map(foreign.count_characters, checking.forms))
        # sudo: whoever types a code finds any card
        series_sudo = self.env['refill.card.series'].sudo().with_context(active_test=False)
        exact = series_sudo.search([('is_foreign', '=', True), ('code_case', '=', 'exact')])
        exact = exact.filtered(lambda each: not lengths.isdisjoint(each._get_format().lengths))
        reason = self.env._(
            "There is a card with this code already, in other capital and small letters."
        )
        cards = self.env['refill.card']
        for _ids, bodies in cards._iterate_codes(Domain('series_id', 'in', exact.ids), KNOWN):
            twins = [checking.tell_twin(foreign.read(body, self.case)[1]) for body in bodies]
            self.env['refill.card.import.row']._remove_known(self, twins, reason)

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
                'follows': checking.follows,
                'findings': False,
                'warning': checking.tell_warning(),
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
        self.sudo().write(
            {'line_count': 0, 'ready_count': 0, 'guessing_probability': 0, 'warning': False}
        )


class _Checking:
    """What checking learns of a table, batch by batch.

    :param refill.card.import record: as whoever made it.
    :param dict told: what :meth:`keep` kept, to go on from there.
    """

    def __init__(self, record, told=None):
        self.record = record
        self.env = record.env
        self.reader = Reader(record)
        self.sealer = self.env['refill.card.key']._get_sealer()
        self.formats = {*self.env['refill.card.series']._read_formats()}
        if any(isinstance(fmt, foreign.ForeignFormat) for fmt in self.formats):
            # Of cards and canaries that were made for imported series here.
            self.formats.add(foreign.OWN)
        self.strength = foreign.Strength()
        self.forms = set()
        self.groups, self.numbers = [], {}
        self.count = self.last_line = 0
        self.follows = record._count_confirmed(('done', 'reversed'))
        if told:
            self._recall(told)

    def _recall(self, told):
        self.count, self.last_line = told['count'], told['last_line']
        self.follows = told['follows']
        self.strength = foreign.Strength.load(told['strength'])
        self.forms = set(told['forms'])
        self.groups = list(map(Group.from_json, told['groups']))
        self.numbers = {group: number for number, group in enumerate(self.groups)}
        for purpose, counts in told['numeric'].items():
            self.reader.numbers[purpose].update(dict(counts))

    def keep(self):
        """Keep what was learned with the import, so that the next transaction can go on."""
        told = {
            'count': self.count,
            'last_line': self.last_line,
            'follows': self.follows,
            'strength': self.strength.dump(),
            'forms': list(self.forms),
            'groups': self.groups,
            'numeric': {
                purpose: list(counter.items()) for purpose, counter in self.reader.numbers.items()
            },
        }
        # sudo: nobody writes it by hand
        self.record.sudo().findings = self.sealer.seal(json.dumps(told))

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
        self.last_line = lines[-1][0]
        if self.count > MAX_QUANTITY:
            raise UserError(
                self.env._(
                    "A file holds up to %(maximum)s cards. Import them from several files.",
                    maximum=format_count(self.env, MAX_QUANTITY),
                )
            )
        seals = {row.line: self._seal_candidates(row) for row in rows}
        rows = self._leave_out_ours(rows, seals, problems)
        self.strength.add(row.characters for row in rows if row.state != 'used')
        users = self.reader.find_users(rows)
        self.env['refill.card.import.row']._stage(
            self.record, [self._prepare(row, seals[row.line][0], users) for row in rows]
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

    def _seal_candidates(self, row):
        """Return the sealed code of a line, and then what else it could be taken for."""
        others = self.reader.find_candidates(row, self.formats) - {row.code}
        return [self.sealer.seal(code) for code in (row.code, *others)]

    def _leave_out_ours(self, rows, seals, problems):
        """Return the rows without those whose code a card has that is there already.

        :param dict seals: of each line, see :meth:`_seal_candidates`.
        :param list problems: takes why the others are left out.
        """
        every = [seal for some in seals.values() for seal in some]
        card_codes = self.env['refill.card.code']
        there = card_codes._get_ids(every)
        if canaries := card_codes._get_canary_ids(every):
            # sudo: nobody has access
            caught_sudo = self.env['refill.card.canary'].sudo().browse(canaries.values())
            caught_sudo._freeze_series(self.env['refill.card']._get_channel())
            there.update(canaries)
        if not there:
            return rows
        left = []
        for row in rows:
            if any(seal in there for seal in seals[row.line]):
                problems.append((row.line, self.env._("There is a card with this code already.")))
            else:
                left.append(row)
        return left

    def _prepare(self, row, sealed, users):
        """Return what is kept of a row, see ``refill.card.import.row``."""
        return (
            row.line,
            sealed,
            self.tell_twin(row.characters),
            self.numbers[row.group],
            row.state,
            row.serial,
            row.valid_till,
            row.used_on,
            users.get(row.user),
        )

    def tell_twin(self, characters):
        """Return what codes have in common that differ in their separators only, sealed.

        :param str characters: their letters and digits.
        """
        return self.sealer.seal(characters)[:16]

    def tell_warning(self):
        """Return what may be wrong with all of the table, False when nothing seems to be."""
        codes_, serials = self.reader.numbers['code'], self.reader.numbers['serial']
        count = codes_.total() + serials.total()
        if not count:
            return False
        usual = self.strength.usual_length
        short = sum(number for length, number in codes_.items() if length < usual)
        warning = self.env._(
            "%(count)s codes or serial numbers are numbers in the workbook: zeros in front of them"
            " are lost. Compare some with the cards; where digits are missing, export the table"
            " again, with these columns as text.",
            count=format_count(self.env, count),
        )
        if short:
            warning += ' ' + self.env._(
                "%(count)s codes are shorter than most.", count=format_count(self.env, short)
            )
        return warning
