from base64 import b64decode
from contextlib import closing

import pypdfium2
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tests import tagged

from .common import RefillCardCommon, scan


@tagged('post_install', '-at_install')
class TestPrint(RefillCardCommon):
    def _window(self, series, **values):
        """Return the window that prints, as the accountant sees it."""
        wizards = self.env['refill.card.export.wizard'].with_user(self.accountant)
        return wizards.create(
            {'series_ids': [Command.set(series.ids)], 'file_format': 'pdf', **values}
        )

    def _print(self, series, **values):
        """Return the pages' texts and the PDF."""
        export = self._window(series, **values)._export()
        content = b64decode(self.env['refill.card.export'].browse(export['res_id']).sudo().file)
        with closing(pypdfium2.PdfDocument(content)) as document:
            return [page.get_textpage().get_text_range() for page in document], content

    def test_what_the_fonts_lack_is_said_before_and_everything_else_goes_on(self):
        for name, characters in (
            ("北方电信", "北 方 电 信"),
            ("บริษัท", "บ"),
            ("उत्तर", "उ"),
            ("북부통신", "북"),
            ("ሰሜን", "ሰ"),
        ):
            with self.subTest(name=name):
                self.company.name = name
                layout = self.env['refill.card.layout'].with_user(self.accountant)
                layout = layout.create({'name': "New"})
                self.assertIn(characters, layout.problem)
                series = self._generate()
                window = self._window(series, layout_id=layout.id)
                self.assertRegex(window.problem, f"The title cannot be printed.*{characters}")
                with self.assertRaisesRegex(UserError, characters):
                    window._export()
                self.assertFalse(self._window(series, file_format='csv').problem)

    def test_a_name_or_an_address_that_does_not_fit_is_said_before(self):
        series = self._generate()
        self.company.refill_card_address = f'https://{"a" * 60}.example.com'
        self.assertRegex(self._window(series).problem, "The text of the instructions.*aaaa")
        self.company.refill_card_address = 'https://mycompany-staging-1234567.dev.odoo.com'
        self.assertFalse(self._window(series).problem)
        self.company.name = 'W' * 216
        self.assertRegex(self._window(series).problem, "The title “W+” does not fit")

    def test_a_currency_without_glyph_is_printed_as_its_code(self):
        for code in ('THB', 'BDT', 'KHR'):
            currency = self.env.ref(f'base.{code}')
            currency.active = True
            [text], _pdf = self._print(self._generate(currency_id=currency.id))
            self.assertEqual(text.count(code), 3)

    def test_series_of_other_lengths_are_printed_together(self):
        series = self._generate(prefix='') | self._generate(prefix='SUMMERPROMO', price=1000)
        for ordered in (series, series[::-1]):
            texts, content = self._print(ordered)
            self.assertEqual(len(scan(content)), 6)

    def test_the_series_that_does_not_fit_is_named(self):
        self.other_company.name = 'W' * 150
        anywhere = self._generate(company_ids=[Command.clear()])
        elsewhere = self._generate(company_ids=[Command.clear()])
        elsewhere.sudo().company_ids = self.other_company
        self.assertFalse(self._window(anywhere).problem)
        self.assertRegex(self._window(elsewhere).problem, "^The text with the accepting companies")
        self.assertRegex(
            self._window(anywhere | elsewhere).problem,
            f"^Series {elsewhere.name}: The text with the accepting companies “.*WWW” does not fit",
        )

    def test_words_are_the_layouts(self):
        layout = self.env.ref('refill_cards.refill_card_layout_sheet')
        series = self._generate(quantity=1)
        [text], _pdf = self._print(series)
        self.assertIn("Serial number 2", text)
        self.assertEqual(layout.default_serial_text, "Serial number {serial}")
        self.env['res.lang']._activate_lang('fr_FR')
        layout.serial_text = "No. {serial}"
        layout.with_context(lang='fr_FR').serial_text = "No de série {serial}"
        [text], _pdf = self._print(series)
        self.assertIn("No. 2", text)
        layout.lang = 'fr_FR'
        [text], _pdf = self._print(series)
        self.assertIn("No de série 2", text)
        layout.show_serial = False
        [text], _pdf = self._print(series)
        self.assertNotIn("série", text)

    def test_cards_say_who_accepts_them_unless_all_of_the_issuers_companies_do(self):
        branch = self.env['res.company'].create({'name': "Branch", 'parent_id': self.company.id})
        everywhere = self._generate(quantity=1, company_ids=[Command.clear()])
        for companies, accepted in (
            (self.company, ""),
            (self.company | self.other_company, ""),
            (branch, "Accepted by Branch"),
            (self.other_company, "Accepted by Daughter"),
            (branch | self.other_company, "Accepted by (Branch, Daughter|Daughter, Branch)"),
        ):
            with self.subTest(companies=companies.mapped('name')):
                series = self._generate(quantity=1)
                series.sudo().company_ids = companies
                [text], _pdf = self._print(series)
                if accepted:
                    self.assertRegex(text.replace('\r\n', ' '), accepted)
                else:
                    self.assertNotIn("Accepted", text)
        both = everywhere | series
        [text], _pdf = self._print(both)
        self.assertEqual(text.count("Accepted by"), 1)
