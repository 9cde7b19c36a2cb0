"""What reportlab lacks for long runs: pages that leave memory, and symbols to scan.

Pure Python, without Odoo.
"""

from array import array
from threading import Lock
from typing import BinaryIO, NamedTuple

import zxingcpp
from PIL import Image
from reportlab.pdfbase import pdfdoc
from reportlab.pdfgen.canvas import Canvas

from .arrangement import Box
from .typesetting import HALF_CAPITAL, LEADING, Fitted, Font, Glyph, Line, get_font

PAGES_A_NODE = 200
CREATOR = 'Odoo, Refill Cards'
_cutting_fonts = Lock()  # reportlab's fonts are read with one position in the file


class _StreamedDocument(pdfdoc.PDFDocument):
    """Writes each page as soon as it is finished, and remembers only where in the file it is.

    reportlab's own keeps all pages until it is saved. What pages share (fonts, pictures, forms) is
    written last: the objects of a PDF may come in any order (ISO 32000-1, 7.5).
    """

    defaultStreamFilters = [pdfdoc.PDFZCompress]

    def __init__(self, file: BinaryIO):
        super().__init__(pdfVersion=(1, 4))  # the first with transparent pictures
        self._file = file
        self._position = 0
        self._offsets = array('Q', [0])
        self._page_count = 0
        self._nodes = []
        self._root = pdfdoc.PDFDictionary({'Type': pdfdoc.PDFName('Pages')})
        self.Catalog.Pages = self.Reference(self._root)
        self.Catalog.Outlines = None
        self._append(b'%PDF-1.4\n%\xe2\xe3\xcf\xd3\n')

    def addPage(self, page: pdfdoc.PDFPage) -> None:
        """Write the page. The page tree has two levels, so that viewers find the last page fast."""
        if self._page_count % PAGES_A_NODE == 0:
            self._close_node()
            self.Pages = pdfdoc.PDFPages()
            self.Pages.Parent = self.Catalog.Pages
            self._nodes.append(self._number(self.Reference(self.Pages)))
        self._page_count += 1
        number = self._number(self.Reference(page))
        self.Pages.addPage(f'{number} 0 R')
        while number <= self.objectcounter:  # writing the page makes the object of its contents
            self._write(number, forget=True)
            number += 1
        self.inObject = None

    def finish(self) -> None:
        """Write what the pages share, and where in the file everything is."""
        self._close_node()
        self._root['Kids'] = pdfdoc.PDFArray([f'{number} 0 R' for number in self._nodes])
        self._root['Count'] = self._page_count
        with _cutting_fonts:
            for font in self.delayedFonts:
                font.addObjects(self)
        catalog, info = self.Reference(self.Catalog), self.Reference(self.info)
        number = 1
        while number <= self.objectcounter:
            if number in self.numberToId:
                self._write(number)
            number += 1
        start = self._position
        self._append(b'xref\n0 %d\n0000000000 65535 f \n' % number)
        for offset in self._offsets[1:]:
            self._append(b'%010d 00000 n \n' % offset)
        trailer = pdfdoc.PDFTrailer(start, Size=number, Root=catalog, Info=info, ID=self.ID())
        self._append(trailer.format(self))

    def _close_node(self) -> None:
        if self._nodes:
            self._write(self._nodes[-1], forget=True)

    def _write(self, number: int, forget: bool = False) -> None:
        """Write an object.

        :param bool forget: nothing that is written later refers to it by name.
        """
        name = self.numberToId.pop(number)
        data = pdfdoc.PDFIndirectObject(name, self.idToObject[name]).format(self)
        self._offsets.extend([0] * (number + 1 - len(self._offsets)))
        self._offsets[number] = self._position
        self._append(data)
        if forget:
            del self.idToObject[name], self.idToObjectNumberAndVersion[name]

    def _append(self, data: bytes) -> None:
        self._file.write(data)
        self._position += len(data)

    def _number(self, reference: pdfdoc.PDFObjectReference) -> int:
        return self.idToObjectNumberAndVersion[reference.name][0]


