"""CSS preparation: resolves the fonts of an edit's CSS and corrects common slips for the HTML engine.

This runs outside the limited drawing process, so everything here takes time in proportion to its input.
"""

from __future__ import annotations

import re

from engine.raster.gradients import paint_gradients
from engine.raster.text_css import FontResolver

# The text between delimiters, with whole strings; else one delimiter, or an unclosed quote.
_PIECE = re.compile(r"""(?:"[^"\n]*+"|'[^'\n]*+'|[^{};"']++)++|[{};"']""")
_STYLE_ATTRIBUTE = re.compile(r"(\sstyle\s*+=\s*+)(\"[^\"]*+\"|'[^']*+')", re.IGNORECASE)
_IMPORTANT = re.compile(r"!\s*important\s*$", re.IGNORECASE)
# Its gradient would fill the box behind the letters.
_CLIPPED_TO_TEXT = re.compile(r"background-clip\s*+:\s*+text", re.IGNORECASE)
_BARE_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_FONT_SIZE = re.compile(r"[\d.]+(?:px|pt|em|rem|%|vh|vw)(?:/\S+)?", re.IGNORECASE)
_TOKEN = re.compile(r"""\s*+(?:"[^"]*+"|'[^']*+'|[^\s"']++|["'])""")
_NAME = re.compile(r"\"([^\"]*)\"|'([^']*)'|([^,\s][^,]*)")
_MAX_RATIO = 5
_COLORS = frozenset({"color", "background", "background-color", "border-color", "fill", "stroke"})
_BACKGROUNDS = frozenset({"background", "background-image"})
_KEYWORDS = frozenset({"inherit", "initial", "unset", "revert"})
_UNSUPPORTED = {
    "text-shadow": "text-shadow is",
    "box-shadow": "box-shadow is",
    "-webkit-text-stroke": "text-stroke is",
    "animation": "animations are",
    "animation-name": "animations are",
    "filter": "filters are",
    "backdrop-filter": "filters are",
}


def tidy_css(css: str, resolver: FontResolver, where: str) -> str:
    """Return a style sheet or a declaration list with fonts resolved and slips corrected.

    where: pointer below the clip, for warnings. Quoted colours lose their quotes; a unitless line height that
    can only mean pixels gets its unit; each family name becomes one that can be drawn, and a weight that is
    part of the name is kept.
    """
    css = _without_comments(css)
    gradients = _CLIPPED_TO_TEXT.search(css) is None
    return "".join(_tidy_piece(piece, resolver, where, gradients) for piece in _PIECE.findall(css))


def tidy_html(markup: str, resolver: FontResolver, where: str) -> str:
    """Return HTML with the CSS of its `style` attributes and elements tidied."""

    def attribute(found: re.Match[str]) -> str:
        quote = found[2][0]
        # A style attribute ends at its own quote, so the names inside must use the other one.
        css = tidy_css(found[2][1:-1], resolver, where).replace(quote, "'" if quote == '"' else '"')
        return found[1] + quote + css + quote

    parts: list[str] = []
    lower, position = markup.lower(), 0
    while (opened := lower.find("<style", position)) >= 0:
        inside = lower.find(">", opened) + 1
        if inside == 0:
            break
        closed = lower.find("</style", inside)
        closed = len(markup) if closed < 0 else closed
        parts.append(_STYLE_ATTRIBUTE.sub(attribute, markup[position:opened]))
        parts.append(markup[opened:inside] + tidy_css(markup[inside:closed], resolver, where))
        position = closed
    parts.append(_STYLE_ATTRIBUTE.sub(attribute, markup[position:]))
    return "".join(parts)


def close_style(css: str) -> str:
    """Return CSS that cannot end the `style` element around it."""
    return re.sub(r"<(?=/|!)", r"\\3c ", css)


def _without_comments(css: str) -> str:
    """Return CSS without its comments; an unclosed one runs to the end."""
    parts: list[str] = []
    position = 0
    while (opened := css.find("/*", position)) >= 0:
        parts.append(css[position:opened])
        closed = css.find("*/", opened + 2)
        position = len(css) if closed < 0 else closed + 2
    parts.append(css[position:])
    return " ".join(parts)


