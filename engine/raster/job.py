"""Raster jobs: what the drawing process draws, as plain data that is sent as JSON."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StrokeSpec:
    """An outline around the glyphs. reach_px: how far it extends from the glyph. color: `#RRGGBBAA`."""

    reach_px: float
    color: str


@dataclass(frozen=True, slots=True)
class ShadowSpec:
    """A shadow under the glyphs. x_px, y_px: its offset, +y is down. blur_px: Gaussian radius. color: `#RRGGBBAA`."""

    x_px: float
    y_px: float
    blur_px: float
    color: str


@dataclass(frozen=True, slots=True)
class GradientSpec:
    """A linear gradient that replaces the glyphs' colour.

    angle_deg: 0 runs left to right, 90 top to bottom. stops: (offset 0 to 1, `#RRGGBBAA`) in order.
    """

    angle_deg: float
    stops: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class RasterLayer:
    """One HTML or SVG page painted over the layers before it.

    markup: a whole document. style: CSS of lower precedence than the document's own.
    xml: the markup is SVG rather than HTML. opacity: 0 to 1, of the whole layer.
    fill_opacity: 0 to 1, of the glyphs alone: an outline and a shadow keep theirs.
    shift_x, shift_y: pixels to move the finished layer by; what leaves the picture is cut off.
    inset: if given, the shift is limited so that the glyphs stay this many pixels inside the picture.
    """

    markup: str
    style: str = ""
    xml: bool = False
    opacity: float = 1.0
    stroke: StrokeSpec | None = None
    shadow: ShadowSpec | None = None
    gradient: GradientSpec | None = None
    fill_opacity: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    inset: float | None = None


@dataclass(frozen=True, slots=True)
class RasterJob:
    """One picture: layers bottom first, drawn `width` by `height` pixels and saved as PNG.

    fonts: pairs of a name, used as `font:<name>` in `@font-face` rules of the layers, and its local file.
    """

    width: int
    height: int
    layers: tuple[RasterLayer, ...]
    fonts: tuple[tuple[str, str], ...] = ()
