import mmap
import re
from datetime import timedelta
from tempfile import TemporaryFile

from markupsafe import Markup
from odoo import api, fields, models
from odoo.addons.base.models.res_users import check_identity
from odoo.exceptions import UserError
from odoo.fields import Domain

from .. import protection, table
from ..wording import format_count

# What is made while the user waits, for about two seconds; more is made in the background.
IMMEDIATE = {'csv': 20_000, 'xlsx': 20_000, 'pdf': 2_000}
# A password is never stored, so a file that it protects is made while the user waits.
IMMEDIATE_PROTECTED = {'csv': 100_000, 'xlsx': 100_000, 'pdf': 20_000}
# A file is made in one run of the background job, which the server gives two minutes.
MAXIMUM = {'csv': 1_000_000, 'xlsx': 1_000_000, 'pdf': 100_000}
# After so many cards, which take some seconds, the progress is told.
BATCHES = {'csv': 20_000, 'xlsx': 20_000, 'pdf': 2_000}
FORBIDDEN_IN_FILE_NAMES = re.compile(r'[\\/:*?"<>|\x00-\x1f]')
# They stay as they are, whatever the language.
COLUMNS_FOR_PROGRAMS = table.Row(
    'serial_number', 'code', 'price', 'currency', 'valid_till', 'status'
)
MAX_TRIES = 3
FILE_HOURS = 24
MIMETYPES = {
    'csv': 'text/csv',
    'xlsx': 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    'pdf': 'application/pdf',
    'zip': 'application/zip',
}