def _tidy_piece(piece: str, resolver: FontResolver, where: str, gradients: bool) -> str:
    """Return the text between two delimiters, corrected if it is a declaration. gradients: paint them."""
    if piece.lstrip().lower().startswith("@keyframes"):
        resolver.warn(where, "css_unsupported", "CSS animations are not drawn.")
    name, colon, value = piece.partition(":")
    if not colon:
        return piece
    bare = name.strip().lower()
    if gradients and bare in _BACKGROUNDS and "-gradient(" in value.lower():
        core, end = _without_important(value)
        painted = paint_gradients(core)
        if painted is not None:
            size = "" if "/" in core else f";background-size:100% 100%{end}"
            # The HTML engine paints the tiles of a repeated image over each other.
            return f"{name}:{painted}{end}{size};background-repeat:no-repeat{end}"
    return name + colon + _tidy_value(bare, value, resolver, where)


def _without_important(value: str) -> tuple[str, str]:
    """Return a declaration's value, and its `!important` or an empty string."""
    important = _IMPORTANT.search(value)
    return (value[: important.start()], value[important.start() :]) if important else (value, "")


def _tidy_value(name: str, value: str, resolver: FontResolver, where: str) -> str:
    core, end = _without_important(value)
    bare = core.strip()
    if name in _UNSUPPORTED and bare.lower() != "none":
        resolver.warn(where, "css_unsupported", f"CSS {_UNSUPPORTED[name]} not drawn.")
    elif "-gradient(" in bare.lower():
        resolver.warn(where, "css_unsupported", "CSS gradients of this kind are not drawn.")
    elif name in _COLORS and len(bare) > 1 and bare[0] in "\"'" and bare[0] == bare[-1]:
        return f" {bare[1:-1]} {end}"
    elif name == "line-height" and _BARE_NUMBER.fullmatch(bare) and float(bare) > _MAX_RATIO:
        return f" {bare}px {end}"
    elif name == "font-family":
        return _families(core, end, resolver, where)
    elif name == "font":
        return _shorthand(core, end, resolver, where)
    return value


def _shorthand(value: str, end: str, resolver: FontResolver, where: str) -> str:
    """Return a `font` declaration's value; the family follows its size."""
    tokens = _TOKEN.findall(value)
    size = next((index for index, token in enumerate(tokens) if _FONT_SIZE.fullmatch(token.strip())), None)
    if size is None:
        return value + end
    if size + 2 < len(tokens) and tokens[size + 1].strip() == "/":
        size += 2
    names = "".join(tokens[size + 1 :])
    if not names.strip():
        return value + end
    return "".join(tokens[: size + 1]) + " " + _families(names, end, resolver, where)


def _families(names: str, end: str, resolver: FontResolver, where: str) -> str:
    """Return the first of the named families that can be drawn, with the weight in its name.

    end: the end of the declaration, such as `!important`.
    """
    wanted = [next(part for part in found.groups() if part is not None).strip() for found in _NAME.finditer(names)]
    wanted = [name for name in wanted if name]
    if not wanted or wanted[0].lower() in _KEYWORDS:
        return names + end
    choice = next((resolver.find(name) for name in wanted if not resolver.find(name).is_substitute), None)
    if choice is None:
        choice = resolver.choose(wanted[0], where)
    else:
        resolver.use(choice)
        if resolver.find(wanted[0]).is_substitute:
            resolver.warn_substituted(wanted[0], choice, where)
    # A variable font takes the weight in the name from its axis, whatever a bold element sets; a family of
    # separate files takes it from the weight.
    weight = f'"wght" {choice.weight}{end};font-weight:{choice.weight}{end}' if choice.weight else f"normal{end}"
    slant = f";font-style:italic{end}" if choice.italic else ""
    return f'"{choice.family}"{end};font-variation-settings:{weight}{slant}'
