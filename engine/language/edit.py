"""The whole edit: timeline, output and merge fields."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from engine.language.animation import AnyVolume
from engine.language.clip import Clip
from engine.language.media_assets import Fade
from engine.language.part import Part
from engine.language.presets import ASPECT_RATIOS, MAX_HEIGHT, MAX_WIDTH, MIN_SIDE, RESOLUTIONS
from engine.language.values import Boolean, Color, Name, Number, Seconds, Text, Url, Word

FORMATS = ("mp4", "webm", "gif", "mp3", "jpg", "png", "bmp")
EVEN_FORMATS = ("mp4", "webm")
QUALITIES = ("verylow", "low", "medium", "high", "veryhigh")
MAX_TRACKS = 1000


class Soundtrack(Part):
    """Sound under the whole timeline."""

    src: Url
    effect: Fade = "none"
    volume: AnyVolume = 1.0


class Font(Part):
    """A font file for the text of this edit."""

    src: Url


class Track(Part):
    """A layer of clips."""

    clips: tuple[Clip, ...]


class Timeline(Part):
    """Layers of clips, the first on top."""

    IGNORED: ClassVar[dict[str, str]] = {"cache": "Sources are cached by their content."}

    soundtrack: Soundtrack | None = None
    background: Annotated[str, Color()] = "#000000"
    fonts: Annotated[tuple[Font, ...], Field(max_length=100)] = ()
    tracks: Annotated[tuple[Track, ...], Field(min_length=1, max_length=MAX_TRACKS)]


class Size(Part):
    """A size of one's own, in pixels."""

    width: Annotated[int, Number(low=MIN_SIDE, high=MAX_WIDTH, whole=True)]
    height: Annotated[int, Number(low=MIN_SIDE, high=MAX_HEIGHT, whole=True)]


class Range(Part):
    """The part of the timeline to write, in seconds."""

    start: Seconds = 0.0
    length: Annotated[float | None, Number(low=0)] = None


class Poster(Part):
    """A full picture of one moment."""

    capture: Seconds = 0.0


class Thumbnail(Part):
    """A small picture of one moment."""

    capture: Seconds = 0.0
    scale: Annotated[float, Number(low=0.01, high=1, clamp=True)] = 0.3


class Destination(Part):
    """Where else the output should go; only the service itself keeps it."""

    IGNORED: ClassVar[dict[str, str]] = {
        "options": "Outputs are kept by this service only.",
        "exclude": "Outputs are kept by this service only.",
    }

    provider: Annotated[str, Text(max_characters=100)] = "shotstack"


class Output(Part):
    """The file to make."""

    IGNORED: ClassVar[dict[str, str]] = {
        "width": "Use 'size' for the size of the output.",
        "height": "Use 'size' for the size of the output.",
    }

    format: Annotated[str, Word(*FORMATS, required=True)]
    resolution: Annotated[str | None, Word(*RESOLUTIONS, required=True)] = None
    aspect_ratio: Annotated[str, Word(*ASPECT_RATIOS, required=True)] = "16:9"
    size: Size | None = None
    scale_to: Annotated[str | None, Word(*RESOLUTIONS, required=True)] = None
    fps: Annotated[float | None, Number(low=1, high=120)] = None
    quality: Annotated[str, Word(*QUALITIES)] = "medium"
    repeat: Boolean = True
    mute: Boolean = False
    range: Range | None = None
    poster: Poster | None = None
    thumbnail: Thumbnail | None = None
    destinations: Annotated[tuple[Destination, ...], Field(max_length=50)] = ()


class MergeField(Part):
    """A placeholder `{{ find }}` and the value of any type that takes its place."""

    find: Name
    replace: Any = None


class Edit(Part):
    """An edit in the Shotstack format."""

    IGNORED: ClassVar[dict[str, str]] = {
        "disk": "Storage is chosen by the service.",
        "instance": "Machines are chosen by the service.",
    }

    id: Annotated[str | None, Text(max_characters=200)] = None
    timeline: Timeline
    output: Output
    merge: tuple[MergeField, ...] = ()
    callback: Annotated[str | None, Text(max_characters=8192)] = None
    """Where the service tells of the end of the render."""
