"""Tables that other systems exported, and the window that imports them."""

import base64
import io
from unittest.mock import patch

import openpyxl
from odoo.tests import Form

from ..refill_cards.models import refill_card_import_check, refill_card_import_run
from .common import RefillCardCommon

# Made up by hand as Splynx draws them: the month, the series' prefix, eight letters.
SPLYNX = """\
Serie,Code,Price,Valid till,Status
202201,202201-QuickAccess-irfUPbEZ,25.00,2066-12-31,Active
202201,202201-QuickAccess-KmPqTzWx,25.00,2066-12-31,Active
202201,202201-QuickAccess-aBcDeFgH,25.00,2066-12-31,Used
202201,202201-QuickAccess-zyxWVuTS,50.00,2066-12-31,Disabled
"""


class ImportCommon(RefillCardCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        group = 'refill_cards.group_refill_card_manager'
        # Who has the same address is the same person.
        cls.manager = cls._new_user('manager', group, email='first@example.com')
        cls.second = cls._new_user('second', group, email='second@example.com')

    def _upload(self, table, preset='splynx', user=None, name='cards.csv', **values):
        """Choose a file in the window; return the import.

        :param str | bytes table: the file.
        """
        content = table.encode() if isinstance(table, str) else table
        imports = self.env['refill.card.import'].with_user(user or self.manager)
        imports = imports.with_context(default_name=name)  # the field of the file tells it
        view = 'refill_cards.refill_card_import_view_window'
        with Form(imports, view=view) as form:
            form.preset = preset
            form.file = base64.b64encode(content)
        record = form.record
        record.action_open()
        if values:
            with Form(record) as form:
                for fname, value in values.items():
                    setattr(form, fname, value)
        return record

    def _check(self, table, **values):
        """Choose a file and have it checked; return the import."""
        record = self._upload(table, **values)
        record.action_check()
        return record

    def _import(self, table, **values):
        """Import a file; return the import."""
        record = self._check(table, **values)
        self._confirm(record)
        return record

    def _confirm(self, record):
        self._start(record)
        self.assertEqual(record.state, 'done')

    def _start(self, record):
        """Confirm an import; where codes could be guessed, another manager accepts that."""
        if record.is_short:
            record.risk_reason = "In people's hands for years"
        action = record.action_confirm()
        if record.is_short:
            self._get_approval(action).action_approve()

    def _get_approval(self, action):
        """Return what an action waits for, as the second manager sees it."""
        self.assertEqual(action['res_model'], 'refill.card.approval')
        approvals = self.env['refill.card.approval'].with_user(self.second)
        return approvals.browse(action['res_id'])

    def _get_cards(self, record):
        """Return the cards of an import, as the superuser, by their codes."""
        cards = self.env['refill.card'].sudo().search([('series_id.import_id', '=', record.id)])
        return {card.code: card for card in cards}

    def _tell_problems(self, record):
        return {problem.line: problem.reason for problem in record.problem_ids}

    def _tell_totals(self, record):
        return {total.state: (total.count, total.amount) for total in record.total_ids}

    def _match(self, record, **purposes):
        """Say what columns tell, by hand.

        :param str purposes: the label of the column by what it tells.
        """
        with Form(record) as form:
            for index in range(len(form.column_ids)):
                with form.column_ids.edit(index) as line:
                    line.purpose = {v: k for k, v in purposes.items()}.get(line.name, False)

    def _write_xlsx(self, *rows):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        file = io.BytesIO()
        book.save(file)
        return file.getvalue()

    def _in_background(self, batch=3):
        """Have everything checked and imported by the background job, in small batches."""
        for module in (refill_card_import_check, refill_card_import_run):
            self.startPatcher(patch.object(module, 'IMMEDIATE_LINES', 0))
            self.startPatcher(patch.object(module, 'BATCH', batch))

    def _run_background_job(self):
        result = self.env.ref('refill_cards.ir_cron_import').method_direct_trigger()
        self.env.invalidate_all()
        return result
