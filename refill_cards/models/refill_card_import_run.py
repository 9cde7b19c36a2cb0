import time

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tools import format_amount

from ..presets import PRESETS
from ..wording import format_count
from .refill_card_import_check import BATCH, IMMEDIATE_LINES, MAX_TRIES
from .refill_card_import_reading import Group

# How long a table is checked in one go: Odoo ends a worker that takes a minute.
SECONDS = 20


class RefillCardImport(models.Model):
    """Checked lines become cards, set-based: a few at once, many in the background."""

    _inherit = 'refill.card.import'

    # -------------------------------------------------------------------------
    # CONFIRMING
    # -------------------------------------------------------------------------

    def action_confirm(self):
        """Import the cards and forget the file, or ask another manager to approve that.

        :raise UserError: when something is not as it should be.
        """
        self.ensure_one()
        approval, _nothing = self.env['refill.card.approval']._try(self._confirm)
        return (approval and approval._get_window_action()) or self._get_records_action(
            view_mode='form'
        )

    def _confirm(self):
        """Import the cards.

        :raise RefillCardWaits: when another manager has to approve it first.
        :raise UserError: when something is not as it should be.
        """
        self.check_access('write')
        self._lock()
        self._check_confirmable()
        self._require_approval()
        cards = self.env['refill.card']
        # sudo: steps are written by nobody by hand
        self.sudo().write(
            {
                'state': 'importing',
                'reference': cards._next_reference(),
                'confirmed_by_id': self.env.uid,
                'tries': 0,
                'done_count': 0,
            }
        )
        self._destroy_file()
        # sudo: nobody deletes them by hand; a file without labels had a code in their place
        self.sudo().column_ids.unlink()
        self._make_series()
        if self.ready_count <= IMMEDIATE_LINES:
            while self._import_batch():
                pass
        else:
            self.env.ref('refill_cards.ir_cron_import').sudo()._trigger()

    def _check_confirmable(self):
        """:raise UserError: when the table was not checked, holds no card, or figures differ."""
        if self.state != 'checked':
            raise UserError(self.env._("Check the file first."))
        if self.sudo().follows != self._count_confirmed():
            raise UserError(
                self.env._(
                    "Other cards were imported since this file was checked, which may have the same"
                    " codes. Go back to the columns and check again."
                )
            )
        if not self.ready_count:
            raise UserError(self.env._("There is no card to import: all lines are left out."))
        for total in self.total_ids:
            if total._differs():
                raise UserError(
                    self.env._(
                        "The cards of the file are worth %(amount)s, those in the other system"
                        " %(expected)s (%(state)s). Correct the file or the figure, or empty it.",
                        amount=format_amount(self.env, total.amount, total.currency_id),
                        expected=format_amount(self.env, total.expected, total.currency_id),
                        state=dict(total._fields['state']._description_selection(self.env))[
                            total.state
                        ],
                    )
                )

    def _require_approval(self):
        """Let another manager approve codes that could be guessed, and what is above the limit.

        :raise RefillCardWaits: until they have.
        :raise UserError: when nobody says why such codes are imported.
        """
        reason = (self.risk_reason or '').strip()
        details = []
        if self.is_short:
            if not reason:
                raise UserError(
                    self.env._(
                        "These codes could be guessed. Say why they are imported all the same:"
                        " another manager has to accept it."
                    )
                )
            details = [
                self.env._("The codes could be guessed: %(risk)s.", risk=self.guessing_risk),
                self.env._("Reason: %(reason)s", reason=reason),
            ]
        # Disabled and expired cards can be made usable again.
        usable = self.total_ids.filtered(lambda total: total.state != 'used')
        self.env['refill.card.approval']._require(
            'import',
            'import',
            self.company_id,
            {
                currency: sum(same.mapped('amount'))
                for currency, same in usable.grouped('currency_id').items()
            },
            {
                'import_id': self.id,
                'checked': self.sudo().check_key,  # sudo: for the program alone
                'reason': reason,
            },
            self.env._(
                "Import %(count)s cards of %(system)s",
                count=format_count(self.env, self.ready_count),
                system=PRESETS[self.preset].name,
            ),
            details='\n'.join(details) or None,
            record=self,
            always=self.is_short,
        )

    def _make_series(self):
        """Make a series for each group of the checked lines; their cards follow."""
        days = self.env['refill.card.import.row']._get_days(self)
        groups = [Group.from_json(told) for told in self.groups]
        # sudo: no one creates a series any other way; cards made before keep their day
        series_sudo = self.env['refill.card.series'].sudo()
        for number, (count, day) in days.items():
            values = self._prepare_series_values(number, groups[number], count, day)
            made = series_sudo.with_company(self.company_id).create(values)
            made.write({'state': 'generating'})
            made.sudo(False)._log_imported(self, self.reference)

    def _prepare_series_values(self, number, group, count, day):
        """Return the values of a series.

        :param int number: of the group.
        :param Group group: what its cards have in common.
        :param int count: how many there are.
        :param datetime.date | None day: their last day, if it is the same for all.
        """
        return {
            'state': 'ready',
            'quantity': count,
            'company_id': self.company_id.id,
            'price': group.price,
            'currency_id': group.currency_id,
            'company_ids': [Command.set(group.company_ids)],
            'valid_till': day if day and day >= self.company_id._get_refill_card_day() else False,
            'activation_required': group.is_stock,
            'codes_left_on': fields.Datetime.now(),
            'import_id': self.id,
            'import_group': number,
            'foreign_batch': group.batch or False,
            'is_foreign': True,
            'alphabet': 'digits' if self.digits_only else 'base32',
            'code_case': self.case,
            'code_forms': self.forms,
            'has_short_codes': self.is_short,
        }

    # -------------------------------------------------------------------------
    # IMPORTING
    # -------------------------------------------------------------------------

    def _import_batch(self):
        """Make cards of the next lines, or finish when there are none.

        :return: how many lines there were.
        :rtype: int
        """
        record = self._as_confirmer()
        cards_sudo = record.env['refill.card'].sudo()  # sudo: no one creates a card any other way
        series = self.sudo().series_ids.filtered(lambda each: each.state == 'generating')[-1:]
        if not series:
            record._finish()
            return 0
        taken, made = cards_sudo._insert_imported(record, series, BATCH)
        series.write({'generated': series.generated + made})
        # In the same transaction, so that a series is never whole and still being made.
        if not self.env['refill.card.import.row']._is_waiting(self, series.import_group):
            series._finish_import()
        self.sudo().done_count += taken
        return taken or 1

    def _as_confirmer(self):
        """Return the import as whoever confirmed it sees it."""
        return self.sudo().confirmed_by_id._take_over(self, self.company_id)

    def _finish(self):
        """Write down that all cards are there."""
        # sudo: steps are written by nobody by hand
        self.sudo().write({'state': 'done', 'groups': False})

    # -------------------------------------------------------------------------
    # IN THE BACKGROUND
    # -------------------------------------------------------------------------

    @api.model
    def _cron_import(self):
        """Check large tables, and import what was confirmed, a batch a transaction."""
        # Else destroyed tables would stay on the disk until the next day.
        self.env['ir.attachment']._gc_file_store()
        time_left = True
        while time_left and (
            record := self.search(
                [('state', 'in', ['checking', 'importing'])], order='tries, id', limit=1
            )
        ):
            if record.state == 'checking':
                time_left = record._check_in_background()
            else:
                time_left = record._import_in_background()

    def _check_in_background(self):
        """Check the table, from where it broke off or the time was up.

        To go on, the lines before are read over, which takes some seconds in a large workbook. So
        that is done once in a while only, and never for a batch alone.

        :return: whether there is time left.
        """
        started = []

        def on_batch(done):
            self._report_progress(done)
            started.append(time.monotonic())
            return started[-1] - started[0] < SECONDS

        if self.tries == MAX_TRIES:
            self._fail(
                self.env._("The server stopped while it checked the file. Please try again.")
            )
            return self._commit_step(0)
        if not self._commit_step(0):
            return False
        self.tries += 1
        self._commit_step(0)
        try:
            if not self._check_table(on_batch):
                return False
        except UserError as refused:
            self.env.cr.rollback()
            self._fail(str(refused))
        self._tell_user(self.create_uid)
        return self._commit_step(0)

    def _import_in_background(self):
        """Make cards of the next lines; those of a batch that broke off are there still.

        :return: whether there is time left.
        """
        if self.tries == MAX_TRIES:
            self._leave_out_rest()
        self.tries += 1
        self._commit_step(0)
        done = self._import_batch()
        self.tries = 0
        if self.state == 'done':
            self._tell_user(self.confirmed_by_id)
        else:
            self._send_to_windows(self.confirmed_by_id)
        return self._commit_step(done)

    def _leave_out_rest(self):
        """Give up the lines of which no cards can be made, however often that is tried."""
        record = self._as_confirmer()
        reason = record.env._("The server broke off while it imported this line.")
        self.env['refill.card.import.row']._give_up(self, reason)
        problem = record.env._(
            "Not all cards could be imported. Those that are missing are among the lines left out:"
            " import the file again for them."
        )
        self.write({'tries': 0, 'problem': problem})

    def _commit_step(self, done):
        waiting = self.search([('state', 'in', ['checking', 'importing'])])
        remaining = sum(max(each.ready_count - each.done_count, 1) for each in waiting)
        return self.env['ir.cron']._commit_progress(done, remaining=remaining)

    def _report_progress(self, done):
        step = done - self.done_count
        self.write({'done_count': done, 'line_count': max(self.line_count, done), 'tries': 0})
        self._send_to_windows(self.create_uid)
        self.env.invalidate_all()  # else all customers of the table would be remembered
        self._commit_step(step)

    def _fail(self, problem):
        self.write({'state': 'failed', 'problem': problem})

    def _send_to_windows(self, user):
        """Have the windows in which the user sees this import show it anew."""
        user._bus_send('refill_cards/progress', {'model': self._name, 'id': self.id})

    def _tell_user(self, user):
        """Tell whoever waits that the table is checked, or imported."""
        self._send_to_windows(user)
        record = self.with_user(user).with_context(lang=user.lang)
        sentences = {
            'checked': record.env._("Your file %(name)s is checked", name=self.name),
            'failed': record.env._("Your file %(name)s could not be checked", name=self.name),
            'done': record.env._("The cards of %(name)s are imported", name=self.name),
        }
        user._tell_refill_cards_done(
            sentences[self.state],
            record.env._("Open"),
            record.action_open(),
            success=self.state != 'failed',
        )


class RefillCardApproval(models.Model):
    _inherit = 'refill.card.approval'

    def _run_import(self):
        arguments = self.sudo().arguments  # sudo: for the program alone
        self.env['refill.card.import'].browse(arguments['import_id'])._confirm()


class RefillCardSeries(models.Model):
    """What becomes of a series while its cards are imported."""

    _inherit = 'refill.card.series'

    import_group = fields.Integer(readonly=True, aggregator=None)

    def _finish_import(self):
        """Say that all cards are there; some may be left out since they were checked."""
        if not self.generated:
            self.unlink()
            return
        self.write({'quantity': self.generated, 'state': 'ready'})
        day = self.valid_till and fields.Date.to_string(self.valid_till)
        self._tell('generated', {'count': self.quantity, 'valid_till': day or None})

    def _log_imported(self, record, reference):
        """Write down that cards came along from another system.

        :param refill.card.import record: the import.
        :param str reference: what the events of the operation share.
        """
        note = self.env._(
            "Imported from %(system)s: %(count)s cards of %(price)s",
            system=PRESETS[record.preset].name,
            count=format_count(self.env, self.quantity),
            price=format_amount(self.env, self.price, self.currency_id),
        )
        self._log(note, reference)
