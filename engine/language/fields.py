"""Field types of the edit language: what each accepts, and the warning when it changes a value.

Each type is metadata for `Annotated`. It reads the value for pydantic, and its `warning` compares the written
value with the result, so that no coercion is silent (see `engine.language.ignored_fields`).
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
    """A field type that can warn about a value that it changed."""

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Return the code and sentence of a warning, or None if `value` is exactly what `raw` says."""


def refuse_placeholder(text: str) -> None:
    """Raise `unfilled_placeholder` if the text has a merge field without a value."""
    if found := PLACEHOLDER.search(text):
        raise PydanticCustomError("unfilled_placeholder", "The merge field {name} has no value.", {"name": found[1]})


def read_number(value: Any) -> float | int:
    """Return a JSON number, or the number in a string; raise `invalid_type` otherwise."""
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
    """Return a word in lower case, without spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]", "", word).lower()


def quoted(value: Any) -> str:
    """Return a value in quotes for a message, at most 60 characters long."""
    text = str(value)
    return f"'{text[:57]}...'" if len(text) > 60 else f"'{text}'"


@dataclass(frozen=True)
class NumberField:
    """A number from `low` to `high`. Other values, and fractions if it must be `whole`, are refused.

    clamp: use the nearest allowed number instead.
    """

    low: float | None = None
    high: float | None = None
    clamp: bool = False
    whole: bool = False

    def read(self, value: Any) -> float | int:
        """Return the clamped or rounded number."""
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
        """Warn about clamped, rounded and spelled-out numbers."""
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
        bounds: dict[str, Any] = {}
        if self.low is not None:
            bounds["ge"] = int(self.low) if self.whole else self.low
        if self.high is not None:
            bounds["le"] = int(self.high) if self.whole else self.high
        inner: CoreSchema = core_schema.int_schema(**bounds) if self.whole else core_schema.float_schema(**bounds)
        return core_schema.no_info_before_validator_function(self.read, inner)


@dataclass(frozen=True)
class FontWeightField:
    """A font weight: 1 to 1000, or a CSS word; an unknown word falls back to the default."""

    def read(self, value: Any) -> int:
        """Return the weight as a number."""
        if isinstance(value, str) and canonical(value) in FONT_WEIGHTS:
            return FONT_WEIGHTS[canonical(value)]
        try:
            return round(min(1000, max(1, read_number(value))))
        except PydanticCustomError:
            raise PydanticUseDefault from None

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Warn about unknown weights; numbers as text are usual here."""
        if isinstance(raw, str) and canonical(raw) in FONT_WEIGHTS:
            return None
        try:
            number = read_number(raw)
        except PydanticCustomError:
            return ("unknown_value", f"{quoted(raw)} is not a font weight; {value or 'the default'} is used.")
        return None if round(number) == value else ("out_of_range", f"{quoted(raw)} is out of range; {value} is used.")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, core_schema.int_schema(ge=1, le=1000))


@dataclass(frozen=True)
class StringField:
    """A string; numbers and booleans are converted. names_placeholder: a placeholder in it is no mistake."""

    max_characters: int = 100_000
    names_placeholder: bool = False

    def read(self, value: Any) -> str:
        """Return the value as text."""
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        raise PydanticCustomError("invalid_type", "This must be text.")

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Warn about values that are not text, and about placeholders left in it."""
        if not isinstance(raw, str):
            return ("coerced", f"The value {quoted(raw)} was converted to text.")
        if not self.names_placeholder and (found := PLACEHOLDER.search(raw)):
            return ("unfilled_placeholder", f"The merge field {found[1]} has no value and is left as written.")
        return None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = core_schema.str_schema(max_length=self.max_characters)
        return core_schema.no_info_before_validator_function(self.read, inner)


@dataclass(frozen=True)
class BoolField:
    """A boolean, also as text or as 1 and 0."""

    def read(self, value: Any) -> bool:
        """Return the boolean."""
        if isinstance(value, str):
            refuse_placeholder(value)
            value = {"true": True, "false": False, "1": True, "0": False}.get(value.strip().lower(), value)
        if value in (0, 1) and isinstance(value, bool | int | float):
            return bool(value)
        raise PydanticCustomError("invalid_type", "This must be true or false.")

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Warn about booleans written in another form."""
        return None if isinstance(raw, bool) else ("coerced", f"{quoted(raw)} was read as {str(value).lower()}.")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, core_schema.bool_schema())


class EnumField:
    """One of some words, ignoring case and hyphens; `required` refuses others instead of using the default."""

    def __init__(self, *names: str, required: bool = False) -> None:
        """names: the words in the format's spelling."""
        self.names = names
        self.required = required
        self._by_canonical = {canonical(name): name for name in names}

    def read(self, value: Any) -> str:
        """Return the word in the format's spelling."""
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
        """Warn about unknown words."""
        if isinstance(value, str) and canonical(str(raw)) == canonical(value):
            return None
        instead = f"'{value}' is used" if value is not None else "it is ignored"
        return ("unknown_value", f"{quoted(raw)} is not known here; {instead}.")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, core_schema.literal_schema(list(self.names)))


@dataclass(frozen=True)
class ColorField:
    """A colour, stored as written (see `engine.language.colors`); anything else falls back to the default."""

    def read(self, value: Any) -> str:
        """Return the colour's text."""
        if not isinstance(value, str) or not is_color(value):
            raise PydanticUseDefault
        return value.strip()

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Warn about values that are not colours."""
        if isinstance(raw, str) and raw.strip() == value:
            return None
        return ("unknown_value", f"{quoted(raw)} is not a colour; {value or 'none'} is used.")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, core_schema.str_schema())


@dataclass(frozen=True)
class ClipTimeField:
    """Seconds, one of the words, or `alias://name` for the same field of the clip with that alias."""

    words: tuple[str, ...]
    positive: bool = False

    def read(self, value: Any) -> float | str:
        """Return seconds, the word, or the reference."""
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
            message = "This must be above 0." if self.positive else "This must be at least 0."
            raise PydanticCustomError("out_of_range", message)
        return seconds

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Warn about numbers written as text."""
        if isinstance(raw, str) and isinstance(value, float):
            return ("coerced", f"The text {quoted(raw)} was read as a number.")
        return None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        bound = {"exclusiveMinimum": 0} if self.positive else {"minimum": 0}
        words = [{"type": "string", "enum": list(self.words)}] if self.words else []
        return {"anyOf": [{"type": "number", **bound}, *words, {"type": "string", "pattern": "^alias://.+"}]}


@dataclass(frozen=True)
class SourceField:
    """The address of a file: an http or https URL, or `asset:ast_...` for a file of this service."""

    def read(self, value: Any) -> str:
        """Return the address as written, without surrounding blanks."""
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
        if not _ADDRESS.match(url) or _CONTROL.search(url):
            raise PydanticCustomError("invalid_url", "This must be an http or https URL, or asset:ast_... .")
        return url

    def warning(self, raw: Any, value: Any) -> FieldWarning | None:
        """Return None: a source is used as written or refused."""
        return None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
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
