"""Text assets: models of titles, text, captions and HTML."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from engine.language.edit_model import EditModel
from engine.language.fields import (
    Angle,
    BoolField,
    ColorField,
    EnumField,
    FontSize,
    FontWeight,
    Fraction01,
    Name,
    NumberField,
    OptionalFontWeight,
    OptionalSide,
    Pixels,
    Seconds,
    String,
    StringField,
    Url,
)

POSITIONS = ("top", "topRight", "right", "bottomRight", "bottom", "bottomLeft", "left", "topLeft", "center")
Position = Annotated[str, EnumField(*POSITIONS)]
Rgb = Annotated[str, ColorField()]
MaybeRgb = Annotated[str | None, ColorField()]
Spacing = Annotated[float, NumberField(low=-1000, high=1000, clamp=True)]
Ratio = Annotated[float, NumberField(low=0, high=10, clamp=True)]
Horizontal = Annotated[str, EnumField("left", "center", "right")]
AnimationSeconds = Annotated[float | None, NumberField(low=0.1, high=30, clamp=True)]


class Stroke(EditModel):
    """The outline of letters or of a shape."""

    width: Pixels = 0.0
    color: Rgb = "#000000"
    opacity: Fraction01 = 1.0


class Shadow(EditModel):
    """A shadow behind letters or a shape."""

    offset_x: Spacing = 0.0
    offset_y: Spacing = 0.0
    blur: Annotated[float, NumberField(low=0, high=500, clamp=True)] = 0.0
    color: Rgb = "#000000"
    opacity: Fraction01 = 0.5


class GradientStop(EditModel):
    """A colour at a position of a gradient."""

    offset: Fraction01
    color: Rgb = "#000000"


class Gradient(EditModel):
    """A gradient over letters or a shape."""

    type: Annotated[str, EnumField("linear", "radial")] = "linear"
    angle: Angle = 0.0
    stops: Annotated[tuple[GradientStop, ...], Field(min_length=2, max_length=100)]


class Background(EditModel):
    """A box behind the text."""

    color: MaybeRgb = None
    opacity: Fraction01 = 1.0
    padding: Pixels = 0.0
    border_radius: Pixels = 0.0
    wrap: Annotated[bool | None, BoolField()] = None
    """Whether the box fits the text instead of filling the whole width."""


class Border(EditModel):
    """The frame around the text's box."""

    width: Pixels = 0.0
    color: Rgb = "#000000"
    opacity: Fraction01 = 1.0
    radius: Pixels = 0.0


class Sides(EditModel):
    """Distances in pixels at the four sides."""

    top: Pixels = 0.0
    right: Pixels = 0.0
    bottom: Pixels = 0.0
    left: Pixels = 0.0


def _all_sides(value: Any) -> Any:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return dict.fromkeys(("top", "right", "bottom", "left"), value)
    return value


def _nothing(value: Any) -> Any:
    """Replace the word `none` by an invisible outline or shadow."""
    return {"width": 0, "opacity": 0} if isinstance(value, str) and value.strip().lower() == "none" else value


Padding = Annotated[Sides, BeforeValidator(_all_sides)]


