from base64 import b64encode
from datetime import timedelta
from io import BytesIO
from unittest.mock import patch

import pypdfium2
import zxingcpp
from freezegun import freeze_time
from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import HttpCase, tagged

from ..refill_cards.models import refill_card_series
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


@tagged('post_install', '-at_install')
class TestPrint(RefillCardCommon, HttpCase):
    def _print(self, series, user):
        self.authenticate(user.login, user.login)
        return self.url_open(f'/refill_cards/series/{series.id}/pdf')

    def _scan(self, content):
        """Return the text of every QR code in a PDF, page by page."""
        document = pypdfium2.PdfDocument(BytesIO(content))
        try:
            return [
                barcode.text
                for page in document
                for barcode in zxingcpp.read_barcodes(
                    page.render(scale=3).to_pil(), formats=zxingcpp.BarcodeFormat.QRCode
                )
            ]
        finally:
            document.close()

    def test_who_may_not_see_codes_prints_nothing(self):
        series = self._generate(company_ids=[Command.clear()])
        for user in (self.clerk, self.employee, self.customer_user):
            with self.subTest(user=user.login):
                self.assertEqual(self._print(series, user).status_code, 403)

    def test_what_cannot_be_printed_says_why(self):
        series = self._generate_card().series_id
        self._redeem(series.card_ids)
        series.invalidate_recordset()
        with self.assertRaisesRegex(UserError, "can be redeemed"):
            series.action_print()
        series.layout_id = False
        with self.assertRaisesRegex(UserError, "Choose the layout"):
            series.action_print()

    def test_cards_whose_day_is_over_are_not_printed(self):
        series = self._generate(valid_till=fields.Date.today())
        with (
            freeze_time(fields.Datetime.now() + timedelta(days=3)),
            self.assertRaisesRegex(UserError, "can be redeemed"),
        ):
            series.action_print()

    def test_a_series_that_is_being_generated_is_not_printed(self):
        with patch.object(refill_card_series, 'IMMEDIATE_QUANTITY', 0):
            series = self._generate()
        with self.assertRaisesRegex(UserError, "being generated"):
            series.action_print()

    def test_every_card_that_can_be_redeemed_is_printed_with_its_code(self):
        series = self._generate(quantity=13)
        self._redeem(series.card_ids[0])
        response = self._print(series, self.accountant)
        self.assertEqual(response.status_code, 200)
        self.assertEqual(response.headers['Content-Type'], 'application/pdf')
        address = series.get_base_url() + '/my/refill#'
        self.assertEqual(
            sorted(self._scan(response.content)),
            sorted(address + code for code in series.card_ids[1:].sudo().mapped('code')),
        )
        self.assertIn("12 cards exported as PDF", series.message_ids[0].body)
