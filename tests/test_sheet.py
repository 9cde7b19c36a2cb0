"""Printed cards: every PDF is read back, and every symbol scanned. No database."""

import io
import re
import tracemalloc
import unicodedata
from collections import Counter
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import patch

import cv2
import numpy
import pypdf
import pypdfium2
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from odoo.tests import BaseCase
from PIL import Image

from ..refill_cards.printing import arrangement, pdf, sheet, typesetting

POINTS_A_MM = 72 / 25.4
DPI = 300
SPAN = '/Span BMC'
URL = 'https://portal.example.com/my/refill#'
CARD = sheet.Card('QUICK-7K2M-9XQ4-R3TZX', '2026-0001-000001', '€ 25.00', '31/12/2027')
CARD = replace(CARD, url=URL + CARD.code)
# A prefix of 12 characters, 24 digits and the check digit, behind the longest usual host name.
LONGEST_CODE = 'WWWWWWWWWWWW-1234-5678-9012-3456-7890-12345'
LONGEST = sheet.Card(
    LONGEST_CODE,
    '2026-0001-1000000',
    'KWD 1,234,567.890',
    '31 September 2027',
    f'https://{"a-very-long-name." * 4}example.com/my/refill#{LONGEST_CODE}',
    'X' * 21,  # of letters, which make a wider bar code than more digits
)
LAYOUT = sheet.Layout(
    company="Northwind Internet",
    address='portal.example.com',
    text="{price} of prepaid internet",
    instructions="Scan the QR code, or open {address} and type the code.",
    serial_text="Serial number {serial}",
    valid_till_text="Valid till {valid_till}",
    accepted_text="Accepted by {companies}",
)
LAYOUTS = {
    'a4': LAYOUT,
    'letter': replace(LAYOUT, paper='letter', rows=4, gap=3, show_barcode=True),
    'small': replace(LAYOUT, columns=3, rows=7, margin_x=6, margin_y=8, text='', instructions=''),
    'large': replace(LAYOUT, columns=1, rows=2, show_barcode=True),
    'portrait': replace(LAYOUT, columns=3, rows=2, gap=5),
    'cr80': replace(LAYOUT, paper='cr80', show_barcode=True),
    'roll80': replace(LAYOUT, paper='roll80', show_barcode=True),
    'roll58': replace(LAYOUT, paper='roll58'),
}
HEBREW = "חברת האינטרנט הצפונית בע״מ"
ARABIC = "شركة الشمال للاتصالات"
COMPANIES = ["Северный Интернет — Київ", "Βόρειο Διαδίκτυο", "Đường Sắt Internet", HEBREW, ARABIC]

thoroughly = settings(deadline=None, derandomize=True, max_examples=60, database=None)
printable = st.text('AWilj .Жщ€Ωאש', max_size=60)
layouts = st.builds(
    sheet.Layout,
    paper=st.sampled_from(list(arrangement.PAPERS)),
    columns=st.integers(1, 4),
    rows=st.integers(1, 9),
    margin_x=st.floats(0, 30),
    margin_y=st.floats(0, 30),
    gap=st.floats(0, 10),
    title=printable,
    text=printable,
    instructions=printable.map(lambda text: 4 * text),
    show_qr=st.booleans(),
    show_barcode=st.booleans(),
    serial_text=printable.map(lambda text: f'{text} {{serial}}'),
    valid_till_text=st.sampled_from(["", "Valid till {valid_till}"]),
    accepted_text=st.just("By {companies}"),
    bleed=st.booleans(),
    right_to_left=st.booleans(),
)


def image(color, size=(300, 100), kind='PNG'):
    file = io.BytesIO()
    Image.new('RGB', size, color).save(file, kind)
    return file.getvalue()


def numbered(card, count):
    """Make cards of one series."""
    for number in range(count):
        code = f'{card.code[:-4]}{number:04d}'
        serial = f'{card.serial[:-4]}{number:04d}'
        yield replace(card, code=code, serial=serial, url=card.url.replace(card.code, code))


def written(layout, cards):
    file = io.BytesIO()
    sheet.write(layout, cards, file)
    return file.getvalue()


