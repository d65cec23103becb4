"""JSON codec of the aggregates in a rollup: all event types and codes of a bucket in one column.

A name is the event type and the code, separated by a space (no type contains one). A value is a list: the count, the
sums in the order of MEASURES and, for failures, the time and the resource id of the latest one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from analytics.models import MEASURES

Entry = list[Any]
Entries = dict[str, Entry]
_WIDTH = 1 + len(MEASURES)


def entry_name(event_type: str, code: str) -> str:
    """Return the name of the entry for an event type and code."""
    return f"{event_type} {code}"


@lru_cache(maxsize=1024)
def parse_entry_name(name: str) -> tuple[str, str]:
    """Return the event type and the code of an entry name."""
    event_type, _, code = name.partition(" ")
    return event_type, code


def latest_pair(at: datetime, resource_id: UUID) -> tuple[str, str]:
    """Return the latest failure as strings that sort by time, then by id."""
    return at.isoformat(timespec="microseconds"), resource_id.hex


def add_entry(entries: Entries, name: str, added: Entry) -> None:
    """Add to the entry of a name, in place; create it if missing."""
    entry = entries.get(name)
    if entry is None:
        entries[name] = [*added]
        return
    for number in range(_WIDTH):
        entry[number] += added[number]
    entry[_WIDTH:] = max(entry[_WIDTH:], added[_WIDTH:])


def encode(values: Mapping[str, Entry] | Mapping[str, int]) -> str:
    """Return the values as JSON with sorted keys."""
    # orjson does not accept a Counter, so it is copied to a dict.
    return orjson.dumps(dict(values), option=orjson.OPT_SORT_KEYS).decode()


def decode(text: str) -> dict[str, Any]:
    """Return the values of an encoded text."""
    values: dict[str, Any] = orjson.loads(text)
    return values