class TitleAsset(EditModel):
    """A line of text in one of the preset styles."""

    type: Literal["title"]
    text: String
    style: Annotated[
        str,
        EnumField(
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
    size: Annotated[str, EnumField("xx-small", "x-small", "small", "medium", "large", "x-large", "xx-large")] = "medium"
    background: MaybeRgb = None
    position: Annotated[str | None, EnumField(*POSITIONS)] = None
    """Position in the viewport; overrides the clip's own position."""
    offset: TitleOffset | None = None


class TitleOffset(EditModel):
    """Fractions of the viewport, +y is up."""

    x: Annotated[float, NumberField(low=-10, high=10, clamp=True)] = 0.0
    y: Annotated[float, NumberField(low=-10, high=10, clamp=True)] = 0.0


class TextFont(EditModel):
    """The font of a text."""

    SYNONYMS: ClassVar[dict[str, str]] = {"fontFamily": "family", "name": "family", "fontSize": "size"}

    family: Name = "Open Sans"
    size: FontSize = 24.0
    weight: OptionalFontWeight = None
    color: Rgb = "#ffffff"
    opacity: Fraction01 = 1.0
    line_height: Annotated[float | None, NumberField(low=0, high=10, clamp=True)] = None


class TextAlignment(EditModel):
    """The position of the text in its box."""

    horizontal: Horizontal = "center"
    vertical: Annotated[str, EnumField("top", "center", "bottom", "middle")] = "center"


class TextAnimation(EditModel):
    """How the text appears."""

    preset: Annotated[str | None, EnumField("typewriter", "fadeIn", "slideIn", "ascend", "shift", "movingLetters")] = (
        None
    )
    duration: AnimationSeconds = None
    style: Annotated[str | None, EnumField("character", "word")] = None
    direction: Annotated[str | None, EnumField("left", "right", "up", "down")] = None


class TextAsset(EditModel):
    """Text in a box of its own size."""

    SYNONYMS: ClassVar[dict[str, str]] = {"align": "alignment"}

    type: Literal["text"]
    text: String
    width: OptionalSide = None
    height: OptionalSide = None
    font: TextFont = TextFont()
    background: Background | None = None
    alignment: TextAlignment = TextAlignment()
    stroke: Stroke | None = None
    animation: TextAnimation | None = None
    ellipsis: Annotated[str | None, StringField(max_characters=20)] = None
    """Mark for text that is cut off at the end of its box."""


class RichTextFont(EditModel):
    """The font of a rich text; that of rich captions differs in its defaults."""

    SYNONYMS: ClassVar[dict[str, str]] = {"fontFamily": "family", "name": "family", "fontSize": "size"}

    family: Name = "Open Sans"
    size: FontSize = 24.0
    weight: FontWeight = 400
    style: Annotated[str, EnumField("normal", "italic")] = "normal"
    color: Rgb = "#000000"
    opacity: Fraction01 = 1.0
    background: MaybeRgb = None
    stroke: Annotated[Stroke | None, BeforeValidator(_nothing)] = None


class RichTextStyle(EditModel):
    """Spacing and decoration of a rich text."""

    letter_spacing: Spacing = 0.0
    word_spacing: Spacing = 0.0
    line_height: Ratio = 1.2
    text_transform: Annotated[str, EnumField("none", "uppercase", "lowercase", "capitalize")] = "none"
    text_decoration: Annotated[str, EnumField("none", "underline", "line-through")] = "none"
    gradient: Gradient | None = None
    size: Annotated[float | None, NumberField(low=1, high=2000, clamp=True)] = None
    """Alternative to the font's own size, which wins."""


class RichTextAlign(EditModel):
    """The position of a rich text in its box."""

    horizontal: Horizontal = "center"
    vertical: Annotated[str, EnumField("top", "middle", "bottom", "center")] = "middle"


class RichTextBase(EditModel):
    """The fields that rich text and rich captions have in common."""

    SYNONYMS: ClassVar[dict[str, str]] = {"alignment": "align"}

    style: RichTextStyle = RichTextStyle()
    stroke: Annotated[Stroke | None, BeforeValidator(_nothing)] = None
    shadow: Annotated[Shadow | None, BeforeValidator(_nothing)] = None
    background: Background | None = None
    border: Border | None = None
    padding: Padding = Sides()
    align: RichTextAlign = RichTextAlign()


class RichTextAsset(RichTextBase):
    """Text with outlines, shadows, gradients and animations."""

    type: Literal["rich-text"]
    text: String
    font: RichTextFont = RichTextFont()
    animation: TextAnimation | None = None
    width: OptionalSide = None
    height: OptionalSide = None


class CaptionFont(EditModel):
    """The font of captions."""

    SYNONYMS: ClassVar[dict[str, str]] = {"name": "family", "fontFamily": "family", "fontSize": "size"}

    family: Name = "Open Sans"
    size: FontSize = 24.0
    weight: FontWeight = 400
    color: Rgb = "#ffffff"
    opacity: Fraction01 = 1.0
    line_height: Annotated[float | None, NumberField(low=0, high=10, clamp=True)] = None
    stroke: MaybeRgb = None
    """The outline's colour."""
    stroke_width: Pixels = 0.0


class CaptionMargin(EditModel):
    """Margins as fractions of the viewport."""

    top: Annotated[float | None, NumberField(low=0, high=1, clamp=True)] = None
    left: Annotated[float | None, NumberField(low=0, high=1, clamp=True)] = None
    right: Annotated[float | None, NumberField(low=0, high=1, clamp=True)] = None
    bottom: Annotated[float | None, NumberField(low=0, high=1, clamp=True)] = None


class CaptionAsset(EditModel):
    """Subtitles from an SRT or WebVTT file."""

    type: Literal["caption"]
    src: Url
    font: CaptionFont = CaptionFont()
    background: Background | None = None
    margin: CaptionMargin = CaptionMargin()
    trim: Seconds = 0.0
    speed: Annotated[float, NumberField(low=0, high=10, clamp=True)] = 1.0


class ActiveFont(EditModel):
    """The font of the word being spoken; by default that of the other words."""

    family: Annotated[str | None, StringField(max_characters=500)] = None
    size: Annotated[float | None, NumberField(low=1, high=2000, clamp=True)] = None
    weight: OptionalFontWeight = None
    color: MaybeRgb = None
    background: MaybeRgb = None
    opacity: Annotated[float | None, NumberField(low=0, high=1, clamp=True)] = None
    text_decoration: Annotated[str | None, EnumField("none", "underline", "line-through")] = None


class ActiveWord(EditModel):
    """The style of the word being spoken."""

    font: ActiveFont = ActiveFont()
    stroke: Annotated[Stroke | None, BeforeValidator(_nothing)] = None
    shadow: Annotated[Shadow | None, BeforeValidator(_nothing)] = None
    scale: Annotated[float, NumberField(low=0.1, high=10, clamp=True)] = 1.0


class CaptionAnimation(EditModel):
    """How spoken words are highlighted."""

    style: Annotated[str, EnumField("karaoke", "highlight", "pop", "fade", "slide", "bounce", "typewriter", "none")] = (
        "highlight"
    )
    direction: Annotated[str, EnumField("left", "right", "up", "down")] = "up"


class RichCaptionFont(RichTextFont):
    """The font of rich captions."""

    family: Name = "Roboto"
    color: Rgb = "#ffffff"


class RichCaptionAsset(RichTextBase):
    """Subtitles in the style of rich text."""

    type: Literal["rich-caption"]
    src: Url
    font: RichCaptionFont = RichCaptionFont()
    active: ActiveWord | None = None
    animation: CaptionAnimation | None = None
    trim: Seconds = 0.0
    speed: Annotated[float, NumberField(low=0, high=10, clamp=True)] = 1.0
    width: OptionalSide = None
    height: OptionalSide = None


class HtmlAsset(EditModel):
    """HTML and CSS in a box; external resources are not loaded."""

    type: Literal["html"]
    html: String
    css: String = ""
    width: OptionalSide = None
    height: OptionalSide = None
    background: MaybeRgb = None
    position: Position = "center"


class Html5Asset(EditModel):
    """A page without scripts."""

    type: Literal["html5"]
    html: String
    css: String = ""
    js: String = ""
    width: OptionalSide = None
    height: OptionalSide = None

    @field_validator("js", "html")
    @classmethod
    def refuse_script(cls, code: str, info: ValidationInfo) -> str:
        """Refuse scripts: a page that draws itself would come out blank or wrong."""
        if code.strip() if info.field_name == "js" else "<script" in code.lower():
            message = "An html5 asset with JavaScript is not supported; use HTML and CSS alone."
            raise PydanticCustomError("unsupported_asset", message)
        return code
