"""CSS for text: an edit's colours, fonts and escaped text, with warnings about what cannot be drawn."""

from __future__ import annotations

import html
import re

from engine.issues import Issue
from engine.language.colors import parse_color
from engine.media import MediaInfo
from engine.raster.errors import DrawingFailed
from engine.raster.fonts import FontChoice, FontRegistry

MAX_TEXT_CHARACTERS = 20_000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class FontResolver:
    """Turns one clip's font names into CSS, and collects its `@font-face` rules and its warnings."""

    def __init__(self, fonts: dict[str, MediaInfo], pointer: str) -> None:
        """fonts: as `Timeline.fonts` has them. pointer: of the clip in the edit."""
        self.pointer = pointer
        self._registry = FontRegistry(fonts)
        self._faces: dict[str, str] = {}
        self._warnings: dict[tuple[str, str], Issue] = {}
        self.files: dict[str, str] = {}

    @property
    def faces(self) -> str:
        """Return the `@font-face` rules of the loaded fonts used so far."""
        return "".join(self._faces.values())

    @property
    def warnings(self) -> tuple[Issue, ...]:
        """Return the warnings, each one once."""
        return tuple(self._warnings.values())

    def warn(self, where: str, code: str, detail: str) -> None:
        """Add a warning. where: pointer below the clip."""
        self._warnings.setdefault((code, detail), Issue(self.pointer + where, code, detail))

    def choose(self, family: str, where: str) -> FontChoice:
        """Return the font for a family name, ready to be used in CSS; warn if it is a substitute."""
        choice = self.find(family)
        if choice.is_substitute:
            self.warn_substituted(family, choice, where)
        self.use(choice)
        return choice

    def warn_substituted(self, family: str, choice: FontChoice, where: str) -> None:
        """Warn that a family was not found and which font is used instead."""
        drawn = "the font that the edit loads" if choice.files else f"'{choice.family}'"
        detail = f"The font '{family[:80]}' is neither loaded by the edit nor bundled; {drawn} is used instead."
        self.warn(where, "font_substituted", detail)

    def find(self, family: str) -> FontChoice:
        """Return the font for a family name, without a warning and without using it."""
        return self._registry.choose(family)

    def use(self, choice: FontChoice) -> None:
        """Add a choice's font files to the document."""
        for name, font in choice.files:
            self.files[name] = str(font.path)
            weight = "" if font.weight_range else f"font-weight:{font.weight};"
            slant = "font-style:italic;" if font.italic else ""
            rule = f'@font-face{{font-family:"{choice.family}";src:url("font:{name}");{weight}{slant}}}'
            self._faces[f"{choice.family} {name}"] = rule

    def font(self, family: str, weight: int | None, where: str, *, style: str = "normal") -> str:
        """Return CSS declarations of family, weight and slant.

        weight, style (`normal` or `italic`): the text's own; a weight or an italic in the name wins.
        """
        choice = self.choose(family, where)
        slant = ""
        if choice.italic or style == "italic":
            choice, slant = self._registry.slanted(choice), "font-style:italic;"
            self.use(choice)
        return f'font-family:"{choice.family}";font-weight:{choice.weight or weight or 400};{slant}'


def css_color(color: str, opacity: float = 1.0) -> str:
    """Return an edit's colour as CSS."""
    red, green, blue, alpha = parse_color(color)
    return f"rgba({red},{green},{blue},{alpha / 255 * opacity:.4g})"


def hex_color(color: str, opacity: float = 1.0) -> str:
    """Return an edit's colour as `#RRGGBBAA`."""
    red, green, blue, alpha = parse_color(color)
    return f"#{red:02x}{green:02x}{blue:02x}{round(alpha * opacity):02x}"


def strip_control_characters(text: str) -> str:
    """Return text without control characters and lone surrogates, which no page can contain."""
    return _CONTROL.sub("", text)


def escape_text(text: str) -> str:
    """Return text escaped for HTML, without control characters.

    Raises DrawingFailed if it is too long.
    """
    if len(text) > MAX_TEXT_CHARACTERS:
        detail = f"a text has {len(text)} characters; at most {MAX_TEXT_CHARACTERS} can be drawn"
        raise DrawingFailed(detail)
    return html.escape(strip_control_characters(text.replace("\r\n", "\n").replace("\r", "\n")))


def px(value: float) -> str:
    """Return a length in pixels as CSS, never in exponent notation."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + "px"
