"""Serializer fields shared by requests and responses."""

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
    """Return pointer and reason of the first part of a JSON value that cannot be stored, or None.

    PostgreSQL's jsonb has no NUL character and expands large floats to integers too long to serialize; deeply nested
    values would exhaust the stack of parsers.
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
    """Return an error nested as DRF nests errors, for conversion to a pointer."""
    error: Any = [serializers.ErrorDetail(reason, code="invalid_value")]
    for part in reversed(pointer.split("/")[1:]):
        error = {part.replace("~1", "/").replace("~0", "~"): error}
    return error


class StrictBooleanField(serializers.BooleanField):
    """A JSON boolean. Unlike DRF's field it refuses strings and numbers."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the boolean, or raise `invalid_type`."""
        if isinstance(data, bool):
            return data
        raise serializers.ValidationError("This must be true or false.", code="invalid_type")


class RunAtField(serializers.DateTimeField):
    """When to begin, at most a century ahead. A past time means now."""

    def to_internal_value(self, value: Any) -> datetime:
        """Return the time, or raise `out_of_range`."""
        moment: datetime = super().to_internal_value(value)
        if moment > timezone.now() + MAX_RUN_AT_DELAY:
            message = f"This must be within {MAX_RUN_AT_DELAY.days} days."
            raise serializers.ValidationError(message, code="out_of_range")
        return moment


class ObjectField(serializers.Field[Any, Any, Any, Any]):
    """A JSON object, stored unchanged."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the object. Raises for other types and for values that cannot be stored."""
        if not isinstance(data, dict):
            raise serializers.ValidationError("This must be an object.", code="invalid_type")
        if found := find_unstorable(data):
            raise serializers.ValidationError(_nested(*found))
        return data

    def to_representation(self, value: Any) -> Any:
        """Return the object unchanged."""
        return value


@extend_schema_field({"type": "object", "additionalProperties": True, "description": "A Shotstack-format edit."})
class EditField(ObjectField):
    """An edit. The engine validates its content."""


@extend_schema_field({"type": "object", "additionalProperties": True, "description": "Placeholder name to value."})
class MergeValuesField(ObjectField):
    """Values of the placeholders of an edit, of any JSON type."""


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MAX_METADATA_KEYS,
        "additionalProperties": {"nullable": True, "oneOf": [{"type": t} for t in ("string", "number", "boolean")]},
    }
)
class MetadataField(ObjectField):
    """Labels set by the client: short keys with scalar values."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the metadata, checked against the limits of keys and values."""
        metadata = super().to_internal_value(data)
        if len(metadata) > MAX_METADATA_KEYS:
            raise serializers.ValidationError(f"At most {MAX_METADATA_KEYS} keys are allowed.", code="out_of_range")
        for key, value in metadata.items():
            if not METADATA_KEY.fullmatch(key):
                message = "A key is a letter or '_' followed by up to 39 letters, digits, '_', '.' or '-'."
                raise serializers.ValidationError({key: [serializers.ErrorDetail(message, code="invalid_value")]})
            if isinstance(value, dict | list) or len(str(value)) > MAX_METADATA_CHARACTERS:
                message = f"A value is a string, number or boolean of at most {MAX_METADATA_CHARACTERS} characters."
                raise serializers.ValidationError({key: [serializers.ErrorDetail(message, code="invalid_value")]})
        return metadata