def bare(text):
    """Return a text without spaces, and without hyphens, which readers drop where a line ends."""
    return re.sub(r'[\s\ufffe\x02-]', '', text)


def places(layout, page):
    """Return the rectangles in which the cards of a page belong: left, bottom, right, top."""
    width, height = page.get_size()
    if layout.paper in arrangement.ONE_CARD_A_PAGE:
        slug = 8 * POINTS_A_MM if layout.bleed and layout.paper == 'cr80' else 0
        return [(slug, slug, width - slug, height - slug)]
    left, bottom, gap = (
        side * POINTS_A_MM for side in (layout.margin_x, layout.margin_y, layout.gap)
    )
    card_width = (width - 2 * left - (layout.columns - 1) * gap) / layout.columns
    card_height = (height - 2 * bottom - (layout.rows - 1) * gap) / layout.rows
    return [
        (x, height - y - card_height, x + card_width, height - y)
        for row in range(layout.rows)
        for column in range(layout.columns)
        for x in [left + column * (card_width + gap)]
        for y in [bottom + row * (card_height + gap)]
    ]


class TestSheet(BaseCase):
    def refused(self, error, what, layout, card=CARD):
        with self.assertRaises(error) as raised:
            sheet.check(layout, [card])
        self.assertEqual(raised.exception.what, what)

    def read_back(self, layout, cards):
        """Write the cards, and check what is true of every PDF.

        :return: for each card, the text and the symbols in its place, and a picture of it.
        """
        cards = list(cards)
        # PDFium only guesses where the characters are that are copied in the place of others.
        with patch.object(
            pdf.Sheets, '_begin_actual_text', lambda self, _: self._code.append(SPAN)
        ):
            content = written(layout, cards)
        pypdf.PdfReader(io.BytesIO(content), strict=True)
        a_page = 1 if layout.paper in arrangement.ONE_CARD_A_PAGE else layout.columns * layout.rows
        found = []
        with closing(pypdfium2.PdfDocument(content)) as document:
            self.assertEqual(len(document), -(-len(cards) // a_page))
            for number in range(len(document)):
                with closing(document[number]) as page:
                    areas = places(layout, page)[: len(cards) - number * a_page]
                    found += self.read_page(page, areas)
        for card, (text, symbols, _picture) in zip(cards, found, strict=True):
            self.assertIn(bare(card.code), text)
            expected = [card.url] * layout.show_qr
            expected += [card.body or card.code.replace('-', '')] * layout.show_barcode
            self.assertCountEqual([symbol.text for symbol in symbols], expected)
        return found

    def read_page(self, page, areas):
        with closing(page.get_textpage()) as texts:
            for i in range(texts.count_chars()):
                left, bottom, right, top = texts.get_charbox(i)
                inside = any(
                    area[0] <= left and area[1] <= bottom and right <= area[2] and top <= area[3]
                    for area in areas
                )
                self.assertTrue(inside or left == right, f'{texts.get_text_range(i, 1)!r} is cut')
            printed = [bare(texts.get_text_bounded(*area)) for area in areas]
        with closing(page.render(scale=DPI / 72)) as bitmap:
            whole = bitmap.to_pil().convert('RGB')
        found = []
        for text, (left, bottom, right, top) in zip(printed, areas, strict=True):
            corners = (left, page.get_height() - top, right, page.get_height() - bottom)
            picture = whole.crop([round(side / 72 * DPI) for side in corners])
            found.append((text, zxingcpp.read_barcodes(picture), picture))
        return found

    # === REFUSALS === #

    def test_a_placeholder_that_stands_for_nothing_is_refused_by_name(self):
        for text in ("{amount}", "{price.__class__}", "{}", "{price!r}", "{0}"):
            for element in ('title', 'text', 'instructions'):
                layout = replace(LAYOUT, **{element: f'Pay {text} now'})
                self.refused(sheet.UnknownPlaceholder, text[1:-1], layout)

    def test_characters_that_the_fonts_lack_are_refused_by_name_and_once(self):
        self.refused(typesetting.MissingCharacters, "日本", replace(LAYOUT, text="日本 {price} 日"))
        self.refused(typesetting.MissingCharacters, "🎉", replace(LAYOUT, title="Party 🎉"))
        self.refused(typesetting.MissingCharacters, "฿", LAYOUT, replace(CARD, price="100 ฿"))

    def test_characters_that_only_the_font_of_codes_lacks_are_refused(self):
        self.refused(typesetting.MissingCharacters, "Ж", LAYOUT, replace(CARD, code='Ж-7K2M'))

    def test_what_is_too_long_is_refused_by_element(self):
        for element in ('title', 'text', 'instructions'):
            layout = replace(LAYOUT, **{element: 'W' * 60})
            self.refused(arrangement.CannotFit, element, layout)
        layout = replace(LAYOUT, text='')
        for element, text in (('price', '9' * 60), ('code', 'W' * 60), ('serial', '9' * 90)):
            self.refused(arrangement.CannotFit, element, layout, replace(CARD, **{element: text}))

    def test_an_address_too_long_for_the_qr_code_is_refused(self):
        for length in (2200, 5000):
            self.refused(arrangement.CannotFit, 'qr', LAYOUT, replace(CARD, url=URL + 'a' * length))

    def test_a_code_too_long_for_the_bar_code_is_refused(self):
        layout = replace(LAYOUT, columns=4, rows=4, text='', show_qr=False, show_barcode=True)
        short = replace(CARD, code='7K2M-9XQ4')
        sheet.check(layout, [short])
        self.refused(arrangement.CannotFit, 'barcode', layout, replace(short, code=LONGEST_CODE))

    def test_cards_too_small_for_what_is_on_them_are_refused(self):
        self.refused(arrangement.CannotFit, 'card', replace(LAYOUT, rows=20, show_qr=False))
        for layout in (LAYOUT, LAYOUTS['portrait']):
            self.refused(arrangement.CannotFit, 'card', replace(layout, text="word " * 400))

    def test_margins_as_large_as_the_paper_are_refused(self):
        self.refused(arrangement.CannotFit, 'card', replace(LAYOUT, margin_x=105))

    def test_cards_too_narrow_for_a_qr_code_are_refused(self):
        layout = replace(LAYOUT, columns=8, rows=2, text='', instructions='')
        card = replace(CARD, code='A', serial='1', price='1', valid_till='')
        sheet.check(replace(layout, show_qr=False, title=''), [card])
        self.refused(arrangement.CannotFit, 'qr', replace(layout, title=''), card)

    def test_a_picture_that_is_none_is_refused_by_element(self):
        for content in (b'<svg/>', b'\x89PNG\r\n\x1a\n', image('red')[:20]):
            self.refused(sheet.UnreadablePicture, 'logo', replace(LAYOUT, logo=content))
            self.refused(sheet.UnreadablePicture, 'background', replace(LAYOUT, background=content))

    def test_a_later_card_that_does_not_fit_is_refused(self):
        layout = replace(LAYOUT, rows=7, text='', instructions='', serial_text='')
        sheet.check(layout, [CARD])
        long = replace(CARD, code='-'.join(['WWWW'] * 400))
        for later, element in ((long, 'code'), (replace(CARD, url=URL + 'a' * 1500), 'qr')):
            with self.assertRaises(arrangement.CannotFit) as raised:
                written(layout, [CARD, later])
            self.assertEqual(raised.exception.what, element)

    def test_no_cards_write_nothing(self):
        self.assertEqual(written(LAYOUT, []), b'')

    # === WHAT IS PRINTED === #

    def test_every_card_is_whole_and_scans_on_every_paper(self):
        for name, layout in LAYOUTS.items():
            with self.subTest(layout=name):
                cards = list(numbered(CARD, 23 if name == 'a4' else 7))
                for card, (text, _symbols, _picture) in zip(
                    cards, self.read_back(layout, cards), strict=True
                ):
                    for value in (layout.company, card.price, card.serial, card.valid_till):
                        self.assertIn(bare(value), text)

    def test_the_longest_prefix_price_and_address_are_whole_and_scan(self):
        for name in ('a4', 'large', 'portrait', 'cr80', 'roll80'):
            with self.subTest(layout=name):
                for text, _symbols, _picture in self.read_back(LAYOUTS[name], numbered(LONGEST, 3)):
                    for value in (LONGEST.price, LONGEST.valid_till):
                        self.assertIn(bare(value), text)

    def test_names_in_other_scripts_are_whole(self):
        for company in COMPANIES:
            for right_to_left in (False, True):
                with self.subTest(company=company, right_to_left=right_to_left):
                    layout = replace(
                        LAYOUTS['cr80'], company=company, right_to_left=right_to_left, text=company
                    )
                    [[text, _symbols, _picture]] = self.read_back(layout, [CARD])
                    # In the order in which they are drawn, and perhaps in joined forms.
                    printed = Counter(unicodedata.normalize('NFKC', text))
                    letters = Counter(filter(str.isalpha, unicodedata.normalize('NFKC', company)))
                    for letter, count in letters.items():
                        self.assertGreaterEqual(printed[letter], 2 * count, letter)

    def test_another_decoder_reads_every_qr_code_of_every_length_of_address(self):
        # OpenCV's decoder has nothing in common with the library that draws the symbols.
        layouts = {
            **LAYOUTS,
            'labels': replace(LAYOUTS['small'], rows=8, serial_text='', valid_till_text=''),
        }
        decoder = cv2.QRCodeDetectorAruco()
        for name, layout in layouts.items():
            for length in (4, 24, 34, 90):
                url = f'https://{"a" * length}/my/refill#'
                cards = [
                    replace(card, code=code, url=url + code)
                    for card in (CARD, LONGEST)
                    for code in ('7K2M-9XQ4-R3T', card.code)
                    if name not in ('small', 'labels') or card is CARD
                ]
                file = io.BytesIO()
                sheet.write(layout, cards, file, samples=cards)
                with self.subTest(layout=name, length=length):
                    self.assertCountEqual(
                        self.decode(layout, file.getvalue(), len(cards), decoder),
                        [card.url for card in cards],
                    )

    def decode(self, layout, content, count, decoder):
        """Return what another decoder reads in the places of the cards of a PDF."""
        found = []
        with closing(pypdfium2.PdfDocument(content)) as document:
            for page in document:
                picture = numpy.array(page.render(scale=DPI / 72).to_pil().convert('L'))
                scale, height = DPI / 72, page.get_height()
                for left, bottom, right, top in places(layout, page)[: count - len(found)]:
                    rows = slice(round((height - top) * scale), round((height - bottom) * scale))
                    columns = slice(round(left * scale), round(right * scale))
                    found.append(decoder.detectAndDecode(picture[rows, columns])[0])
        return found

    def test_cards_are_arranged_for_the_longest_of_all(self):
        code, body = 'SUMMERPROMO-7K2M-9XQ4-R3TZ', '7K2M9XQ4R3TZ'
        long = replace(CARD, code=code, body=body, price='€ 1,000,000.00')
        for layout in LAYOUTS.values():
            for cards in ([CARD, long], [long, CARD]):
                file = io.BytesIO()
                sheet.write(layout, cards, file, samples=cards)
                [whole] = {bare(card.code) for card in cards} - {bare(CARD.code)}
                text = ''.join(page.extract_text() for page in pypdf.PdfReader(file).pages)
                self.assertIn(whole, bare(text))

    # === FOR THE SCISSORS AND THE PRESS === #

    def test_printers_neither_scale_nor_turn_and_the_file_says_what_it_is(self):
        for name, layout in LAYOUTS.items():
            reader = pypdf.PdfReader(io.BytesIO(written(layout, [CARD])))
            self.assertEqual(reader.root_object['/ViewerPreferences']['/PrintScaling'], '/None')
            self.assertEqual(reader.metadata.title, LAYOUT.company)
            self.assertEqual(reader.metadata.author, LAYOUT.company)
            self.assertNotIn('anonymous', str(reader.metadata))
            self.assertNotIn('unspecified', str(reader.metadata))
            box = reader.pages[0].mediabox
            if name.startswith('roll'):
                self.assertGreater(box.height, box.width)

    def test_the_shortest_receipt_is_higher_than_wide(self):
        layout = sheet.Layout(paper='roll80', title='A', show_qr=False)
        [page] = pypdf.PdfReader(io.BytesIO(written(layout, [CARD]))).pages
        self.assertGreater(page.mediabox.height, page.mediabox.width)

    def test_rolls_are_printed_within_what_their_printers_reach(self):
        for paper, printable in (('roll80', 72), ('roll58', 48)):
            for right_to_left in (False, True):
                layout = replace(
                    LAYOUTS[paper],
                    right_to_left=right_to_left,
                    company=ARABIC if right_to_left else LAYOUT.company,
                    background=image('#ff0000'),
                )
                for picture in self.pages(written(layout, [CARD])):
                    box = picture.convert('L').point(lambda light: 255 * (light < 250)).getbbox()
                    margin = (picture.width - printable / 25.4 * DPI) / 2
                    self.assertGreaterEqual(box[0], margin - 2)
                    self.assertLessEqual(box[2], picture.width - margin + 2)

    def test_bars_of_rolls_have_two_dots_or_are_refused(self):
        layout = replace(LAYOUTS['roll58'], show_barcode=True)
        body = '7K2M9XQ4R3TZX'
        self.refused(arrangement.CannotFit, 'barcode', layout, replace(CARD, body=2 * body))
        for each in (layout, LAYOUTS['roll80']):
            [picture] = self.pages(written(each, [replace(CARD, body=body)]))
            symbols = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.Code128)
            self.assertEqual([symbol.text for symbol in symbols], [body])
            corners = symbols[0].position
            width = (corners.top_right.x - corners.top_left.x) / DPI * 203
            modules = pdf.code128(body).width
            self.assertGreaterEqual(width / modules, 1.97)

    def test_plastic_cards_for_a_press_have_bleed_marks_and_a_back(self):
        layout = replace(
            LAYOUTS['cr80'],
            bleed=True,
            background=image('#ff0000'),
            back_picture=image('#00ff00'),
            back_text="Call 0800 for {price}",
        )
        content = written(layout, numbered(CARD, 2))
        pages = pypdf.PdfReader(io.BytesIO(content)).pages
        self.assertEqual(len(pages), 4)
        for page in pages:
            for box, size in ((page.trimbox, (85.6, 53.98)), (page.bleedbox, (91.6, 59.98))):
                self.assertAlmostEqual(float(box.width), size[0] * POINTS_A_MM, 1)
                self.assertAlmostEqual(float(box.height), size[1] * POINTS_A_MM, 1)
            self.assertGreater(page.mediabox.width, page.bleedbox.width)
        self.assertIn('Call 0800 for € 25.00', pages[3].extract_text())
        self.assertNotIn(CARD.serial[:-4], pages[1].extract_text())
        for number, color in enumerate([(255, 0, 0), (0, 255, 0)]):
            picture = self.pages(content)[number]
            left, bottom, right, top = (float(side) / 72 * DPI for side in pages[number].bleedbox)
            inside, outside = left + 12, left - 6
            self.assertEqual(picture.getpixel((round(inside), picture.height // 2)), color)
            self.assertEqual(picture.getpixel((round(outside), picture.height // 2)), (255,) * 3)

    def test_letters_of_the_colour_of_the_card_are_refused(self):
        white = replace(LAYOUT, text_color='#ffffff')
        self.refused(sheet.Illegible, 'text', white)
        self.refused(sheet.Illegible, 'price', replace(LAYOUTS['portrait'], accent_color='#fffff0'))
        sheet.check(replace(white, background=image('#000000')), [CARD])

    def pages(self, content):
        with closing(pypdfium2.PdfDocument(content)) as document:
            return [page.render(scale=DPI / 72).to_pil().convert('RGB') for page in document]

    @thoroughly
    @given(layouts, st.sampled_from([CARD, LONGEST]))
    def test_whatever_is_not_refused_is_whole_and_scans(self, layout, card):
        try:
            sheet.check(layout, [card])
        except typesetting.Unprintable:
            return
        self.read_back(layout, numbered(card, 2))

    def test_qr_codes_have_18_mm_and_error_correction_m(self):
        for layout, card in ((LAYOUTS['small'], CARD), (LAYOUTS['cr80'], LONGEST)):
            [[_text, symbols, _picture]] = self.read_back(layout, [card])
            [symbol] = [s for s in symbols if s.format == zxingcpp.BarcodeFormat.QRCode]
            corners = symbol.position
            side = (corners.top_right.x - corners.top_left.x) / DPI * 25.4
            self.assertGreaterEqual(side, 17.9)
            self.assertEqual(symbol.ec_level, 'M')

    def test_symbols_are_black_on_white_whatever_the_colors(self):
        layout = replace(
            LAYOUTS['cr80'],
            background=image('#101010', kind='JPEG'),
            background_color='#000000',
            text_color='#ffffff',
            accent_color='#ffffff',
        )
        [[_text, symbols, picture]] = self.read_back(layout, [CARD])
        self.assertLess(picture.getpixel((5, 5)), (30, 30, 30))
        quiet_zones = {
            zxingcpp.BarcodeFormat.QRCode: 3.5 / 37,
            zxingcpp.BarcodeFormat.Code128: 9 / 233,
        }
        for symbol in symbols:
            corners = symbol.position
            y = (corners.top_left.y + corners.bottom_left.y) // 2
            quiet = quiet_zones[symbol.format] * (corners.top_right.x - corners.top_left.x)
            for x in (corners.top_left.x - quiet, corners.top_right.x + quiet):
                self.assertEqual(picture.getpixel((round(x), y)), (255, 255, 255))

    def test_the_text_has_its_placeholders_filled_in(self):
        text = "{company}|{price}|{code}|{serial}|{valid_till}|{address}|{"
        layout = replace(LAYOUTS['large'], text=text)
        [[printed, _symbols, _picture]] = self.read_back(layout, [LONGEST])
        values = [layout.company, LONGEST.price, LONGEST.code, LONGEST.serial, LONGEST.valid_till]
        self.assertIn(bare('|'.join([*values, layout.address, '{'])), printed)

    def test_cards_of_different_prices_show_their_own(self):
        cards = list(numbered(CARD, 3))
        cards[0] = replace(cards[0], valid_till='')
        cards[1] = replace(cards[1], price='$ 10.00')
        first, second, third = (text for text, _symbols, _picture in self.read_back(LAYOUT, cards))
        self.assertNotIn('Valid', first)
        self.assertIn('31/12/2027', second)
        self.assertNotIn('25.00', second)
        self.assertIn('25.00', third)
        self.assertIn('31/12/2027', third)

    def test_a_logo_is_printed_on_every_card_and_stored_once(self):
        layout = replace(LAYOUT, logo=image('#00ff00'))
        cards = list(numbered(CARD, 12))
        for _text, _symbols, picture in self.read_back(layout, cards):
            colors = {color for _count, color in picture.getcolors(100_000)}
            self.assertIn((0, 255, 0), colors)
        reader = pypdf.PdfReader(io.BytesIO(written(layout, cards)))
        objects = (reader.get_object(number) for number in range(1, len(reader.xref[0]) + 1))
        images = [o for o in objects if isinstance(o, dict) and o.get('/Subtype') == '/Image']
        self.assertEqual(len(images), 1)

    def test_all_fonts_are_embedded(self):
        reader = pypdf.PdfReader(io.BytesIO(written(LAYOUT, [CARD])))
        page = reader.pages[0]
        fonts = page['/Resources']['/Font']
        self.assertLessEqual(
            set(re.findall(rb'(/\S+) \S+ Tf', page.get_contents().get_data())),
            {name.encode() for name in fonts},
        )
        self.assertGreaterEqual(len(fonts), 3)
        for font in fonts.values():
            self.assertIn('/FontFile2', font.get_object()['/FontDescriptor'])

    def test_the_preview_is_a_page_of_the_size_of_the_first_card(self):
        [page] = pypdf.PdfReader(io.BytesIO(sheet.preview(LAYOUT, CARD))).pages
        self.assertAlmostEqual(float(page.mediabox.width), 95 * POINTS_A_MM, 1)
        self.assertAlmostEqual(float(page.mediabox.height), 277 / 5 * POINTS_A_MM, 1)
        self.assertIn(bare(CARD.code), bare(page.extract_text()))

    def test_single_cards_are_pages_of_their_size_without_cut_marks(self):
        file = io.BytesIO()
        cards = list(numbered(CARD, 3))
        sheet.write(LAYOUT, cards, file, single=True)
        pages = pypdf.PdfReader(file).pages
        self.assertEqual(len(pages), 3)
        for page, card in zip(pages, cards, strict=True):
            self.assertAlmostEqual(float(page.mediabox.width), 95 * POINTS_A_MM, 1)
            self.assertIn(bare(card.code), bare(page.extract_text()))
            self.assertNotRegex(page.get_contents().get_data(), rb'\d l S')

    def test_a_roll_is_as_long_as_its_text_needs(self):
        layout = LAYOUTS['roll80']
        long = replace(layout, text="One two three four five six seven. " * 10)
        heights = []
        for each in (layout, long):
            [page] = pypdf.PdfReader(io.BytesIO(written(each, [CARD]))).pages
            heights.append(page.mediabox.height)
        self.assertGreater(heights[1], heights[0] + 50)

    # === TEXTS === #

    def lines(self, text, width=1000, right_to_left=False, font=sheet.FONTS.regular):
        """Return lines as they are drawn from left to right, with letters for their glyphs."""
        style = arrangement.STYLES['text']
        fitted = typesetting.fit(text, str(font), style, width, 1000, right_to_left)
        return tuple(
            ''.join(
                run if isinstance(run, str) else ''.join(glyph.character for glyph in run)
                for run in line.runs
            )
            for line in fitted.lines
        )

    def test_right_to_left_lines_are_drawn_from_the_right(self):
        self.assertEqual(self.lines("אב (גד)", right_to_left=True), ("(דג) בא",))
        self.assertEqual(self.lines("אב 12.50 ₪ גד", right_to_left=True), ("דג ₪ 12.50 בא",))
        self.assertEqual(self.lines("Hotel אב"), ("Hotel בא",))
        self.assertEqual(self.lines("אב Hotel", right_to_left=True), ("Hotel בא",))

    def test_brackets_of_a_phrase_in_a_right_to_left_text_stay_with_it(self):
        for text, drawn in (
            ("אב Hotel (Bar).", ".Hotel (Bar) בא"),
            ("אב Hotel (Bar [Café]) גד", "דג Hotel (Bar [Café]) בא"),
            ("אב (Hotel) גד", "דג (Hotel) בא"),
            ("אב Hotel (גד) Bar", "Bar (דג) Hotel בא"),
            ("אב Hotel (24) Bar", "Hotel (24) Bar בא"),
            ("אב Hotel (Bar", "Hotel (Bar בא"),
            ("אב Hotel] (Bar)", "Hotel] (Bar) בא"),
        ):
            with self.subTest(text=text):
                self.assertEqual(self.lines(text, right_to_left=True), (drawn,))
        self.assertEqual(self.lines("Hotel אב (גד) Bar"), ("Hotel (דג) בא Bar",))

    def test_embedded_values_keep_their_direction(self):
        company = typesetting.embed("Northwind Inc.", True)
        self.assertEqual(self.lines(company, right_to_left=True), ("Northwind Inc.",))
        company = typesetting.embed("אב, Ltd", False)
        self.assertEqual(self.lines(f'By {company}'), ("By Ltd ,בא",))
        price = typesetting.embed('12.50 ₪', True)
        self.assertEqual(self.lines(f'{price} (אב)', right_to_left=True), ("(בא) ₪ 12.50",))
        serial = typesetting.embed('2026-A1-7', True)
        self.assertEqual(self.lines(f'אב {serial} גד', right_to_left=True), ("דג 2026-A1-7 בא",))

    def test_odd_spaces_are_plain_and_what_is_invisible_is_gone(self):
        self.assertEqual(self.lines("a\tb\u202fc\u200ed\u3000e"), ("a b\xa0cd\xa0e",))

    def test_letters_join_in_every_language_of_arabic_script(self):
        for language, alone in (
            ('Arabic', "بيت"),
            ('Persian', "پگچ"),
            ('Urdu', "ٹھے"),
            ('Pashto', "ښځټ"),
            ('Sorani', "ڵێک"),
            ('Sindhi', "ڻڳٻ"),
            ('Jawi', "ڽݢڠ"),
        ):
            for font in (sheet.FONTS.regular, sheet.FONTS.bold):
                [joined] = self.lines(alone, font=font)
                letters = [self.lines(letter, font=font)[0] for letter in alone]
                with self.subTest(language=language):
                    self.assertEqual(len(joined), 3)
                    self.assertFalse(set(joined) & set(letters))

    def test_letters_that_a_joiner_keeps_apart_do_not_join(self):
        [joined], [apart] = self.lines("میخ"), self.lines("می\u200cخ")
        self.assertEqual((len(joined), len(apart)), (3, 3))
        self.assertNotEqual(joined, apart)

    def test_vowel_marks_are_placed_on_their_letters(self):
        style = arrangement.STYLES['text']
        for text in ("بِسْمِ", "שָׁלוֹם", "o\u0304\u0323"):
            path = str(sheet.FONTS.regular)
            [line] = typesetting.fit(text, path, style, 1000, 1000, False).lines
            marks = [g for run in line.runs for g in run if not g.advance]
            self.assertGreaterEqual(len(marks), sum(map(unicodedata.combining, text)) > 0)
            self.assertTrue(any(mark.x or mark.y for mark in marks), text)

    def test_a_sentence_keeps_its_punctuation_where_others_run_the_other_way(self):
        for right_to_left in (False, True):
            sentence = "Scan it (now), please."
            self.assertEqual(self.lines(sentence, right_to_left=right_to_left), (sentence,))
            [line] = self.lines("אב (גד)!", right_to_left=right_to_left)
            self.assertEqual(line, "!(דג) בא")
            value = typesetting.embed("Northwind Inc.", right_to_left)
            [line] = self.lines(f"אב {value}.", right_to_left=right_to_left)
            self.assertEqual(line, ".Northwind Inc. בא")

    def test_wrapped_right_to_left_text_starts_on_the_first_line(self):
        lines = self.lines("אבג דהו", width=20, right_to_left=True)
        self.assertEqual(lines, ("גבא", "והד"))

    def test_the_lines_of_a_code_are_about_as_long(self):
        style = arrangement.STYLES['code']._replace(largest=10, comfortable=10)
        path = str(sheet.FONTS.code)
        fitted = typesetting.fit(CARD.code, path, style, 100, 1000, False)
        self.assertEqual([line.text for line in fitted.lines], ["QUICK-7K2M", "-9XQ4-R3TZX"])

    @thoroughly
    @given(
        st.lists(st.text('ABC123', min_size=1, max_size=12), min_size=1, max_size=8),
        st.integers(80, 300),
    )
    def test_codes_only_break_before_a_dash(self, groups, width):
        code = '-'.join(groups)
        style = arrangement.STYLES['code']
        fitted = typesetting.fit(code, str(sheet.FONTS.code), style, width, 1000, False)
        self.assertEqual(''.join(line.text for line in fitted.lines), code)
        for line in fitted.lines[1:]:
            self.assertEqual(line.text[0], '-')
        self.assertLessEqual(fitted.width, width)

    def test_a_code_on_several_lines_is_copied_in_one_piece(self):
        layout = replace(LAYOUT, paper='cr80', show_qr=False, text='', instructions='')
        for card in (CARD, LONGEST):
            with closing(pypdfium2.PdfDocument(written(layout, [card]))) as document:
                text = document[0].get_textpage().get_text_range()
            self.assertIn(card.code, text)

    # === LONG RUNS === #

    def test_a_long_run_has_all_pages_in_order(self):
        layout = replace(LAYOUTS['cr80'], show_qr=False, show_barcode=False)
        cards = list(numbered(CARD, 450))
        pages = pypdf.PdfReader(io.BytesIO(written(layout, cards)), strict=True).pages
        self.assertEqual(len(pages), 450)
        for number in (0, 199, 200, 399, 400, 449):
            self.assertIn(cards[number].serial, pages[number].extract_text())

    def test_memory_does_not_grow_with_the_number_of_pages(self):
        layout = replace(LAYOUTS['cr80'], show_qr=False, show_barcode=False)
        peaks = []
        for count in (300, 300, 2100):
            tracemalloc.start()
            sheet.write(layout, numbered(CARD, count), SimpleNamespace(write=len))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        # Where each page and its contents are in the file: 16 bytes.
        self.assertLess(peaks[2] - peaks[1], 60 * (2100 - 300))