class RefillCardExport(models.Model):
    _name = 'refill.card.export'
    _description = "Refill Card Export"
    _order = 'id desc'

    name = fields.Char(string="File Name", required=True, readonly=True)
    company_id = fields.Many2one(
        comodel_name='res.company', string="Issued by", required=True, readonly=True, index=True
    )
    currency_id = fields.Many2one(comodel_name='res.currency', required=True, readonly=True)
    series_ids = fields.Many2many(comodel_name='refill.card.series', readonly=True)
    selected_ids = fields.Json(help="The ids of the cards, when single ones were chosen.")
    is_selection = fields.Boolean(string="Single Cards", readonly=True)
    scope = fields.Selection(
        selection=[
            ('redeemable', "Those that can still be redeemed"),
            ('new', "Of these, those not exported yet"),
            ('all', "All"),
        ],
        string="Which Cards",
        required=True,
        readonly=True,
    )
    first_serial = fields.Char(string="From", readonly=True)
    last_serial = fields.Char(string="To", readonly=True)
    file_format = fields.Selection(
        selection=[('pdf', "PDF to print"), ('xlsx', "Excel (XLSX)"), ('csv', "CSV")],
        string="Format",
        required=True,
        readonly=True,
    )
    csv_reader = fields.Selection(
        selection=[('spreadsheet', "A spreadsheet, such as Excel"), ('program', "A program")],
        string="Read by",
        required=True,
        readonly=True,
        default='spreadsheet',
        help="For a spreadsheet, numbers and separators are those of your language. A program gets"
        " commas, points in amounts, English names of columns, and no mark in front.",
    )
    layout_id = fields.Many2one(
        comodel_name='refill.card.layout', readonly=True, ondelete='restrict'
    )
    is_protected = fields.Boolean(string="Protected with a Password", readonly=True)
    state = fields.Selection(
        selection=[
            ('waiting', "Being made"),
            ('ready', "Ready"),
            ('removed', "File removed"),
            ('failed', "Failed"),
        ],
        string="Status",
        required=True,
        readonly=True,
        default='waiting',
    )
    problem = fields.Char(readonly=True)
    tries = fields.Integer(readonly=True, default=0)
    card_count = fields.Integer(string="Cards", readonly=True)
    done_count = fields.Integer(readonly=True)
    progress = fields.Float(compute='_compute_progress', help="Percentage of the cards done.")
    amount = fields.Monetary(
        string="Total Value",
        readonly=True,
        help="The sum of the face values in the file, to compare with what arrives elsewhere.",
    )
    file = fields.Binary(readonly=True, attachment=True)
    removal_date = fields.Datetime(string="File Kept until", readonly=True)

    _waiting_idx = models.Index("(id) WHERE state = 'waiting'")

    @api.depends('done_count', 'card_count')
    def _compute_progress(self):
        for export in self:
            export.progress = 100 * export.done_count / (export.card_count or 1)

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._("The record of an export cannot be deleted."))

    def _has_field_access(self, field, operation):
        """An API key alone opens no file with codes."""
        if field.name == 'file' and not self.env['refill.card']._is_own_session():
            return self.env.su
        return super()._has_field_access(field, operation)

    # -------------------------------------------------------------------------
    # WHAT IS EXPORTED
    # -------------------------------------------------------------------------

    def _get_cards_domain(self):
        """Return the domain of the cards, those of today when only redeemable ones are wanted.

        :rtype: odoo.fields.Domain
        """
        self.ensure_one()
        cards = self.env['refill.card']
        if self.selected_ids:
            chosen = Domain('id', 'in', self.selected_ids)
        else:
            chosen = cards._get_range_domain(self.first_serial, self.last_serial)
        in_series = Domain('series_id', 'in', self.series_ids.ids)
        return in_series & chosen & cards._get_scope_domain(self.scope)

    def _check_exportable(self):
        """Refuse what cannot be exported, before anything is made.

        :raise AccessError: when the user may not see the codes.
        :raise UserError: when there is nothing to export, or too much.
        """
        series_sudo = (
            self.sudo().series_ids._origin
        )  # sudo: those out of sight are refused, not left out
        series_sudo.with_env(self.env)._check_may_export()
        if len(series_sudo.company_id) > 1 or len(series_sudo.currency_id) > 1:
            raise UserError(
                self.env._("Export the cards of one company and of one currency at a time.")
            )
        if any(series.state != 'ready' for series in series_sudo):
            raise UserError(self.env._("The cards are still being generated."))
        self._check_not_empty(self.card_count)
        if self.card_count > MAXIMUM[self.file_format]:
            raise UserError(
                self.env._(
                    "A file of this format holds up to %(maximum)s cards. Export one range of"
                    " serial numbers after the other.",
                    maximum=format_count(self.env, MAXIMUM[self.file_format]),
                )
            )
        if self.is_protected and self.card_count > IMMEDIATE_PROTECTED[self.file_format]:
            raise UserError(
                self.env._(
                    "A file with a password holds up to %(maximum)s cards, because the password is"
                    " not kept until a larger file is made. Export one range of serial numbers"
                    " after the other.",
                    maximum=format_count(self.env, IMMEDIATE_PROTECTED[self.file_format]),
                )
            )
        if self.file_format == 'pdf' and not self.layout_id:
            raise UserError(self.env._("Choose the layout that the cards are printed with."))
        if self.file_format == 'pdf' and (
            problem := self.layout_id._get_print_problem(series_sudo)
        ):
            raise UserError(problem)

    def _check_not_empty(self, count):
        """:raise UserError: when there is no card to export."""
        if not count:
            raise UserError(self.env._("There is no such card to export."))

    @api.model
    def _get_file_name(self, series, first, last):
        """Return a name, without its ending, that tells which cards are in a file.

        :param refill.card.series series: of the cards.
        :param int first: the number of the first card, when they are of one series.
        :param int last: the number of the last one.
        :rtype: str
        """
        name = self._get_series_name(series)
        if len(series) == 1:
            name = f'{name}_{first}-{last}' if first != last else f'{name}_{first}'
        return FORBIDDEN_IN_FILE_NAMES.sub('-', name)

    @api.model
    def _get_series_name(self, series):
        """Return the name of a series, or of the first and the last of several.

        :rtype: str
        """
        names = sorted(series.mapped('name'))
        return '_'.join(dict.fromkeys([names[0], names[-1]]))

    # -------------------------------------------------------------------------
    # MAKING THE FILE
    # -------------------------------------------------------------------------

    @api.model
    def _export(self, values, password=None):
        """Record an export and make its file: a small one at once, a large one in the background.

        :param dict values: of the record.
        :param str password: protects the file; it is stored nowhere.
        :return: the export, as the user sees it.
        :rtype: refill.card.export
        :raise AccessError: when the user may not see the codes.
        :raise UserError: when there is nothing to export, or too much.
        """
        # sudo: nobody writes the records of exports by hand
        export = self.sudo().create(values).with_env(self.env)
        export._check_exportable()
        limit = IMMEDIATE_PROTECTED if password else IMMEDIATE
        if export.card_count <= limit[export.file_format]:
            export._make_file(password)
        else:
            self.env.ref('refill_cards.ir_cron_export').sudo()._trigger()
        return export

    def _make_file(self, password=None, on_progress=None):
        """Make the file for whoever asked for it, with their rights, language and time zone.

        :param str password: protects the file.
        :param on_progress: called with the number of cards done.
        :raise AccessError: when the user may not see the codes any more.
        :raise UserError: when the cards cannot be printed.
        """
        self.ensure_one()
        export = self.create_uid._take_over(self, self.company_id)
        # sudo: who lost the right to see the export is told that, and not what is missing
        self.sudo().series_ids.with_env(export.env)._check_may_export()
        with TemporaryFile() as file:
            count, amount = export._write_file(file, on_progress)
            export._check_not_empty(count)
            if password:
                with TemporaryFile() as protected:
                    export._protect(file, protected, password)
                    self._keep_file(protected)
            else:
                self._keep_file(file)
        removal_date = fields.Datetime.now() + timedelta(hours=self._get_file_hours())
        self.sudo().write(  # sudo: nobody writes the records of exports by hand
            {
                'state': 'ready',
                'card_count': count,
                'done_count': count,
                'amount': amount,
                'removal_date': removal_date,
            }
        )
        self.env.ref('refill_cards.ir_cron_export').sudo()._trigger(removal_date)
        export.series_ids._log_exported(export)

    def _write_file(self, file, on_progress):
        """Write the cards, and return how many they are and what they are worth together.

        :rtype: tuple[int, float]
        """
        ranges = _Ranges()
        cards = self.env['refill.card']
        for_program = self.file_format == 'csv' and self.csv_reader == 'program'
        batches = cards._iterate_rows(
            self._get_cards_domain(),
            BATCHES[self.file_format],
            on_ids=ranges.add,
            in_words=not for_program,
        )
        rows = _Counted(batches, on_progress)
        decimals = self.currency_id.decimal_places
        if self.file_format == 'pdf':
            self.layout_id._write_pdf(rows, self.series_ids, file)
        elif self.file_format == 'xlsx':
            title = self._get_series_name(self.series_ids)
            table.write_xlsx(cards._get_row_header(), rows, decimals, file, title)
        elif for_program:
            table.write_csv(COLUMNS_FOR_PROGRAMS, rows, decimals, file, table.Csv())
        else:
            language = self.env['res.lang']._lang_get(self.env.lang)
            style = table.spreadsheet(language.decimal_point)
            table.write_csv(cards._get_row_header(), rows, decimals, file, style)
        if ranges:
            self.env['refill.card.export.range']._keep(self, ranges)
        return rows.count, self.currency_id.round(rows.amount)

    def _protect(self, file, protected, password):
        file.seek(0)
        if self.file_format == 'pdf':
            protection.encrypt_pdf(file, protected, password)
        else:
            protection.zip_file(self.name.removesuffix('.zip'), file, protected, password)

    def _keep_file(self, file):
        """Attach the file, without having it in memory."""
        # sudo: attachments of a record are written by whoever may write the record
        attachments = self.env['ir.attachment'].sudo().with_context(refill_card_codes=True)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            attachments.create(
                {
                    'name': self.name,
                    'res_model': self._name,
                    'res_id': self.id,
                    'res_field': 'file',
                    'raw': content[:] if attachments._storage() == 'db' else content,
                    'mimetype': MIMETYPES[self.name.rpartition('.')[2]],
                }
            )
        self.invalidate_recordset(['file'])

    @api.model
    def _get_file_hours(self):
        """Return how long files are kept, in hours.

        :rtype: int
        """
        parameters = self.env['ir.config_parameter'].sudo()  # sudo: a setting for everyone
        return int(parameters.get_param('refill_cards.export_file_hours', FILE_HOURS))

    # -------------------------------------------------------------------------
    # IN THE BACKGROUND
    # -------------------------------------------------------------------------

    @api.model
    def _cron_export(self):
        """Make the large files, one after the other, and remove the old ones."""
        self._remove_files()
        time_left = self.env['ir.cron']._commit_progress(remaining=self._count_waiting())
        while time_left and (
            # One whose last try broke off comes after the others.
            export := self.search([('state', '=', 'waiting')], order='tries, id', limit=1)
        ):
            export.with_context(lang=export.create_uid.lang)._make_file_in_background()
            time_left = self.env['ir.cron']._commit_progress(remaining=self._count_waiting())

    @api.model
    def _count_waiting(self):
        [[count, done]] = self._read_group(
            [('state', '=', 'waiting')], [], ['card_count:sum', 'done_count:sum']
        )
        return max((count or 0) - (done or 0), 0)

    def _make_file_in_background(self):
        """Make the file from its beginning, and tell the user; nothing is left of a failed try."""
        if self.tries == MAX_TRIES:
            self._fail(self.env._("The server stopped while it made the file. Please try again."))
            return
        self.write({'tries': self.tries + 1, 'done_count': 0})
        self.env['ir.cron']._commit_progress()
        try:
            self._make_file(on_progress=self._report_progress)
        except UserError as refused:
            self.env.cr.rollback()
            self._fail(str(refused))
            return
        self._tell_maker(
            self.env._("Your file %(name)s is ready", name=self.name),
            self.env._("Download"),
            self.action_download(),
        )

    def _report_progress(self, done):
        before = self.done_count
        self.done_count = done
        self._send_to_windows()
        self.env['ir.cron']._commit_progress(done - before)

    def _fail(self, problem):
        self.write({'state': 'failed', 'problem': problem})
        self._tell_maker(
            self.env._("Your file %(name)s could not be made", name=self.name),
            self.env._("See Why"),
            self._get_window_action(),
        )

    def _tell_maker(self, subject, button, action):
        """Tell whoever asked for the file in Odoo, and as they like to be notified.

        :param str button: what the button in Odoo says.
        :param dict action: what that opens.
        """
        self._send_to_windows()
        self.create_uid._tell_refill_cards_done(
            subject, button, action, success=self.state == 'ready'
        )
        self.env['mail.thread'].message_notify(
            model=self._name,
            res_id=self.id,
            partner_ids=self.create_uid.partner_id.ids,
            subject=subject,
            body=Markup('<p><a href="/odoo/refill-card-exports/%s">%s</a></p><p>%s</p>')
            % (self.id, subject, self.problem or ''),
        )

    def _send_to_windows(self):
        """Have the windows in which the maker sees this export show it anew."""
        self.create_uid._bus_send('refill_cards/progress', {'model': self._name, 'id': self.id})

    @api.model
    def _remove_files(self):
        """Remove the files whose time is over; the records stay."""
        over = self.search([('state', '=', 'ready'), ('removal_date', '<=', fields.Datetime.now())])
        if over:
            over.write({'state': 'removed', 'file': False})
            # Else the files would stay on the disk until the next day.
            self.env['ir.attachment']._gc_file_store()

    # -------------------------------------------------------------------------
    # ACTIONS
    # -------------------------------------------------------------------------

    @check_identity
    def action_new(self):
        """Open the window that exports cards, with nothing chosen."""
        return self.env['refill.card.series']._open_export_window()

    def action_download(self):
        """Download the file."""
        self.ensure_one()
        return {
            'type': 'ir.actions.act_url',
            'url': f'/web/content/{self._name}/{self.id}/file/{self.name}?download=true',
            'target': 'download',
        }

    def _get_window_action(self):
        """Return the action that shows this export in a window."""
        return {
            **self._get_records_action(target='new', context={'dialog_size': 'large'}),
            'name': self.env._("Export"),
            'views': [(self.env.ref('refill_cards.refill_card_export_view_window').id, 'form')],
        }


class _Ranges(list):
    """The first and the last id of the cards that passed, a pair for each stretch without a gap."""

    def add(self, ids):
        """Add ids, which ascend and come after those before."""
        whole = ids[-1] - ids[0] + 1 == len(ids)
        for first, last in [(ids[0], ids[-1])] if whole else zip(ids, ids, strict=True):
            if self and self[-1][1] + 1 == first:
                first = self.pop()[0]
            self.append((first, last))


class _Counted:
    """Cards in batches as a stream, counted and summed up while they pass."""

    def __init__(self, batches, on_progress):
        self.batches = batches
        self.on_progress = on_progress
        self.count = 0
        self.amount = 0

    def __iter__(self):
        for batch in self.batches:
            self.amount += sum(row.price for row in batch)
            yield from batch
            self.count += len(batch)
            if self.on_progress:
                self.on_progress(self.count)
