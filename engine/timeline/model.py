"""The resolved timeline: every time is a whole number of output frames, every default is filled in.

`engine.timeline.resolve` builds it from a validated edit and the probed media; planning, drawing and
compiling read nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from engine.media import MediaInfo


@dataclass(frozen=True, slots=True)
class Keyframe:
    """One piece of an animated value.

    start, frames: in output frames from the beginning of the clip.
    value_from, value_to: the value at the first and after the last frame of the piece.
    easing: `linear`, `ease_in`, `ease_out`, `ease_in_out` or `hold`; or four numbers of a cubic Bezier.
    """

    start: int
    frames: int
    value_from: float
    value_to: float
    easing: str | tuple[float, float, float, float] = "linear"


@dataclass(frozen=True, slots=True)
class Curve:
    """A value over the frames of a clip: constant without keyframes, else pieces in time order.

    Before the first piece its first value is held; between and after pieces the last value reached.
    """

    constant: float
    keyframes: tuple[Keyframe, ...] = ()

    @property
    def is_constant(self) -> bool:
        """Return whether the value never changes."""
        return not self.keyframes


@dataclass(frozen=True, slots=True)
class Transition:
    """A transition at one end of a clip. name: as in the edit format, without its speed suffix."""

    name: str
    frames: int


@dataclass(frozen=True, slots=True)
class Effect:
    """A motion effect over the whole clip: `zoomIn`, `zoomOut`, `slideLeft|Right|Up|Down`; speed `slow|normal|fast`."""

    name: str
    speed: str


@dataclass(frozen=True, slots=True)
class Crop:
    """Fractions cut from each side of the source, 0 to 1."""

    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    left: float = 0.0


@dataclass(frozen=True, slots=True)
class ChromaKey:
    """Make a colour transparent: color `#RRGGBB`, threshold and halo 0 to 255."""

    color: str
    threshold: float
    halo: float


@dataclass(frozen=True, slots=True)
class Sound:
    """The sound of a clip or the soundtrack.

    volume: 0 to 1 and above; fade_in_frames and fade_out_frames: linear fades at either end.
    """

    volume: Curve
    fade_in_frames: int = 0
    fade_out_frames: int = 0


@dataclass(frozen=True, slots=True)
class TimedClip:
    """One clip on the output's frame grid.

    pointer: JSON Pointer of the clip in the edit. track: 0 is on top.
    start, frames: position in the timeline, in output frames.
    asset: the validated pydantic asset model (see `engine.language`), merge fields filled.
    media: the probed file of an asset with a source; None for drawn assets.
    trim_s: seconds cut from the start of the media. speed: 1.0 is as recorded, 0 freezes the first frame.
    width, height: the clip's own box in output pixels, where the edit gives one.
    offset_x, offset_y: fractions of the viewport, +y is up. scale: 1.0 is as fitted.
    opacity: 0 to 1. rotate_deg: clockwise degrees. skew_x, skew_y: as the format gives them.
    luma: the matte clip of the same track that overlaps this clip.
    loop: the media restart when they end before the clip does (GIF); else the last frame is held.
    """

    pointer: str
    track: int
    start: int
    frames: int
    asset: Any
    media: MediaInfo | None = None
    trim_s: float = 0.0
    speed: float = 1.0
    fit: str = "crop"
    position: str = "center"
    width: int | None = None
    height: int | None = None
    scale: Curve = Curve(1.0)
    offset_x: Curve = Curve(0.0)
    offset_y: Curve = Curve(0.0)
    opacity: Curve = Curve(1.0)
    rotate_deg: Curve = Curve(0.0)
    skew_x: Curve = Curve(0.0)
    skew_y: Curve = Curve(0.0)
    flip_horizontal: bool = False
    flip_vertical: bool = False
    crop: Crop = Crop()
    transition_in: Transition | None = None
    transition_out: Transition | None = None
    effect: Effect | None = None
    filter: str | None = None
    chroma_key: ChromaKey | None = None
    sound: Sound | None = None
    luma: TimedClip | None = None
    loop: bool = False

    @property
    def end(self) -> int:
        """Return the first frame after the clip."""
        return self.start + self.frames


@dataclass(frozen=True, slots=True)
class Soundtrack:
    """Audio under the whole timeline; it never makes the timeline longer and is not repeated."""

    media: MediaInfo
    sound: Sound


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """The specification of an output.

    format: mp4, webm, gif, mp3, jpg, png or bmp. width, height: pixels. fps: exact.
    first_frame, frames: the part of the timeline to write (the edit's `range`).
    quality: verylow, low, medium, high or veryhigh. mute: drop all sound. repeat: loop a GIF.
    poster_frame, thumbnail_frame: output frames to save as images; thumbnail_scale: of the output's size.
    scale_to: the final size if it differs: frames are composed at width x height and scaled once at the end.
    """

    format: str
    width: int
    height: int
    fps: Fraction
    first_frame: int
    frames: int
    quality: str = "medium"
    mute: bool = False
    repeat: bool = True
    poster_frame: int | None = None
    thumbnail_frame: int | None = None
    thumbnail_scale: float = 0.3
    scale_to: tuple[int, int] | None = None

    @property
    def poster_at(self) -> int:
        """Return the frame of the poster: by default a third of the way in, past any fade."""
        return self._image_frame(self.poster_frame)

    @property
    def thumbnail_at(self) -> int:
        """Return the frame of the thumbnail: by default a third of the way in."""
        return self._image_frame(self.thumbnail_frame)

    def _image_frame(self, frame: int | None) -> int:
        return max(0, min(self.frames - 1, self.frames // 3 if frame is None else frame))

    @property
    def final_size(self) -> tuple[int, int]:
        """Return the width and height of the output file."""
        return self.scale_to or (self.width, self.height)

    @property
    def duration_s(self) -> float:
        """Return the length of the output in seconds."""
        return float(self.frames / self.fps)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole edit, ready to plan. clips: bottom first, i.e. in painting order.

    background: `#RRGGBB`. fonts: source URL of each font that the edit loads -> its probed file.
    frames: the length of the whole timeline, before `range`.
    """

    output: OutputSpec
    background: str
    frames: int
    clips: tuple[TimedClip, ...]
    soundtrack: Soundtrack | None = None
    fonts: Mapping[str, MediaInfo] = field(default_factory=dict)
