"""The event log, and its stats by hour and day."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.append_only import AppendOnlyError
from core.indexes import NamedIndex
from core.models import BaseModel

# NULL is equal to nothing, so that rows without a project could not be found again to be added to.
NO_PROJECT = UUID(int=0)
# Stands in rollups for all projects of an account, and for what has none.
ALL_PROJECTS = UUID(int=2**128 - 1)
INTERVALS = ("hour", "day")
MEASURES = ("duration_ms", "work_ms", "waited_ms", "credits", "size_bytes")


class AnalyticsEventType(models.TextChoices):
    """What can happen."""

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
    """Return the types; a callable, so that a new type needs no migration."""
    return [(value, value) for value in AnalyticsEventType.values]


class EventMeasures(models.Model):
    """What happened, and how much of it. Integers: sums are the same in whatever order they are made.

    type, code: what happened; the code is an error's for failures, the wait bucket for the start of a
        render, the kind of media for assets, the kind of entry for credits.
    duration_ms: of output. work_ms: of the attempt that made it. waited_ms: in the queue.
    credits: hundredths; charged by successes, given back by failures and cancels, signed for movements.
    size_bytes: signed; what left the storage is negative.
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
    """Rows of the log."""

    def uncounted(self) -> Self:
        """Return the events that are not counted yet."""
        return self.filter(counted=False)

    def for_owner(self, user: Any) -> Self:
        """Return the events of one user."""
        return self.filter(user=user)


class AnalyticsEvent(BaseModel, EventMeasures):
    """One thing that happened, at `created_at`; written in the transaction in which it happened, never changed.

    resource_id: the render, asset or ledger entry. counted: whether it is in the stats, its only column that moves.
    """

    ID_PREFIX: ClassVar[str] = "evt"

    # The columns of every query begin with a time, or with the index of what is not counted yet.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    resource_id = models.UUIDField(null=True, blank=True)
    counted = models.BooleanField(default=False)

    objects = AnalyticsEventQuerySet.as_manager()

    class Meta:
        indexes = [
            # Recounting a day, what is past its retention, the admin's list and its date hierarchy.
            NamedIndex(fields=["created_at", "user"], name="idx_analytics_events_time_user"),
            # The admin's list of one type, newest first; the failures of an hour in a recount.
            NamedIndex(fields=["type", "created_at"], name="idx_analytics_events_type_time"),
            # What the counting job takes next, and what answers add to the stats. Small at all times.
            NamedIndex(
                fields=["user", "created_at"], name="idx_analytics_events_uncounted", condition=Q(counted=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.public_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row; refuse to write it a second time."""
        if not self._state.adding:
            raise AppendOnlyError("events are never changed")
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: only the retention deletes, and only what is counted."""
        raise AppendOnlyError("events are never deleted one by one")


class StatQuerySet(models.QuerySet[Any]):
    """Rows of stats."""

    def for_owner(self, user: Any) -> Self:
        """Return the stats of one user."""
        return self.filter(user=user)


class Stat(BaseModel, EventMeasures):
    """The sum of a user's and project's events of one type and code in one hour or day.

    start: the first moment of the time range, UTC. latest_at, latest_id: of the newest event, for failures.
    waits: how many starts of each wait bucket, as `wait_histogram.encode_waits` writes them; the code of starts is
        empty here, as a row for each bucket would make the stats as many as the events.
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
    """Stats of an hour."""

    ID_PREFIX: ClassVar[str] = "hst"

    class Meta:
        constraints = [
            # Where new events are added.
            models.UniqueConstraint(
                fields=["user", "start", "type", "code", "project_id"], name="uniq_analytics_hourly_key"
            ),
        ]
        indexes = [
            # What a recount replaces, what is past its retention, the admin's list and its date hierarchy.
            NamedIndex(fields=["start"], name="idx_analytics_hourly_time"),
            # The admin's list of one project.
            NamedIndex(fields=["project_id", "start"], name="idx_analytics_hourly_project"),
        ]


class DailyStat(Stat):
    """Stats of a day, in UTC. Kept for ever."""

    ID_PREFIX: ClassVar[str] = "dst"

    class Meta:
        constraints = [
            # Where new events are added, what a recount replaces, the admin's list.
            models.UniqueConstraint(
                fields=["start", "user", "type", "code", "project_id"], name="uniq_analytics_daily_key"
            ),
        ]
        indexes = [
            # The admin's list of one account.
            NamedIndex(fields=["user", "start"], name="idx_analytics_daily_user_date"),
            # The same of one project.
            NamedIndex(fields=["project_id", "start"], name="idx_analytics_daily_project_date"),
        ]


class StatRollup(BaseModel):
    """All stats of one hour or day in one row: of a project, of an account, or (user NULL) of all accounts.

    An answer reads one row for each of its buckets. Always the sum of `HourlyStat` or `DailyStat`, written with them.
    id: made of interval, start, user and project, so that the rows to be added to are found by it.
    aggregates: what happened, as `codec.encode` writes it. waits: how many starts of each wait bucket, a JSON object;
        in a column of its own, as few answers ask.
    stored_bytes: by how much the storage grew. renders, work_ms, credits: of what succeeded.
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
            # Every answer: of an account or project, and of all accounts.
            models.UniqueConstraint(
                fields=["interval", "project_id", "user", "start"], name="uniq_analytics_rollup_key"
            ),
        ]
        indexes = [
            # What a recount replaces, what is past its retention, the admin's list.
            NamedIndex(fields=["interval", "start"], name="idx_analytics_rollup_time"),
            # The busiest accounts of a time range. Holds all that is asked for: no row is read.
            NamedIndex(
                fields=["interval", "project_id", "start", "user", "renders", "work_ms", "credits"],
                name="idx_analytics_rollup_busiest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.interval} from {self.start:%Y-%m-%d %H:%M}"


class MonthlyUsage(BaseModel):
    """What an account rendered in a month, in UTC; kept for ever. renders, work_ms, credits: of what succeeded.

    Always the sum of the account's rollups of days, written with them. Who was busiest in a year is read from here:
    the days of all accounts would be hundreds of rows for each.
    """

    ID_PREFIX: ClassVar[str] = "mus"

    start = models.DateTimeField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    renders = models.BigIntegerField(default=0)
    work_ms = models.BigIntegerField(default=0)
    credits = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            # Where new events are added, what a recount replaces, the busiest accounts, the admin's list.
            models.UniqueConstraint(fields=["start", "user"], name="uniq_analytics_monthly_key"),
        ]

    def __str__(self) -> str:
        return f"{self.renders} renders from {self.start:%Y-%m}"


class RetentionWatermark(BaseModel):
    """How far back a table is whole: what happened earlier was deleted. Its row is also the lock of the stats."""

    ID_PREFIX: ClassVar[str] = "wmk"

    name = models.CharField(max_length=16, unique=True)
    complete_since = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name
