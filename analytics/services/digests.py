"""How sums get into the rows that answers read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from analytics.models import ALL_PROJECTS, NUMBERS, STORAGE, Digest, EventType
from analytics.packing import Entries, Entry, add_entry, kind_of, name_of, newest, pack, unpack
from analytics.services.sums import Key, Sum, Sums

_NAMESPACE = UUID("0b8bd0f7-5a0c-4f51-8a5e-2f3f6d6d3c11")
_ROWS_A_STATEMENT = 500
_SUCCEEDED = name_of(EventType.RENDER_SUCCEEDED, "")
_WORK, _CREDITS, _SIZE = (1 + NUMBERS.index(name) for name in ("work_ms", "credits", "size_bytes"))
_CHANGED = ("stored_bytes", "renders", "work_ms", "credits", "waits", "kinds")


class Place(NamedTuple):
    """What a digest is of. user_id: None for all accounts."""

    start: datetime
    user_id: UUID | None
    project_id: UUID


@dataclass(slots=True)
class Content:
    """What a digest says. entries: by name of the kind. waits: how many of each class."""

    entries: Entries = field(default_factory=dict)
    waits: Counter[str] = field(default_factory=Counter)


def digest_id(interval: str, place: Place) -> UUID:
    """Return the id of a digest. A row is found by it whether its user is NULL or not, which no constraint does."""
    user = place.user_id.hex if place.user_id else "-"
    return uuid5(_NAMESPACE, f"{interval} {int(place.start.timestamp())} {user} {place.project_id.hex}")


def add_to_digests(interval: str, sums: Sums) -> None:
    """Add sums of hours or days to their digests, made where there are none. The caller holds the lock."""
    contents: dict[UUID, tuple[Place, Content]] = {}
    ids: dict[Place, UUID] = {}
    for key, value in sums.items():
        name, entry = name_of(key.type, key.code), _entry_of(value)
        for place in _places_of(key):
            pk = ids.get(place) or ids.setdefault(place, digest_id(interval, place))
            _, content = contents.setdefault(pk, (place, Content()))
            add_entry(content.entries, name, entry)
            content.waits.update(value.waits)
    # In one order, as a database writes such rows side by side.
    rows = sorted(contents.items(), key=lambda item: (str(item[1][0].user_id), item[1][0].start))
    for first in range(0, len(rows), _ROWS_A_STATEMENT):
        _write(interval, dict(rows[first : first + _ROWS_A_STATEMENT]))


def _places_of(key: Key) -> Iterator[Place]:
    yield Place(key.start, key.user_id, key.project_id)
    yield Place(key.start, key.user_id, ALL_PROJECTS)
    yield Place(key.start, None, ALL_PROJECTS)


def _entry_of(value: Sum) -> Entry:
    latest: tuple[str, ...] = ()
    if value.latest_at is not None and value.latest_id is not None:
        latest = newest(value.latest_at, value.latest_id)
    return [value.count, *value.numbers, *latest]


def _write(interval: str, contents: dict[UUID, tuple[Place, Content]]) -> None:
    for pk, kinds, waits in Digest.objects.filter(pk__in=list(contents)).values_list("pk", "kinds", "waits"):
        content = contents[pk][1]
        content.waits.update(unpack(waits))
        for name, entry in unpack(kinds).items():
            add_entry(content.entries, name, entry)
    digests = [_digest(pk, interval, place, content) for pk, (place, content) in contents.items()]
    Digest.objects.bulk_create(digests, update_conflicts=True, update_fields=_CHANGED, unique_fields=["id"])


def _digest(pk: UUID, interval: str, place: Place, content: Content) -> Digest:
    succeeded = content.entries.get(_SUCCEEDED) or [0] * (1 + len(NUMBERS))
    return Digest(
        pk=pk,
        interval=interval,
        start=place.start,
        user_id=place.user_id,
        project_id=place.project_id,
        stored_bytes=sum(entry[_SIZE] for name, entry in content.entries.items() if kind_of(name)[0] in STORAGE),
        renders=succeeded[0],
        work_ms=succeeded[_WORK],
        credits=succeeded[_CREDITS],
        waits=pack(content.waits),
        kinds=pack(content.entries),
    )
