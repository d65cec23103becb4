"""Writes aggregates to the database, in one transaction that is safe to repeat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import IntegrityError, transaction
from django.db.models import F

from monitoring.models import ErrorLog, RouteMetric, ServerProcess, SlowRequest, StatementMetric
from monitoring.performance.aggregates import RequestAggregate, SeriesKey, StatementAggregate
from monitoring.performance.aggregator import Snapshot
from monitoring.performance.failures import Failure
from monitoring.performance.windows import MINUTE_S, moment_of

_PROCESS_STATE = ["last_seen_at", "stopped_at", "requests", "lost", "memory_bytes", "cpu_s", "cpu_ratio", "threads"]


def route_metric(key: SeriesKey, aggregate: RequestAggregate, *, process: str) -> RouteMetric:
    """Return the row of one series of a process, unsaved."""
    return RouteMetric(
        started_at=key.started_at,
        resolution_s=MINUTE_S,
        process=process,
        route=key.route,
        method=key.method,
        status_class=key.status_class,
        **aggregate.columns(),
    )


def write_metrics(*, flushed: Snapshot, failures: Sequence[Failure], process: ServerProcess) -> None:
    """Replace a process's aggregates, add its slow requests and failures, and record its heartbeat."""
    # Built before the transaction, which on SQLite holds the write lock from BEGIN on.
    routes = [route_metric(key, aggregate, process=process.token) for key, aggregate in flushed.series.items()]
    statements = [
        StatementMetric(started_at=key.started_at, process=process.token, digest=key.digest, **runs.columns())
        for key, runs in flushed.statements.items()
    ]
    with transaction.atomic():
        ServerProcess.objects.bulk_create(
            [process], update_conflicts=True, unique_fields=["token"], update_fields=_PROCESS_STATE
        )
        RouteMetric.objects.bulk_create(
            routes,
            update_conflicts=True,
            unique_fields=["process", "started_at", "resolution_s", "route", "method", "status_class"],
            update_fields=RequestAggregate.column_names(),
        )
        StatementMetric.objects.bulk_create(
            statements,
            update_conflicts=True,
            unique_fields=["process", "started_at", "digest"],
            update_fields=StatementAggregate.column_names(),
        )
        # Their ids make a repeat after a write of unknown outcome ignore rows that exist.
        SlowRequest.objects.bulk_create(flushed.slow, ignore_conflicts=True)
        _add_failures(failures)


def _add_failures(failures: Iterable[Failure]) -> None:
    # In the same order in all processes, to avoid deadlocks.
    for failure in sorted(failures, key=lambda failure: failure.fingerprint):
        if not _add_to_open(failure):
            _open_error(failure)


def _add_to_open(failure: Failure) -> int:
    return ErrorLog.objects.filter(fingerprint=failure.fingerprint, resolved_at__isnull=True).update(
        count=F("count") + failure.count,
        last_seen_at=moment_of(failure.last),
        message=failure.message,
        traceback=failure.traceback,
        route=failure.route,
        request_id=failure.request_id,
    )


def _open_error(failure: Failure) -> None:
    try:
        with transaction.atomic():
            ErrorLog.objects.create(
                fingerprint=failure.fingerprint,
                type=failure.type,
                place=failure.place,
                message=failure.message,
                traceback=failure.traceback,
                route=failure.route,
                request_id=failure.request_id,
                count=failure.count,
                first_seen_at=moment_of(failure.first),
                last_seen_at=moment_of(failure.last),
            )
    except IntegrityError:
        _add_to_open(failure)  # another process was first
