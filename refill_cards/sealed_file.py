"""Files that are kept in sealed pieces: read anywhere, with a few pieces at a time in memory.

Pure Python, without Odoo.
"""

import io
from collections.abc import Callable, Iterator
from functools import lru_cache

PIECE = 1 << 20  # bytes
# Pieces in memory: the parts of a workbook are read beside each other.
OPEN = 4


def split(content: bytes) -> Iterator[bytes]:
    """Yield the pieces of a file; all but the last one have the same size."""
    view = memoryview(content)
    for start in range(0, len(content), PIECE):
        yield bytes(view[start : start + PIECE])


def count_pieces(size: int) -> int:
    """Return of how many pieces a file of so many bytes is made."""
    return -(-size // PIECE)


def open_pieces(size: int, open_piece: Callable[[int], bytes]) -> io.BufferedReader:
    """Return a file that can be read anywhere.

    :param int size: of the file, in bytes.
    :param open_piece: returns the content of a piece by its number, from 0 on.
    """
    return io.BufferedReader(_Pieces(size, open_piece))


class _Pieces(io.RawIOBase):
    def __init__(self, size, open_piece):
        self._size, self._open_piece = size, lru_cache(OPEN)(open_piece)
        self._place = 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(start + offset, 0)
        return self._place

    def tell(self):
        return self._place

    def readinto(self, buffer):
        if self._place >= self._size:
            return 0
        number, start = divmod(self._place, PIECE)
        part = self._open_piece(number)[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)
