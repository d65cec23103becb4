"""Field types of the edit language: what each accepts, and what it says when it had to bend a value.

Each type is metadata for `Annotated`. It reads the value for pydantic, and its `warning` compares what was
written with what was kept, so that no coercion stays silent (see `engine.language.ignored_fields`).
A type that only refines a clip falls back to the field's default; any other type refuses the value.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, PydanticUseDefault, core_schema

from engine.language.colors import is_color

PLACEHOLDER = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_ADDRESS = re.compile(r"https?://[^\s/?#]+|asset:[A-Za-z0-9_-]+$", re.IGNORECASE)
_NUMERAL = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f]")
ALIAS_PREFIX = "alias://"
MAX_URL_CHARACTERS = 8192
FONT_WEIGHTS = {
    "thin": 100,
    "hairline": 100,
    "extralight": 200,
    "ultralight": 200,
    "light": 300,
    "normal": 400,
    "regular": 400,
    "medium": 500,
    "semibold": 600,
    "demibold": 600,
    "bold": 700,
    "extrabold": 800,
    "ultrabold": 800,
    "black": 900,
    "heavy": 900,
}

FieldWarning = tuple[str, str]


@runtime_checkable
class FieldType(Protocol):
    """A field type that can say what it made of a value."""

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Return the code and sentence of a warning, or None where `value` is just what `raw` says."""


def refuse_placeholder(text: str) -> None:
    """Raise for a merge field that nobody filled, where text is not wanted."""
    if found := PLACEHOLDER.search(text):
        raise PydanticCustomError("unfilled_placeholder", "The merge field {name} has no value.", {"name": found[1]})


def read_number(value: Any) -> float | int:
    """Return a JSON number, or the number that a string spells; raise `invalid_type` otherwise."""
    if isinstance(value, str):
        refuse_placeholder(value)
        if not _NUMERAL.fullmatch(value):
            raise PydanticCustomError("invalid_type", "This must be a number.")
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("invalid_type", "This must be a number.")
    if not math.isfinite(value) or abs(value) > 1e15:
        raise PydanticCustomError("out_of_range", "This number is too large.")
    return value


def canonical(word: str) -> str:
    """Return a word without case, spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]", "", word).lower()


def quoted(value: Any) -> str:
    """Return a value as a message may quote it."""
    text = str(value)
    return f"'{text[:57]}...'" if len(text) > 60 else f"'{text}'"


@dataclass(frozen=True)
class NumberField:
    """A number from `low` to `high`. What is beyond them, or has a fraction where it must be `whole`, is refused.

    clamp: move it to the nearest number allowed instead.
    """

    low: float | None = None
    high: float | None = None
    clamp: bool = False
    whole: bool = False

    def read(self, value: Any) -> float | int:
        """Return the number to keep."""
        number = read_number(value)
        if self.whole and not self.clamp and number != round(number):
            raise PydanticCustomError("invalid_value", "This must be a whole number.")
        if self.whole:
            number = round(number)
        if self.clamp:
            number = number if self.low is None else max(self.low, number)
            number = number if self.high is None else min(self.high, number)
        return int(number) if self.whole else float(number)

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Tell of clamped, rounded and spelled-out numbers."""
        if raw == value and not isinstance(raw, str):
            return None
        if not isinstance(raw, str | int | float):
            return None
        if float(raw) != float(value):
            if self.whole and abs(float(raw) - value) < 1:
                return ("coerced", f"{quoted(raw)} was rounded to {value}.")
            return ("out_of_range", f"{quoted(raw)} is out of range; {value:g} is used.")
        return ("coerced", f"The text {quoted(raw)} was read as a number.")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Put the reader before pydantic's own number."""
        bounds: dict[str, Any] = {}
        if self.low is not None:
            bounds["ge"] = int(self.low) if self.whole else self.low
        if self.high is not None:
            bounds["le"] = int(self.high) if self.whole else self.high
        inner: CoreSchema = core_schema.int_schema(**bounds) if self.whole else core_schema.float_schema(**bounds)
        return core_schema.no_info_before_validator_function(self.read, inner)


