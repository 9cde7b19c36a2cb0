"""Photos that strangers send: made anew, so that nothing of the file stays but the picture."""

import struct
from io import BytesIO

from PIL import Image, ImageOps

FORMATS = ('JPEG', 'PNG')
# More than phones make of a receipt; a larger picture may be a bomb that fills the memory.
MAX_PIXELS = 25_000_000
# On its longer side: a receipt can be read, and Odoo makes pictures no smaller.
SIDE = 1920
QUALITY = 85
# What Pillow raises over files that are broken, and over what they tell of the camera.
BROKEN = (
    *(ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, SyntaxError),
    *(TypeError, ValueError, struct.error, Image.DecompressionBombError),
)


class NoPhoto(ValueError):
    """The file is no picture of these formats, or too large a one."""


def remake(content: bytes) -> bytes:
    """Return the picture as a JPEG, without what else is in the file, such as where it was taken.

    :param bytes content: the file, as it came.
    :raise NoPhoto: when it is none.
    """
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise NoPhoto
            picture.thumbnail((SIDE, SIDE))  # first: whatever follows copies the picture
            picture = ImageOps.exif_transpose(picture)
            made = Image.new('RGB', picture.size, 'white')
            picture = picture.convert('RGBA')
            made.paste(picture, mask=picture.getchannel('A'))
    except BROKEN:
        raise NoPhoto from None
    file = BytesIO()
    made.save(file, 'JPEG', quality=QUALITY)
    return file.getvalue()
