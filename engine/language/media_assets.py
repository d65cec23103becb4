"""Media assets: models of assets that play or show a file."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from engine.language.animation import AnimatedVolume
from engine.language.edit_model import EditModel
from engine.language.fields import ColorField, EnumField, Fraction01, NumberField, Seconds, Url

FADES = ("none", "fadeIn", "fadeOut", "fadeInFadeOut")
Fade = Annotated[str, EnumField(*FADES)]
Speed = Annotated[float, NumberField(low=0, high=10, clamp=True)]

_GENERATION = "It controls generation, but this service renders the given source."
_GENERATED_KEYS = ("prompt", "model", "inputSrc", "resolution", "duration", "aspectRatio", "generateAudio", "options")


class Crop(EditModel):
    """Fractions cut off each side of the source."""

    top: Fraction01 = 0.0
    right: Fraction01 = 0.0
    bottom: Fraction01 = 0.0
    left: Fraction01 = 0.0

    @model_validator(mode="after")
    def leave_something(self) -> Crop:
        """Refuse a crop that removes everything."""
        if self.top + self.bottom >= 1 or self.left + self.right >= 1:
            raise PydanticCustomError("out_of_range", "The crop leaves nothing of the picture.")
        return self


class ChromaKey(EditModel):
    """A colour that becomes transparent."""

    color: Annotated[str, ColorField()] = "#00b140"
    threshold: Annotated[float, NumberField(low=0, high=255, clamp=True)] = 150.0
    """Distance from the colour within which pixels become transparent."""
    halo: Annotated[float, NumberField(low=0, high=255, clamp=True)] = 100.0
    """Further distance over which pixels fade back in."""


class SourcedAsset(EditModel):
    """An asset with a source file."""

    IGNORED: ClassVar[dict[str, str]] = dict.fromkeys(_GENERATED_KEYS, _GENERATION)

    src: Url

    @model_validator(mode="before")
    @classmethod
    def refuse_generation(cls, data: Any) -> Any:
        """Refuse a prompt without a source, as this service generates no media."""
        if isinstance(data, dict) and data.get("prompt") and not data.get("src"):
            message = "Media generated from a prompt is not supported; give 'src'."
            raise PydanticCustomError("unsupported_asset", message)
        return data


class VideoAsset(SourcedAsset):
    """A video file, or an animated GIF."""

    IGNORED: ClassVar[dict[str, str]] = {
        **SourcedAsset.IGNORED,
        "transcode": "Every source is decoded as it is.",
    }

    type: Literal["video"]
    trim: Seconds = 0.0
    """Seconds cut from the start."""
    volume: AnimatedVolume = 1.0
    volume_effect: Fade = "none"
    speed: Speed = 1.0
    """0 freezes the first frame."""
    crop: Crop | None = None
    chroma_key: ChromaKey | None = None


class ImageAsset(SourcedAsset):
    """A still image."""

    type: Literal["image"]
    crop: Crop | None = None


class AudioAsset(SourcedAsset):
    """An audio file, or the audio of a video."""

    type: Literal["audio"]
    trim: Seconds = 0.0
    volume: AnimatedVolume = 1.0
    effect: Fade = "none"
    speed: Speed = 1.0


class LumaAsset(SourcedAsset):
    """A luma matte for the overlapping clips of its track: white is opaque, black is transparent."""

    type: Literal["luma"]
    trim: Seconds = 0.0
