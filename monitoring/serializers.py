"""Serializers of `/internal/errors`."""

from __future__ import annotations

from rest_framework import serializers

from api.serializers import TimeField
from monitoring.models import ErrorLog


class ErrorLogSerializer(serializers.ModelSerializer[ErrorLog]):
    """An unhandled error, without its traceback."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = serializers.SerializerMethodField()
    first_seen_at = TimeField()
    last_seen_at = TimeField()
    resolved_at = TimeField()
    resolved_by = serializers.SerializerMethodField()

    class Meta:
        model = ErrorLog
        fields: tuple[str, ...] = (
            *("id", "object", "type", "place", "message", "count", "route", "request_id"),
            *("first_seen_at", "last_seen_at", "resolved_at", "resolved_by"),
        )
        read_only_fields = fields

    def get_object(self, row: ErrorLog) -> str:
        """Return the object type."""
        return "error"

    def get_resolved_by(self, row: ErrorLog) -> str | None:
        """Return the username of the member of staff who resolved the error."""
        return row.resolved_by.get_username() if row.resolved_by else None


class ErrorLogDetailSerializer(ErrorLogSerializer):
    """An unhandled error with its latest traceback."""

    class Meta(ErrorLogSerializer.Meta):
        fields = (*ErrorLogSerializer.Meta.fields, "traceback")
        read_only_fields = fields
