"""Serializers that document the analytics API; `report_rows` builds the data."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from api.serializers import TimeField


class _Amount(serializers.CharField):
    """An amount of credits, e.g. `0.20`."""


class RenderStatsSerializer(serializers.Serializer[Any]):
    """Counts, rates and waits of renders. Percentiles are accurate to 10 %."""

    submitted = serializers.IntegerField()
    started = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    success_rate = serializers.FloatField(allow_null=True, help_text="Succeeded / (succeeded + failed).")
    output_s = serializers.FloatField(help_text="Total length of the outputs in seconds.")
    render_minutes = serializers.FloatField(help_text="Minutes that workers spent on succeeded renders.")
    speed_factor = serializers.FloatField(allow_null=True, help_text="Seconds of output per second of work.")
    queue_wait_p50_s = serializers.FloatField(allow_null=True)
    queue_wait_p95_s = serializers.FloatField(allow_null=True)


class UsageStatsSerializer(serializers.Serializer[Any]):
    """Credits, assets and storage."""

    credits_charged = _Amount(help_text="For renders, and deductions by services of the operator.")
    credits_refunded = _Amount(help_text="Reservations of failed and cancelled renders, and refunds of deductions.")
    credits_granted = _Amount()
    credits_adjusted = _Amount(help_text="Signed sum of adjustments.")
    assets_added = serializers.IntegerField()
    assets_deleted = serializers.IntegerField()
    uploaded_bytes = serializers.IntegerField()
    rendered_bytes = serializers.IntegerField()
    storage_bytes = serializers.IntegerField(help_text="Stored at the end of the bucket or time range.")


class ErrorStatsSerializer(serializers.Serializer[Any]):
    """Number of failures, in total and by error code."""

    count = serializers.IntegerField()
    codes = serializers.DictField(child=serializers.IntegerField())


class ErrorCodeSerializer(serializers.Serializer[Any]):
    """Failures with one error code."""

    code = serializers.CharField()
    object = serializers.CharField(help_text="What failed: render or asset.")
    count = serializers.IntegerField()
    share = serializers.FloatField(help_text="Share of all failures of the time range.")
    latest_id = serializers.CharField(allow_null=True)
    latest_at = TimeField(allow_null=True)


class _TimeRangeSerializer(serializers.Serializer[Any]):
    """Base of the responses: the time range."""

    object = serializers.CharField()
    interval = serializers.CharField()
    since = TimeField()
    until = TimeField(help_text="Exclusive.")
    project = serializers.CharField(allow_null=True)


class RenderBucketSerializer(RenderStatsSerializer):
    """Renders of one hour or day."""

    start = TimeField()


class UsageBucketSerializer(UsageStatsSerializer):
    """Usage of one hour or day."""

    start = TimeField()


class ErrorBucketSerializer(ErrorStatsSerializer):
    """Failures of one hour or day."""

    start = TimeField()


class RenderAnalyticsSerializer(_TimeRangeSerializer):
    """Renders over time."""

    totals = RenderStatsSerializer()
    data = RenderBucketSerializer(many=True)  # type: ignore[assignment]  # the member's name


class UsageAnalyticsSerializer(_TimeRangeSerializer):
    """Usage over time."""

    totals = UsageStatsSerializer()
    data = UsageBucketSerializer(many=True)  # type: ignore[assignment]  # the member's name


class ErrorAnalyticsSerializer(_TimeRangeSerializer):
    """Failures over time."""

    totals = ErrorStatsSerializer()
    codes = ErrorCodeSerializer(many=True)
    data = ErrorBucketSerializer(many=True)  # type: ignore[assignment]  # the member's name
