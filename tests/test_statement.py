from io import BytesIO

import openpyxl
import pypdfium2
from odoo.fields import Command, Date
from odoo.tests import tagged

from .test_between_companies import BetweenCompaniesCommon
from .test_settle import SettleCommon


class StatementCommon(SettleCommon):
    def _get_files(self, invoice):
        """Return the attached statement: rows of the table, text of the PDF."""
        files = self.env['ir.attachment'].search(
            [('res_model', '=', 'account.move'), ('res_id', '=', invoice.id)]
        )
        content = {file.name.rpartition('.')[2]: file.raw for file in files}
        self.assertEqual(set(content), {'xlsx', 'pdf'})
        sheet = openpyxl.load_workbook(BytesIO(content['xlsx'])).active
        rows = [
            (serial, day.date(), amount)
            for serial, day, amount in sheet.iter_rows(min_row=2, values_only=True)
        ]
        document = pypdfium2.PdfDocument(content['pdf'])
        return rows, ''.join(page.get_textpage().get_text_range() for page in document)


@tagged('post_install', '-at_install')
class TestStatement(StatementCommon):
    """A settlement says which cards it bills, and never a code."""

    def test_the_statement_has_serial_day_and_face_value_of_each_card(self):
        used = self._consign(3)
        sold = self._consign(1, activation_required=True, price=10)
        self._redeem(used[0])
        self._redeem(used[2])
        sold.with_user(self.accountant)._activate()
        invoice = self._settle()
        rows, text = self._get_files(invoice)
        self.assertEqual(
            rows,
            [
                (used[0].name, self.today, 25),
                (used[2].name, self.today, 25),
                (sold.name, self.today, 10),
            ],
        )
        for card in used[0] + used[2] + sold:
            self.assertIn(card.name, text)
        self.assertNotIn(used[1].name, text)
        for part in ("Kiosk", "25.00", "Serial Number"):
            self.assertIn(part, text)
        for card in (used + sold).sudo():
            self.assertNotIn(card.code, f'{rows}{text}')

    def test_what_was_undone_is_below_zero(self):
        card = self._consign()
        self._redeem(card)
        self._settle().action_post()
        self._undo(card)
        rows, _text = self._get_files(self._settle())
        self.assertEqual(rows, [(card.name, self.today, 25)])
        others = self._consign(2)
        for other in others:
            self._redeem(other)
        self.env['account.move'].search([('move_type', '=', 'out_refund')]).unlink()
        rows, _text = self._get_files(self._settle())
        self.assertEqual([row[2] for row in rows], [-25, 25, 25])

    def test_a_draft_that_lost_a_line_gets_a_new_statement_once_it_is_confirmed(self):
        first, second = self._consign(), self._consign()
        self._redeem(first)
        self._redeem(second)
        invoice = self._settle().with_user(self.accountant)
        invoice.invoice_line_ids.filtered(
            lambda line: line.refill_card_series_id == first.series_id
        ).unlink()
        invoice.action_post()
        rows, _text = self._get_files(invoice)
        self.assertEqual(rows, [(second.name, self.today, 25)])

    def test_it_is_written_in_the_resellers_language(self):
        self._activate_language('de_DE').date_format = '%d.%m.%Y'
        self.reseller.lang = 'de_DE'
        self._redeem(self._consign())
        _rows, text = self._get_files(self._settle())
        self.assertIn(self.today.strftime('%d.%m.%Y'), text)

    def test_a_name_that_no_font_has_is_left_out(self):
        self.reseller.name = "キオスク"
        self._redeem(self._consign())
        rows, _text = self._get_files(self._settle())
        self.assertEqual(len(rows), 1)


@tagged('post_install', '-at_install')
class TestStatementBetweenCompanies(StatementCommon, BetweenCompaniesCommon):
    """A reseller is told which cards were used in other companies, too."""

    def test_cards_redeemed_in_another_company_are_named(self):
        cards = self._generate(3, company_ids=[Command.clear()]).card_ids
        cards[:2].sudo()._consign(self.reseller)
        for card in cards:
            card._redeem(self.customer, self.other_company, channel='backend')
        invoice = self._settle_there()
        rows, _text = self._get_files(invoice)
        self.assertEqual([row[0] for row in rows], cards.mapped('name'))
        invoice.action_post()
        invoice.sudo().refill_card_bill_ids.action_post()
        rows, _text = self._get_files(self._settle())
        self.assertEqual(rows, [(card.name, Date.today(), 25) for card in cards[:2]])
