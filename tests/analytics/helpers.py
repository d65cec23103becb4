"""Random events, and stats computed from them independently of the product code."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from analytics.codec import decode
from analytics.models import (
    ALL_PROJECTS,
    FAILURES,
    MEASURES,
    NO_PROJECT,
    AnalyticsEvent,
    AnalyticsEventType,
    DailyStat,
    HourlyStat,
    StatRollup,
)
from analytics.wait_histogram import bucket_of, decode_waits
from core.ids import uuid7

STORED = ("render.succeeded", "render.output_deleted", "asset.ready", "asset.deleted")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def random_event(rng: random.Random, users: list[Any], projects: list[Any], *, days: int = 3) -> AnalyticsEvent:
    """Return an unsaved event within the last days before NOON, sometimes exactly on the hour."""
    event_type = rng.choice(AnalyticsEventType.values)
    at = NOON - timedelta(seconds=rng.randrange(days * 86_400), microseconds=rng.randrange(1_000_000))
    if rng.random() < 0.1:
        at = at.replace(minute=0, second=0, microsecond=0)
    code = ""
    waited = 0
    if event_type in FAILURES:
        code = rng.choice(["no_space", "asset_unreachable", "timeout"])
    if event_type == AnalyticsEventType.RENDER_STARTED:
        waited = rng.randrange(100_000)
        code = bucket_of(waited)
    return AnalyticsEvent(
        id=uuid7(),
        type=event_type,
        code=code,
        user_id=rng.choice(users),
        project_id=rng.choice([NO_PROJECT, *projects]),
        resource_id=uuid7(),
        created_at=at,
        waited_ms=waited,
        duration_ms=rng.randrange(60_000),
        work_ms=rng.randrange(60_000),
        credits=rng.randrange(-500, 500),
        size_bytes=rng.randrange(-(10**9), 10**9),
    )


def recount(step: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return the expected stats by `hour` or `day`, computed from all events one by one."""
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * (1 + len(MEASURES)))
    latest: dict[tuple[Any, ...], tuple[Any, Any]] = {}
    waits: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for event in AnalyticsEvent.objects.all().iterator():
        start = event.created_at.strftime("%Y-%m-%dT%H" if step == "hour" else "%Y-%m-%d")
        key = (start, event.user_id, event.type, event.code, event.project_id)
        if event.type == AnalyticsEventType.RENDER_STARTED:
            key = (start, event.user_id, event.type, "", event.project_id)
            waits[key][event.code] += 1
        row = sums[key]
        row[0] += 1
        for number, name in enumerate(MEASURES, 1):
            row[number] += getattr(event, name)
        if event.type in FAILURES and event.resource_id is not None:
            latest[key] = max(
                latest.get(key, (event.created_at, event.resource_id)), (event.created_at, event.resource_id)
            )
    return {key: (*row, *latest.get(key, (None, None)), dict(waits[key])) for key, row in sums.items()}


def stats(step: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return the rows of stats in the shape of `recount`."""
    model, pattern = (HourlyStat, "%Y-%m-%dT%H") if step == "hour" else (DailyStat, "%Y-%m-%d")
    columns = ("start", "user_id", "type", "code", "project_id", "count", *MEASURES, "latest_at", "latest_id", "waits")
    return {
        (start.strftime(pattern), *key): (*numbers, decode_waits(waits))
        for start, *rest, waits in model.objects.values_list(*columns).iterator()
        for key, numbers in ((rest[:4], rest[4:]),)
    }


def recount_of_rollups(step: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return the expected rollups by start, user, project, type and code, computed from all events one by one."""
    sums: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for (start, user_id, event_type, code, project_id), row in recount(step).items():
        for scope in ((user_id, project_id), (user_id, ALL_PROJECTS), (None, ALL_PROJECTS)):
            key = (start, *scope, event_type, code)
            old = sums.get(key, (0, 0, 0, 0, 0, 0, None, None, {}))
            newest = max((pair for pair in (old[6:8], row[6:8]) if pair[0]), default=(None, None))
            numbers = (one + other for one, other in zip(old[:6], row[:6], strict=True))
            sums[key] = (*numbers, *newest, dict(Counter(old[8]) + Counter(row[8])))
    return sums


def rollups(step: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return the rollups in the shape of `recount_of_rollups`; check the columns that repeat the aggregates."""
    found = {}
    for row in StatRollup.objects.filter(interval=step):
        start = row.start.strftime("%Y-%m-%dT%H" if step == "hour" else "%Y-%m-%d")
        stored = 0
        for name, entry in decode(row.aggregates).items():
            event_type, _, code = name.partition(" ")
            newest = (datetime.fromisoformat(entry[6]), UUID(entry[7])) if entry[6:] else (None, None)
            waits = decode(row.waits) if event_type == AnalyticsEventType.RENDER_STARTED else {}
            found[start, row.user_id, row.project_id, event_type, code] = (*entry[:6], *newest, waits)
            stored += entry[5] if event_type in STORED else 0
            if event_type == AnalyticsEventType.RENDER_SUCCEEDED:
                assert (row.renders, row.work_ms, row.credits) == (entry[0], entry[2], entry[4])
        assert row.stored_bytes == stored
    return found
