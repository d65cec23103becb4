"""Edit model: timeline, output and merge fields."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from engine.language.animation import AnimatedVolume
from engine.language.clip import Clip
from engine.language.edit_model import EditModel
from engine.language.fields import Boolean, ColorField, EnumField, NumberField, Seconds, StringField, Url
from engine.language.media_assets import Fade
from engine.language.presets import ASPECT_RATIOS, MAX_HEIGHT, MAX_WIDTH, MIN_SIDE, RESOLUTIONS

FORMATS = ("mp4", "webm", "gif", "mp3", "jpg", "png", "bmp")
EVEN_FORMATS = ("mp4", "webm")
QUALITIES = ("verylow", "low", "medium", "high", "veryhigh")
MAX_TRACKS = 1000


class Soundtrack(EditModel):
    """Audio under the whole timeline."""

    src: Url
    effect: Fade = "none"
    volume: AnimatedVolume = 1.0


class Font(EditModel):
    """A font file for the text of this edit."""

    src: Url


class Track(EditModel):
    """A layer of clips."""

    clips: tuple[Clip, ...]


class Timeline(EditModel):
    """Tracks of clips, the first on top."""

    IGNORED: ClassVar[dict[str, str]] = {"cache": "Sources are cached by their content."}

    soundtrack: Soundtrack | None = None
    background: Annotated[str, ColorField()] = "#000000"
    fonts: Annotated[tuple[Font, ...], Field(max_length=100)] = ()
    tracks: Annotated[tuple[Track, ...], Field(min_length=1, max_length=MAX_TRACKS)]


class Size(EditModel):
    """A custom size, in pixels."""

    width: Annotated[int, NumberField(low=MIN_SIDE, high=MAX_WIDTH, whole=True)]
    height: Annotated[int, NumberField(low=MIN_SIDE, high=MAX_HEIGHT, whole=True)]


class OutputRange(EditModel):
    """The part of the timeline to write, in seconds."""

    start: Seconds = 0.0
    length: Annotated[float | None, NumberField(low=0)] = None


class Poster(EditModel):
    """A full-size image of one frame."""

    capture: Seconds = 0.0


class Thumbnail(EditModel):
    """A small image of one frame."""

    capture: Seconds = 0.0
    scale: Annotated[float, NumberField(low=0.01, high=1, clamp=True)] = 0.3


class Destination(EditModel):
    """Another destination of the output; accepted, but outputs are only stored by this service."""

    IGNORED: ClassVar[dict[str, str]] = {
        "options": "Outputs are stored by this service only.",
        "exclude": "Outputs are stored by this service only.",
    }

    provider: Annotated[str, StringField(max_characters=100)] = "shotstack"


class Output(EditModel):
    """The file to write."""

    IGNORED: ClassVar[dict[str, str]] = {
        "width": "Use 'size' for the size of the output.",
        "height": "Use 'size' for the size of the output.",
    }

    format: Annotated[str, EnumField(*FORMATS, required=True)]
    resolution: Annotated[str | None, EnumField(*RESOLUTIONS, required=True)] = None
    aspect_ratio: Annotated[str, EnumField(*ASPECT_RATIOS, required=True)] = "16:9"
    size: Size | None = None
    scale_to: Annotated[str | None, EnumField(*RESOLUTIONS, required=True)] = None
    fps: Annotated[float | None, NumberField(low=1, high=120)] = None
    quality: Annotated[str, EnumField(*QUALITIES)] = "medium"
    repeat: Boolean = True
    mute: Boolean = False
    range: OutputRange | None = None
    poster: Poster | None = None
    thumbnail: Thumbnail | None = None
    destinations: Annotated[tuple[Destination, ...], Field(max_length=50)] = ()


class MergeField(EditModel):
    """A placeholder `{{ find }}` and its replacement, a value of any type."""

    find: Annotated[str, StringField(max_characters=500, names_placeholder=True)]
    """The name, with or without its braces."""
    replace: Any = None


class Edit(EditModel):
    """An edit in the Shotstack format."""

    IGNORED: ClassVar[dict[str, str]] = {
        "disk": "Storage is chosen by the service.",
        "instance": "Machines are chosen by the service.",
    }

    id: Annotated[str | None, StringField(max_characters=200)] = None
    timeline: Timeline
    output: Output
    merge: tuple[MergeField, ...] = ()
    callback: Annotated[str | None, StringField(max_characters=8192)] = None
    """URL that is called when the render has ended."""
