"""Draws cards on sheets of paper: PDF out.

Pure Python, without Odoo. All words come from the caller, in the language of the layout.

A card is drawn in two parts. Its *face* (colours, pictures, and the texts that all cards of the
same price and validity share) is a form that the pages repeat. On it comes what is personal: the
code, the serial number and the symbols to scan.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import chain
from typing import BinaryIO

from PIL import Image, ImageOps
from reportlab.lib.colors import HexColor, white
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader

from .arrangement import (
    BLEED,
    CODE_FRAME,
    ONE_CARD_A_PAGE,
    PRINTABLE,
    Arrangement,
    Box,
    CannotFit,
    divide_page,
    place_barcode,
    place_qr,
)
from .pdf import Sheets, Symbol, code128, qr
from .typesetting import CONTROLS, FONTS, Fonts, Unprintable, embed

CORNER, LOGO_FRAME = 1.2 * mm, 0.7 * mm
CUT_MARK, CUT_MARK_DISTANCE = 4 * mm, 1 * mm
BACK_PADDING = 5 * mm
SLUG = BLEED + CUT_MARK_DISTANCE + CUT_MARK  # around a card with bleed, for its marks
PICTURE_DPI = 300
LEAST_CONTRAST = 2  # of letters and what they are on: 21 is black on white, 1 is none
DARK, PALE = HexColor('#1b1b1b'), HexColor('#c9ced6')

PLACEHOLDER = re.compile(r'\{([^{}]*)\}')
PERSONAL = {'code', 'serial'}


class UnknownPlaceholder(Unprintable):
    """A text of the layout has a placeholder that stands for nothing."""


class UnreadablePicture(Unprintable):
    """The ``'background'``, the ``'logo'`` or the ``'back'`` is no picture that Pillow reads."""


class Illegible(Unprintable):
    """An element has about the colour that it is printed on."""


@dataclass(frozen=True)
class Card:
    """What is on one card, formatted in the layout's language.

    :param str url: what the QR code opens.
    :param str body: what the bar code holds; the code when empty.
    :param str companies: who accepts the card, when that needs to be said.
    """

    code: str
    serial: str
    price: str
    valid_till: str = ''
    url: str = ''
    body: str = ''
    companies: str = ''


@dataclass(frozen=True)
class Layout:
    """How cards look, and how they are arranged on the paper.

    All texts may hold ``{price}``, ``{code}``, ``{serial}``, ``{valid_till}``, ``{company}``,
    ``{companies}`` and ``{address}``. What is empty is not printed.

    :param str paper: a key of ``PAPERS``; ``columns`` to ``cut_marks`` only matter on sheets,
        ``bleed`` to ``back_text`` on plastic cards.
    :param float margin_x: left and right of the cards, in mm.
    :param float margin_y: above and below the cards, in mm.
    :param float gap: between cards, in mm.
    :param bool bleed: leave 3 mm around the card to cut off, with marks where to cut.
    :param bytes back_picture: fills the back of the card; there is none without it or a text.
    :param bytes background: a picture that fills the card; there is no coloured header then.
    :param str background_color: of the card, as ``#rrggbb`` like the other colours.
    :param str address: the portal's, as people read it.
    """

    paper: str = 'a4'
    columns: int = 2
    rows: int = 5
    margin_x: float = 10
    margin_y: float = 10
    gap: float = 0
    cut_marks: bool = True
    bleed: bool = False
    back_picture: bytes | None = None
    back_text: str = ''
    background: bytes | None = None
    logo: bytes | None = None
    background_color: str = '#ffffff'
    accent_color: str = '#714b67'
    text_color: str = '#1b1b1b'
    title: str = '{company}'
    text: str = ''
    instructions: str = ''
    company: str = ''
    address: str = ''
    show_qr: bool = True
    show_barcode: bool = False
    serial_text: str = ''
    valid_till_text: str = ''
    accepted_text: str = ''
    right_to_left: bool = False


def write(
    layout: Layout,
    cards: Iterable[Card],
    file: BinaryIO,
    fonts: Fonts = FONTS,
    single: bool = False,
    samples: Sequence[Card] = (),
) -> int:
    """Write a PDF page by page, and return how many cards it has; nothing is written for none.

    :param file: gets the bytes in order; need not be seekable.
    :param single: each card on a page of its own size, without cut marks, bleed and back; its QR
        is a link.
    :param samples: cards that take as much room as any; they decide how the space is divided. The
        first card when there are none.
    :raise Unprintable: ``CannotFit``, ``MissingCharacters``, ``UnknownPlaceholder``,
        ``UnreadablePicture`` or ``Illegible``.
    """
    cards = iter(cards)
    first = next(cards, None)
    if first is None:
        return 0
    sheet = _Sheet(layout, samples or [first], file, fonts, single)
    return sheet.draw(chain([first], cards))


def preview(layout: Layout, card: Card, fonts: Fonts = FONTS) -> bytes:
    """Return a PDF of just the card, on a page of its size; raise what :func:`write` raises."""
    file = BytesIO()
    write(layout, [card], file, fonts, single=True)
    return file.getvalue()


def check(layout: Layout, samples: Sequence[Card], fonts: Fonts = FONTS) -> None:
    """Raise what :func:`write` would raise for these cards, printed together."""
    write(layout, samples, BytesIO(), fonts, samples=samples)


def is_picture(content: bytes) -> bool:
    """Return whether a picture can be printed."""
    try:
        _open_picture('logo', content)
    except UnreadablePicture:
        return False
    return True


def get_text(layout: Layout, card: Card, element: str) -> str:
    """Return what an element of a card says, nothing when that is secret or not a text."""
    template = {**_prepare_templates(layout), 'back': layout.back_text}.get(element, '')
    return '' if '{code}' in template else CONTROLS.sub('', _fill(template, layout, card))


# === TEXTS === #


def _prepare_templates(layout: Layout) -> dict[str, str]:
    """Return the texts of a card by element, with their placeholders."""
    return {
        'title': layout.title,
        'price': '{price}',
        'text': layout.text,
        'code': '{code}',
        'instructions': layout.instructions,
        'accepted': layout.accepted_text,
        'serial': layout.serial_text,
        'valid_till': layout.valid_till_text,
    }


def _fill(template: str, layout: Layout, card: Card) -> str:
    """Return a text with its placeholders filled in."""
    values = {
        'price': card.price,
        'code': card.code,
        'serial': card.serial,
        'valid_till': card.valid_till,
        'company': layout.company,
        'companies': card.companies,
        'address': layout.address,
    }

    def value(match):
        if match[1] not in values:
            raise UnknownPlaceholder(match[1])
        value = values[match[1]]
        plain = value.isascii() and template.isascii() and not layout.right_to_left
        return value if plain or not value else embed(value, layout.right_to_left)

    return PLACEHOLDER.sub(value, template).strip()


# === PICTURES AND COLOURS === #


def _open_picture(element: str, content: bytes) -> Image.Image:
    try:
        picture = ImageOps.exif_transpose(Image.open(BytesIO(content)))
        return picture.convert('RGBA' if picture.mode in ('RGBA', 'LA', 'PA', 'P') else 'RGB')
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadablePicture(element) from error


def _resized(picture: Image.Image, box: Box) -> Image.Image:
    """Return the picture cut to the shape of the box, with no more pixels than a printer uses."""
    width, height = (side / 72 * PICTURE_DPI for side in box[2:])
    shrink = min(1, picture.width / width, picture.height / height)
    return ImageOps.fit(picture, (max(1, round(width * shrink)), max(1, round(height * shrink))))


def _legible_on(color):
    """Return the colour of letters on this one; the weights are ITU-R BT.601's."""
    return DARK if 0.299 * color.red + 0.587 * color.green + 0.114 * color.blue > 0.6 else white


