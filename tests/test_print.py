from base64 import b64decode, b64encode
from contextlib import closing
from io import BytesIO

import pypdfium2
import zxingcpp
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import tagged
from PIL import Image

from ..refill_cards import codes
from ..refill_cards.models.refill_card_layout_printing import EXAMPLE
from .common import RefillCardCommon, scan


@tagged('post_install', '-at_install')
class TestLayout(RefillCardCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.layouts = cls.env['refill.card.layout'].with_user(cls.accountant)

    def test_what_cannot_be_printed_is_refused_with_a_sentence(self):
        for values, sentence in (
            ({'rows': 0}, "1 to 50 rows"),
            ({'columns': 21}, "1 to 20 columns"),
            ({'rows': 40}, "does not fit"),
            ({'title': 'W' * 60}, "The title “WW.*” does not fit"),
            ({'instructions': 'W' * 60}, "The text of the instructions “WW.*” does not fit"),
            ({'columns': 3, 'rows': 8, 'margin_x': 6, 'margin_y': 8}, "does not fit"),
            ({'paper': 'roll58', 'show_barcode': True}, "The bar code of the longest code does"),
            ({'paper': 'cr80', 'back_text': 'W' * 60}, "The text on the back “WW.*” does not fit"),
            ({'text': "Hello", 'text_color': '#ffffff'}, "colour of the background"),
            ({'columns': 1, 'rows': 1, 'accent_color': '#fffffe'}, "The price has about the colo"),
            ({'gap': -1}, "cannot be negative"),
            ({'accent_color': 'red'}, "hexadecimal"),
            ({'title': "Price {prize}"}, "{prize} stands for nothing"),
            ({'text': "电话"}, "电 话|话 电"),
        ):
            with self.subTest(**values):
                problem = self.layouts.new({'name': "New", **values}).problem
                self.assertRegex(problem, sentence)
                with self.assertRaisesRegex(ValidationError, sentence):
                    self.layouts.create({'name': "New", **values})

    def test_a_clerk_does_not_change_layouts(self):
        layout = self.env.ref('refill_cards.refill_card_layout_sheet').with_user(self.clerk)
        with self.assertRaises(AccessError):
            layout.title = "Mine"

    def test_the_layouts_that_come_along_show_a_preview(self):
        layouts = self.layouts.search([])
        self.assertEqual(len(layouts), 4)
        for layout in layouts:
            with self.subTest(layout=layout.name):
                self.assertFalse(layout.problem)
                self.assertTrue(layout.preview)

    def test_the_preview_shows_what_looks_like_a_code_and_is_none(self):
        for layout in self.layouts.search([]):
            with self.subTest(layout=layout.name):
                picture = Image.open(BytesIO(b64decode(layout.preview)))
                [qr] = zxingcpp.read_barcodes(picture, zxingcpp.BarcodeFormat.QRCode)
                _address, code = qr.text.split('#')
                self.assertRegex(code, r'^QUICK(-[0-9A-Z]{4}){2}-[0-9A-Z]{5}$')
                self.assertGreater(len(set(code)), 10)
                with self.assertRaises(codes.Typo):
                    codes.read(code, [EXAMPLE])

    def test_layouts_with_pictures_open_in_their_form(self):
        picture = b64encode(self.env['ir.binary']._placeholder())
        for values in ({'background': picture}, {'logo': picture}, {}):
            layout = self.layouts.create({'name': "New", **values})
            self.env.flush_all()
            self.env.invalidate_all()
            forms = layout.with_context(bin_size=True)  # as the web client asks
            [form] = forms.web_read({'problem': {}, 'preview': {}, 'logo': {}})
            self.assertFalse(form['problem'])
            self.assertTrue(form['preview'])

    def test_a_layout_whose_language_was_deactivated_still_opens(self):
        french = self.env['res.lang']._activate_lang('fr_FR')
        layout = self.layouts.create({'name': "New", 'lang': 'fr_FR'})
        french.active = False
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertTrue(layout.preview)

    def test_the_widest_bar_code_decides(self):
        values = {'name': "New", 'columns': 4, 'rows': 4, 'title': '', 'show_logo': False}
        values |= {'show_barcode': True, 'show_qr': False, 'show_instructions': False}
        with self.assertRaisesRegex(ValidationError, "The bar code .* does not fit"):
            self.layouts.create(values)

    def test_a_layout_without_paper_says_so(self):
        self.assertIn("paper", self.layouts.new({'paper': False}).problem)

    def test_the_preview_follows_what_is_typed(self):
        layout = self.layouts.new({'name': "New"})
        before = layout.preview
        layout.accent_color = '#000000'
        self.assertNotEqual(layout.preview, before)

    def test_a_layout_that_became_impossible_opens_and_says_why(self):
        layout = self.layouts.create({'name': "Old", 'show_logo': False})
        self.env.flush_all()
        self.env.cr.execute("UPDATE refill_card_layout SET rows = 30 WHERE id = %s", [layout.id])
        layout.invalidate_recordset()
        [form] = layout.web_read({'problem': {}, 'preview': {}})
        self.assertIn("does not fit", form['problem'])
        self.assertFalse(form['preview'])
        layout.rows = 5
        self.assertTrue(layout.preview)

    def test_a_company_logo_that_cannot_be_printed_is_left_out_with_a_hint(self):
        self.company.logo = b64encode(b'<svg xmlns="http://www.w3.org/2000/svg" width="9"/>')
        layout = self.layouts.create({'name': "New"})
        self.assertIn("cannot be printed and is left out", layout.hint)
        self.assertFalse(layout.problem)
        self.assertTrue(layout.preview)
        layout.logo = b64encode(self.env['ir.binary']._placeholder())
        self.assertFalse(layout.hint)


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

    def test_words_are_by_default_in_the_layouts_language(self):
        self.env['res.lang']._activate_lang('ar_001')
        layout = self.env['refill.card.layout'].create({'name': "Arabic", 'lang': 'ar_001'})
        self.assertIn("الرقم التسلسلي", layout.default_serial_text)
        self.assertTrue(layout.preview)

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
