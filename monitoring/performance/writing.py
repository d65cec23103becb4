"""Write sums into their rows: one transaction, the same rows however often it is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import IntegrityError, transaction
from django.db.models import F

from core.sketch import encode
from monitoring.models import ErrorLog, RouteMetric, ServerProcess, SlowRequest, StatementMetric
from monitoring.performance.failures import Failure
from monitoring.performance.pending import MINUTES_OF_HOUR, Batch
from monitoring.performance.process import Usage, hostname, pid
from monitoring.performance.recorder import Cell, Place, SlowCall, StatementCell
from monitoring.performance.statements import Shape

MINUTE_S = 60
PLACE = ["process", "started_at", "span_s", "route", "method", "status_class"]
SUMS = [
    *("count", "total_us", "sql_us", "cache_us", "queries", "size_bytes", "cache_hits", "cache_lookups"),
    *("slow_count", "max_us", "sketch", "slowest"),
]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a process says of itself. started, at: Unix time."""

    token: str
    started: float
    at: float
    requests: int
    lost: int
    usage: Usage
    cpu_ratio: float
    is_last: bool = False


def moment_of(seconds: float) -> datetime:
    """Return a Unix time as a moment."""
    return datetime.fromtimestamp(seconds, UTC)


def row_of_cell(place: Place, cell: Cell, *, process: str) -> RouteMetric:
    """Return the row of a process's minute."""
    return RouteMetric(
        started_at=moment_of(place.minute * MINUTE_S),
        span_s=MINUTE_S,
        process=process,
        route=place.route[:200],
        method=place.method,
        status_class=place.status_class,
        **sums_of(cell),
    )


def sums_of(cell: Cell) -> dict[str, object]:
    """Return the columns that hold the sums."""
    return {
        "count": cell.count,
        "total_us": cell.total_us,
        "sql_us": cell.sql_us,
        "cache_us": cell.cache_us,
        "queries": cell.queries,
        "size_bytes": cell.size_bytes,
        "cache_hits": cell.cache_hits,
        "cache_lookups": cell.cache_lookups,
        "slow_count": cell.slow_count,
        "max_us": cell.max_us,
        "sketch": encode(cell.buckets),
        "slowest": cell.slowest,
    }


def record_served(*, batch: Batch, failures: Sequence[Failure], heartbeat: Heartbeat) -> None:
    """Replace a process's sums, add its slow requests and failures, and say that it lives."""
    token = heartbeat.token
    # Made before the transaction: SQLite's takes the write lock at BEGIN, and requests wait for it.
    routes = [row_of_cell(place, cell, process=token) for place, cell in batch.cells.items()]
    runs = [_row_of_runs(hour, shape, cell, token) for (hour, _), (shape, cell) in batch.statements.items()]
    slow = [_row_of_slow(call) for call in batch.slow]
    with transaction.atomic():
        _write_heartbeat(heartbeat)
        if routes:
            RouteMetric.objects.bulk_create(routes, update_conflicts=True, unique_fields=PLACE, update_fields=SUMS)
        if runs:
            StatementMetric.objects.bulk_create(
                runs,
                update_conflicts=True,
                unique_fields=["process", "started_at", "digest"],
                update_fields=["route", "count", "total_us", "max_us", "sketch"],
            )
        SlowRequest.objects.bulk_create(slow)
        _add_failures(failures)


def _write_heartbeat(beat: Heartbeat) -> None:
    at = moment_of(beat.at)
    columns = {
        "last_seen_at": at,
        "stopped_at": at if beat.is_last else None,
        "requests": beat.requests,
        "lost": beat.lost,
        "memory_bytes": beat.usage.memory_bytes,
        "cpu_s": beat.usage.cpu_s,
        "cpu_ratio": beat.cpu_ratio,
        "threads": beat.usage.threads,
    }
    if not ServerProcess.objects.filter(token=beat.token).update(**columns):
        ServerProcess.objects.create(
            token=beat.token, hostname=hostname(), pid=pid(), started_at=moment_of(beat.started), **columns
        )


def _row_of_runs(hour: int, shape: Shape, cell: StatementCell, process: str) -> StatementMetric:
    return StatementMetric(
        started_at=moment_of(hour * MINUTES_OF_HOUR * MINUTE_S),
        process=process,
        digest=shape.digest,
        shape=shape.text,
        example=shape.example,
        route=cell.route[:200],
        count=cell.count,
        total_us=cell.total_us,
        max_us=cell.max_us,
        sketch=encode(cell.buckets),
    )


def _row_of_slow(call: SlowCall) -> SlowRequest:
    seen = call.seen
    return SlowRequest(
        at=moment_of(call.at),
        route=seen.route[:200],
        method=seen.method,
        status=seen.status,
        duration_ms=seen.took_us / 1000,
        sql_ms=seen.spent.sql_ns / 1e6,
        cache_ms=seen.spent.cache_ns / 1e6,
        queries=seen.spent.queries,
        request_id=seen.request_id[:64],
    )


def _add_failures(failures: Iterable[Failure]) -> None:
    # One order for all processes, so that two never wait for each other.
    for failure in sorted(failures, key=lambda each: each.fingerprint):
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
        # Another process was first.
        _add_to_open(failure)
