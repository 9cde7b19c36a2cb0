"""Photos that strangers send: made anew, so that nothing of the file stays but the picture."""

from io import BytesIO

from PIL import Image, ImageOps

FORMATS = ('JPEG', 'PNG')
# What a phone's camera makes at the most; a larger picture may be a bomb that fills the memory.
MAX_PIXELS = 50_000_000
# On its longer side: a receipt can be read, and Odoo makes pictures no smaller.
SIDE = 1920
QUALITY = 85


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
            picture = ImageOps.exif_transpose(picture)
            picture.thumbnail((SIDE, SIDE))
            made = Image.new('RGB', picture.size, 'white')
            picture = picture.convert('RGBA')
            made.paste(picture, mask=picture.getchannel('A'))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise NoPhoto from None
    file = BytesIO()
    made.save(file, 'JPEG', quality=QUALITY)
    return file.getvalue()
