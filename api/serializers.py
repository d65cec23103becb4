"""Base serializers and fields of the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.ids import decode_id, encode_id
from core.times import format_time


class StrictSerializer(serializers.Serializer[Any]):
    """A request body; unknown members are refused."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse unknown members before the fields are validated."""
        if isinstance(data, Mapping):
            unknown = sorted(str(key) for key in data if key not in self.fields)
            if unknown:
                message = "This field is unknown."
                raise serializers.ValidationError(
                    {key: [serializers.ErrorDetail(message, code="unknown_field")] for key in unknown}
                )
        return super().to_internal_value(data)


# (serializer, resource) -> the value of one member.
FieldWriter = Callable[[Any, Any], Any]


class ResourceSerializer(serializers.Serializer[Any]):
    """The JSON of a resource, written from its declared fields, which are instantiated once per class.

    Django REST framework copies every field for each serializer instance, which takes longer than writing a list of 25
    rows. A value that depends on the request is a method field, which reads the context; nested serializers have none.
    """

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return the members of the resource."""
        return {name: write(self, instance) for name, write in _writers_of(type(self))}


@cache
def _writers_of(serializer_class: type[ResourceSerializer]) -> tuple[tuple[str, FieldWriter], ...]:
    fields = serializer_class().fields
    return tuple((name, _writer_of(field)) for name, field in fields.items() if not field.write_only)


def _writer_of(field: serializers.Field[Any, Any, Any, Any]) -> FieldWriter:
    """Return a function that does for one bound field what `Serializer.to_representation` does."""
    if isinstance(field, serializers.SerializerMethodField):
        method: FieldWriter = getattr(type(field.parent), str(field.method_name))
        return method
    to_representation = field.to_representation
    if field.source == "*":
        return lambda _, instance: to_representation(instance)
    read = attrgetter(str(field.source))
    unchanged = _UNCHANGED.get(type(field))

    def write(_: Any, instance: Any) -> Any:
        value = read(instance)
        return value if value is None or type(value) is unchanged else to_representation(value)

    return write


# Fields whose representation of a value of this type is the value itself.
_UNCHANGED: dict[type, type] = {
    serializers.CharField: str,
    serializers.ChoiceField: str,
    serializers.FloatField: float,
    serializers.IntegerField: int,
}


class ConstantField(serializers.Field[Any, Any, Any, Any]):
    """A member with the same value in every resource of a kind: its `object`."""

    def __init__(self, value: str, **kwargs: Any) -> None:
        self.value = value
        super().__init__(**{"source": "*", "read_only": True, **kwargs})
        set_override(self, "field", {"type": "string", "enum": [value]})

    def to_representation(self, value: Any) -> str:
        """Return the constant."""
        return self.value


@extend_schema_field({"type": "string", "nullable": True})
class BlankAsNullField(serializers.Field[Any, Any, Any, Any]):
    """Read-only text; null if the column is empty."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"read_only": True, "allow_null": True, **kwargs})

    def to_representation(self, value: Any) -> str | None:
        """Return the text."""
        return str(value) or None


@extend_schema_field(OpenApiTypes.DATETIME)
class TimeField(serializers.Field[Any, Any, Any, Any]):
    """A read-only time: UTC, with a Z."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> str | None:
        """Return the time as text."""
        return format_time(value)


class PublicIdField(serializers.CharField):
    """A public id: text in JSON, a UUID in Python."""

    def __init__(self, prefix: str, **kwargs: Any) -> None:
        self.prefix = prefix
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """Return the UUID; refuse ids of another kind."""
        text = super().to_internal_value(data)
        try:
            return decode_id(self.prefix, text)
        except ValueError as error:
            raise serializers.ValidationError(f"This is not a {self.prefix}_ id.", code="invalid_id") from error

    def to_representation(self, value: Any) -> str:
        """Return the public form of a UUID or of a row."""
        return encode_id(self.prefix, getattr(value, "pk", value))
