"""Animated values: a number, or a list of tweens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from engine.language.edit_model import EditModel
from engine.language.fields import EnumField, FieldWarning, NumberField, Seconds

_FAMILIES = ("Quad", "Cubic", "Quart", "Quint", "Sine", "Expo", "Circ", "Back")
EASINGS = (
    "linear",
    "ease",
    "easeIn",
    "easeOut",
    "easeInOut",
    *(f"ease{way}{family}" for way in ("In", "Out", "InOut") for family in _FAMILIES),
)
MAX_TWEENS = 500


class Tween(EditModel):
    """One piece of an animation, in seconds from the start of the clip."""

    from_: Annotated[float | None, NumberField()] = Field(default=None, alias="from")
    """Start value; by default the value reached before."""
    to: Annotated[float | None, NumberField()] = None
    """End value; by default the start value."""
    start: Seconds = 0.0
    length: Annotated[float | None, NumberField(low=0)] = None
    """By default to the end of the clip."""
    interpolation: Annotated[str, EnumField("linear", "bezier", "constant")] = "linear"
    easing: Annotated[str | None, EnumField(*EASINGS)] = None
    """Used with the interpolation `bezier`."""


@dataclass(frozen=True)
class AnimatedField:
    """A number, or a list of tweens."""

    low: float | None = None
    high: float | None = None
    clamp: bool = False

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Warn about a plain number as `NumberField` does; tweens are checked one by one."""
        return self._number().warning(raw, value) if isinstance(value, float) else None

    def _number(self) -> NumberField:
        return NumberField(self.low, self.high, self.clamp)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Choose between the two forms by whether a list is given."""
        tweens = handler.generate_schema(Annotated[tuple[Tween, ...], Field(max_length=MAX_TWEENS)])
        number = self._number().__get_pydantic_core_schema__(float, handler)
        return core_schema.tagged_union_schema(
            {"type:tweens": tweens, "type:number": number},
            discriminator=lambda value: "type:tweens" if isinstance(value, list | tuple) else "type:number",
        )


AnimatedNumber = Annotated[float | tuple[Tween, ...], AnimatedField()]
AnimatedFraction = Annotated[float | tuple[Tween, ...], AnimatedField(low=0, high=1, clamp=True)]
AnimatedVolume = Annotated[float | tuple[Tween, ...], AnimatedField(low=0, high=10, clamp=True)]
AnimatedScale = Annotated[float | tuple[Tween, ...], AnimatedField(low=0, high=100, clamp=True)]
AnimatedSkew = Annotated[float | tuple[Tween, ...], AnimatedField(low=-100, high=100, clamp=True)]
AnimatedAngle = Annotated[float | tuple[Tween, ...], AnimatedField(low=-36_000, high=36_000, clamp=True)]
