"""Font files: names and style from a font's tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError

from engine.raster.fonts.bundled import font_directories

_FAMILY, _FULL, _POSTSCRIPT, _TYPOGRAPHIC_FAMILY = 1, 4, 6, 16
_BOLD_FLAG, _ITALIC_FLAG = 1 << 5, 1


@dataclass(frozen=True, slots=True)
class FontFile:
    """The names and style of a font file.

    families: typographic and legacy family names. names: full and PostScript names.
    weight: 100 to 900; of a variable font, its default. weight_range: the weights of a variable font.
    """

    path: Path
    families: tuple[str, ...]
    names: tuple[str, ...]
    weight: int
    italic: bool
    weight_range: tuple[int, int] | None = None


@lru_cache(maxsize=256)
def read_font(path: Path) -> FontFile | None:
    """Read a TrueType or OpenType file's names and style; None if the file cannot be parsed."""
    try:
        with path.open("rb") as file:
            return _describe(path, TTFont(file, lazy=True, fontNumber=0))
    except (TTLibError, OSError, KeyError, ValueError, AssertionError, AttributeError, IndexError):
        return None


@lru_cache(maxsize=64)
def upright_files(family: str) -> tuple[tuple[str, FontFile], ...]:
    """Return the files of a bundled family, by their names in `font:` URLs; none if it has an italic face."""
    paths = [path for folder in font_directories() for path in sorted(folder.rglob("*.ttf"))]
    fonts = [font for font in map(read_font, paths) if font is not None and family in font.families]
    if any(font.italic for font in fonts):
        return ()
    return tuple((f"b-{font.path.stem.encode().hex()}", font) for font in fonts)


def _describe(path: Path, font: TTFont) -> FontFile:
    table = font["name"]
    texts = {number: table.getDebugName(number) for number in (_FAMILY, _FULL, _POSTSCRIPT, _TYPOGRAPHIC_FAMILY)}
    families = _distinct(texts[_TYPOGRAPHIC_FAMILY], texts[_FAMILY])
    weight, italic = 400, False
    if "OS/2" in font:
        weight = int(font["OS/2"].usWeightClass) or 400
        italic = bool(font["OS/2"].fsSelection & _ITALIC_FLAG)
        if weight == 400 and font["OS/2"].fsSelection & _BOLD_FLAG:
            weight = 700
    weight_range = None
    if "fvar" in font:
        axes = [axis for axis in font["fvar"].axes if axis.axisTag == "wght"]
        weight_range = (int(axes[0].minValue), int(axes[0].maxValue)) if axes else None
    return FontFile(path, families, _distinct(texts[_FULL], texts[_POSTSCRIPT]), weight, italic, weight_range)


def _distinct(*names: str | None) -> tuple[str, ...]:
    """Return the names that are set, each once, in order."""
    return tuple(dict.fromkeys(name for name in names if name))
