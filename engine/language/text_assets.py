"""Assets made of words."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from engine.language.part import Part
from engine.language.values import (
    Angle,
    Color,
    Flag,
    FontSize,
    FontWeight,
    Fraction01,
    MaybeFontWeight,
    MaybeSide,
    Name,
    Number,
    Pixels,
    Seconds,
    String,
    Text,
    Url,
    Word,
)

POSITIONS = ("top", "topRight", "right", "bottomRight", "bottom", "bottomLeft", "left", "topLeft", "center")
Position = Annotated[str, Word(*POSITIONS)]
Rgb = Annotated[str, Color()]
MaybeRgb = Annotated[str | None, Color()]
Spacing = Annotated[float, Number(low=-1000, high=1000, clamp=True)]
Ratio = Annotated[float, Number(low=0, high=10, clamp=True)]
Horizontal = Annotated[str, Word("left", "center", "right")]
AnimationSeconds = Annotated[float | None, Number(low=0.1, high=30, clamp=True)]


class Stroke(Part):
    """The outline of letters or of a shape."""

    width: Pixels = 0.0
    color: Rgb = "#000000"
    opacity: Fraction01 = 1.0


class Shadow(Part):
    """A shadow behind letters or a shape."""

    offset_x: Spacing = 0.0
    offset_y: Spacing = 0.0
    blur: Annotated[float, Number(low=0, high=500, clamp=True)] = 0.0
    color: Rgb = "#000000"
    opacity: Fraction01 = 0.5


class GradientStop(Part):
    """A colour at a place of a gradient."""

    offset: Fraction01
    color: Rgb = "#000000"


class Gradient(Part):
    """A gradient over letters or a shape."""

    type: Annotated[str, Word("linear", "radial")] = "linear"
    angle: Angle = 0.0
    stops: Annotated[tuple[GradientStop, ...], Field(min_length=2, max_length=100)]


class Background(Part):
    """A box behind the text."""

    color: MaybeRgb = None
    opacity: Fraction01 = 1.0
    padding: Pixels = 0.0
    border_radius: Pixels = 0.0
    wrap: Annotated[bool | None, Flag()] = None
    """Whether the box hugs the text instead of filling the whole width."""


class Border(Part):
    """The frame around the text's box."""

    width: Pixels = 0.0
    color: Rgb = "#000000"
    opacity: Fraction01 = 1.0
    radius: Pixels = 0.0


class Sides(Part):
    """Distances in pixels at the four sides."""

    top: Pixels = 0.0
    right: Pixels = 0.0
    bottom: Pixels = 0.0
    left: Pixels = 0.0


def _all_sides(value: Any) -> Any:
    """Return one number as the four sides."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return dict.fromkeys(("top", "right", "bottom", "left"), value)
    return value


def _nothing(value: Any) -> Any:
    """Return the word `none` as an outline or shadow that does not show."""
    return {"width": 0, "opacity": 0} if isinstance(value, str) and value.strip().lower() == "none" else value


Padding = Annotated[Sides, BeforeValidator(_all_sides)]


class TitleAsset(Part):
    """A line of text in one of the preset styles."""

    type: Literal["title"]
    text: String
    style: Annotated[
        str,
        Word(
            "minimal",
            "blockbuster",
            "vogue",
            "sketchy",
            "skinny",
            "chunk",
            "chunkLight",
            "marker",
            "future",
            "subtitle",
        ),
    ] = "minimal"
    color: Rgb = "#ffffff"
    size: Annotated[str, Word("xx-small", "x-small", "small", "medium", "large", "x-large", "xx-large")] = "medium"
    background: MaybeRgb = None
    position: Annotated[str | None, Word(*POSITIONS)] = None
    """Where in the viewport; the clip's own position wins only where this is not given."""
    offset: TitleOffset | None = None


