"""Titles: a line of text in one of the preset styles, placed in the viewport.

The designs are our own, set in the bundled families: the format names the styles without describing them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.language.text_assets import TitleAsset
from engine.raster.drawing import Drawing, canvas_of, still
from engine.raster.job import ShadowSpec
from engine.raster.text_block import TextBlock, TextBox, block_layers
from engine.raster.text_css import FontResolver, css_color, escape_text
from engine.timeline.model import TimedClip, Timeline

# Font size as a share of the viewport's shorter side.
_SIZES = {
    "xx-small": 0.035,
    "x-small": 0.045,
    "small": 0.06,
    "medium": 0.08,
    "large": 0.105,
    "x-large": 0.14,
    "xx-large": 0.18,
}
_MARGIN = 0.05
# A title's own offset stops at this distance from the edge, as a share of the shorter side.
_INSET = 0.02


@dataclass(frozen=True, slots=True)
class _Style:
    """A title's design. factor: of the font size. spacing_em: between letters."""

    family: str
    weight: int
    factor: float = 1.0
    spacing_em: float = 0.0
    uppercase: bool = False
    line_height: float = 1.15
    shadow: bool = False


_STYLES = {
    "minimal": _Style("Montserrat", 400),
    "blockbuster": _Style("Anton", 400, 1.2, 0.02, uppercase=True),
    "vogue": _Style("Playfair Display", 600, 1.05, 0.06, uppercase=True),
    "sketchy": _Style("Amatic SC", 700, 1.4, 0.02, line_height=1.0),
    "skinny": _Style("Montserrat", 200, 1.0, 0.02),
    "chunk": _Style("Montserrat", 900, 1.05, -0.01, uppercase=True, line_height=1.05),
    "chunkLight": _Style("Montserrat", 700, 1.05, -0.01, line_height=1.05),
    "marker": _Style("Caveat", 700, 1.3, line_height=1.0),
    "future": _Style("Audiowide", 400, 0.9, 0.05, uppercase=True),
    "subtitle": _Style("Open Sans", 600, 0.8, line_height=1.25, shadow=True),
}


def draw_title(clip: TimedClip, asset: TitleAsset, timeline: Timeline, resolver: FontResolver) -> Drawing:
    """Return the drawing of a title at the viewport's size."""
    canvas = canvas_of(clip, timeline, viewport=True)
    design = _STYLES[asset.style]
    shorter = min(canvas.width, canvas.height)
    size = shorter * _SIZES[asset.size] * design.factor
    margin = shorter * _MARGIN
    vertical, horizontal = split_position(asset.position or clip.position)
    transform = "text-transform:uppercase;" if design.uppercase else ""
    # A soft shadow keeps subtitles legible over any picture; with a background they need none.
    soft = design.shadow and asset.background is None
    block = TextBlock(
        font=resolver.font(design.family, design.weight, "/asset/style"),
        size=size,
        color=css_color(asset.color),
        horizontal=horizontal,
        vertical=vertical,
        line_height=design.line_height,
        text_css=f"letter-spacing:{design.spacing_em * size:.2f}px;{transform}",
        box=TextBox(
            background=css_color(asset.background) if asset.background else None,
            fit_content=True,
            padding=(margin, margin, margin, margin),
            content_padding=(size * 0.3, size * 0.45, size * 0.3, size * 0.45) if asset.background else (0.0,) * 4,
        ),
        shadow=ShadowSpec(0.0, size * 0.04, size * 0.08, "#000000b0") if soft else None,
    )
    layers = block_layers(block, canvas, escape_text(asset.text), resolver)
    if asset.offset is not None:
        x, y = asset.offset.x * canvas.width, -asset.offset.y * canvas.height
        layers = tuple(replace(layer, shift_x=x, shift_y=y, inset=shorter * _INSET) for layer in layers)
    return still(canvas, layers, clip.frames, resolver)


def split_position(position: str) -> tuple[str, str]:
    """Return the vertical and the horizontal part of one of the nine positions."""
    lower = position.lower()
    vertical = next((word for word in ("top", "bottom") if lower.startswith(word)), "center")
    horizontal = next((word for word in ("left", "right") if lower.endswith(word)), "center")
    return vertical, horizontal
