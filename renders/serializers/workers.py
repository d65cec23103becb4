"""Serializers of the requests of external workers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from api.serializers import PublicIdField, StrictSerializer
from renders.external.reports import ReportStatus

MAX_FRAMES = 2_000_000
MAX_MESSAGE_LENGTH = 2000


class WorkerClaimSerializer(StrictSerializer):
    """The claim of an external worker."""

    name = serializers.RegexField(r"^[A-Za-z0-9._-]{1,40}\Z", required=False)
    pool = serializers.CharField(max_length=64, required=False, allow_null=True)
    queues = serializers.ListField(child=serializers.CharField(max_length=64), max_length=20, required=False)


class ErrorField(serializers.Field[Any, Any, Any, Any]):
    """Why a render failed: an object with code, message and retryable, or just the message."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return code, message and retryable; a string is the message."""
        if isinstance(data, str):
            data = {"message": data}
        body = WorkerErrorSerializer(data=data)
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)

    def to_representation(self, value: Any) -> Any:
        """Return the error unchanged."""
        return value


class WorkerErrorSerializer(StrictSerializer):
    """The error of a failed render. retryable: whether another attempt may succeed."""

    code = serializers.RegexField(r"^[a-z][a-z0-9_]{0,63}\Z", default="worker_failed")
    message = serializers.CharField(max_length=MAX_MESSAGE_LENGTH, required=False, allow_blank=True)
    retryable = serializers.BooleanField(default=True)


class WorkerReportSerializer(StrictSerializer):
    """A progress, success or failure report of an external worker."""

    render = PublicIdField("rnd")
    lease_token = serializers.CharField(max_length=200)
    status = serializers.ChoiceField(choices=[status.value for status in ReportStatus])
    percent = serializers.FloatField(min_value=0, max_value=100, required=False, allow_null=True)
    frame = serializers.IntegerField(min_value=0, max_value=MAX_FRAMES, required=False, allow_null=True)
    total_frames = serializers.IntegerField(min_value=1, max_value=MAX_FRAMES, required=False, allow_null=True)
    error = ErrorField(required=False, allow_null=True)