class TitleOffset(Part):
    """Fractions of the viewport, +y is up."""

    x: Annotated[float, Number(low=-10, high=10, clamp=True)] = 0.0
    y: Annotated[float, Number(low=-10, high=10, clamp=True)] = 0.0


class TextFont(Part):
    """The letters of a text asset."""

    SYNONYMS: ClassVar[dict[str, str]] = {"fontFamily": "family", "name": "family", "fontSize": "size"}

    family: Name = "Open Sans"
    size: FontSize = 24.0
    weight: MaybeFontWeight = None
    color: Rgb = "#ffffff"
    opacity: Fraction01 = 1.0
    line_height: Annotated[float | None, Number(low=0, high=10, clamp=True)] = None


class TextAlignment(Part):
    """Where the text stands in its box."""

    horizontal: Horizontal = "center"
    vertical: Annotated[str, Word("top", "center", "bottom", "middle")] = "center"


class TextAnimation(Part):
    """How the text appears."""

    preset: Annotated[str | None, Word("typewriter", "fadeIn", "slideIn", "ascend", "shift", "movingLetters")] = None
    duration: AnimationSeconds = None
    style: Annotated[str | None, Word("character", "word")] = None
    direction: Annotated[str | None, Word("left", "right", "up", "down")] = None


class TextAsset(Part):
    """Text in a box of its own size."""

    SYNONYMS: ClassVar[dict[str, str]] = {"align": "alignment"}

    type: Literal["text"]
    text: String
    width: MaybeSide = None
    height: MaybeSide = None
    font: TextFont = TextFont()
    background: Background | None = None
    alignment: TextAlignment = TextAlignment()
    stroke: Stroke | None = None
    animation: TextAnimation | None = None
    ellipsis: Annotated[str | None, Text(max_characters=20)] = None
    """What marks text cut off at the end of its box."""


class RichTextFont(Part):
    """The letters of a rich text."""

    SYNONYMS: ClassVar[dict[str, str]] = {"fontFamily": "family", "name": "family", "fontSize": "size"}

    family: Name = "Open Sans"
    size: FontSize = 24.0
    weight: FontWeight = 400
    color: Rgb = "#ffffff"
    opacity: Fraction01 = 1.0
    background: MaybeRgb = None
    stroke: Annotated[Stroke | None, BeforeValidator(_nothing)] = None


class RichTextStyle(Part):
    """Spacing and decoration of a rich text."""

    letter_spacing: Spacing = 0.0
    word_spacing: Spacing = 0.0
    line_height: Ratio = 1.2
    text_transform: Annotated[str, Word("none", "uppercase", "lowercase", "capitalize")] = "none"
    text_decoration: Annotated[str, Word("none", "underline", "line-through")] = "none"
    gradient: Gradient | None = None
    size: Annotated[float | None, Number(low=1, high=2000, clamp=True)] = None
    """Another place for the font's size; the font's own wins."""


class RichTextAlign(Part):
    """Where a rich text stands in its box."""

    horizontal: Horizontal = "center"
    vertical: Annotated[str, Word("top", "middle", "bottom", "center")] = "middle"


class RichStyled(Part):
    """What rich text and rich captions have in common."""

    SYNONYMS: ClassVar[dict[str, str]] = {"alignment": "align"}

    style: RichTextStyle = RichTextStyle()
    stroke: Annotated[Stroke | None, BeforeValidator(_nothing)] = None
    shadow: Annotated[Shadow | None, BeforeValidator(_nothing)] = None
    background: Background | None = None
    border: Border | None = None
    padding: Padding = Sides()
    align: RichTextAlign = RichTextAlign()


class RichTextAsset(RichStyled):
    """Text with outlines, shadows, gradients and entrances."""

    type: Literal["rich-text"]
    text: String
    font: RichTextFont = RichTextFont()
    animation: TextAnimation | None = None
    width: MaybeSide = None
    height: MaybeSide = None