@dataclass(frozen=True)
class FontWeightField:
    """A font weight: 1 to 1000, or a CSS word; a word nobody knows falls back to the default."""

    def read(self, value: Any) -> int:
        """Return the weight as a number."""
        if isinstance(value, str) and canonical(value) in FONT_WEIGHTS:
            return FONT_WEIGHTS[canonical(value)]
        try:
            return round(min(1000, max(1, read_number(value))))
        except PydanticCustomError:
            raise PydanticUseDefault from None

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Tell of weights that were not understood; numbers as text are usual here."""
        if isinstance(raw, str) and canonical(raw) in FONT_WEIGHTS:
            return None
        try:
            number = read_number(raw)
        except PydanticCustomError:
            return ("unknown_value", f"{quoted(raw)} is no font weight; {value or 'the usual'} is used.")
        return None if round(number) == value else ("out_of_range", f"{quoted(raw)} is out of range; {value} is used.")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Put the reader before pydantic's own number."""
        return core_schema.no_info_before_validator_function(self.read, core_schema.int_schema(ge=1, le=1000))


@dataclass(frozen=True)
class StringField:
    """A string; numbers and booleans are written out."""

    max_characters: int = 100_000

    def read(self, value: Any) -> str:
        """Return the text to keep."""
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        raise PydanticCustomError("invalid_type", "This must be text.")

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Tell of values that were no text, and of placeholders left in it."""
        if not isinstance(raw, str):
            return ("coerced", f"The value {quoted(raw)} was written out as text.")
        if found := PLACEHOLDER.search(raw):
            return ("unfilled_placeholder", f"The merge field {found[1]} has no value and stays as it is written.")
        return None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Put the reader before pydantic's own string."""
        inner = core_schema.str_schema(max_length=self.max_characters)
        return core_schema.no_info_before_validator_function(self.read, inner)


@dataclass(frozen=True)
class BoolField:
    """True or false, also spelled out or as 1 and 0."""

    def read(self, value: Any) -> bool:
        """Return the flag."""
        if isinstance(value, str):
            refuse_placeholder(value)
            value = {"true": True, "false": False, "1": True, "0": False}.get(value.strip().lower(), value)
        if value in (0, 1) and isinstance(value, bool | int | float):
            return bool(value)
        raise PydanticCustomError("invalid_type", "This must be true or false.")

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Tell of spelled-out flags."""
        return None if isinstance(raw, bool) else ("coerced", f"{quoted(raw)} was read as {str(value).lower()}.")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Put the reader before pydantic's own boolean."""
        return core_schema.no_info_before_validator_function(self.read, core_schema.bool_schema())


class EnumField:
    """One of some words, whatever its case and hyphens; `required` refuses others instead of taking the default."""

    def __init__(self, *names: str, required: bool = False) -> None:
        """names: the words in the format's own spelling."""
        self.names = names
        self.required = required
        self._by_canonical = {canonical(name): name for name in names}

    def read(self, value: Any) -> str:
        """Return the word in the format's own spelling."""
        text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
        word = self._by_canonical.get(canonical(text))
        if word is not None:
            return word
        if not self.required:
            raise PydanticUseDefault
        refuse_placeholder(text)
        known = ", ".join(self.names)
        raise PydanticCustomError("invalid_value", "This must be one of: {known}.", {"known": known})

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Tell of words that are not known."""
        if isinstance(value, str) and canonical(str(raw)) == canonical(value):
            return None
        instead = f"'{value}' is used" if value is not None else "it is ignored"
        return ("unknown_value", f"{quoted(raw)} is not known here; {instead}.")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Put the reader before a plain enumeration."""
        return core_schema.no_info_before_validator_function(self.read, core_schema.literal_schema(list(self.names)))


