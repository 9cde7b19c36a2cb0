from base64 import b64encode

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged

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
            ({'rows': 40}, "do not fit"),
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
        self.assertEqual(len(layouts), 3)
        for layout in layouts:
            with self.subTest(layout=layout.name):
                self.assertFalse(layout.problem)
                self.assertTrue(layout.preview)

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
        values = {'name': "New", 'columns': 3, 'show_barcode': True, 'show_qr': False}
        with self.assertRaisesRegex(ValidationError, "do not fit"):
            self.layouts.create(values)

    def test_a_layout_without_paper_says_so(self):
        self.assertIn("paper", self.layouts.new({'paper': False}).problem)

    def test_the_preview_follows_what_is_typed(self):
        layout = self.layouts.new({'name': "New"})
        before = layout.preview
        layout.accent_color = '#000000'
        self.assertNotEqual(layout.preview, before)
