"""Models of the queue. A job's row is the only authority on its state."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.indexes import NamedIndex
from core.models import BaseModel
from jobs.expressions import status_in, status_is
from jobs.states import ACTIVE, DEFAULT_QUEUE, FINISHED, AttemptOutcome, JobPriority, JobStatus


class JobQuerySet(models.QuerySet["Job"]):
    """Filters whose conditions match those of the partial indexes."""

    def active(self) -> JobQuerySet:
        """Jobs that are not finished."""
        return self.filter(status_in(*ACTIVE))

    def dead(self) -> JobQuerySet:
        """Dead letters."""
        return self.filter(status_is(JobStatus.DEAD))

    def running(self) -> JobQuerySet:
        """Jobs leased to a worker."""
        return self.filter(status_is(JobStatus.RUNNING))

    def finished(self) -> JobQuerySet:
        """Jobs in a final status."""
        return self.filter(status_in(*FINISHED))


class Job(BaseModel):
    """One job, from enqueue to its final status.

    `attempts` counts every claim and never decreases: with `worker` it is the fence against writes of a worker whose
    lease ran out. `failures` counts failures of the handler, `lost` workers that died; these two alone decide when a
    job is dead.

    limit_key, limit_running: at most `limit_running` jobs of a key are queued or running; the others are blocked.
    """

    ID_PREFIX: ClassVar[str] = "job"

    queue = models.CharField(max_length=64, default=DEFAULT_QUEUE)
    type = models.CharField(max_length=100)
    status = models.CharField(max_length=16, choices=JobStatus, default=JobStatus.QUEUED)
    priority = models.PositiveSmallIntegerField(choices=JobPriority, default=JobPriority.NORMAL)
    scheduled_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    lost = models.PositiveIntegerField(default=0)
    max_attempts = models.PositiveIntegerField(default=5)
    timeout_s = models.PositiveIntegerField(default=600)
    worker = models.CharField(max_length=120, blank=True, default="")
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    # NULL, not "", for no key: an equality then implies NOT NULL, so that both databases use the partial index.
    unique_key = models.CharField(max_length=200, null=True, blank=True, default=None)  # noqa: DJ001
    limit_key = models.CharField(max_length=100, null=True, blank=True, default=None)  # noqa: DJ001 - as above
    limit_running = models.PositiveIntegerField(null=True, blank=True)
    payload = models.JSONField(default=dict, blank=True)
    reference = models.CharField(max_length=200, blank=True, default="")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,  # idx_jobs_user_created starts with it
    )
    traceparent = models.CharField(max_length=128, blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True, default="")
    error = models.JSONField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        indexes = [
            # The claim: the first queued job of a queue. Without `id` at the end PostgreSQL would sort the ties.
            NamedIndex(
                fields=["queue", "status", "priority", "scheduled_at", "id"],
                name="idx_jobs_queue_status_priority_scheduled",
            ),
            # Depth and age of each queue: the dashboard. It must not begin with queue or status: with stale statistics
            # PostgreSQL would use it for the claim, and sort all waiting jobs.
            NamedIndex(
                fields=["scheduled_at", "queue", "status"],
                name="idx_jobs_active",
                condition=Q(status__in=["scheduled", "queued", "running", "blocked"]),
            ),
            # The blocked jobs of a key in claim order; the keys with blocked jobs. Empty most of the time.
            NamedIndex(
                fields=["limit_key", "priority", "scheduled_at", "id"],
                name="idx_jobs_blocked",
                condition=Q(status="blocked"),
            ),
            # How many jobs of a key are queued or running.
            NamedIndex(
                fields=["limit_key", "status"],
                name="idx_jobs_limit_key",
                condition=Q(status__in=["queued", "running"], limit_key__isnull=False),
            ),
            # Jobs by type and status: the admin's filters, the metrics by type.
            NamedIndex(fields=["type", "status"], name="idx_jobs_type_status"),
            # The newest jobs: the admin's list and its date hierarchy.
            NamedIndex(fields=["created_at"], name="idx_jobs_created_at"),
            # The newest jobs of an account; also the lookup when an account is deleted.
            NamedIndex(fields=["user", "created_at"], name="idx_jobs_user_created"),
            # The jobs that a dead worker held.
            NamedIndex(fields=["worker", "status"], name="idx_jobs_worker_status", condition=Q(status="running")),
            # Finished jobs past their retention.
            NamedIndex(
                fields=["finished_at"],
                name="idx_jobs_old_completed",
                condition=Q(status__in=["succeeded", "dead", "cancelled"]),
            ),
            # The dead letters, newest first.
            NamedIndex(fields=["finished_at", "id"], name="idx_jobs_dlq", condition=Q(status="dead")),
            # The promoter: scheduled jobs that are due.
            NamedIndex(fields=["scheduled_at"], name="idx_jobs_scheduled_due", condition=Q(status="scheduled")),
            # The reaper: running jobs with an expired lease.
            NamedIndex(fields=["lease_expires_at"], name="idx_jobs_lease", condition=Q(status="running")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["unique_key"],
                name="uniq_jobs_active_key",
                condition=Q(status__in=["scheduled", "queued", "running", "blocked"], unique_key__isnull=False),
            ),
            models.CheckConstraint(condition=Q(priority__lte=3), name="jobs_priority_is_known"),
            # A limit of 0 would block for ever. A comparison with NULL passes a check, hence the explicit NULL tests.
            models.CheckConstraint(
                condition=Q(limit_key=None, limit_running=None)
                | Q(limit_key__isnull=False, limit_running__isnull=False, limit_running__gte=1),
                name="jobs_limit_is_whole",
            ),
        ]
        permissions = [("retry_job", "Can retry dead jobs"), ("cancel_job", "Can cancel jobs")]

    def __str__(self) -> str:
        return f"{self.type} {self.public_id}"

    @property
    def is_terminal(self) -> bool:
        """Return whether the job is finished; only staff can requeue a dead one."""
        return self.status in FINISHED


class JobAttempt(BaseModel):
    """A finished attempt of a job. The running attempt is in the job's row itself."""

    ID_PREFIX: ClassVar[str] = "att"

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="history", db_index=False)
    number = models.PositiveIntegerField()
    worker = models.CharField(max_length=120)
    outcome = models.CharField(max_length=16, choices=AttemptOutcome)
    error = models.JSONField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Also the index that lists the attempts of a job.
            models.UniqueConstraint(fields=["job", "number"], name="uniq_job_attempt_number"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.outcome}"

    @property
    def duration_s(self) -> float | None:
        """Return the duration of the attempt; None if it has no start time."""
        if self.started_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class KeyLimit(BaseModel):
    """A limit that overrides `limit_running` of the jobs of its key, so that it can change while many are waiting."""

    ID_PREFIX: ClassVar[str] = "lim"

    limit_key = models.CharField(max_length=100, unique=True)
    limit_running = models.PositiveIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(limit_running__gte=1), name="jobs_key_limit_is_not_zero")]

    def __str__(self) -> str:
        return f"{self.limit_key}: {self.limit_running}"


