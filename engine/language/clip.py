"""Clip model, and the union of all assets."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, field_validator
from pydantic_core import PydanticCustomError

from engine.language.animation import AnimatedAngle, AnimatedFraction, AnimatedNumber, AnimatedScale, AnimatedSkew
from engine.language.edit_model import EditModel
from engine.language.fields import Boolean, ClipTimeField, EnumField, OptionalSide, StringField
from engine.language.media_assets import AudioAsset, ImageAsset, LumaAsset, VideoAsset
from engine.language.shape_assets import ShapeAsset, SvgAsset
from engine.language.text_assets import (
    CaptionAsset,
    Html5Asset,
    HtmlAsset,
    Position,
    RichCaptionAsset,
    RichTextAsset,
    TextAsset,
    TitleAsset,
)

ASSET_TYPES = (
    "video",
    "image",
    "audio",
    "luma",
    "title",
    "text",
    "rich-text",
    "caption",
    "rich-caption",
    "html",
    "html5",
    "shape",
    "svg",
)
GENERATIVE_TYPES = ("text-to-image", "image-to-video", "text-to-speech", "text-to-video", "image-to-image", "ai")


class UnsupportedAsset(EditModel):
    """Any other asset; its validation always fails."""

    type: str

    @field_validator("type", mode="before")
    @classmethod
    def refuse(cls, value: Any) -> str:
        """Refuse the type and list the supported ones."""
        if not isinstance(value, str):
            raise PydanticCustomError("invalid_type", "This must be the name of an asset type.")
        known = ", ".join(ASSET_TYPES)
        generative = "needs a generative model, which this service does not have"
        reason = generative if value in GENERATIVE_TYPES else "is not known"
        message = "An asset of type '{type}' {reason}. Supported: {known}."
        raise PydanticCustomError("unsupported_asset", message, {"type": value[:60], "reason": reason, "known": known})


def _tag(asset: Any) -> str:
    """Return the tag of an asset's model; the prefix distinguishes tags from the keys in an error's path."""
    kind = asset.get("type") if isinstance(asset, dict) else getattr(asset, "type", None)
    return f"type:{kind}" if kind in ASSET_TYPES else "type:unsupported"


Asset = Annotated[
    Annotated[VideoAsset, Tag("type:video")]
    | Annotated[ImageAsset, Tag("type:image")]
    | Annotated[AudioAsset, Tag("type:audio")]
    | Annotated[LumaAsset, Tag("type:luma")]
    | Annotated[TitleAsset, Tag("type:title")]
    | Annotated[TextAsset, Tag("type:text")]
    | Annotated[RichTextAsset, Tag("type:rich-text")]
    | Annotated[CaptionAsset, Tag("type:caption")]
    | Annotated[RichCaptionAsset, Tag("type:rich-caption")]
    | Annotated[HtmlAsset, Tag("type:html")]
    | Annotated[Html5Asset, Tag("type:html5")]
    | Annotated[ShapeAsset, Tag("type:shape")]
    | Annotated[SvgAsset, Tag("type:svg")]
    | Annotated[UnsupportedAsset, Tag("type:unsupported")],
    Discriminator(_tag),
]

_SPEEDS = ("", "Slow", "Fast")
TRANSITIONS = (
    "fade",
    "reveal",
    "wipeLeft",
    "wipeRight",
    "slideLeft",
    "slideRight",
    "slideUp",
    "slideDown",
    "carouselLeft",
    "carouselRight",
    "carouselUp",
    "carouselDown",
    "shuffleTopRight",
    "shuffleRightTop",
    "shuffleRightBottom",
    "shuffleBottomRight",
    "shuffleBottomLeft",
    "shuffleLeftBottom",
    "shuffleLeftTop",
    "shuffleTopLeft",
    "zoom",
)
EFFECTS = ("zoomIn", "zoomOut", "slideLeft", "slideRight", "slideUp", "slideDown")
FILTERS = ("none", "blur", "boost", "contrast", "darken", "greyscale", "lighten", "muted", "negative", "invert")
TransitionName = Annotated[str | None, EnumField("none", *(name + speed for name in TRANSITIONS for speed in _SPEEDS))]


class Transition(EditModel):
    """The transitions at the start and the end of a clip."""

    in_: TransitionName = Field(default=None, alias="in")
    out: TransitionName = None


class Offset(EditModel):
    """An offset from the position, in fractions of the viewport; +y is up."""

    x: AnimatedNumber = 0.0
    y: AnimatedNumber = 0.0


class Rotate(EditModel):
    """A rotation, in degrees clockwise."""

    angle: AnimatedAngle = 0.0


class Skew(EditModel):
    """A shear, in fractions of the viewport."""

    x: AnimatedSkew = 0.0
    y: AnimatedSkew = 0.0


class Flip(EditModel):
    """Mirroring in both directions."""

    horizontal: Boolean = False
    vertical: Boolean = False


class Transform(EditModel):
    """Rotation, shear and mirroring."""

    rotate: Rotate = Rotate()
    skew: Skew = Skew()
    flip: Flip = Flip()


class Clip(EditModel):
    """An asset with its time, position and appearance."""

    id: Any = None
    """The client's own name of the clip; nothing reads it."""
    asset: Asset
    start: Annotated[float | str, ClipTimeField(("auto",))]
    """Seconds; `auto` follows the previous clip of the track; `alias://NAME` starts with that clip."""
    length: Annotated[float | str, ClipTimeField(("auto", "end"), positive=True)]
    """Seconds; `auto` is the asset's own; `end` runs to the timeline's end; `alias://NAME` is as long as that clip."""
    fit: Annotated[str | None, EnumField("crop", "cover", "contain", "none")] = None
    """By default `crop` for files; drawn assets keep their size."""
    scale: AnimatedScale = 1.0
    width: OptionalSide = None
    height: OptionalSide = None
    position: Position = "center"
    offset: Offset = Offset()
    transition: Transition = Transition()
    effect: Annotated[str | None, EnumField("none", *(name + speed for name in EFFECTS for speed in _SPEEDS))] = None
    filter: Annotated[str | None, EnumField(*FILTERS)] = None
    opacity: AnimatedFraction = 1.0
    transform: Transform = Transform()
    alias: Annotated[str | None, StringField(max_characters=200)] = None
    """The name by which other clips refer to this one's start and length."""
