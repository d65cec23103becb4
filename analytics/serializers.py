"""Shapes of the answers, for their documentation: the rows are made in `shapes`."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from api.serializers import TimeField


class _Amount(serializers.CharField):
    """Credits, e.g. `0.20`."""


class RenderStatsSerializer(serializers.Serializer[Any]):
    """What became of renders. The percentiles are exact to a tenth."""

    submitted = serializers.IntegerField()
    started = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    success_rate = serializers.FloatField(allow_null=True, help_text="Of the renders that succeeded or failed.")
    output_s = serializers.FloatField(help_text="Seconds of output.")
    render_minutes = serializers.FloatField(help_text="Minutes that workers spent on it.")
    speed_factor = serializers.FloatField(allow_null=True, help_text="Seconds of output for a second of work.")
    queue_wait_p50_s = serializers.FloatField(allow_null=True)
    queue_wait_p95_s = serializers.FloatField(allow_null=True)


class UsageStatsSerializer(serializers.Serializer[Any]):
    """What was paid and kept."""

    credits_charged = _Amount(help_text="For renders, and deducted by services of the operator's.")
    credits_refunded = _Amount(help_text="Reservations of renders that came to nothing, and deductions, given back.")
    credits_granted = _Amount()
    credits_adjusted = _Amount(help_text="Signed.")
    assets_added = serializers.IntegerField()
    assets_deleted = serializers.IntegerField()
    uploaded_bytes = serializers.IntegerField()
    rendered_bytes = serializers.IntegerField()
    storage_bytes = serializers.IntegerField(help_text="Kept at the end.")


class ErrorStatsSerializer(serializers.Serializer[Any]):
    """How many failures, and of what."""

    count = serializers.IntegerField()
    codes = serializers.DictField(child=serializers.IntegerField())


class ErrorCodeSerializer(serializers.Serializer[Any]):
    """One kind of failure."""

    code = serializers.CharField()
    object = serializers.CharField(help_text="What failed: render or asset.")
    count = serializers.IntegerField()
    share = serializers.FloatField(help_text="Of all failures of the time range.")
    latest_id = serializers.CharField(allow_null=True)
    latest_at = TimeField(allow_null=True)


class _TimeRangeSerializer(serializers.Serializer[Any]):
    """What every answer says of its time range."""

    object = serializers.CharField()
    interval = serializers.CharField()
    since = TimeField()
    until = TimeField(help_text="Not part of the time range.")
    project = serializers.CharField(allow_null=True)


class RenderBucketSerializer(RenderStatsSerializer):
    """An hour or day of renders."""

    start = TimeField()


class UsageBucketSerializer(UsageStatsSerializer):
    """An hour or day of usage."""

    start = TimeField()


class ErrorBucketSerializer(ErrorStatsSerializer):
    """An hour or day of failures."""

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
