from base64 import b64decode, b64encode
from io import BytesIO

import zxingcpp
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged
from PIL import Image

from ..refill_cards import codes
from ..refill_cards.models.refill_card_layout_printing import EXAMPLE
from .common import RefillCardCommon


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
            (
                {'columns': 1, 'rows': 1, 'accent_color': '#fffffe'},
                "The face value has about the colo",
            ),
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

    def test_words_are_by_default_in_the_layouts_language(self):
        self.env['res.lang']._activate_lang('ar_001')
        layout = self.env['refill.card.layout'].create({'name': "Arabic", 'lang': 'ar_001'})
        self.assertIn("الرقم التسلسلي", layout.default_serial_text)
        self.assertTrue(layout.preview)