class Sheets(Canvas):
    """A canvas of which only the current page is in memory.

    :param file: gets the bytes of the PDF one after the other; need not be seekable.
    :param size: width and height of a page in points.
    """

    def __init__(self, file: BinaryIO, size: tuple[float, float]):
        super().__init__(file, pagesize=size, pageCompression=0)
        self._doc = _StreamedDocument(file)
        self._preamble = ''  # it selects Helvetica, which would not be embedded

    def describe(self, title: str) -> None:
        """Say what this is, and that printers must not change its size."""
        self.setTitle(title)
        self.setAuthor(title)
        self.setSubject(title)
        self.setCreator(CREATOR)
        self.setViewerPreference('PrintScaling', 'None')

    def save(self) -> None:
        self._doc.finish()

    def draw_text(self, fitted: Fitted, box: Box, align: float) -> None:
        """Draw a text, centred vertically in the box.

        :param float align: 0 for the left side of the box, 0.5 for its middle, 1 for its right.
        """
        font, size = get_font(fitted.path), fitted.size
        middle = box.y + box.height / 2 + (len(fitted.lines) - 1) / 2 * LEADING * size
        self._code.append('BT')
        if fitted.in_one_piece and len(fitted.lines) > 1:
            self._begin_actual_text(''.join(line.text for line in fitted.lines))
        for line in fitted.lines:
            x = box.x + align * (box.width - line.width * size)
            y = middle - HALF_CAPITAL * size
            self._code.append(f'1 0 0 1 {x:.2f} {y:.2f} Tm')
            self._draw_line(line, font, size)
            middle -= LEADING * size
        if fitted.in_one_piece and len(fitted.lines) > 1:
            self._code.append('EMC')
        self._code.append('ET')

    def _draw_line(self, line: Line, font: Font, size: float) -> None:
        if line.runs == (line.text,):
            self._draw_characters(line.text, font, size)
            return
        self._begin_actual_text(line.text)
        for run in line.runs:
            if isinstance(run, str):
                self._draw_characters(run, font, size)
            else:
                self._draw_glyphs(run, font, size)
        self._code.append('EMC')

    def _draw_characters(self, text: str, font: Font, size: float) -> None:
        for subset, encoded in font.splitString(text, self._doc):
            name = font.getSubsetInternalName(subset, self._doc)
            self._code.append(f'{name} {size:g} Tf <{encoded.hex()}> Tj')

    def _draw_glyphs(self, glyphs: tuple[Glyph, ...], font: Font, size: float) -> None:
        """Draw glyphs where they belong (ISO 32000-1, 9.4.3: ``TJ`` moves to the left)."""
        for glyph in glyphs:
            [(subset, encoded)] = font.splitString(glyph.character, self._doc)
            name = font.getSubsetInternalName(subset, self._doc)
            shown = f'<{encoded.hex()}>'
            if glyph.x:
                shown = f'{-glyph.x:g} {shown}'
            if rest := glyph.width + glyph.x - glyph.advance:
                shown = f'{shown} {rest:g}'
            rise = glyph.y * size / 1000
            shown = f'{name} {size:g} Tf [{shown}] TJ'
            self._code.append(f'{rise:.2f} Ts {shown} 0 Ts' if rise else shown)

    def _begin_actual_text(self, text: str) -> None:
        """Say what is copied instead of the characters that are drawn (ISO 32000-1, 14.9.4)."""
        self._code.append(f'/Span <</ActualText <FEFF{text.encode("utf-16-be").hex()}>>> BDC')

    def draw_symbol(self, symbol: 'Symbol', box: Box) -> None:
        """Draw a symbol as one image mask in black, stretched over the box."""
        self._code.append(
            f'q 0 g {box.width:.2f} 0 0 {box.height:.2f} {box.x:.2f} {box.y:.2f} cm '
            f'BI /W {symbol.width} /H {symbol.height} /IM true /BPC 1 /F /AHx '
            f'ID {symbol.bits.hex()}> EI Q'
        )


class Symbol(NamedTuple):
    """A QR or bar code: rows of modules, one bit each, 0 is black, each row in whole bytes."""

    width: int
    height: int
    bits: bytes


def qr(text: str) -> Symbol:
    """Return a QR code with error correction M, without its quiet zone."""
    return _symbol(zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level='M'))


def code128(text: str) -> Symbol:
    """Return a Code 128 of one row, without its quiet zone."""
    barcode = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.Code128)
    return _symbol(barcode, one_row=True)


def _symbol(barcode: zxingcpp.Barcode, one_row: bool = False) -> Symbol:
    picture = barcode.to_image(scale=1, add_quiet_zones=False)
    height, width = picture.shape
    modules = Image.frombytes('L', (width, height), bytes(picture))
    if one_row:
        modules, height = modules.crop((0, 0, width, 1)), 1
    return Symbol(width, height, modules.convert('1', dither=Image.Dither.NONE).tobytes())
