"""Fields that several bodies share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

MAX_METADATA_KEYS = 50
METADATA_KEY = re.compile(r"^[A-Za-z_][A-Za-z0-9_.-]{0,39}$")
MAX_METADATA_CHARACTERS = 500
MAX_JSON_DEPTH = 70
MAX_NUMBER = 2**63
MAX_RUN_AT_DELAY = timedelta(days=36_525)


def find_unstorable(value: Any, pointer: str = "", depth: int = 0) -> tuple[str, str] | None:
    """Return pointer and reason of the first thing in a JSON value that no database can keep, or None.

    PostgreSQL's JSON has no NUL character and makes integers of large numbers, longer ones than
    can be answered; a value nested without end would exhaust the stack of its readers.
    """
    if depth > MAX_JSON_DEPTH:
        return pointer, f"Values may be nested at most {MAX_JSON_DEPTH} deep."
    if isinstance(value, str):
        return (pointer, "The NUL character is not allowed.") if "\x00" in value else None
    if isinstance(value, int | float) and not -MAX_NUMBER <= value < MAX_NUMBER:
        return pointer, "Numbers have at most 64 bits."
    if isinstance(value, Mapping):
        children = [(str(key), child) for key, child in value.items()]
        if any("\x00" in key for key, _ in children):
            return pointer, "The NUL character is not allowed."
    elif isinstance(value, list):
        children = [(str(index), child) for index, child in enumerate(value)]
    else:
        return None
    for name, child in children:
        escaped = name.replace("~", "~0").replace("/", "~1")
        if found := find_unstorable(child, f"{pointer}/{escaped}", depth + 1):
            return found
    return None


def _nested(pointer: str, reason: str) -> Any:
    """Return an error in the nested shape from which pointers are made."""
    error: Any = [serializers.ErrorDetail(reason, code="invalid_value")]
    for part in reversed(pointer.split("/")[1:]):
        error = {part.replace("~1", "/").replace("~0", "~"): error}
    return error


class StrictBooleanField(serializers.BooleanField):
    """true or false; the words and numbers that forms send are refused."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the boolean as it is."""
        if isinstance(data, bool):
            return data
        raise serializers.ValidationError("This must be true or false.", code="invalid_type")


class RunAtField(serializers.DateTimeField):
    """When to begin. A time that has passed means now; what is too far off is taken for a mistake."""

    def to_internal_value(self, value: Any) -> datetime:
        """Return the time, unless it is more than a century away."""
        moment: datetime = super().to_internal_value(value)
        if moment > timezone.now() + MAX_RUN_AT_DELAY:
            message = f"This must be within {MAX_RUN_AT_DELAY.days} days."
            raise serializers.ValidationError(message, code="out_of_range")
        return moment


class ObjectField(serializers.Field[Any, Any, Any, Any]):
    """A JSON object, kept as it came."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the object, unless it is none or cannot be stored."""
        if not isinstance(data, dict):
            raise serializers.ValidationError("This must be an object.", code="invalid_type")
        if found := find_unstorable(data):
            raise serializers.ValidationError(_nested(*found))
        return data

    def to_representation(self, value: Any) -> Any:
        """Return the object as it is."""
        return value


@extend_schema_field({"type": "object", "additionalProperties": True, "description": "A Shotstack-format edit."})
class EditField(ObjectField):
    """An edit. Its content is judged by the engine, not here."""


@extend_schema_field({"type": "object", "additionalProperties": True, "description": "Placeholder name to value."})
class MergeValuesField(ObjectField):
    """Values for the placeholders of an edit, of any JSON type."""


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MAX_METADATA_KEYS,
        "additionalProperties": {"nullable": True, "oneOf": [{"type": t} for t in ("string", "number", "boolean")]},
    }
)
class MetadataField(ObjectField):
    """Labels of the client's own: short keys, single values."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the labels within their limits."""
        metadata = super().to_internal_value(data)
        if len(metadata) > MAX_METADATA_KEYS:
            raise serializers.ValidationError(f"At most {MAX_METADATA_KEYS} keys are kept.", code="out_of_range")
        for key, value in metadata.items():
            if not METADATA_KEY.fullmatch(key):
                message = "A key is a letter followed by up to 39 letters, digits, '_', '.' or '-'."
                raise serializers.ValidationError({key: [serializers.ErrorDetail(message, code="invalid_value")]})
            if isinstance(value, dict | list) or len(str(value)) > MAX_METADATA_CHARACTERS:
                message = f"A value is a string, number or boolean of at most {MAX_METADATA_CHARACTERS} characters."
                raise serializers.ValidationError({key: [serializers.ErrorDetail(message, code="invalid_value")]})
        return metadata
