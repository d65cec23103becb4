"""Font probe. Runs in the probe process only."""

from __future__ import annotations

import struct
from pathlib import Path

from PIL import ImageFont

from engine.errors import MediaUnreadable

MAX_FONT_BYTES = 32 * 1024 * 1024
_REQUIRED = (b"cmap", b"head", b"hhea", b"hmtx", b"maxp", b"name")
_OUTLINES = (b"glyf", b"CFF ", b"CFF2", b"CBDT", b"sbix", b"COLR")


def probe_font(path: Path) -> None:
    """Check that a font's tables lie within the file and that FreeType opens it.

    Raises MediaUnreadable (`damaged`, `truncated`, `too_large`).
    """
    size = path.stat().st_size
    if size > MAX_FONT_BYTES:
        raise MediaUnreadable("too_large", f"A font may have at most {MAX_FONT_BYTES // 2**20} MB.")
    tables = _tables(path.read_bytes())
    for tag, (offset, length) in tables.items():
        if offset + length > size:
            raise MediaUnreadable("truncated", f"The font ends before its table '{tag.decode('latin-1')}'.")
    missing = [tag.decode("latin-1") for tag in _REQUIRED if tag not in tables]
    if missing or not any(tag in tables for tag in _OUTLINES):
        raise MediaUnreadable("damaged", f"The font lacks the table '{(missing or ['glyf'])[0]}'.")
    try:
        family, _ = ImageFont.truetype(str(path), 16).getname()
    except (OSError, ValueError) as error:
        raise MediaUnreadable("damaged", "The font cannot be opened.") from error
    if not family:
        raise MediaUnreadable("damaged", "The font has no family name.")


def _tables(data: bytes) -> dict[bytes, tuple[int, int]]:
    """Return the offset and length of each table of an sfnt file."""
    if len(data) < 12:
        raise MediaUnreadable("truncated", "The font ends before its list of tables.")
    count = struct.unpack_from(">H", data, 4)[0]
    if len(data) < 12 + 16 * count:
        raise MediaUnreadable("truncated", "The font ends before its list of tables.")
    records = (struct.unpack_from(">4sIII", data, 12 + 16 * index) for index in range(count))
    return {tag: (offset, length) for tag, _, offset, length in records}