@dataclass(frozen=True)
class ColorField:
    """A colour, kept as written (see `engine.language.colors`); anything else falls back to the default."""

    def read(self, value: Any) -> str:
        """Return the colour's text."""
        if not isinstance(value, str) or not is_color(value):
            raise PydanticUseDefault
        return value.strip()

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Tell of colours that were not understood."""
        if isinstance(raw, str) and raw.strip() == value:
            return None
        return ("unknown_value", f"{quoted(raw)} is no colour; {value or 'none'} is used.")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Put the reader before pydantic's own string."""
        return core_schema.no_info_before_validator_function(self.read, core_schema.str_schema())


@dataclass(frozen=True)
class ClipTimeField:
    """Seconds, one of the words, or `alias://name` for the same field of the clip with that alias."""

    words: tuple[str, ...]
    positive: bool = False

    def read(self, value: Any) -> float | str:
        """Return seconds, or the word or reference."""
        if isinstance(value, str):
            text = value.strip()
            if text.lower() in self.words:
                return text.lower()
            refuse_placeholder(text)
            if text.startswith(ALIAS_PREFIX) and len(text) > len(ALIAS_PREFIX):
                return text
        try:
            seconds = float(read_number(value))
        except PydanticCustomError:
            words = ", ".join(f"'{word}'" for word in self.words)
            message = "This must be a number of seconds, {words} or alias://NAME."
            raise PydanticCustomError("invalid_type", message, {"words": words}) from None
        if seconds < 0 or (self.positive and seconds == 0):
            raise PydanticCustomError(
                "out_of_range", "This must be above 0." if self.positive else "This must be at least 0."
            )
        return seconds

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Tell of numbers written as text."""
        if isinstance(raw, str) and isinstance(value, float):
            return ("coerced", f"The text {quoted(raw)} was read as a number.")
        return None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read the value here alone; pydantic has nothing to add."""
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the three forms."""
        bound = {"exclusiveMinimum": 0} if self.positive else {"minimum": 0}
        words = [{"type": "string", "enum": list(self.words)}] if self.words else []
        return {"anyOf": [{"type": "number", **bound}, *words, {"type": "string", "pattern": "^alias://.+"}]}


@dataclass(frozen=True)
class SourceField:
    """Where a file is: an http or https URL, or `asset:ast_...` for a file of the service."""

    def read(self, value: Any) -> str:
        """Return the address as written, without space around it."""
        if not isinstance(value, str):
            raise PydanticCustomError("invalid_type", "This must be a URL.")
        url = value.strip()
        if not url:
            raise PydanticCustomError("missing", "This must name a file.")
        refuse_placeholder(url)
        if len(url) > MAX_URL_CHARACTERS:
            raise PydanticCustomError("invalid_url", "A URL is at most 8192 characters long.")
        if url.lower().startswith(ALIAS_PREFIX):
            message = "A source that refers to another clip needs speech recognition, which this service does not have."
            raise PydanticCustomError("unsupported_asset", message)
        if not re.match(r"(https?://[^\s/?#]+|asset:[A-Za-z0-9_-]+$)", url, re.IGNORECASE) or re.search(
            r"[\x00-\x1f]", url
        ):
            raise PydanticCustomError("invalid_url", "This must be an http or https URL, or asset:ast_... .")
        return url

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Have nothing to tell: a source is taken as written or refused."""
        return None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Put the reader before pydantic's own string."""
        return core_schema.no_info_before_validator_function(self.read, core_schema.str_schema())


Seconds = Annotated[float, NumberField(low=0)]
Fraction01 = Annotated[float, NumberField(low=0, high=1, clamp=True)]
Pixels = Annotated[float, NumberField(low=0, high=10_000, clamp=True)]
OptionalSide = Annotated[int | None, NumberField(low=1, high=7680, clamp=True, whole=True)]
FontSize = Annotated[float, NumberField(low=1, high=2000, clamp=True)]
Angle = Annotated[float, NumberField(low=-36_000, high=36_000, clamp=True)]
Boolean = Annotated[bool, BoolField()]
String = Annotated[str, StringField()]
Name = Annotated[str, StringField(max_characters=500)]
Url = Annotated[str, SourceField()]
FontWeight = Annotated[int, FontWeightField()]
OptionalFontWeight = Annotated[int | None, FontWeightField()]