def _contrast(color, other):
    """Return the contrast ratio of two colours (WCAG 2.2), from 1 to 21."""
    lights = []
    for each in (color, other):
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in (each.red, each.green, each.blue)
        ]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)
    return max(lights) / min(lights)


# === DRAWING === #


def _qr(card: Card) -> Symbol:
    try:
        return qr(card.url)
    except ValueError as error:  # more than a QR code holds
        raise CannotFit('qr') from error


class _Sheet:
    """The pages of one PDF.

    :param samples: decide how the space on all cards is divided.
    :param bool single: have pages of the size of a card.
    """

    def __init__(self, layout, samples, file, fonts, single):
        self.layout = layout
        self.templates = _prepare_templates(layout)
        pictures = {'background': layout.background, 'logo': layout.logo}
        if layout.paper == 'cr80':
            pictures['back'] = layout.back_picture
        self.pictures = {
            name: _open_picture(name, content) for name, content in pictures.items() if content
        }
        page, size, self.positions = divide_page(layout)
        logo = self.pictures.get('logo')
        logo_ratio = logo.width / logo.height if logo else 0
        place = Arrangement(layout, fonts, self._gather_texts(samples), size, logo_ratio)
        self.size, self.boxes, self.aligns = (place.width, place.height), place.boxes, place.aligns
        self.typesetter = place.typesetter
        is_plastic = layout.paper == 'cr80' and not single
        self.bleed = BLEED if is_plastic and layout.bleed else 0
        self.has_back = is_plastic and bool('back' in self.pictures or layout.back_text)
        self.cut_marks = layout.cut_marks
        self.single = single
        if single or layout.paper in ONE_CARD_A_PAGE:
            self.cut_marks = bool(self.bleed)
            width = page[0] if layout.paper in PRINTABLE and not single else self.size[0]
            slug = SLUG if self.bleed else 0
            page = (width + 2 * slug, self.size[1] + 2 * slug)
            self.positions = [((page[0] - self.size[0]) / 2, slug)]
        self.personal = {
            name: text
            for name, text in self.templates.items()
            if PERSONAL & set(PLACEHOLDER.findall(text))
        }
        shown = [name for name in self.templates if name in self.boxes] + ['back'] * self.has_back
        self.colors = {name: self._color(name) for name in shown}
        self.faces = {}
        self.page = page
        self.canvas = Sheets(file, page)
        self.canvas.describe(layout.company)
        if self.bleed:
            self._set_boxes()

    def _gather_texts(self, samples):
        """Return the texts of all samples by element; any card may have a last day."""
        texts = {}
        for card in samples:
            sample = replace(card, valid_till=card.valid_till or '0')
            for name, text in self._texts(sample, self.templates).items():
                texts.setdefault(name, {})[text] = True
        return texts

    def _set_boxes(self):
        """Say where the card is cut, and how far the printing goes (ISO 32000-1, 14.11.2)."""
        [(left, bottom)] = self.positions
        for set_box, more in (
            (self.canvas.setTrimBox, 0),
            (self.canvas.setBleedBox, self.bleed),
        ):
            right, top = left + self.size[0] + more, bottom + self.size[1] + more
            set_box((left - more, bottom - more, right, top))

    def draw(self, cards: Iterable[Card]) -> int:
        """Draw all cards, finish the PDF, and return how many cards it has."""
        count = 0
        for card in cards:
            place = count % len(self.positions)
            if count and not place:
                self.canvas.showPage()
            if not place and self.cut_marks:
                self._draw_cut_marks()
            self._draw_card(card, *self.positions[place])
            if self.has_back:
                self.canvas.showPage()
                self._draw_back(card)
            count += 1
        self.canvas.showPage()
        self.canvas.save()
        return count

    def _texts(self, card, templates):
        filled = {name: _fill(text, self.layout, card) for name, text in templates.items()}
        if not card.valid_till:
            filled.pop('valid_till', None)
        if not card.companies:
            filled.pop('accepted', None)
        return {name: text for name, text in filled.items() if text}

    def _draw_cut_marks(self):
        width, height = self.size
        self.canvas.setStrokeColor(DARK)
        self.canvas.setLineWidth(0.25)
        near = self.bleed + CUT_MARK_DISTANCE
        far = near + CUT_MARK
        left, bottom = (min(side) for side in zip(*self.positions, strict=True))
        right, top = self.page[0] - left, self.page[1] - bottom
        for x in {x + side for x, _y in self.positions for side in (0, width)}:
            self.canvas.line(x, bottom - near, x, bottom - far)
            self.canvas.line(x, top + near, x, top + far)
        for y in {y + side for _x, y in self.positions for side in (0, height)}:
            self.canvas.line(left - near, y, left - far, y)
            self.canvas.line(right + near, y, right + far, y)

    def _draw_card(self, card, x, y):
        self.canvas.saveState()
        self.canvas.translate(x, y)
        self.canvas.doForm(self._face(card))
        self._draw_texts(card, self.personal)
        if 'qr' in self.boxes:
            symbol = _qr(card)
            self.canvas.draw_symbol(symbol, place_qr(self.boxes['qr'], symbol.width))
        if 'barcode' in self.boxes:
            symbol = code128(card.body or card.code.replace('-', ''))
            box = place_barcode(self.boxes['barcode'], symbol.width, self.layout.paper)
            self.canvas.draw_symbol(symbol, box)
        if self.single:  # a phone that shows the card cannot scan it
            box = self.boxes.get('qr', self.boxes['code'])
            corners = (box.x, box.y, box.x + box.width, box.y + box.height)
            self.canvas.linkURL(card.url, corners, relative=1)
        self.canvas.restoreState()

    def _draw_texts(self, card, templates):
        for name, text in self._texts(card, templates).items():
            if name not in self.boxes:  # no sample had it
                raise CannotFit(name)
            box = self.boxes[name]
            if name == 'code':
                box = box.inset(CODE_FRAME, CODE_FRAME)
            self.canvas.setFillColor(self.colors[name])
            fitted = self.typesetter.fit(name, text, box.width, box.height)
            self.canvas.draw_text(fitted, box, self.aligns[name])

    def _color(self, name):
        """Return the colour of a text.

        :raise Illegible: when it is about what the text is printed on.
        """
        if name == 'code':
            return DARK  # on white, like the symbols
        accent = HexColor(self.layout.accent_color)
        color = HexColor(self.layout.text_color)
        if name in ('title', 'price'):
            in_header = self.boxes[name].y >= self.boxes['header'].y
            if in_header and 'background' not in self.pictures:
                return _legible_on(accent)
            color = accent
        background = HexColor(self.layout.background_color)
        on_picture = ('back' if name == 'back' else 'background') in self.pictures
        if not on_picture and _contrast(color, background) < LEAST_CONTRAST:
            raise Illegible(name)
        return color

    # === FACES === #

    def _face(self, card: Card) -> str:
        """Return the name of the form with all that this card shares with others."""
        key = (card.price, card.valid_till, card.companies)
        if key not in self.faces:
            self.faces[key] = f'face{len(self.faces)}'
            whole = self._whole()
            right, top = whole.x + whole.width, whole.y + whole.height
            self.canvas.beginForm(self.faces[key], whole.x, whole.y, right, top)
            self._draw_face(card)
            self.canvas.endForm()
        return self.faces[key]

    def _whole(self):
        """Return all that is printed of a card, also what is cut off."""
        return Box(0, 0, *self.size).inset(-self.bleed, -self.bleed)

    def _draw_face(self, card):
        whole = self._whole()
        self._draw_panel(whole, HexColor(self.layout.background_color))
        if 'background' in self.pictures:
            self._draw_picture('background', whole)
        else:
            header = self.boxes['header']
            header = header._replace(
                x=whole.x, width=whole.width, height=header.height + self.bleed
            )
            self._draw_panel(header, HexColor(self.layout.accent_color))
        if 'logo' in self.boxes:
            self._draw_logo()
        for name in ('qr', 'barcode', 'code'):
            if name in self.boxes:
                self._draw_panel(self.boxes[name], white, rounded=True, framed=name == 'code')
        shared = {name: t for name, t in self.templates.items() if name not in self.personal}
        self._draw_texts(card, shared)

    def _draw_back(self, card):
        if self.cut_marks:
            self._draw_cut_marks()
        self.canvas.saveState()
        self.canvas.translate(*self.positions[0])
        whole = self._whole()
        self._draw_panel(whole, HexColor(self.layout.background_color))
        if 'back' in self.pictures:
            self._draw_picture('back', whole)
        if text := _fill(self.layout.back_text, self.layout, card):
            box = Box(0, 0, *self.size).inset(BACK_PADDING, BACK_PADDING)
            self.canvas.setFillColor(self.colors['back'])
            fitted = self.typesetter.fit('back', text, box.width, box.height)
            self.canvas.draw_text(fitted, box, 0.5)
        self.canvas.restoreState()

    def _draw_panel(self, box, color, rounded=False, framed=False):
        self.canvas.setFillColor(color)
        self.canvas.setStrokeColor(PALE)
        self.canvas.setLineWidth(0.5)
        radius = CORNER if rounded else 0
        self.canvas.roundRect(*box, radius, stroke=int(framed), fill=1)

    def _draw_logo(self):
        logo, box = self.pictures['logo'], self.boxes['logo']
        if 'background' not in self.pictures:
            self._draw_panel(box, white, rounded=True)
            box = box.inset(LOGO_FRAME, LOGO_FRAME)
        scale = min(box.width / logo.width, box.height / logo.height)
        self._draw_picture('logo', box.centered(scale * logo.width, scale * logo.height))

    def _draw_picture(self, name, box):
        picture = ImageReader(_resized(self.pictures[name], box))
        self.canvas.drawImage(picture, *box, mask='auto')
