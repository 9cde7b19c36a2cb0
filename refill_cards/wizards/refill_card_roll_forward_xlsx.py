import base64
import io

import xlsxwriter
from odoo import fields, models
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

from ..table import name_sheet
from .refill_card_roll_forward_figures import NUMBERS
from .refill_card_roll_forward_line import MEASURES

NAME_WIDTH, NUMBER_WIDTH = 44, 16  # in characters
FIRST_ROW = 4  # of a table: its header
# The columns of what is to be settled: what changed it, and since when it is owed.
OWED = (
    *('beginning', 'redeemed', 'given_back', 'billed', 'others', 'end'),
    *('recent', 'month', 'quarter', 'older'),
)


class RefillCardRollForward(models.TransientModel):
    """The report as a workbook, whose totals are formulas."""

    _inherit = 'refill.card.roll.forward'

    xlsx = fields.Binary(string="Excel Workbook", compute='_compute_xlsx')
    xlsx_name = fields.Char(compute='_compute_xlsx')

    def _compute_xlsx(self):
        for window in self:
            window.xlsx = base64.b64encode(window._write_xlsx())
            window.xlsx_name = f"{self.env._('Owed for refill cards')} {window.date_to}.xlsx"

    def _get_tables(self):
        """Return the tables of series: their labels, columns and lines, to print or export them.

        :rtype: list[dict]
        """
        lines = self.line_ids
        labels = dict(lines._fields['measure']._description_selection(self.env))
        hidden = {'stated': self.has_stated, 'moved': self.has_moved}
        numbers = [number for number in NUMBERS if hidden.get(number, True)]
        tables = [
            {
                'label': labels[measure],
                'numbers': numbers,
                'labels': {
                    number: lines._fields[number]._description_string(self.env)
                    for number in numbers
                },
                'lines': lines.filtered(lambda line, m=measure: line.measure == m),
            }
            for measure, _label in MEASURES
        ]
        return [table for table in tables if table['lines']]

    def _get_debtor_labels(self):
        """Return the columns of what is to be settled, by the names of their fields.

        :rtype: dict[str, str]
        """
        fields_ = self.debtor_ids._fields
        return {name: fields_[name]._description_string(self.env) for name in OWED}

    def _write_xlsx(self):
        """Return the workbook.

        :rtype: bytes
        """
        file = io.BytesIO()
        with xlsxwriter.Workbook(file, {'in_memory': True, 'strings_to_formulas': False}) as book:
            bold = book.add_format({'bold': True})
            for table in self._get_tables():
                sheet = self._add_sheet(book, table['label'])
                self._write_lines(book, sheet, table, bold)
            self._write_ledger(book, bold)
            self._write_debtors(book, bold)
        return file.getvalue()

    def _add_sheet(self, book, title):
        sheet = book.add_worksheet(name_sheet(title))
        big = book.add_format({'bold': True, 'font_size': 14})
        sheet.write_string(0, 0, self.env._("Owed for Refill Cards"), big)
        sheet.write_string(1, 0, f'{self.company_id.name}, {self._get_period()}')
        sheet.write_string(2, 0, title)
        sheet.set_column(0, 0, NAME_WIDTH)
        sheet.set_column(1, 20, NUMBER_WIDTH)
        sheet.freeze_panes(FIRST_ROW + 1, 1)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        return sheet

    def _get_format(self, book, bold, currency):
        """Return how numbers are shown: money with its currency, else whole numbers."""
        shown = '#,##0'
        if currency:
            decimals = '0' * currency.decimal_places
            shown = f'#,##0{"." if decimals else ""}{decimals} "{currency.name}"'
        return book.add_format({'bold': bold, 'num_format': shown})

    def _write_header(self, sheet, names, bold):
        for column, name in enumerate(names):
            sheet.write_string(FIRST_ROW, column, name, bold)

    def _write_lines(self, book, sheet, table, bold):
        numbers = table['numbers']
        self._write_header(sheet, [self.env._("Series"), *table['labels'].values()], bold)
        first, subtotals = FIRST_ROW + 1, []
        for row, line in enumerate(table['lines'], FIRST_ROW + 1):
            currency = line.currency_id if line.measure != 'count' else None
            style = self._get_format(book, line.kind != 'series', currency)
            sheet.write_string(row, 0, line.name, bold if line.kind != 'series' else None)
            for column, number in enumerate(numbers, 1):
                formula = self._get_formula(line.kind, row, column, len(numbers), first, subtotals)
                if formula:
                    sheet.write_formula(row, column, formula, style, line[number])
                else:
                    sheet.write_number(row, column, line[number], style)
            if line.kind == 'subtotal':
                subtotals.append(row)
            if line.kind == 'total':
                subtotals = []
            if line.kind != 'series':
                first = row + 1

    def _get_formula(self, kind, row, column, end, first, subtotals):
        """Return the formula of a cell, None where it is a number.

        :param int end: the column of what is owed at the end.
        :param int first: the row with the first series of a subtotal.
        :param list[int] subtotals: the rows that a total adds up.
        :rtype: str | None
        """
        if column == end:
            cells = xl_rowcol_to_cell(row, 1), xl_rowcol_to_cell(row, end - 1)
            return '=SUM({}:{})'.format(*cells)
        name = xl_col_to_name(column)
        if kind == 'subtotal':
            return f'=SUM({name}{first + 1}:{name}{row})'
        if kind == 'total':
            return '=' + '+'.join(f'{name}{subtotal + 1}' for subtotal in subtotals)
        return None

    def _write_ledger(self, book, bold):
        sheet = self._add_sheet(book, self.env._("Ledger"))
        reasons = self.reason_ids
        labels = [
            reasons._fields[name]._description_string(self.env) for name in ('beginning', 'end')
        ]
        self._write_header(sheet, ['', *labels], bold)
        plain = self._get_format(book, False, self.currency_id)
        strong = self._get_format(book, True, self.currency_id)
        first, totals = FIRST_ROW + 1, 0
        for row, reason in enumerate(reasons, FIRST_ROW + 1):
            is_total = reason.kind == 'total'
            totals += is_total
            sheet.write_string(row, 0, reason.name, bold if is_total else None)
            for column, number in enumerate(('beginning', 'end'), 1):
                style = strong if is_total else plain
                if totals == 2 and is_total:  # the balance: the cards, and why it differs
                    name = xl_col_to_name(column)
                    formula = f'=SUM({name}{first + 1}:{name}{row})'
                    sheet.write_formula(row, column, formula, style, reason[number])
                else:
                    sheet.write_number(row, column, reason[number], style)

    def _write_debtors(self, book, bold):
        debtors = self.debtor_ids
        if not debtors:
            return
        sheet = self._add_sheet(book, self.env._("To be settled"))
        names = list(self._get_debtor_labels())
        labels = self._get_debtor_labels().values()
        self._write_header(sheet, [self.env._("Owes"), *labels], bold)
        plain = self._get_format(book, False, self.currency_id)
        strong = self._get_format(book, True, self.currency_id)
        first, end = FIRST_ROW + 1, names.index('end') + 1
        for row, debtor in enumerate(debtors, first):
            sheet.write_string(row, 0, debtor.partner_id.display_name or '')
            for column, name in enumerate(names, 1):
                if column == end:
                    cells = xl_rowcol_to_cell(row, 1), xl_rowcol_to_cell(row, end - 1)
                    formula = '=SUM({}:{})'.format(*cells)
                    sheet.write_formula(row, column, formula, plain, debtor[name])
                else:
                    sheet.write_number(row, column, debtor[name], plain)
        last = first + len(debtors)
        sheet.write_string(last, 0, self.env._("Total"), bold)
        for column, name in enumerate(names, 1):
            cells = xl_rowcol_to_cell(first, column), xl_rowcol_to_cell(last - 1, column)
            value = sum(debtors.mapped(name))
            sheet.write_formula(last, column, '=SUM({}:{})'.format(*cells), strong, value)
