"""Where things are on a card, and cards on a sheet of paper.

Pure Python, without Odoo. All sizes are in points unless they say otherwise.
"""

from collections.abc import Iterable
from math import inf
from typing import NamedTuple

from reportlab.lib.units import mm

from .typesetting import GROUPS, Fitted, Fonts, MissingCharacters, Style, Unprintable, fit

# ISO 216, ANSI and ISO 7810, in mm. A roll is cut below each card, wherever that is.
PAPERS = {
    'a4': (210, 297),
    'letter': (215.9, 279.4),
    'cr80': (85.6, 53.98),
    'roll80': (80, 0),
    'roll58': (58, 0),
}
# How much of a roll's width its printers print on, in mm.
PRINTABLE = {'roll80': 72, 'roll58': 48}
ONE_CARD_A_PAGE = ('cr80', *PRINTABLE)
BLEED = 3 * mm  # printed around a plastic card, because the cut is never exact

# What phones read from a hand's distance. ISO/IEC 18004 asks for a quiet zone of four modules.
QR_LEAST, QR_LEAST_MODULE, QR_QUIET = 18 * mm, 0.25 * mm, 4
# An address and a code never make less. The fewer modules, the more room their quiet zone takes:
# what has room for these has room for all up to 81.
QR_FEWEST_MODULES = 29
QR_LEAST_BOX = QR_LEAST * (1 + 2 * QR_QUIET / QR_FEWEST_MODULES)
# Two dots of a 300 dpi printer. ISO/IEC 15417 asks for a quiet zone of ten modules.
BAR_LEAST_MODULE, BAR_LARGEST_MODULE, BAR_QUIET = 0.17 * mm, 0.4 * mm, 10
# Printers of rolls have 203 dots an inch, and bars of whole dots. What they cannot print on at both
# sides is a quiet zone.
DOT = 72 / 203
BAR_LEAST_DOTS = 2
BAR_LEAST_HEIGHT, HEADER_LEAST_HEIGHT = 7 * mm, 6 * mm
HEADER = 0.23  # of the height of a landscape card
LOGO_SHARES = (0.35, 0.25, 0.15)  # of the width of the header, tried one after the other
CODE_FRAME = 1.2 * mm
ROUNDING = 0.01

# Sizes for a card of the usual size; a larger card has larger letters.
USUAL_CARD = (85.6 * mm, 53.98 * mm)
STYLES = {
    'title': Style(13, 9, 6, lines=2),
    'price': Style(20, 8, 8, lines=1),
    'text': Style(9.5, 9, 5.5),
    'code': Style(16, 9, 8, breaks=GROUPS),
    'instructions': Style(7.5, 7, 6),
    'accepted': Style(7, 7, 6),
    'serial': Style(7, 5, 5, lines=1),
    'valid_till': Style(7, 5, 5, lines=1),
    'back': Style(11, 11, 6),
}
CODE_COMFORT = 0.75  # of the largest size: what the QR code leaves a code on one line


class CannotFit(Unprintable):
    """An element is too large for its place, however much it shrinks.

    It is a key of ``STYLES``, ``'qr'``, ``'barcode'``, or ``'card'`` when it is all of it together.
    """


class Box(NamedTuple):
    """A place on a card, in points from its lower left corner."""

    x: float
    y: float
    width: float
    height: float

    def inset(self, x: float, y: float) -> 'Box':
        return Box(self.x + x, self.y + y, self.width - 2 * x, self.height - 2 * y)

    def centered(self, width: float, height: float) -> 'Box':
        """Return a box of this size in the middle of this one."""
        return self.inset((self.width - width) / 2, (self.height - height) / 2)


class Typesetter:
    """Fits the texts of cards of one size.

    :param float scale: the size of the cards by the usual one.
    """

    def __init__(self, fonts: Fonts, right_to_left: bool, scale: float):
        self.paths = dict.fromkeys(STYLES, str(fonts.regular))
        self.paths |= {'title': str(fonts.bold), 'price': str(fonts.bold), 'code': str(fonts.code)}
        self.styles = {name: style.scaled(max(1, scale)) for name, style in STYLES.items()}
        self.right_to_left = right_to_left

    def fit(self, name: str, text: str, width: float, height: float = inf) -> Fitted:
        return self._fit(name, self.styles[name], text, width, height)

    def most_height(self, name: str, texts: Iterable[str], width: float) -> float:
        """Return how much the highest of some texts takes, as large as it may be."""
        return max(self.fit(name, text, width).height for text in texts)

    def most_width(self, name: str, texts: Iterable[str], height: float = inf) -> float:
        """Return how much the widest of some texts takes on one line, as large as it may be."""
        return max(self.fit(name, text, inf, height).width for text in texts)

    def least_height(self, name: str, texts: Iterable[str], width: float) -> float:
        """Return how much the highest of some texts takes, as small as it may be."""
        size = STYLES[name].smallest
        style = STYLES[name]._replace(largest=size, comfortable=size)
        return max(self._fit(name, style, text, width, inf).height for text in texts)

    def _fit(self, name, style, text, width, height):
        right_to_left = self.right_to_left and name != 'code'
        try:
            fitted = fit(text, self.paths[name], style, width, height, right_to_left)
        except MissingCharacters as error:
            error.element = name
            raise
        if not fitted:
            raise CannotFit(name)
        return fitted


