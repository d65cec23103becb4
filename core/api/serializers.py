"""Fields and bases of the API's shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from drf_spectacular.drainage import set_override
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


class ResourceSerializer(serializers.Serializer[Any]):
    """A resource in answers: the fields describe it for OpenAPI, `to_representation` of each subclass writes it.

    DRF copies all fields for every serializer and asks each for its value: for a list that takes longer than its
    query. tests/architecture holds what is written to what is described.
    """

    @property
    def version(self) -> int:
        """Return the version of the answer; the newest where no request asks."""
        return int(getattr(self.context.get("request"), "version", 0) or max(settings.RENDEROWL_API_VERSIONS))


class DescribedField(serializers.Field[Any, Any, Any, Any]):
    """A member of answers that only its OpenAPI schema describes; the serializer's `to_representation` writes it."""

    def __init__(self, schema: Mapping[str, Any] | type[serializers.BaseSerializer[Any]], **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)
        set_override(self, "field", schema)


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
