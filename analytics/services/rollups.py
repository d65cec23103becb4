"""Updates of the rollups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from analytics.codec import Entries, Entry, add_entry, decode, encode, entry_name, latest_pair, parse_entry_name
from analytics.models import ALL_PROJECTS, MEASURES, STORAGE, AnalyticsEventType, StatRollup
from analytics.services.stats import StatIncrement, StatIncrements, StatKey

_NAMESPACE = UUID("0b8bd0f7-5a0c-4f51-8a5e-2f3f6d6d3c11")
_ROWS_PER_STATEMENT = 500
_SUCCEEDED = entry_name(AnalyticsEventType.RENDER_SUCCEEDED, "")
_WORK, _CREDITS, _SIZE = (1 + MEASURES.index(name) for name in ("work_ms", "credits", "size_bytes"))
_CHANGED = ("stored_bytes", "renders", "work_ms", "credits", "waits", "aggregates")


class RollupKey(NamedTuple):
    """The key of a rollup within its interval. user_id: None for all accounts."""

    start: datetime
    user_id: UUID | None
    project_id: UUID


@dataclass(slots=True)
class RollupContent:
    """The content of a rollup. entries: by `codec.entry_name`. waits: counts by wait bucket."""

    entries: Entries = field(default_factory=dict)
    waits: Counter[str] = field(default_factory=Counter)


def rollup_id(interval: str, rollup_key: RollupKey) -> UUID:
    """Return the id of a rollup; unlike a unique constraint, it also matches rows whose user is NULL."""
    user = rollup_key.user_id.hex if rollup_key.user_id else "-"
    return uuid5(_NAMESPACE, f"{interval} {int(rollup_key.start.timestamp())} {user} {rollup_key.project_id.hex}")


def add_to_rollups(interval: str, increments: StatIncrements) -> None:
    """Add increments of hours or days to their rollups. The caller holds `lock_stats`."""
    contents: dict[UUID, tuple[RollupKey, RollupContent]] = {}
    ids: dict[RollupKey, UUID] = {}
    for key, value in increments.items():
        name, entry = entry_name(key.type, key.code), _entry_of(value)
        for rollup_key in _rollup_keys(key):
            pk = ids.get(rollup_key) or ids.setdefault(rollup_key, rollup_id(interval, rollup_key))
            _, content = contents.setdefault(pk, (rollup_key, RollupContent()))
            add_entry(content.entries, name, entry)
            content.waits.update(value.waits)
    # Sorted, so that neighbouring index entries are written together.
    rows = sorted(contents.items(), key=lambda item: (str(item[1][0].user_id), item[1][0].start))
    for first in range(0, len(rows), _ROWS_PER_STATEMENT):
        _write(interval, dict(rows[first : first + _ROWS_PER_STATEMENT]))


def _rollup_keys(key: StatKey) -> Iterator[RollupKey]:
    yield RollupKey(key.start, key.user_id, key.project_id)
    yield RollupKey(key.start, key.user_id, ALL_PROJECTS)
    yield RollupKey(key.start, None, ALL_PROJECTS)


def _entry_of(value: StatIncrement) -> Entry:
    latest: tuple[str, ...] = ()
    if value.latest_at is not None and value.latest_id is not None:
        latest = latest_pair(value.latest_at, value.latest_id)
    return [value.count, *value.numbers, *latest]


def _write(interval: str, contents: dict[UUID, tuple[RollupKey, RollupContent]]) -> None:
    for pk, aggregates, waits in StatRollup.objects.filter(pk__in=list(contents)).values_list(
        "pk", "aggregates", "waits"
    ):
        content = contents[pk][1]
        content.waits.update(decode(waits))
        for name, entry in decode(aggregates).items():
            add_entry(content.entries, name, entry)
    rollups = [_rollup(pk, interval, rollup_key, content) for pk, (rollup_key, content) in contents.items()]
    StatRollup.objects.bulk_create(rollups, update_conflicts=True, update_fields=_CHANGED, unique_fields=["id"])


def _rollup(pk: UUID, interval: str, rollup_key: RollupKey, content: RollupContent) -> StatRollup:
    succeeded = content.entries.get(_SUCCEEDED) or [0] * (1 + len(MEASURES))
    return StatRollup(
        pk=pk,
        interval=interval,
        start=rollup_key.start,
        user_id=rollup_key.user_id,
        project_id=rollup_key.project_id,
        stored_bytes=sum(
            entry[_SIZE] for name, entry in content.entries.items() if parse_entry_name(name)[0] in STORAGE
        ),
        renders=succeeded[0],
        work_ms=succeeded[_WORK],
        credits=succeeded[_CREDITS],
        waits=encode(content.waits),
        aggregates=encode(content.entries),
    )
