"""What will be painted and heard, as pure data: whole frames, pixels, and piecewise linear values.

Frames count from the first frame written. Coordinates are pixels from the top left corner, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from engine.timeline.model import ChromaKey, OutputSpec


@dataclass(frozen=True, slots=True)
class PiecewiseLinear:
    """A value over the frames of a layer: straight lines between (frame, value) points, held outside them."""

    points: tuple[tuple[int, float], ...]

    @classmethod
    def constant(cls, value: float) -> PiecewiseLinear:
        """Return a value that never changes."""
        return cls(((0, value),))

    @classmethod
    def fit(cls, values: Sequence[float], tolerance: float) -> PiecewiseLinear:
        """Return the fewest straight pieces (found greedily) that stay within `tolerance` of one value a frame."""
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
    """One picture, decoded once. path: local; demuxer: pinned, never guessed from the content."""

    path: Path
    demuxer: str
    has_alpha: bool


@dataclass(frozen=True, slots=True)
class VideoSource:
    """Moving pictures from `seek_s` on, `speed` times as fast as recorded.

    decoder: forced where the default one loses the alpha channel. loops: begin again at the end (GIF).
    may_end_early: the file may be shorter than the layer; the last picture is then held.
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
    """One picture of a sequence, at x, y on the sequence's canvas; None as path is an empty (transparent) picture."""

    path: Path | None
    start: int
    frames: int
    x: int = 0
    y: int = 0


@dataclass(frozen=True, slots=True)
class SequenceSource:
    """Our own drawn pictures, one after another without gaps, read as one input of one size (straight RGBA)."""

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
    """A smooth affine motion, sampled between pixels.

    frame: (width, height) of the working picture; the source is laid into it at `pad` (x, y).
    corners: eight values, x and y in the working picture of its top left, top right, bottom left and bottom right
        corner, in that order. region: the part of the viewport that the result (its top left part) is painted on.
    border: whether the picture's edge can come into view, so that it must be transparent around.
    """

    frame: tuple[int, int]
    pad: tuple[int, int]
    corners: tuple[PiecewiseLinear, ...]
    region: Rect
    border: bool


@dataclass(frozen=True, slots=True)
class Matte:
    """Brightness as a mask over the whole viewport from `start` for `frames` of the layer: white solid, black clear."""

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
    """A white rectangle that moves sideways over a layer's black mask: how wipes are made.

    x: its left edge; it is as large as the layer and its soft edge together. edge: width in pixels of the soft edge,
    on the right where it is above 0, on the left where it is below.
    """

    x: PiecewiseLinear
    edge: int


@dataclass(frozen=True, slots=True)
class Layer:
    """One clip, or one run of drawn pictures, painted over what lies below.

    start, frames: on the output. source, source_size, crop (of its pixels), size (scaled to): the picture.
    x, y: where its top left corner goes, for each frame. opacity, fade_in, fade_out (frames): transparency;
    `alpha` replaces all three where it takes a freer course. wipes: their masks. opaque: every pixel of the picture is
    solid before transparency is applied.
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
        """Return the size in pixels of what is painted."""
        return (self.transform.region.width, self.transform.region.height) if self.transform else self.size

    @property
    def is_solid(self) -> bool:
        """Return whether the layer hides all that it covers."""
        plain = self.opacity >= 1 and not self.fade_in and not self.fade_out and self.alpha is None
        return self.opaque and plain and not self.wipes and self.matte is None and self.chroma_key is None


@dataclass(frozen=True, slots=True)
class AudioLayer:
    """Sound from one file: `seek_s` into it, `speed` times as fast, mixed in from `start` for `frames`.

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
    """Everything that is painted (bottom first) and heard. background: `#RRGGBB`."""

    output: OutputSpec
    background: str
    layers: tuple[Layer, ...]
    sounds: tuple[AudioLayer, ...]

    @property
    def fps(self) -> Fraction:
        """Return the output's frame rate."""
        return self.output.fps
