"""Foreign CSS made ready for the HTML engine: fonts by the names we know, and habits that browsers would drop."""

from __future__ import annotations

import re

from engine.raster.typeset import Typesetter

_QUOTED_COLOR = re.compile(
    r"((?:^|[{;\s\"'])(?:background-|border-)?(?:color|background)\s*:\s*)([\"'])([^\"']*)\2", re.IGNORECASE
)
_LINE_HEIGHT = re.compile(r"(line-height\s*:\s*)(\d+(?:\.\d+)?)(?=\s*(?:[;}!]|$))", re.IGNORECASE)
_LARGEST_RATIO = 5
_FONT_FAMILY = re.compile(r"(font-family\s*:\s*)((?:\"[^\"]*\"|'[^']*'|[^;}\"'!])*)", re.IGNORECASE)
_FONT_SHORTHAND = re.compile(
    r"((?:^|[{;\s])font\s*:[^;}\"']*?[\d.]+(?:px|pt|em|rem|%|vh|vw)(?:\s*/\s*[\d.a-z%]+)?\s+)((?:\"[^\"]*\"|'[^']*'|[^;}\"'!])+)",
    re.IGNORECASE,
)
_NAME = re.compile(r"\"([^\"]*)\"|'([^']*)'|([^,\s][^,]*)")
_STYLE_ATTRIBUTE = re.compile(r"(\sstyle\s*=\s*)(\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_STYLE_ELEMENT = re.compile(r"(<style\b[^>]*>)(.*?)(</style)", re.IGNORECASE | re.DOTALL)
_KEYWORDS = frozenset({"inherit", "initial", "unset", "revert"})
_UNSUPPORTED = {
    "text-shadow": re.compile(r"text-shadow\s*:(?!\s*none)", re.IGNORECASE),
    "text-stroke": re.compile(r"-webkit-text-stroke", re.IGNORECASE),
    "box-shadow": re.compile(r"box-shadow\s*:(?!\s*none)", re.IGNORECASE),
    "gradients": re.compile(r"(?:linear|radial|conic)-gradient\s*\(", re.IGNORECASE),
    "animations": re.compile(r"@keyframes|(?:^|[;{\s])animation(?:-name)?\s*:(?!\s*none)", re.IGNORECASE),
    "filters": re.compile(r"(?:^|[;{\s])(?:backdrop-)?filter\s*:(?!\s*none)", re.IGNORECASE),
}


def tidy_css(css: str, setter: Typesetter, where: str) -> str:
    """Return a style sheet or a declaration list with its fonts resolved and its slips mended.

    where: pointer below the clip, for warnings. Colours in quotes lose them; a unitless line height that
    can only mean pixels gets its unit; each family name becomes one that can be drawn, and a weight that is
    part of the name is kept.
    """
    css = _QUOTED_COLOR.sub(lambda found: found[1] + found[3], css)
    css = _LINE_HEIGHT.sub(_mend_line_height, css)
    css = _FONT_FAMILY.sub(lambda found: found[1] + _families(found[2], setter, where, '"'), css)
    css = _FONT_SHORTHAND.sub(lambda found: found[1] + _families(found[2], setter, where, '"'), css)
    for name, pattern in _UNSUPPORTED.items():
        if pattern.search(css):
            setter.warn(
                where,
                "css_unsupported",
                f"CSS {name} are not drawn." if name.endswith("s") else f"CSS {name} is not drawn.",
            )
    return css


def tidy_html(markup: str, setter: Typesetter, where: str) -> str:
    """Return HTML with the CSS of its `style` attributes and elements made ready."""

    def attribute(found: re.Match[str]) -> str:
        quote = found[2][0]
        # A style attribute ends at its own quote, so the names inside must use the other one.
        return (
            found[1]
            + quote
            + tidy_css(found[2][1:-1], setter, where).replace(quote, "'" if quote == '"' else '"')
            + quote
        )

    def element(found: re.Match[str]) -> str:
        return found[1] + tidy_css(found[2], setter, where) + found[3]

    return _STYLE_ATTRIBUTE.sub(attribute, _STYLE_ELEMENT.sub(element, markup))


def close_style(css: str) -> str:
    """Return CSS that cannot end the `style` element around it."""
    return re.sub(r"<(?=/|!)", r"\\3c ", css)


def _mend_line_height(found: re.Match[str]) -> str:
    """Return a line height; a bare number beyond any sensible ratio is meant in pixels."""
    return f"{found[1]}{found[2]}px" if float(found[2]) > _LARGEST_RATIO else found[0]


def _families(names: str, setter: Typesetter, where: str, quote: str) -> str:
    """Return a list of family names that can be drawn, with the variation that the first name asks for."""
    wanted = [next(part for part in found.groups() if part is not None).strip() for found in _NAME.finditer(names)]
    wanted = [name for name in wanted if name]
    if not wanted or wanted[0].lower() in _KEYWORDS:
        return names
    choice = setter.choose(wanted[0], where)
    first = choice
    for name in wanted[1:]:
        if not first.stand_in:
            break
        first = setter.choose(name, where)
    # A variable font takes the weight of the name from its axis, whatever a bold element asks for; a family of
    # separate files takes it from the weight.
    variation = f'"wght" {first.weight};font-weight:{first.weight}' if first.weight else "normal"
    slant = ";font-style:italic" if first.italic else ""
    return f"{quote}{first.family}{quote};font-variation-settings:{variation}{slant}"
