"""Text blocks: the one layout behind titles, text, rich text and captions."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from engine.raster.drawing import Canvas
from engine.raster.job import GradientSpec, RasterLayer, ShadowSpec, StrokeSpec
from engine.raster.text_css import FontResolver, px

_TAG = re.compile(r"<[^>]*>|&[#\w]+;")
_VERTICAL = {"top": "flex-start", "center": "center", "middle": "center", "bottom": "flex-end"}
_HORIZONTAL = {"left": "flex-start", "center": "center", "right": "flex-end"}


@dataclass(frozen=True, slots=True)
class TextBox:
    """The box behind the text. Colours are CSS; None draws nothing.

    fit_content: the background fits the text instead of filling the box. padding: top, right, bottom, left in pixels.
    """

    background: str | None = None
    radius: float = 0.0
    fit_content: bool = False
    border_width: float = 0.0
    border_color: str | None = None
    padding: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    content_padding: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class TextBlock:
    """The style of a block of text. font: CSS declarations of the typeface. color: CSS.

    highlight: CSS colour behind the letters of each line. text_css: further declarations.
    fill_opacity: of the letters without their outline; used only with effects.
    """

    font: str
    size: float
    color: str
    horizontal: str = "center"
    vertical: str = "center"
    line_height: float = 1.2
    text_css: str = ""
    highlight: str | None = None
    box: TextBox = TextBox()
    stroke: StrokeSpec | None = None
    shadow: ShadowSpec | None = None
    gradient: GradientSpec | None = None
    fill_opacity: float = 1.0

    @property
    def has_effects(self) -> bool:
        """Return whether the letters need effects that the HTML engine cannot draw."""
        return bool(self.stroke or self.shadow or self.gradient or self.fill_opacity < 1)


def block_layers(block: TextBlock, canvas: Canvas, inner: str, resolver: FontResolver) -> tuple[RasterLayer, ...]:
    """Return the layers of a block: one, or with effects the box and then the letters.

    inner: escaped text, which may hold our own `span` elements.
    """
    if not block.has_effects:
        return (RasterLayer(_page(block, inner, resolver), _style(block, canvas)),)
    bare = replace(block, highlight=None, box=replace(block.box, background=None, border_color=None))
    letters = RasterLayer(
        _page(bare, inner, resolver),
        _style(bare, canvas),
        stroke=block.stroke,
        shadow=block.shadow,
        gradient=block.gradient,
        fill_opacity=block.fill_opacity,
    )
    if block.highlight is None and block.box.background is None and block.box.border_color is None:
        return (letters,)
    hidden = f'<span style="visibility:hidden">{inner}</span>'
    return (RasterLayer(_page(block, hidden, resolver), _style(block, canvas)), letters)


def _page(block: TextBlock, inner: str, resolver: FontResolver) -> str:
    faces = f"<style>{resolver.faces}</style>" if resolver.faces else ""
    text = f'<span class="h">{inner}</span>' if block.highlight else inner
    return f'{faces}<div class="box"><div class="text" dir="{_direction(inner)}">{text}</div></div>'


def _direction(inner: str) -> str:
    """Return the direction of the first letter that has one; the HTML engine does not support `dir="auto"`."""
    for character in _TAG.sub("", inner):
        kind = unicodedata.bidirectional(character)
        if kind in {"L", "R", "AL"}:
            return "ltr" if kind == "L" else "rtl"
    return "ltr"


def _style(block: TextBlock, canvas: Canvas) -> str:
    box = block.box
    border = f"border:{px(box.border_width)} solid {box.border_color or 'transparent'};" if box.border_width else ""
    paint = f"background-color:{box.background};" if box.background else ""
    round_off = f"border-radius:{px(box.radius)};" if box.radius else ""
    frame = "" if box.fit_content else border + paint + round_off
    around = (border + paint + round_off + f"padding:{_sides(box.content_padding)};") if box.fit_content else ""
    width = "max-width:100%;" if box.fit_content else "width:100%;"
    return (
        "html,body{margin:0;padding:0}"
        f".box{{box-sizing:border-box;width:{canvas.width}px;height:{canvas.height}px;display:flex;"
        f"flex-direction:column;justify-content:{_VERTICAL[block.vertical]};"
        f"align-items:{_HORIZONTAL[block.horizontal]};padding:{_sides(box.padding)};{frame}}}"
        f".text{{box-sizing:border-box;{width}{block.font}font-size:{px(block.size)};color:{block.color};"
        f"line-height:{block.line_height:.4g};text-align:{block.horizontal};white-space:pre-wrap;"
        f"overflow-wrap:break-word;{around}{block.text_css}}}"
        + (f".h{{background-color:{block.highlight}}}" if block.highlight else "")
    )


def _sides(sides: tuple[float, float, float, float]) -> str:
    return " ".join(px(side) for side in sides)
