"""Fields and bases of the API's shapes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.renderers import format_time
from core.ids import decode_id, encode_id


class StrictSerializer(serializers.Serializer[Any]):
    """A request body: an object without members that nobody reads."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse unknown members before the fields are read."""
        if isinstance(data, Mapping):
            unknown = sorted(str(key) for key in data if key not in self.fields)
            if unknown:
                message = "This field is not known here."
                raise serializers.ValidationError(
                    {key: [serializers.ErrorDetail(message, code="unknown_field")] for key in unknown}
                )
        return super().to_internal_value(data)


_local = threading.local()


def find_faults(body_class: type[StrictSerializer], data: Mapping[str, Any]) -> Any:
    """Return what a body class has to say against an object, as `serializer.errors`; None for nothing.

    One instance a thread judges all bodies of a class, as the child of a list judges all items: to copy the fields
    for each takes longer than to read most bodies.
    """
    judges: dict[type, StrictSerializer] = _local.__dict__.setdefault("judges", {})
    judge = judges.get(body_class)
    if judge is None:
        judge = judges[body_class] = body_class()
    try:
        judge.run_validation(data)
    except serializers.ValidationError as error:
        return error.detail
    return None


@extend_schema_field(OpenApiTypes.DATETIME)
class TimeField(serializers.Field[Any, Any, Any, Any]):
    """A time in answers: UTC, with a Z."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> str | None:
        """Return the time as text."""
        return format_time(value)


class PublicIdField(serializers.CharField):
    """A public id in bodies: text outside, UUID inside."""

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        self.prefix = prefix
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """Return the UUID, or refuse what cannot be an id of this kind."""
        text = super().to_internal_value(data)
        try:
            return decode_id(self.prefix, text)
        except ValueError as error:
            raise serializers.ValidationError(f"This is not a {self.prefix}_ id.", code="invalid_id") from error

    def to_representation(self, value: Any) -> str:
        """Return the public form of a UUID or of a row."""
        return encode_id(self.prefix, getattr(value, "pk", value))