class _Slot(NamedTuple):
    """An element that shares the height of a card with those above and below it."""

    name: str
    wanted: float
    least: float


class Arrangement:
    """Where everything is on a card: ``boxes`` by element, and how texts are aligned in them.

    :param dict texts: those that decide, in a collection by element.
    :param size: of the card in points; without a height, it becomes as high as it need be.
    :param float logo_ratio: the logo's width by its height, 0 without a logo.
    """

    def __init__(self, layout, fonts, texts, size, logo_ratio):
        self.width, self.height = size
        self.texts = texts
        self.logo_ratio = logo_ratio
        self.show_barcode = layout.show_barcode
        self.qr_least = QR_LEAST_BOX if layout.show_qr else 0
        self.paper = layout.paper
        self.scale = self.width / USUAL_CARD[0]
        if self.height:
            self.scale = min(self.scale, self.height / USUAL_CARD[1])
        self.padding, self.spacing = 3.4 * mm * self.scale, 1.6 * mm * self.scale
        self.typesetter = Typesetter(fonts, layout.right_to_left, self.scale)
        self.boxes = {}
        self.aligns = dict.fromkeys(STYLES, 0.5)
        if self.height and self.width >= 1.2 * self.height:
            self._arrange_landscape()
        else:
            self._arrange_portrait()
        if layout.right_to_left:
            self._mirror()

    def _arrange_landscape(self):
        """Header; texts beside the QR code; bar code; serial number and validity."""
        left, width = self.padding, self.width - 2 * self.padding
        y = self._arrange_footer(left, 0.7 * self.padding, width)
        if self.show_barcode:
            height = max(BAR_LEAST_HEIGHT, 0.15 * self.height)
            self.boxes['barcode'] = Box(left, y, width, height)
            y += height + self.spacing
        room = self.height - y - self.spacing
        least_side = self.qr_least
        if least_side:
            code = self.typesetter.most_width('code', self.texts['code']) + 2 * CODE_FRAME
            beside = width - self.spacing - CODE_COMFORT * code
            side = max(least_side, min(room - HEADER * self.height, 0.45 * width, beside))
            width -= side + self.spacing
        slots = self._slots(('text', 'code', 'instructions', 'accepted'), width)
        least = max(least_side, sum(slot.least for slot in slots) + self._spaces(slots))
        header = min(HEADER * self.height, room - least)
        if header < HEADER_LEAST_HEIGHT:
            raise CannotFit('qr' if least == least_side else 'card')
        room -= header
        if least_side:
            right = self.width - self.padding
            self.boxes['qr'] = Box(right - side, y + (room - side) / 2, side, side)
        self._stack(slots, Box(left, y, width, room))
        self.aligns |= {'title': 0, 'price': 1, 'text': 0, 'instructions': 0, 'accepted': 0}
        self._arrange_header(header, with_price=True)

    def _arrange_footer(self, left, y, width):
        names = [name for name in ('serial', 'valid_till') if name in self.texts]
        if not names:
            return y
        wanted = {name: self.typesetter.most_width(name, self.texts[name]) for name in names}
        share = width / sum(wanted.values())
        for name in sorted(names, key=lambda name: -wanted[name]):
            # Fails here first for the longer one.
            self.typesetter.most_height(name, self.texts[name], share * wanted[name])
        height = self.typesetter.most_height(names[0], self.texts[names[0]], inf)
        for name in names:
            self.boxes[name] = Box(left, y, share * wanted[name], height)
            left += share * wanted[name]
        self.aligns |= {'serial': 0, 'valid_till': 1}
        return y + height + self.spacing

    def _arrange_portrait(self):
        """Everything below each other."""
        names = ('price', 'text', 'qr', 'code', 'instructions', 'accepted', 'barcode')
        slots = self._slots((*names, 'serial', 'valid_till'), self.width - 2 * self.padding)
        header = max(HEADER_LEAST_HEIGHT, 12 * mm * self.scale)
        if not self.height:
            wanted = sum(slot.wanted for slot in slots) + self._spaces(slots)
            # A page wider than high would be turned by the printer.
            upright = PAPERS[self.paper][0] * mm + 1
            self.height = max(upright, header + 2 * self.padding + wanted)
        area = Box(0, 0, self.width, self.height - header).inset(self.padding, self.padding)
        self._stack(slots, area)
        if self.paper in PRINTABLE and self.show_barcode:
            self.boxes['barcode'] = self.boxes['barcode']._replace(x=0, width=self.width)
        self._arrange_header(header, with_price=False)

    def _arrange_header(self, height, with_price):
        area = self.boxes['header'] = Box(0, self.height - height, self.width, height)
        inner = area.inset(self.padding, 0.14 * height)
        for share in LOGO_SHARES:
            self._divide_header(inner, share, with_price)
            try:
                for text in self.texts.get('title', ()):
                    box = self.boxes['title']
                    self.typesetter.fit('title', text, box.width, box.height)
                return
            except CannotFit:  # with a smaller logo it may
                if not self.logo_ratio or share == LOGO_SHARES[-1]:
                    raise

    def _divide_header(self, inner, logo_share, with_price):
        left, width = inner.x, inner.width
        if self.logo_ratio:
            logo_width = min(logo_share * width, inner.height * self.logo_ratio)
            self.boxes['logo'] = inner._replace(width=logo_width)
            left, width = left + logo_width + self.spacing, width - logo_width - self.spacing
            self.aligns['title'] = 0
        if with_price:
            wanted = self.typesetter.most_width('price', self.texts['price'], inner.height)
            share = min(wanted, 0.6 * width) if 'title' in self.texts else width
            self.boxes['price'] = inner._replace(x=left + width - share, width=share)
            width -= share + self.spacing
        if 'title' in self.texts:
            self.boxes['title'] = inner._replace(x=left, width=width)

    def _slots(self, names, width):
        shown = {*self.texts, 'qr' * bool(self.qr_least), 'barcode' * self.show_barcode}
        return [self._slot(name, width) for name in names if name in shown]

    def _slot(self, name, width):
        if name == 'qr':
            if self.qr_least > width:
                raise CannotFit('qr')
            return _Slot(name, max(self.qr_least, min(0.5 * width, 34 * mm)), self.qr_least)
        if name == 'barcode':
            return _Slot(name, max(BAR_LEAST_HEIGHT, 11 * mm * self.scale), BAR_LEAST_HEIGHT)
        frame = 2 * CODE_FRAME if name == 'code' else 0
        wanted = self.typesetter.most_height(name, self.texts[name], width - frame)
        least = self.typesetter.least_height(name, self.texts[name], width - frame)
        return _Slot(name, wanted + frame, least + frame)

    def _spaces(self, slots):
        return (len(slots) - 1) * self.spacing

    def _stack(self, slots, area):
        """Divide an area from top to bottom; what is left over goes between."""
        room = area.height - self._spaces(slots)
        wanted, least = sum(slot.wanted for slot in slots), sum(slot.least for slot in slots)
        if least > room + ROUNDING:
            raise CannotFit('card')
        share = min(1, (room - least) / (wanted - least)) if wanted > least else 1
        gap = max(0, room - wanted) / len(slots)
        top = area.y + area.height - gap / 2
        for slot in slots:
            height = slot.least + (slot.wanted - slot.least) * share
            box = self.boxes[slot.name] = area._replace(y=top - height, height=height)
            if slot.name == 'qr':
                self.boxes['qr'] = box.centered(height, height)
            top -= height + gap + self.spacing

    def _mirror(self):
        self.aligns = {name: 1 - align for name, align in self.aligns.items()}
        for name, box in self.boxes.items():
            self.boxes[name] = box._replace(x=self.width - box.x - box.width)


