"""Figures as the API gives them: a row for every bucket, and the same for the whole span."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from analytics.models import FAILURES, STORAGE, EventType
from analytics.selectors import Figures, Kinds, Tally
from analytics.waits import percentiles
from assets.models import Asset
from core.ids import encode_id
from core.times import format_time
from credits.models import EntryKind
from credits.pricing import format_credits
from renders.models import Render

Row = dict[str, Any]
_NOTHING = Tally()
_PREFIXES = {EventType.RENDER_FAILED.value: Render.ID_PREFIX, EventType.ASSET_FAILED.value: Asset.ID_PREFIX}


def render_row(kinds: Kinds) -> Row:
    """Return what became of renders. A success rate is of those that succeeded or failed."""
    of = _by_type(kinds)
    succeeded, failed = of(EventType.RENDER_SUCCEEDED), of(EventType.RENDER_FAILED)
    ended = succeeded.count + failed.count
    middle, most = percentiles(of(EventType.RENDER_STARTED).waits or {}, 0.5, 0.95)
    return {
        "submitted": of(EventType.RENDER_SUBMITTED).count,
        "started": of(EventType.RENDER_STARTED).count,
        "succeeded": succeeded.count,
        "failed": failed.count,
        "cancelled": of(EventType.RENDER_CANCELLED).count,
        "success_rate": _ratio(succeeded.count, ended, 4),
        "output_s": succeeded.duration_ms / 1000,
        "render_minutes": round(succeeded.work_ms / 60_000, 3),
        "speed_factor": _ratio(succeeded.duration_ms, succeeded.work_ms, 3),
        "queue_wait_p50_s": _seconds(middle),
        "queue_wait_p95_s": _seconds(most),
    }


def usage_row(kinds: Kinds, stored_bytes: int) -> Row:
    """Return what was paid and kept. stored_bytes: at the end of the bucket."""
    of = _by_type(kinds)
    moved = {code: tally.credits for (name, code), tally in kinds.items() if name == EventType.CREDITS_MOVED}
    charged = of(EventType.RENDER_SUCCEEDED).credits - moved.pop(EntryKind.DEDUCT.value, 0)
    given_back = of(EventType.RENDER_FAILED).credits + of(EventType.RENDER_CANCELLED).credits
    given_back += moved.pop(EntryKind.REFUND.value, 0)
    granted = moved.pop(EntryKind.GRANT.value, 0)
    return {
        "credits_charged": format_credits(charged),
        "credits_refunded": format_credits(given_back),
        "credits_granted": format_credits(granted),
        "credits_adjusted": format_credits(sum(moved.values())),
        "assets_added": of(EventType.ASSET_READY).count,
        "assets_deleted": of(EventType.ASSET_DELETED).count,
        "uploaded_bytes": of(EventType.ASSET_READY).size_bytes,
        "rendered_bytes": of(EventType.RENDER_SUCCEEDED).size_bytes,
        "storage_bytes": stored_bytes,
    }


def error_row(kinds: Kinds) -> Row:
    """Return how many failures there were, and of what."""
    codes: dict[str, int] = {}
    for (event_type, code), tally in sorted(kinds.items()):
        if event_type in FAILURES:
            codes[code] = codes.get(code, 0) + tally.count
    return {"count": sum(codes.values()), "codes": codes}


def render_rows(figures: Figures) -> Iterator[tuple[datetime, Row]]:
    """Yield the rows of `GET /analytics/renders`."""
    for start, kinds in figures.tallies.items():
        yield start, render_row(kinds)


def usage_rows(figures: Figures) -> Iterator[tuple[datetime, Row]]:
    """Yield the rows of `GET /analytics/usage`."""
    stored = figures.stored_bytes
    for start, kinds in figures.tallies.items():
        stored += growth(kinds)
        yield start, usage_row(kinds, stored)


def error_rows(figures: Figures) -> Iterator[tuple[datetime, Row]]:
    """Yield the rows of `GET /analytics/errors`."""
    for start, kinds in figures.tallies.items():
        yield start, error_row(kinds)


def error_table(figures: Figures) -> Iterator[Row]:
    """Yield a row for each bucket and kind of failure in it, for tables."""
    for start, kinds in figures.tallies.items():
        for (event_type, code), tally in sorted(kinds.items()):
            what = event_type.partition(".")[0]
            yield {"start": format_time(start), "object": what, "code": code, "count": tally.count}


def errors_by_code(whole: Kinds) -> list[Row]:
    """Return each kind of failure, the most frequent first, with its share and its newest example."""
    failures = {kind: tally for kind, tally in whole.items() if kind[0] in FAILURES}
    total = sum(tally.count for tally in failures.values())
    rows = []
    for (event_type, code), tally in sorted(failures.items(), key=lambda item: (-item[1].count, item[0])):
        example = encode_id(_PREFIXES[event_type], UUID(tally.latest_id)) if tally.latest_id else None
        rows.append(
            {
                "code": code,
                "object": event_type.partition(".")[0],
                "count": tally.count,
                "share": round(tally.count / total, 4),
                "latest_id": example,
                "latest_at": format_time(datetime.fromisoformat(tally.latest_at)) if tally.latest_at else None,
            }
        )
    return rows


def growth(kinds: Kinds) -> int:
    """Return by how many bytes the storage grew."""
    return sum(tally.size_bytes for (event_type, _), tally in kinds.items() if event_type in STORAGE)


def merge(buckets: Iterable[Kinds]) -> Kinds:
    """Return the sums of all buckets."""
    whole: Kinds = {}
    for kinds in buckets:
        for kind, tally in kinds.items():
            total = whole.get(kind)
            if total is None:
                total = whole[kind] = Tally()
            total.add(tally)
    return whole


def _by_type(kinds: Kinds) -> Callable[[EventType], Tally]:
    """Return a function that gives the sums of a type, whatever the codes; without the newest failure."""
    sums: dict[str, Tally] = {}
    own: set[str] = set()
    for (event_type, _), tally in kinds.items():
        total = sums.get(event_type)
        if total is None:
            # Most types have one code. Their tally is not copied.
            sums[event_type] = tally
            continue
        if event_type not in own:
            own.add(event_type)
            first, total = total, Tally(waits=total.waits)
            total.add_numbers(first)
            sums[event_type] = total
        total.add_numbers(tally)
    return lambda event_type: sums.get(event_type, _NOTHING)


def _ratio(part: int, whole: int, digits: int) -> float | None:
    return round(part / whole, digits) if whole else None


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
