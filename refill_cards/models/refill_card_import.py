import base64
import io
from contextlib import contextmanager
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command

from .. import codes, foreign, sealed_file, sheets
from ..presets import PRESETS, is_code_label

# Decided by hand, until the table is checked.
EDITABLE = {
    *('preset', 'case_matters', 'decimal_point', 'day_first', 'price', 'currency_id'),
    *('company_ids', 'column_ids', 'batch'),
}
COLUMNS = 100
# What was uploaded and not confirmed is forgotten.
KEPT = timedelta(days=2)


class RefillCardImport(models.Model):
    """Cards in circulation that another system made: its table, checked, then imported.

    The table is kept sealed, and only until the import is confirmed. Checking puts its rows into
    `refill.card.import.row`, their codes sealed; importing makes cards of them.
    """

    _name = 'refill.card.import'
    _inherit = 'refill.card.companies.mixin'
    _description = "Import of Refill Cards"
    _order = 'id desc'

    name = fields.Char(string="File Name", required=True, default="cards.csv")
    # Never stored: it holds codes in clear.
    file = fields.Binary(
        string="Table", attachment=False, compute='_compute_file', inverse='_inverse_file'
    )
    sealed_file = fields.Binary(groups=fields.NO_ACCESS)
    company_id = fields.Many2one(
        comodel_name='res.company',
        string="Issued by",
        required=True,
        readonly=True,
        index=True,
        default=lambda self: self.env.company,
    )
    state = fields.Selection(
        selection=[
            ('new', "Columns"),
            ('checking', "Being checked"),
            ('checked', "Checked"),
            ('importing', "Being imported"),
            ('done', "Imported"),
            ('reversed', "Reversed"),
            ('failed', "Failed"),
        ],
        string="Status",
        required=True,
        readonly=True,
        default='new',
    )
    preset = fields.Selection(
        selection=[(key, preset.name) for key, preset in PRESETS.items() if key != 'other']
        + [('other', "Another system")],
        string="Exported by",
        required=True,
        default='other',
    )
    column_ids = fields.One2many(
        comodel_name='refill.card.import.column', inverse_name='import_id', string="Columns"
    )
    case_matters = fields.Boolean(
        compute='_compute_case_matters',
        store=True,
        readonly=False,
        help="Whether the other system told abc from ABC. If it did not, people may type either.",
    )
    decimal_point = fields.Selection(
        selection=[('.', "1,234.50"), (',', "1.234,50")],
        string="Amounts",
        required=True,
        default=lambda self: self._get_default_decimal_point(),
    )
    day_first = fields.Boolean(
        string="Day before Month",
        default=lambda self: self._get_default_day_first(),
        help="Whether 3/4/2026 is in April. Days such as 2026-04-03 are always read.",
    )
    price = fields.Monetary(
        string="Face Value", help="Of the cards for which the table names no value."
    )
    currency_id = fields.Many2one(
        comodel_name='res.currency',
        required=True,
        default=lambda self: self.env.company.currency_id,
        help="Of the cards for which the table names no currency.",
    )
    company_ids = fields.Many2many(
        comodel_name='res.company',
        string="Available to",
        default=lambda self: self.env.company,
        context={'allowed_company_ids': [], 'active_test': False},
        help="Whom the cards are meant for, where the table names no companies. Leave empty for any"
        " company that accepts cards of the company that issues them.",
    )
    batch = fields.Char(help="What the cards are called that are in no batch of the table.")
    line_count = fields.Integer(string="Lines", readonly=True)
    ready_count = fields.Integer(string="Cards", readonly=True)
    done_count = fields.Integer(readonly=True)
    progress = fields.Float(compute='_compute_progress', help="Percentage done.")
    tries = fields.Integer(readonly=True)
    problem = fields.Char(readonly=True)
    # What checking learned of the codes, and which cards go into one series.
    case = fields.Char(readonly=True)
    strength = fields.Json(readonly=True)
    groups = fields.Json(readonly=True)
    forms = fields.Char(readonly=True)
    warning = fields.Char(readonly=True, help="What may be wrong with all of the table.")
    reference = fields.Char(string="Operation", readonly=True)
    confirmed_by_id = fields.Many2one(
        comodel_name='res.users', string="Confirmed by", readonly=True, ondelete='restrict'
    )
    # How many imports were complete when this one was checked. Of those that were checked beside
    # each other one is confirmed, since neither knows the codes of the other.
    follows = fields.Integer(readonly=True, groups=fields.NO_ACCESS)
    series_ids = fields.One2many(comodel_name='refill.card.series', inverse_name='import_id')

    _follows_unique = models.UniqueIndex(
        '(follows) WHERE confirmed_by_id IS NOT NULL',
        "Other cards were imported at the same time. Check the file again.",
    )

    @api.depends('done_count', 'ready_count', 'line_count', 'state')
    def _compute_progress(self):
        for record in self:
            whole = record.line_count if record.state == 'checking' else record.ready_count
            record.progress = min(100 * record.done_count / (whole or 1), 100)

    @api.depends('preset')
    def _compute_case_matters(self):
        for record in self:
            record.case_matters = PRESETS[record.preset or 'other'].case_matters

    def _compute_file(self):
        self.file = False

    @api.model
    def _get_default_decimal_point(self):
        return ',' if self._get_language().decimal_point == ',' else '.'

    @api.model
    def _get_default_day_first(self):
        form = self._get_language().date_format
        return form.find('%d') < form.find('%m')

    @api.model
    def _get_language(self):
        return self.env['res.lang']._lang_get(self.env.lang or 'en_US')

    # -------------------------------------------------------------------------
    # CRUD
    # -------------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        """:raise AccessError: when something is given that only the import itself writes."""
        for vals in vals_list:
            self._check_by_hand(vals.keys() - {'file', 'name', 'company_id'})
            if not vals.get('file') and not self.env.su:
                raise UserError(self.env._("Choose the file that holds the cards."))
        made = super().create(vals_list)
        for record in made:
            if record.company_id not in self.env.companies and not self.env.su:
                raise AccessError(self.env._("You may not import cards for this company."))
        return made

    def write(self, vals):
        """:raise AccessError: when something is written that only the import itself writes.
        :raise UserError: when the table was checked.
        """
        if not self.env.su:
            # What is typed once it is checked; totals look themselves at what may be written.
            by_hand = vals.keys() - {'total_ids', 'risk_reason'}
            self._check_by_hand(by_hand)
            if by_hand:
                self._check_unchecked()
        changed = self.filtered(lambda record: record.preset != vals.get('preset', record.preset))
        res = super().write(vals)
        if 'column_ids' not in vals:
            changed._match_columns()
        return res

    @api.model
    def _check_by_hand(self, names):
        if not self.env.su and names - EDITABLE:
            raise AccessError(
                self.env._("Imports of refill cards are changed by their steps only.")
            )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_imported(self):
        if any(record.state == 'checking' for record in self):
            raise UserError(self.env._("The file is being checked: wait until it is."))
        if any(record.state in ('importing', 'done', 'reversed') for record in self):
            raise UserError(
                self.env._("What was imported is on record for good. You can reverse it.")
            )

    def unlink(self):
        """Forget what was uploaded, too."""
        self.check_access('unlink')
        self._forget()
        return super().unlink()

    @api.autovacuum
    def _gc_imports(self):
        """Forget what was uploaded and not confirmed."""
        waiting = [('state', 'in', ['new', 'checked', 'failed'])]
        self.search([*waiting, ('write_date', '<', fields.Datetime.now() - KEPT)]).unlink()
        self.env['refill.card.import.row']._gc()

    # -------------------------------------------------------------------------
    # THE TABLE
    # -------------------------------------------------------------------------

    def _inverse_file(self):
        for record in self.filtered('file'):
            record._take_file(base64.b64decode(record.file))

    def _take_file(self, content):
        """Keep an uploaded table sealed, and read what its columns are.

        :param bytes content: of the file.
        :raise UserError: when it is no table.
        """
        header, sample = self._read_header(content)
        self._forget()
        self._keep_pieces(content)
        columns = [
            Command.create({'position': place, 'name': label, 'sample': shown})
            for place, (label, shown) in enumerate(zip(header, sample, strict=True))
        ]
        self.sudo().write({'column_ids': [Command.clear(), *columns]})
        self._match_columns()

    def _keep_pieces(self, content):
        """Keep a file in pieces, each of them sealed, so that it is read without being opened."""
        sealer = self.env['refill.card.key']._get_generating_sealer()
        count = sealed_file.count_pieces(len(content))
        # sudo: attachments of a record are written by whoever may write the record
        attachments_sudo = self.env['ir.attachment'].sudo()
        for number, piece in enumerate(sealed_file.split(content)):
            made = attachments_sudo.create(
                {
                    'name': self.name,
                    'res_model': self._name,
                    'res_id': self.id,
                    'res_field': 'sealed_file',
                    'raw': sealer.seal_piece(piece, number, count),
                    'mimetype': 'application/octet-stream',
                }
            )
            made.invalidate_recordset()  # it remembers the piece

    @api.model
    def _read_header(self, content):
        """Return the labels of a table's columns, and how the first row looks below them."""
        with self._explaining():
            rows = sheets.read(io.BytesIO(content))
            header = next((cells for _line, cells in rows), None) or []
            first = next((cells for _line, cells in rows), None) or []
        labels = [sheets.as_text(cell)[:100] for cell in header][:COLUMNS]
        if not any(labels):
            raise UserError(self.env._("The table is empty."))
        first = [*first, *[None] * len(labels)][: len(labels)]
        looks = [self._hide(cell) for cell in first]
        self._check_labels(labels, looks)
        return labels, looks

    @api.model
    def _check_labels(self, labels, looks):
        """Refuse a table that begins with a card: its code would be kept as a label, in clear.

        Unless a label is known to be that of the codes, none has a digit, or looks as the cell
        below it.

        :raise UserError: when there are no labels.
        """
        if any(is_code_label(label) for label in labels):
            return
        for label, look in zip(labels, looks, strict=True):
            is_alike = len(label) >= foreign.SHORTEST and self._hide(label) == look
            if is_alike or any(map(str.isdecimal, label)):
                raise UserError(
                    self.env._(
                        "The first line of the file seems to be a card. Write a line above it that"
                        " names the columns, and call that of the codes “Code”."
                    )
                )

    @api.model
    def _hide(self, cell):
        """Return how a cell looks, without what it says: it may be a code."""
        try:
            text = sheets.as_text(cell)
        except sheets.LostDigits:
            return ''
        return ''.join(
            '0' if each.isdecimal() else 'a' if each.isalpha() else each for each in text[:40]
        )

    @contextmanager
    def _explaining(self):
        """:raise UserError: when a file is no table."""
        try:
            yield
        except sheets.Unreadable as unreadable:
            sentences = {
                'empty': self.env._("The file is empty."),
                'binary': self.env._("This is neither a CSV file nor an Excel workbook (XLSX)."),
                'workbook': self.env._(
                    "This Excel workbook cannot be opened: it is damaged, or protected with a"
                    " password. Save it as XLSX or CSV again."
                ),
                'large': self.env._(
                    "This Excel workbook is too large. Save it as CSV, or in several files."
                ),
            }
            raise UserError(sentences[unreadable.reason]) from None
        except codes.WrongKey:  # one piece was lost, or an earlier version sealed the file
            self._raise_gone()

    @api.onchange('preset')
    def _onchange_preset(self):
        self._match_columns()

    def _match_columns(self):
        """Say what each column tells, as far as the other system's names say so."""
        for record in self:
            preset = PRESETS[record.preset]
            columns = record.column_ids.sorted('position')
            found = preset.find_columns(columns.mapped('name'))
            purposes = {place: purpose for purpose, place in found.items()}
            for place, column in enumerate(columns):
                column.purpose = purposes.get(place)

    def _get_stored_file(self):
        """Return the attachments that hold the pieces of the table; they open only with the key.

        :rtype: ir.attachment
        """
        # sudo: nobody reads the attachments; who may see the import may have it checked
        attachments = self.env['ir.attachment'].sudo().with_context(skip_res_field_check=True)
        return attachments.search(
            [('res_model', '=', self._name), ('res_id', 'in', self.ids)], order='id'
        )

    def _open_file(self):
        """Return the table as a file, of which one piece at a time is in memory.

        :rtype: io.BufferedReader
        :raise UserError: when it is not there any more.
        """
        if not (stored := self._get_stored_file()):
            self._raise_gone()
        sealer = self.env['refill.card.key']._get_sealer()
        ids = stored.ids
        size = sum(stored.mapped('file_size')) - len(ids) * codes.SEAL_BYTES

        def open_piece(number):
            piece = stored.browse(ids[number])  # alone, since all in a recordset are read together
            content = sealer.open_piece(piece.raw, number, len(ids))
            piece.invalidate_recordset()
            return content

        return sealed_file.open_pieces(size, open_piece)

    def _raise_gone(self):
        raise UserError(
            self.env._("The file is not there any more. Import it again from the beginning.")
        )

    def _open_table(self, after=0):
        """Yield the lines of the table below its header, see ``sheets.read``.

        :param int after: the number of the line after which to begin.
        :raise UserError: when it is not there any more.
        """
        with self._explaining():
            rows = sheets.read(self._open_file(), after)
            if not after:
                next(rows, None)
            yield from rows

    def _forget(self):
        """Destroy the table and what was checked of it."""
        self._destroy_file()
        self.env['refill.card.import.row']._forget(self)
        # sudo: nobody writes them by hand
        self.env['refill.card.import.problem']._forget(self)
        self.sudo().total_ids.unlink()

    def _destroy_file(self):
        """Destroy the uploaded table; a job removes it from the disk, which commits."""
        if stored := self._get_stored_file():
            stored.unlink()
            self.env.ref('refill_cards.ir_cron_import').sudo()._trigger()

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    def action_open(self):
        """Open the import, once the file was chosen."""
        self.ensure_one()
        return self._get_records_action(view_mode='form')

    def action_discard(self):
        """Forget the file and all that was checked; the list asks to confirm."""
        self.unlink()
        return self.env['ir.actions.act_window']._for_xml_id(
            'refill_cards.refill_card_import_action'
        )
