"""Models of the event log, its stats by hour and day, the rollups and the monthly usage."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.append_only import AppendOnlyError
from core.indexes import NamedIndex
from core.models import BaseModel

# Used instead of NULL, which unique constraints treat as distinct: an upsert would never find the row.
NO_PROJECT = UUID(int=0)
# In rollups: all projects of an account, including events without a project.
ALL_PROJECTS = UUID(int=2**128 - 1)
INTERVALS = ("hour", "day")
MEASURES = ("duration_ms", "work_ms", "waited_ms", "credits", "size_bytes")


class AnalyticsEventType(models.TextChoices):
    """Types of analytics events."""

    RENDER_SUBMITTED = "render.submitted"
    RENDER_STARTED = "render.started"
    RENDER_SUCCEEDED = "render.succeeded"
    RENDER_FAILED = "render.failed"
    RENDER_CANCELLED = "render.cancelled"
    OUTPUT_DELETED = "render.output_deleted"
    ASSET_READY = "asset.ready"
    ASSET_FAILED = "asset.failed"
    ASSET_DELETED = "asset.deleted"
    CREDITS_MOVED = "credits.moved"


FAILURES = frozenset({AnalyticsEventType.RENDER_FAILED, AnalyticsEventType.ASSET_FAILED})
STORAGE = frozenset(
    {
        AnalyticsEventType.RENDER_SUCCEEDED,
        AnalyticsEventType.OUTPUT_DELETED,
        AnalyticsEventType.ASSET_READY,
        AnalyticsEventType.ASSET_DELETED,
    }
)


def event_type_choices() -> list[tuple[str, str]]:
    """Return the event types; a callable, so that a new type needs no migration."""
    return [(value, value) for value in AnalyticsEventType.values]


class EventMeasures(models.Model):
    """Columns that events and stats share. All numbers are integers, so that sums do not depend on the order.

    code: the error code of a failure, the wait bucket of a render's start, the media kind of an asset, the kind of a
        ledger entry.
    duration_ms: length of the output. work_ms: time of the attempt that rendered it. waited_ms: time in the queue.
    credits: hundredths; charged for successes, refunded for failures and cancellations, signed for ledger entries.
    size_bytes: signed; negative for deletions.
    """

    type = models.CharField(max_length=32, choices=event_type_choices)
    code = models.CharField(max_length=64, blank=True, default="")
    project_id = models.UUIDField(default=NO_PROJECT)
    duration_ms = models.BigIntegerField(default=0)
    work_ms = models.BigIntegerField(default=0)
    waited_ms = models.BigIntegerField(default=0)
    credits = models.BigIntegerField(default=0)
    size_bytes = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class AnalyticsEventQuerySet(models.QuerySet["AnalyticsEvent"]):
    """QuerySet of events."""

    def uncounted(self) -> Self:
        """Return the events that are not in the stats yet."""
        return self.filter(counted=False)

    def for_owner(self, user: Any) -> Self:
        """Return the events of one account."""
        return self.filter(user=user)


class AnalyticsEvent(BaseModel, EventMeasures):
    """One event at `created_at`, written in the transaction that caused it; append-only.

    resource_id: the render, asset or ledger entry. counted: whether it is in the stats; the only column that changes.
    """

    ID_PREFIX: ClassVar[str] = "evt"

    # No index of its own: every query filters by time first, or by the uncounted events.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    resource_id = models.UUIDField(null=True, blank=True)
    counted = models.BooleanField(default=False)

    objects = AnalyticsEventQuerySet.as_manager()

    class Meta:
        indexes = [
            # Rebuilding a day, the retention, the admin list and its date hierarchy.
            NamedIndex(fields=["created_at", "user"], name="idx_analytics_events_time_user"),
            # The admin list of one type, newest first; the failures of an hour in a rebuild.
            NamedIndex(fields=["type", "created_at"], name="idx_analytics_events_type_time"),
            # The next batch of the aggregation job, and the events that answers add to the stats. Always small.
            NamedIndex(
                fields=["user", "created_at"], name="idx_analytics_events_uncounted", condition=Q(counted=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.public_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row; raise AppendOnlyError on an update."""
        if not self._state.adding:
            raise AppendOnlyError("events cannot be changed")
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise AppendOnlyError: only the retention deletes, and only counted events."""
        raise AppendOnlyError("events cannot be deleted one by one")


class StatQuerySet(models.QuerySet[Any]):
    """QuerySet of stats."""

    def for_owner(self, user: Any) -> Self:
        """Return the stats of one account."""
        return self.filter(user=user)


class Stat(BaseModel, EventMeasures):
    """The sum of a user's and project's events of one type and code in one hour or day.

    start: start of the hour or day, UTC. latest_at, latest_id: time and resource of the latest failure.
    waits: started renders by wait bucket, as `wait_histogram.encode_waits` writes them. The code of starts is empty
        here: a row per wait bucket would make nearly as many stats as events.
    """

    start = models.DateTimeField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    count = models.BigIntegerField(default=0)
    waits = models.TextField(blank=True, default="")
    latest_at = models.DateTimeField(null=True, blank=True)
    latest_id = models.UUIDField(null=True, blank=True)

    objects = StatQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.count} {self.type} from {self.start:%Y-%m-%d %H:%M}"


class HourlyStat(Stat):
    """Stats of one hour. Deleted by the retention."""

    ID_PREFIX: ClassVar[str] = "hst"

    class Meta:
        constraints = [
            # The upsert of new events.
            models.UniqueConstraint(
                fields=["user", "start", "type", "code", "project_id"], name="uniq_analytics_hourly_key"
            ),
        ]
        indexes = [
            # Rebuilding a day, the retention, the admin list and its date hierarchy.
            NamedIndex(fields=["start"], name="idx_analytics_hourly_time"),
            # The admin list of one project.
            NamedIndex(fields=["project_id", "start"], name="idx_analytics_hourly_project"),
        ]


class DailyStat(Stat):
    """Stats of one day in UTC. Never deleted."""

    ID_PREFIX: ClassVar[str] = "dst"

    class Meta:
        constraints = [
            # The upsert of new events, rebuilding a day, the admin list.
            models.UniqueConstraint(
                fields=["start", "user", "type", "code", "project_id"], name="uniq_analytics_daily_key"
            ),
        ]
        indexes = [
            # The admin list of one account.
            NamedIndex(fields=["user", "start"], name="idx_analytics_daily_user_date"),
            # The admin list of one project.
            NamedIndex(fields=["project_id", "start"], name="idx_analytics_daily_project_date"),
        ]


class StatRollup(BaseModel):
    """All stats of one hour or day in one row: of a project, of an account, or (user NULL) of all accounts.

    The API reads one row per bucket. Always the sum of `HourlyStat` or `DailyStat`, and written together with them.
    id: a UUID derived from interval, start, user and project, which the upsert uses as its key.
    aggregates: JSON of `codec.encode`. waits: started renders by wait bucket, as JSON; a separate column, because few
        requests need it.
    stored_bytes: change of the storage. renders, work_ms, credits: of succeeded renders.
    """

    ID_PREFIX: ClassVar[str] = "rol"

    interval = models.CharField(max_length=4, choices=[(name, name) for name in INTERVALS])
    start = models.DateTimeField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False, null=True, blank=True
    )
    project_id = models.UUIDField(default=ALL_PROJECTS)
    stored_bytes = models.BigIntegerField(default=0)
    renders = models.BigIntegerField(default=0)
    work_ms = models.BigIntegerField(default=0)
    credits = models.BigIntegerField(default=0)
    waits = models.TextField(default="{}")
    aggregates = models.TextField(default="{}")

    class Meta:
        constraints = [
            # Reads of the API and the charts: one account or project, or all accounts.
            models.UniqueConstraint(
                fields=["interval", "project_id", "user", "start"], name="uniq_analytics_rollup_key"
            ),
        ]
        indexes = [
            # Rebuilding a day, the retention, the admin list.
            NamedIndex(fields=["interval", "start"], name="idx_analytics_rollup_time"),
            # The top users of a time range; a covering index, so that no table row is read.
            NamedIndex(
                fields=["interval", "project_id", "start", "user", "renders", "work_ms", "credits"],
                name="idx_analytics_rollup_busiest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.interval} from {self.start:%Y-%m-%d %H:%M}"


class MonthlyUsage(BaseModel):
    """Succeeded renders of an account in one month in UTC, with their work and credits. Never deleted.

    Always the sum of the account's daily rollups, and written together with them. The top users of a year are read
    from here: the daily rollups would be hundreds of rows per account.
    """

    ID_PREFIX: ClassVar[str] = "mus"

    start = models.DateTimeField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    renders = models.BigIntegerField(default=0)
    work_ms = models.BigIntegerField(default=0)
    credits = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            # The upsert of new events, rebuilding a month, the top users, the admin list.
            models.UniqueConstraint(fields=["start", "user"], name="uniq_analytics_monthly_key"),
        ]

    def __str__(self) -> str:
        return f"{self.renders} renders from {self.start:%Y-%m}"


class RetentionWatermark(BaseModel):
    """The time since which a table is complete; older rows were deleted. Its row is also the lock of the stats."""

    ID_PREFIX: ClassVar[str] = "wmk"

    name = models.CharField(max_length=16, unique=True)
    complete_since = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name