class Worker(BaseModel):
    """A `run_worker` process with its slots, as of its last heartbeat."""

    ID_PREFIX: ClassVar[str] = "wrk"
    HEARTBEAT_S: ClassVar[int] = 5

    name = models.CharField(max_length=100, unique=True)
    hostname = models.CharField(max_length=64)
    pid = models.PositiveIntegerField()
    queues = models.JSONField(default=list)
    concurrency = models.PositiveSmallIntegerField()
    busy = models.PositiveSmallIntegerField(default=0)
    started_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    stopped_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name

    @property
    def is_alive(self) -> bool:
        """Return whether a heartbeat arrived within the last three intervals."""
        silence = timezone.now() - self.last_seen_at
        return self.stopped_at is None and silence < timedelta(seconds=3 * self.HEARTBEAT_S)


class Schedule(BaseModel):
    """A job that runs periodically, on a cron expression in UTC. Defined in code; staff change only `enabled`."""

    ID_PREFIX: ClassVar[str] = "sch"

    name = models.CharField(max_length=100, unique=True)
    cron = models.CharField(max_length=100)
    type = models.CharField(max_length=100)
    payload = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True)
    next_run_at = models.DateTimeField()
    last_run_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("run_schedule", "Can run schedules at once")]

    def __str__(self) -> str:
        return self.name


class QueueState(BaseModel):
    """Staff's settings of a queue. A queue without a row is open and unlimited."""

    ID_PREFIX: ClassVar[str] = "que"

    name = models.CharField(max_length=64, unique=True)
    paused = models.BooleanField(default=False)
    paused_at = models.DateTimeField(null=True, blank=True)
    max_running = models.PositiveIntegerField(
        null=True, blank=True, help_text="Maximum number of running jobs of the queue, over all workers."
    )

    class Meta:
        permissions = [("pause_queue", "Can pause and resume queues")]

    def __str__(self) -> str:
        return self.name
