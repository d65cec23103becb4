"""Shape assets: models of basic shapes and SVG."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from engine.language.edit_model import EditModel
from engine.language.fields import (
    Angle,
    EnumField,
    Fraction01,
    NumberField,
    OptionalSide,
    Pixels,
    StringField,
    refuse_placeholder,
)
from engine.language.text_assets import GradientStop, MaybeRgb, Rgb, Shadow, Stroke

MAX_SVG_CHARACTERS = 500_000
Length = Annotated[float, NumberField(low=0, high=8192, clamp=True)]
MaybeLength = Annotated[float | None, NumberField(low=0, high=8192, clamp=True)]


class ShapeFill(EditModel):
    """The fill of a basic shape."""

    color: Rgb = "#ffffff"
    opacity: Fraction01 = 1.0


class Rectangle(EditModel):
    """A rectangle, in pixels."""

    width: Length
    height: Length
    corner_radius: Length = 0.0


class Circle(EditModel):
    """A circle, in pixels."""

    radius: Length


class Line(EditModel):
    """A horizontal line, in pixels."""

    length: Length
    thickness: Length = 1.0


class ShapeAsset(EditModel):
    """A rectangle, circle or line in the middle of its box."""

    type: Literal["shape"]
    shape: Annotated[str, EnumField("rectangle", "circle", "line", required=True)]
    width: OptionalSide = None
    height: OptionalSide = None
    fill: ShapeFill | None = None
    stroke: Stroke | None = None
    rectangle: Rectangle | None = None
    circle: Circle | None = None
    line: Line | None = None

    @model_validator(mode="after")
    def check_dimensions(self) -> ShapeAsset:
        """Refuse a shape without its own dimensions."""
        if getattr(self, self.shape) is None:
            message = "The dimensions of the {shape} are missing: give '{shape}'."
            raise PydanticCustomError("missing", message, {"shape": self.shape})
        return self


_DIMENSIONS: dict[str, tuple[str, ...]] = {
    "rectangle": ("width", "height"),
    "circle": ("radius",),
    "ellipse": ("radius_x", "radius_y"),
    "line": ("length", "thickness"),
    "polygon": ("sides", "radius"),
    "star": ("points", "outer_radius", "inner_radius"),
    "arrow": ("length", "head_width", "head_length", "shaft_width"),
    "heart": ("size",),
    "cross": ("width", "height", "thickness"),
    "ring": ("outer_radius", "inner_radius"),
    "path": ("d",),
}


class SvgShape(EditModel):
    """A named shape; its type decides which dimensions it needs."""

    type: Annotated[str, EnumField(*_DIMENSIONS, required=True)]
    width: MaybeLength = None
    height: MaybeLength = None
    corner_radius: Length = 0.0
    radius: MaybeLength = None
    radius_x: MaybeLength = None
    radius_y: MaybeLength = None
    length: MaybeLength = None
    thickness: MaybeLength = None
    sides: Annotated[int | None, NumberField(low=3, high=100, clamp=True, whole=True)] = None
    points: Annotated[int | None, NumberField(low=3, high=100, clamp=True, whole=True)] = None
    outer_radius: MaybeLength = None
    inner_radius: MaybeLength = None
    head_width: MaybeLength = None
    head_length: MaybeLength = None
    shaft_width: MaybeLength = None
    size: MaybeLength = None
    d: Annotated[str | None, StringField(max_characters=100_000)] = None
    """Path data in SVG's own notation."""

    @model_validator(mode="after")
    def check_dimensions(self) -> SvgShape:
        """Refuse a shape without its own dimensions."""
        missing = [name for name in _DIMENSIONS[self.type] if getattr(self, name) is None]
        if missing:
            message = "The dimensions of the {type} are missing: {names}."
            names = ", ".join(type(self).model_fields[name].alias or name for name in missing)
            raise PydanticCustomError("missing", message, {"type": self.type, "names": names})
        return self


class SvgFill(EditModel):
    """The fill of a named shape: one colour, or a gradient with stops."""

    type: Annotated[str, EnumField("solid", "linear", "radial")] = "solid"
    color: MaybeRgb = None
    opacity: Fraction01 = 1.0
    angle: Angle = 0.0
    stops: Annotated[tuple[GradientStop, ...], Field(max_length=100)] = ()


class SvgStroke(Stroke):
    """The outline of a named shape."""

    width: Pixels = 1.0
    line_cap: Annotated[str, EnumField("butt", "round", "square")] = "butt"
    line_join: Annotated[str, EnumField("miter", "round", "bevel")] = "miter"
    dash_array: Annotated[tuple[Length, ...], Field(max_length=50)] = ()
    dash_offset: Annotated[float, NumberField(low=-8192, high=8192, clamp=True)] = 0.0


class SvgTransform(EditModel):
    """The position of a named shape in its box, in pixels from the top left."""

    x: Annotated[float, NumberField(low=-8192, high=8192, clamp=True)] = 0.0
    y: Annotated[float, NumberField(low=-8192, high=8192, clamp=True)] = 0.0
    rotation: Angle = 0.0
    scale: Annotated[float, NumberField(low=0.01, high=100, clamp=True)] = 1.0
    origin_x: Fraction01 = 0.5
    origin_y: Fraction01 = 0.5


class SvgAsset(EditModel):
    """SVG markup, or a named shape."""

    SYNONYMS: ClassVar[dict[str, str]] = {"svg": "src"}

    type: Literal["svg"]
    src: Annotated[str | None, StringField(max_characters=MAX_SVG_CHARACTERS)] = None
    """Markup, not a URL."""
    shape: SvgShape | None = None
    fill: SvgFill | None = None
    stroke: SvgStroke | None = None
    shadow: Shadow | None = None
    transform: SvgTransform | None = None
    opacity: Fraction01 = 1.0
    width: OptionalSide = None
    height: OptionalSide = None

    @field_validator("src")
    @classmethod
    def check_markup(cls, src: str | None) -> str | None:
        """Refuse anything but markup: SVG files are not loaded."""
        if src is not None and "<svg" not in src:
            refuse_placeholder(src)
            raise PydanticCustomError("invalid_value", "This must be SVG markup; an SVG file by URL is not supported.")
        return src

    @model_validator(mode="before")
    @classmethod
    def check_content(cls, data: Any) -> Any:
        """Refuse an asset with neither markup nor shape."""
        if isinstance(data, dict) and not any(data.get(name) for name in ("src", "svg", "shape")):
            raise PydanticCustomError("missing", "Give 'src' with SVG markup, or 'shape'.")
        return data
