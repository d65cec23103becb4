"""Serializers of `/internal/jobs`."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from rest_framework import serializers

from api.serializers import TimeField
from core.ids import encode_id
from jobs.models import Job, JobAttempt


class JobSerializer(serializers.ModelSerializer[Job]):
    """A job in a list."""

    id = serializers.CharField(source="public_id", read_only=True)
    object = serializers.SerializerMethodField()
    priority = serializers.SerializerMethodField()
    user = serializers.SerializerMethodField()
    created_at = TimeField()
    scheduled_at = TimeField()
    queued_at = TimeField()
    started_at = TimeField()
    finished_at = TimeField()
    lease_expires_at = TimeField()
    cancel_requested_at = TimeField()

    class Meta:
        model = Job
        fields: tuple[str, ...] = (
            "id",
            "object",
            "type",
            "queue",
            "status",
            "priority",
            "attempts",
            "failures",
            "lost",
            "max_attempts",
            "timeout_s",
            "worker",
            "reference",
            "user",
            "error",
            "request_id",
            "created_at",
            "scheduled_at",
            "queued_at",
            "started_at",
            "finished_at",
            "lease_expires_at",
            "cancel_requested_at",
        )
        read_only_fields = fields

    def get_object(self, job: Job) -> str:
        """Return the object type, `job`."""
        return "job"

    def get_priority(self, job: Job) -> str:
        """Return the priority's name in lower case."""
        return job.get_priority_display().lower()

    def get_user(self, job: Job) -> str | None:
        """Return the public id of the job's account, if it has one."""
        prefix: str = get_user_model().ID_PREFIX
        return None if job.user_id is None else encode_id(prefix, job.user_id)


class JobAttemptSerializer(serializers.ModelSerializer[JobAttempt]):
    """A finished attempt of a job."""

    started_at = TimeField()
    finished_at = TimeField()
    duration_s = serializers.FloatField(read_only=True)

    class Meta:
        model = JobAttempt
        fields = ("number", "worker", "outcome", "error", "started_at", "finished_at", "duration_s")
        read_only_fields = fields


class JobDetailSerializer(JobSerializer):
    """A job with its payload, result and finished attempts."""

    history = serializers.SerializerMethodField()

    class Meta(JobSerializer.Meta):
        fields = (
            *JobSerializer.Meta.fields,
            "payload",
            "result",
            "unique_key",
            "limit_key",
            "limit_running",
            "traceparent",
            "history",
        )
        read_only_fields = fields

    def get_history(self, job: Job) -> list[dict[str, Any]]:
        """Return the finished attempts, oldest first."""
        return [dict(JobAttemptSerializer(attempt).data) for attempt in job.history.order_by("number")]
