"""PNG writer for mostly empty pictures.

A title is a few lines of text in a picture of the viewport's size. A general encoder spends most of its time on
the empty rows, so here these come from blocks that are compressed once and joined.
Source: PNG specification, third edition; RFC 1950 and 1951.
"""

from __future__ import annotations

import os
import struct
import zlib
from functools import lru_cache
from pathlib import Path

from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ZLIB_HEADER = b"\x78\x01"
_FINAL_BLOCK = b"\x03\x00"
_ADLER_BASE = 65521
_LEVEL = 1


def write_png(picture: Image.Image, out: Path) -> None:
    """Save an RGBA picture, complete or not at all. Fast rather than small."""
    width, height = picture.size
    row_bytes = width * 4 + 1
    box = picture.getbbox()
    top, bottom = (box[1], box[3]) if box else (0, 0)
    drawn = _rows(picture.crop((0, top, width, bottom))) if box else b""
    check = _adler_zeros(1, top * row_bytes)
    check = zlib.adler32(drawn, check)
    check = _adler_zeros(check, (height - bottom) * row_bytes)
    pieces = (
        _ZLIB_HEADER,
        _blank(row_bytes, top),
        _deflate(drawn),
        _blank(row_bytes, height - bottom),
        _FINAL_BLOCK,
        struct.pack(">I", check),
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    part = out.with_name(out.name + ".part")
    with part.open("wb") as file:
        file.write(_SIGNATURE)
        for name, data in ((b"IHDR", header), (b"IDAT", b"".join(pieces)), (b"IEND", b"")):
            file.write(struct.pack(">I", len(data)) + name + data)
            file.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(name))))
    os.replace(part, out)  # noqa: PTH105


def _rows(picture: Image.Image) -> bytes:
    """Return the pixel rows, each after the zero byte of filter type None."""
    row, data = picture.width * 4, picture.tobytes()
    return b"".join(b"\x00" + data[start : start + row] for start in range(0, len(data), row))


def _deflate(data: bytes) -> bytes:
    """Return data as self-contained deflate blocks that end on a byte, so that they can be joined."""
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return stream.compress(data) + stream.flush(zlib.Z_FULL_FLUSH)


def _blank(row_bytes: int, rows: int) -> bytes:
    """Return empty rows as deflate blocks, combined from powers of two."""
    return b"".join(_blank_piece(row_bytes, power) for power in range(rows.bit_length()) if rows >> power & 1)


@lru_cache(maxsize=64)
def _blank_piece(row_bytes: int, power: int) -> bytes:
    """Return 2**power empty rows, compressed."""
    return _deflate(bytes(row_bytes << power))


def _adler_zeros(check: int, count: int) -> int:
    """Return the Adler-32 checksum after `count` more zero bytes: the high half adds up the constant low half."""
    low, high = check & 0xFFFF, check >> 16
    return (high + low * count) % _ADLER_BASE << 16 | low