def place_qr(box: Box, modules: int) -> Box:
    """Return where a QR code of so many modules a side goes, within its quiet zone."""
    side = modules * box.width / (modules + 2 * QR_QUIET)
    if side < max(QR_LEAST, modules * QR_LEAST_MODULE) - ROUNDING:
        raise CannotFit('qr')
    return box.centered(side, side)


def place_barcode(box: Box, modules: int, paper: str) -> Box:
    """Return where a Code 128 of so many modules goes, within its quiet zone."""
    if paper in PRINTABLE:
        dots = int(min(BAR_LARGEST_MODULE, (box.width + ROUNDING) / modules) / DOT)
        module = DOT * dots
        fits = dots >= BAR_LEAST_DOTS
    else:
        module = min(BAR_LARGEST_MODULE, box.width / (modules + 2 * BAR_QUIET))
        fits = module >= BAR_LEAST_MODULE
    if not fits:
        raise CannotFit('barcode')
    return box.centered(modules * module, 0.86 * box.height)


def divide_page(layout) -> tuple[tuple, tuple, list]:
    """Return the sizes of the page and of a card, and where the cards' lower left corners are."""
    width, height = (side * mm for side in PAPERS[layout.paper])
    if layout.paper in PRINTABLE:
        printable = PRINTABLE[layout.paper] * mm
        return (width, height), (printable, 0), [((width - printable) / 2, 0)]
    if layout.paper in ONE_CARD_A_PAGE:
        return (width, height), (width, height), [(0, 0)]
    gap, left, bottom = (side * mm for side in (layout.gap, layout.margin_x, layout.margin_y))
    card_width = (width - 2 * left + gap) / layout.columns - gap
    card_height = (height - 2 * bottom + gap) / layout.rows - gap
    if min(card_width, card_height) <= 0:
        raise CannotFit('card')
    positions = [
        (left + column * (card_width + gap), bottom + row * (card_height + gap))
        for row in reversed(range(layout.rows))
        for column in range(layout.columns)
    ]
    return (width, height), (card_width, card_height), positions
