"""Models of monitoring: requests, processes, SQL statements, errors, queues and the cache."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from core.indexes import NamedIndex
from core.models import BaseModel
from monitoring.alerting.models import (
    Alert,
    AlertMessage,
    AlertNotification,
    AlertRule,
    EvaluatorLease,
    HealthSample,
    Silence,
)

__all__ = [
    "Alert",
    "AlertMessage",
    "AlertNotification",
    "AlertRule",
    "CacheMetric",
    "ErrorLog",
    "EvaluatorLease",
    "HealthSample",
    "QueueMetric",
    "RouteMetric",
    "ServerProcess",
    "Silence",
    "SlowRequest",
    "StatementMetric",
]


class RouteMetric(BaseModel):
    """Requests of one route, method and status class in a time span, of one process or, once merged, of all.

    A process replaces its own rows of the current minute, so that a repeated write changes nothing. Older rows are
    merged into longer spans. process: empty for merged rows; sketch: see monitoring.performance.sketch.
    slowest: [microseconds, request id] of the slowest requests.
    """

    ID_PREFIX: ClassVar[str] = "rtm"

    started_at = models.DateTimeField()
    resolution_s = models.PositiveIntegerField(default=60)
    process = models.CharField(max_length=32, blank=True, default="")
    route = models.CharField(max_length=200)
    method = models.CharField(max_length=10)
    status_class = models.PositiveSmallIntegerField()
    count = models.PositiveBigIntegerField()
    total_us = models.PositiveBigIntegerField()
    sql_us = models.PositiveBigIntegerField()
    cache_us = models.PositiveBigIntegerField()
    queries = models.PositiveBigIntegerField()
    size_bytes = models.PositiveBigIntegerField()
    cache_hits = models.PositiveBigIntegerField()
    cache_lookups = models.PositiveBigIntegerField()
    slow_count = models.PositiveBigIntegerField()
    max_us = models.PositiveBigIntegerField()
    sketch = models.BinaryField()
    slowest = models.JSONField(default=list)

    class Meta:
        constraints = [
            # The row that a process replaces, and that a merge adds to.
            models.UniqueConstraint(
                fields=["process", "started_at", "resolution_s", "route", "method", "status_class"],
                name="idx_api_metrics_unique",
            ),
        ]
        indexes = [
            # `/internal/performance/routes`: all rows of a window; also merging and deleting old rows.
            NamedIndex(fields=["started_at"], name="idx_api_metrics_time"),
            # The history of a route in the admin.
            NamedIndex(fields=["route", "started_at"], name="idx_api_metrics_route"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.status_class}xx {self.started_at:%Y-%m-%d %H:%M}"


class ServerProcess(BaseModel):
    """A server process, as of its last heartbeat.

    lost: requests that could not be recorded; cpu_ratio: cores used since the heartbeat before.
    """

    ID_PREFIX: ClassVar[str] = "prc"
    HEARTBEAT_S: ClassVar[int] = 15

    token = models.CharField(max_length=32, unique=True)
    hostname = models.CharField(max_length=64)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)
    requests = models.PositiveBigIntegerField(default=0)
    lost = models.PositiveBigIntegerField(default=0)
    memory_bytes = models.PositiveBigIntegerField(default=0)
    cpu_s = models.FloatField(default=0)
    cpu_ratio = models.FloatField(default=0)
    threads = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "server processes"
        indexes = [
            # Running processes, latest first; also deleting old rows.
            NamedIndex(fields=["-last_seen_at"], name="idx_server_processes_seen"),
        ]

    def __str__(self) -> str:
        return f"{self.hostname}:{self.pid}"

    @classmethod
    def heartbeat_timeout(cls) -> timedelta:
        """Return the time without heartbeats after which a process counts as dead."""
        return timedelta(seconds=3 * cls.HEARTBEAT_S)

    @property
    def is_alive(self) -> bool:
        """Return whether the process has not stopped and its last heartbeat is recent."""
        return self.stopped_at is None and timezone.now() - self.last_seen_at < self.heartbeat_timeout()


class SlowRequest(BaseModel):
    """A request above the slow-request threshold, without its path and query, which may hold secrets."""

    ID_PREFIX: ClassVar[str] = "slo"

    at = models.DateTimeField()
    route = models.CharField(max_length=200)
    method = models.CharField(max_length=10)
    status = models.PositiveSmallIntegerField()
    duration_ms = models.FloatField()
    sql_ms = models.FloatField()
    cache_ms = models.FloatField()
    queries = models.PositiveIntegerField()
    request_id = models.CharField(max_length=64)

    class Meta:
        indexes = [
            # The admin list, latest first; also deleting old rows.
            NamedIndex(fields=["-at"], name="idx_slow_requests_time"),
            # Looks up a request by its id.
            NamedIndex(fields=["request_id"], name="idx_slow_requests_request"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.duration_ms:.0f} ms"


class StatementMetric(BaseModel):
    """Runs of one normalized SQL statement in an hour, of one process or, once merged, of all.

    digest: SHA-256 of normalized_sql, the text without literals; example: a text that was executed, with placeholders
    for its parameters, to explain. route: of the slowest run.
    """

    ID_PREFIX: ClassVar[str] = "stm"

    started_at = models.DateTimeField()
    process = models.CharField(max_length=32, blank=True, default="")
    digest = models.CharField(max_length=64)
    normalized_sql = models.TextField()
    example = models.TextField()
    route = models.CharField(max_length=200)
    count = models.PositiveBigIntegerField()
    total_us = models.PositiveBigIntegerField()
    max_us = models.PositiveBigIntegerField()
    sketch = models.BinaryField()

    class Meta:
        constraints = [
            # The row that a process replaces, and that a merge adds to.
            models.UniqueConstraint(fields=["process", "started_at", "digest"], name="idx_statement_metrics_unique"),
        ]
        indexes = [
            # `/internal/query-analysis`: all rows of a window; also merging and deleting old rows.
            NamedIndex(fields=["started_at"], name="idx_statement_metrics_time"),
        ]

    def __str__(self) -> str:
        return self.normalized_sql[:80]


class ErrorLog(BaseModel):
    """An unhandled failure, one open row per type and place; after it is resolved, the next one opens a new row.

    fingerprint: SHA-256 of the exception's type and the innermost function of this project.
    """

    ID_PREFIX: ClassVar[str] = "err"

    fingerprint = models.CharField(max_length=64)
    type = models.CharField(max_length=200)
    place = models.CharField(max_length=300)
    message = models.CharField(max_length=500, blank=True, default="")
    traceback = models.TextField(blank=True, default="")
    route = models.CharField(max_length=200, blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True, default="")
    count = models.PositiveBigIntegerField(default=0)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )

    class Meta:
        permissions = [("resolve_errorlog", "Can resolve errors")]
        constraints = [
            # Finds the open row of a failure, and prevents a second one under concurrency.
            models.UniqueConstraint(
                fields=["fingerprint"], name="uniq_error_logs_open", condition=Q(resolved_at__isnull=True)
            ),
        ]
        indexes = [
            # The admin list and `/internal/errors`, latest first.
            NamedIndex(fields=["-last_seen_at", "-id"], name="idx_error_logs_time"),
            # Errors of one type: the admin search.
            NamedIndex(fields=["type", "-last_seen_at"], name="idx_error_logs_type"),
            # Open errors, latest first: `/internal/errors?resolved=false`.
            NamedIndex(
                fields=["-last_seen_at", "-id"], name="idx_error_logs_unresolved", condition=Q(resolved_at__isnull=True)
            ),
            # The errors of a request.
            NamedIndex(fields=["request_id"], name="idx_error_logs_request"),
            # Resolved errors past their retention.
            NamedIndex(fields=["resolved_at"], name="idx_error_logs_resolved", condition=Q(resolved_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.type} in {self.place}"

    @property
    def is_resolved(self) -> bool:
        """Return whether staff marked the error as resolved."""
        return self.resolved_at is not None


class QueueMetric(BaseModel):
    """A sample of one queue, taken every minute. slots: of the workers that serve it."""

    ID_PREFIX: ClassVar[str] = "qum"

    at = models.DateTimeField()
    queue = models.CharField(max_length=64)
    ready = models.PositiveIntegerField()
    scheduled = models.PositiveIntegerField()
    blocked = models.PositiveIntegerField()
    running = models.PositiveIntegerField()
    oldest_ready_s = models.FloatField()
    slots = models.PositiveIntegerField(default=0)
    busy_slots = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            # A repeated job does not sample a minute twice.
            models.UniqueConstraint(F("queue"), F("at"), name="idx_queue_metrics_unique"),
        ]
        indexes = [
            # The samples of a window, all queues; also deleting old rows.
            NamedIndex(fields=["at"], name="idx_queue_metrics_time"),
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.at:%Y-%m-%d %H:%M}"


class CacheMetric(BaseModel):
    """A sample of the response cache, taken every minute. hits, lookups: in the minute before."""

    ID_PREFIX: ClassVar[str] = "cam"

    at = models.DateTimeField(unique=True)
    hits = models.PositiveBigIntegerField()
    lookups = models.PositiveBigIntegerField()
    size_bytes = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"
