"""Rows of the analytics API, one per bucket, and their totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from analytics.models import FAILURES, STORAGE, AnalyticsEventType
from analytics.selectors import Aggregates, BucketedStats, EventAggregate
from analytics.wait_histogram import percentiles
from assets.models import Asset
from core.ids import encode_id
from core.times import format_time
from credits.models import CreditEntryKind
from credits.pricing import format_credits
from renders.models import Render

Row = dict[str, Any]
_EMPTY = EventAggregate()
_PREFIXES = {
    AnalyticsEventType.RENDER_FAILED.value: Render.ID_PREFIX,
    AnalyticsEventType.ASSET_FAILED.value: Asset.ID_PREFIX,
}


def render_row(aggregates: Aggregates) -> Row:
    """Return the counts, rates and waits of renders. The success rate ignores cancelled renders."""
    of = _by_type(aggregates)
    succeeded, failed = of(AnalyticsEventType.RENDER_SUCCEEDED), of(AnalyticsEventType.RENDER_FAILED)
    finished = succeeded.count + failed.count
    p50, p95 = percentiles(of(AnalyticsEventType.RENDER_STARTED).waits or {}, 0.5, 0.95)
    return {
        "submitted": of(AnalyticsEventType.RENDER_SUBMITTED).count,
        "started": of(AnalyticsEventType.RENDER_STARTED).count,
        "succeeded": succeeded.count,
        "failed": failed.count,
        "cancelled": of(AnalyticsEventType.RENDER_CANCELLED).count,
        "success_rate": _ratio(succeeded.count, finished, 4),
        "output_s": succeeded.duration_ms / 1000,
        "render_minutes": round(succeeded.work_ms / 60_000, 3),
        "speed_factor": _ratio(succeeded.duration_ms, succeeded.work_ms, 3),
        "queue_wait_p50_s": _seconds(p50),
        "queue_wait_p95_s": _seconds(p95),
    }


def usage_row(aggregates: Aggregates, stored_bytes: int) -> Row:
    """Return the credits, assets and bytes. stored_bytes: storage at the end of the bucket."""
    of = _by_type(aggregates)
    moved = {
        code: aggregate.credits
        for (name, code), aggregate in aggregates.items()
        if name == AnalyticsEventType.CREDITS_MOVED
    }
    charged = of(AnalyticsEventType.RENDER_SUCCEEDED).credits - moved.pop(CreditEntryKind.DEDUCT.value, 0)
    refunded = of(AnalyticsEventType.RENDER_FAILED).credits + of(AnalyticsEventType.RENDER_CANCELLED).credits
    refunded += moved.pop(CreditEntryKind.REFUND.value, 0)
    granted = moved.pop(CreditEntryKind.GRANT.value, 0)
    return {
        "credits_charged": format_credits(charged),
        "credits_refunded": format_credits(refunded),
        "credits_granted": format_credits(granted),
        "credits_adjusted": format_credits(sum(moved.values())),
        "assets_added": of(AnalyticsEventType.ASSET_READY).count,
        "assets_deleted": of(AnalyticsEventType.ASSET_DELETED).count,
        "uploaded_bytes": of(AnalyticsEventType.ASSET_READY).size_bytes,
        "rendered_bytes": of(AnalyticsEventType.RENDER_SUCCEEDED).size_bytes,
        "storage_bytes": stored_bytes,
    }


def error_row(aggregates: Aggregates) -> Row:
    """Return the number of failures, in total and by code."""
    codes: dict[str, int] = {}
    for (event_type, code), aggregate in sorted(aggregates.items()):
        if event_type in FAILURES:
            codes[code] = codes.get(code, 0) + aggregate.count
    return {"count": sum(codes.values()), "codes": codes}


def render_rows(stats: BucketedStats) -> Iterator[tuple[datetime, Row]]:
    """Yield the rows of `GET /analytics/renders`."""
    for start, aggregates in stats.buckets.items():
        yield start, render_row(aggregates)


def usage_rows(stats: BucketedStats) -> Iterator[tuple[datetime, Row]]:
    """Yield the rows of `GET /analytics/usage`."""
    stored = stats.stored_bytes
    for start, aggregates in stats.buckets.items():
        stored += growth(aggregates)
        yield start, usage_row(aggregates, stored)


def error_rows(stats: BucketedStats) -> Iterator[tuple[datetime, Row]]:
    """Yield the rows of `GET /analytics/errors`."""
    for start, aggregates in stats.buckets.items():
        yield start, error_row(aggregates)


def error_table(stats: BucketedStats) -> Iterator[Row]:
    """Yield a CSV row for each bucket, object and error code."""
    for start, aggregates in stats.buckets.items():
        for (event_type, code), aggregate in sorted(aggregates.items()):
            failed = event_type.partition(".")[0]
            yield {"start": format_time(start), "object": failed, "code": code, "count": aggregate.count}


def errors_by_code(whole: Aggregates) -> list[Row]:
    """Return each error code, the most frequent first, with its share and its latest example."""
    failures = {kind: aggregate for kind, aggregate in whole.items() if kind[0] in FAILURES}
    total = sum(aggregate.count for aggregate in failures.values())
    rows = []
    for (event_type, code), aggregate in sorted(failures.items(), key=lambda item: (-item[1].count, item[0])):
        example = encode_id(_PREFIXES[event_type], UUID(aggregate.latest_id)) if aggregate.latest_id else None
        rows.append(
            {
                "code": code,
                "object": event_type.partition(".")[0],
                "count": aggregate.count,
                "share": round(aggregate.count / total, 4),
                "latest_id": example,
                "latest_at": format_time(datetime.fromisoformat(aggregate.latest_at)) if aggregate.latest_at else None,
            }
        )
    return rows


def growth(aggregates: Aggregates) -> int:
    """Return the change of the storage in bytes."""
    return sum(aggregate.size_bytes for (event_type, _), aggregate in aggregates.items() if event_type in STORAGE)


def merge(buckets: Iterable[Aggregates]) -> Aggregates:
    """Return the sums of all buckets."""
    whole: Aggregates = {}
    for aggregates in buckets:
        for kind, aggregate in aggregates.items():
            total = whole.get(kind)
            if total is None:
                total = whole[kind] = EventAggregate()
            total.add(aggregate)
    return whole


def _by_type(aggregates: Aggregates) -> Callable[[AnalyticsEventType], EventAggregate]:
    """Return a function from event type to its sums over all codes, without the latest failure."""
    sums: dict[str, EventAggregate] = {}
    copied: set[str] = set()
    for (event_type, _), aggregate in aggregates.items():
        total = sums.get(event_type)
        if total is None:
            # Most types have a single code, whose aggregate needs no copy.
            sums[event_type] = aggregate
            continue
        if event_type not in copied:
            copied.add(event_type)
            first, total = total, EventAggregate(waits=total.waits)
            total.add_numbers(first)
            sums[event_type] = total
        total.add_numbers(aggregate)
    return lambda event_type: sums.get(event_type, _EMPTY)


def _ratio(part: int, whole: int, digits: int) -> float | None:
    return round(part / whole, digits) if whole else None


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
