"""Pictures that stand for something: for a page on the screen, for a logo that is not there yet."""

from contextlib import closing
from functools import cache
from io import BytesIO
from threading import Lock

import pypdfium2
from PIL import Image

DPI = 150
LOGO_SIZE = (300, 100)

_rendering = Lock()  # PDFium is not made for several threads


def render(pdf: bytes) -> bytes:
    """Return the first page of a PDF as a PNG."""
    picture = BytesIO()
    with _rendering, closing(pypdfium2.PdfDocument(pdf)) as document:
        document[0].render(scale=DPI / 72).to_pil().save(picture, 'PNG')
    return picture.getvalue()


@cache
def draw_logo() -> bytes:
    """Return a black PNG as wide as logos usually are."""
    picture = BytesIO()
    Image.new('RGB', LOGO_SIZE).save(picture, 'PNG')
    return picture.getvalue()
