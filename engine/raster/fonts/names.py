"""Font name parser: `Montserrat SemiBold`, `OpenSans-Bold`, `dm sans 9pt`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WEIGHTS = {
    "thin": 100,
    "hairline": 100,
    "extralight": 200,
    "ultralight": 200,
    "light": 300,
    "regular": 400,
    "normal": 400,
    "book": 400,
    "roman": 400,
    "medium": 500,
    "semibold": 600,
    "demibold": 600,
    "bold": 700,
    "extrabold": 800,
    "ultrabold": 800,
    "heavy": 900,
    "black": 900,
}
_ITALICS = frozenset({"italic", "oblique", "ital", "it"})
_OPTICAL_SIZE = re.compile(r"^\d+pt$")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+[a-z]*|[^\W\d_A-Za-z]+")


@dataclass(frozen=True, slots=True)
class SplitName:
    """A family name without its style words. weight: 100 to 900, or None when the name gives none."""

    family: str
    weight: int | None = None
    italic: bool = False


def name_key(name: str) -> str:
    """Return a key that is equal for all spellings of a name: no case, blanks, hyphens or underscores."""
    return re.sub(r"[\s_\-]+", "", name).casefold()


def split_name(name: str) -> SplitName:
    """Split weight, slant and optical size off the end of a font's name; at least one word remains."""
    words = _WORD.findall(name)
    weight: int | None = None
    italic = False
    while len(words) > 1:
        last = words[-1].casefold()
        pair = words[-2].casefold() + last
        if len(words) > 2 and pair in _WEIGHTS and weight is None:
            weight = _WEIGHTS[pair]
            del words[-2:]
        elif last in _WEIGHTS and weight is None:
            weight = _WEIGHTS[last]
            words.pop()
        elif last in _ITALICS:
            italic = True
            words.pop()
        elif _OPTICAL_SIZE.match(last):
            words.pop()
        else:
            break
    return SplitName(" ".join(words), weight, italic)
