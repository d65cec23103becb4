"""Colour parser of the edit language."""

from __future__ import annotations

import re

from PIL import ImageColor

_HEX = re.compile(r"#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
MAX_COLOR_CHARACTERS = 64


def parse_color(text: str) -> tuple[int, int, int, int]:
    """Return a colour as red, green, blue and alpha, each 0 to 255.

    text: `#RRGGBB`, `#RGB`, `#AARRGGBB` (alpha first, as the format has it), `rgb()`, `hsl()`, a CSS name
    or `transparent`. Raises ValueError for anything else.
    """
    text = text.strip()
    if len(text) > MAX_COLOR_CHARACTERS:
        raise ValueError("a colour is at most 64 characters long")
    if text.lower() == "transparent":
        return (0, 0, 0, 0)
    if _HEX.fullmatch(text):
        digits = text.removeprefix("#")
        if len(digits) == 3:
            digits = "".join(digit * 2 for digit in digits)
        alpha = 255
        if len(digits) == 8:
            alpha, digits = int(digits[:2], 16), digits[2:]
        return (int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16), alpha)
    if (found := _parse_rgba(text)) is not None:
        return found
    red, green, blue, *rest = ImageColor.getrgb(text)
    return (red, green, blue, rest[0] if rest else 255)


def is_color(text: str) -> bool:
    """Return whether `parse_color` understands the text."""
    try:
        parse_color(text)
    except ValueError:
        return False
    return True


_RGBA = re.compile(
    r"rgba\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d*\.?\d+)(%?)\s*\)",
    re.IGNORECASE,
)


def _parse_rgba(text: str) -> tuple[int, int, int, int] | None:
    """Parse CSS `rgba()`, whose alpha is a fraction; Pillow would read it as 0 to 255."""
    found = _RGBA.fullmatch(text)
    if found is None:
        return None
    red, green, blue = (min(255, int(found[index])) for index in (1, 2, 3))
    alpha = float(found[4]) / (100 if found[5] else 1)
    return (red, green, blue, round(255 * min(1.0, alpha)))
