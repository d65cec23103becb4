"""The render plan: layers and audio as pure data, in whole frames, pixels and piecewise linear values.

Frames count from the first output frame. Coordinates are pixels from the top left corner, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from engine.timeline.model import ChromaKey, OutputSpec


@dataclass(frozen=True, slots=True)
class PiecewiseLinear:
    """A value over the frames of a layer: linear between (frame, value) points, constant outside them."""

    points: tuple[tuple[int, float], ...]

    @classmethod
    def constant(cls, value: float) -> PiecewiseLinear:
        """Return a value that never changes."""
        return cls(((0, value),))

    @classmethod
    def fit(cls, values: Sequence[float], tolerance: float) -> PiecewiseLinear:
        """Return the fewest linear pieces (found greedily) that stay within `tolerance` of `values`, one per frame."""
        points = [(0, values[0])]
        anchor = 0
        low, high = float("-inf"), float("inf")
        for at in range(1, len(values)):
            span = at - anchor
            slope = (values[at] - values[anchor]) / span
            if not low <= slope <= high:
                anchor = at - 1
                points.append((anchor, values[anchor]))
                low, high, span = float("-inf"), float("inf"), 1
            low = max(low, (values[at] - tolerance - values[anchor]) / span)
            high = min(high, (values[at] + tolerance - values[anchor]) / span)
        if len(values) > 1:
            points.append((len(values) - 1, values[-1]))
        if all(abs(value - values[0]) <= tolerance for value in values):
            return cls.constant(values[0])
        return cls(tuple(points))

    @property
    def is_constant(self) -> bool:
        """Return whether the value never changes."""
        return len(self.points) == 1

    @property
    def first(self) -> float:
        """Return the value at the first frame."""
        return self.points[0][1]


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in whole pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class StillSource:
    """One image, decoded once. path: local; demuxer: fixed, never guessed from the content."""

    path: Path
    demuxer: str
    has_alpha: bool


@dataclass(frozen=True, slots=True)
class VideoSource:
    """Video from `seek_s` on, at `speed` times its recorded speed.

    decoder: set where the default one loses the alpha channel. loops: restarts at the end (GIF).
    may_end_early: the file may be shorter than the layer; its last frame is then held.
    """

    path: Path
    demuxer: str
    has_alpha: bool
    seek_s: float
    speed: float
    decoder: str | None = None
    loops: bool = False
    may_end_early: bool = False


@dataclass(frozen=True, slots=True)
class SequencePicture:
    """One picture of a sequence, at x, y on its canvas; with path None a transparent one."""

    path: Path | None
    start: int
    frames: int
    x: int = 0
    y: int = 0


@dataclass(frozen=True, slots=True)
class SequenceSource:
    """Drawn pictures, one after another without gaps, read as one input of one size (straight RGBA)."""

    pictures: tuple[SequencePicture, ...]
    width: int
    height: int

    @property
    def has_alpha(self) -> bool:
        """Return True: drawn pictures are RGBA."""
        return True


PictureSource = StillSource | VideoSource | SequenceSource


@dataclass(frozen=True, slots=True)
class AffineTransform:
    """An affine motion at sub-pixel precision.

    frame: (width, height) of the working picture; the source is placed in it at `pad` (x, y).
    corners: eight values, x and y in the working picture of its top left, top right, bottom left and bottom right
        corner, in that order. region: the part of the viewport that the result (its top left part) covers.
    border: whether the picture's edge can be visible, so that the space around it must be transparent.
    """

    frame: tuple[int, int]
    pad: tuple[int, int]
    corners: tuple[PiecewiseLinear, ...]
    region: Rect
    border: bool


@dataclass(frozen=True, slots=True)
class Matte:
    """A luma mask over the viewport, from `start` for `frames` of the layer: white is opaque, black transparent."""

    source: StillSource | VideoSource
    source_size: tuple[int, int]
    start: int
    frames: int
    crop: Rect | None
    size: tuple[int, int]
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class WipeMask:
    """A white rectangle that moves sideways over a layer's black mask.

    x: its left edge; it is as wide as the layer and its soft edge together. edge: width in pixels of the soft edge,
    on the right if positive, on the left if negative.
    """

    x: PiecewiseLinear
    edge: int


@dataclass(frozen=True, slots=True)
class Layer:
    """One clip, or one run of drawn pictures, painted over the layers below.

    start, frames: in the output. source, source_size, crop (in its pixels), size (scaled to): the picture.
    x, y: its top left corner at each frame. opacity, fade_in, fade_out (frames): transparency; `alpha` replaces all
    three where they do not suffice. wipes: masks. opaque: every pixel of the source is opaque before all of these.
    """

    pointer: str
    start: int
    frames: int
    source: PictureSource
    source_size: tuple[int, int]
    size: tuple[int, int]
    x: PiecewiseLinear
    y: PiecewiseLinear
    crop: Rect | None = None
    flip_horizontal: bool = False
    flip_vertical: bool = False
    transform: AffineTransform | None = None
    opacity: float = 1.0
    fade_in: int = 0
    fade_out: int = 0
    alpha: PiecewiseLinear | None = None
    wipes: tuple[WipeMask, ...] = ()
    matte: Matte | None = None
    filter: str | None = None
    chroma_key: ChromaKey | None = None
    opaque: bool = False

    @property
    def end(self) -> int:
        """Return the first frame after the layer."""
        return self.start + self.frames

    @property
    def painted_size(self) -> tuple[int, int]:
        """Return the size in pixels of the area that the layer covers."""
        return (self.transform.region.width, self.transform.region.height) if self.transform else self.size

    @property
    def is_solid(self) -> bool:
        """Return whether the layer hides everything that it covers."""
        plain = self.opacity >= 1 and not self.fade_in and not self.fade_out and self.alpha is None
        return self.opaque and plain and not self.wipes and self.matte is None and self.chroma_key is None


@dataclass(frozen=True, slots=True)
class AudioLayer:
    """Audio from one file: from `seek_s` on, at `speed`, mixed in from `start` for `frames`.

    volume: over the layer's frames; fade_in, fade_out: frames of linear fade at its ends.
    """

    path: Path
    demuxer: str
    seek_s: float
    speed: float
    start: int
    frames: int
    volume: PiecewiseLinear
    fade_in: int = 0
    fade_out: int = 0


@dataclass(frozen=True, slots=True)
class RenderPlan:
    """All layers (bottom first) and all audio of an output. background: `#RRGGBB`."""

    output: OutputSpec
    background: str
    layers: tuple[Layer, ...]
    audio_layers: tuple[AudioLayer, ...]

    @property
    def fps(self) -> Fraction:
        """Return the output's frame rate."""
        return self.output.fps