class CaptionFont(Part):
    """The letters of captions."""

    SYNONYMS: ClassVar[dict[str, str]] = {"name": "family", "fontFamily": "family", "fontSize": "size"}

    family: Name = "Open Sans"
    size: FontSize = 24.0
    weight: FontWeight = 400
    color: Rgb = "#ffffff"
    opacity: Fraction01 = 1.0
    line_height: Annotated[float | None, Number(low=0, high=10, clamp=True)] = None
    stroke: MaybeRgb = None
    """The outline's colour."""
    stroke_width: Pixels = 0.0


class CaptionMargin(Part):
    """Fractions of the viewport kept free."""

    top: Annotated[float | None, Number(low=0, high=1, clamp=True)] = None
    left: Annotated[float | None, Number(low=0, high=1, clamp=True)] = None
    right: Annotated[float | None, Number(low=0, high=1, clamp=True)] = None
    bottom: Annotated[float | None, Number(low=0, high=1, clamp=True)] = None


class CaptionAsset(Part):
    """Subtitles from an SRT or WebVTT file."""

    type: Literal["caption"]
    src: Url
    font: CaptionFont = CaptionFont()
    background: Background | None = None
    margin: CaptionMargin = CaptionMargin()
    trim: Seconds = 0.0
    speed: Annotated[float, Number(low=0, high=10, clamp=True)] = 1.0


class ActiveFont(Part):
    """The letters of the word being spoken; what is None is as for the others."""

    family: Annotated[str | None, Text(max_characters=500)] = None
    size: Annotated[float | None, Number(low=1, high=2000, clamp=True)] = None
    weight: MaybeFontWeight = None
    color: MaybeRgb = None
    background: MaybeRgb = None
    opacity: Annotated[float | None, Number(low=0, high=1, clamp=True)] = None
    text_decoration: Annotated[str | None, Word("none", "underline", "line-through")] = None


class ActiveWord(Part):
    """The look of the word being spoken."""

    font: ActiveFont = ActiveFont()
    stroke: Annotated[Stroke | None, BeforeValidator(_nothing)] = None
    shadow: Annotated[Shadow | None, BeforeValidator(_nothing)] = None
    scale: Annotated[float, Number(low=0.1, high=10, clamp=True)] = 1.0


class CaptionAnimation(Part):
    """How words are brought out."""

    style: Annotated[str, Word("karaoke", "highlight", "pop", "fade", "slide", "bounce", "typewriter", "none")] = (
        "highlight"
    )
    direction: Annotated[str, Word("left", "right", "up", "down")] = "up"


class RichCaptionAsset(RichStyled):
    """Subtitles with the looks of rich text."""

    type: Literal["rich-caption"]
    src: Url
    font: RichTextFont = RichTextFont(family="Roboto")
    active: ActiveWord | None = None
    animation: CaptionAnimation | None = None
    trim: Seconds = 0.0
    speed: Annotated[float, Number(low=0, high=10, clamp=True)] = 1.0
    width: MaybeSide = None
    height: MaybeSide = None


class HtmlAsset(Part):
    """HTML and CSS in a box; it loads nothing from outside."""

    type: Literal["html"]
    html: String
    css: String = ""
    width: MaybeSide = None
    height: MaybeSide = None
    background: MaybeRgb = None
    position: Position = "center"


class Html5Asset(Part):
    """A page without script."""

    type: Literal["html5"]
    html: String
    css: String = ""
    js: String = ""
    width: MaybeSide = None
    height: MaybeSide = None

    @field_validator("js", "html")
    @classmethod
    def refuse_script(cls, code: str, info: ValidationInfo) -> str:
        """Refuse pages that draw themselves with a script: they would come out blank or wrong."""
        if code.strip() if info.field_name == "js" else "<script" in code.lower():
            message = "An html5 asset with JavaScript is not supported; use HTML and CSS alone."
            raise PydanticCustomError("unsupported_asset", message)
        return code
