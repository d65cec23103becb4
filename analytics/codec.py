"""Encode the aggregates of many kinds of events as one text, so that an answer reads one row for each bucket.

The text is a JSON object. A name is the type and the code with a space between (no type has one); a value is a list:
the count, the sums in the order of MEASURES, and for failures when the newest was and what it was of.
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
    """Return the name of a kind."""
    return f"{event_type} {code}"


@lru_cache(maxsize=1024)
def parse_entry_name(name: str) -> tuple[str, str]:
    """Return the type and the code of a name."""
    event_type, _, code = name.partition(" ")
    return event_type, code


def latest_pair(at: datetime, resource_id: UUID) -> tuple[str, str]:
    """Return the newest failure as texts that compare by time, then by id."""
    return at.isoformat(timespec="microseconds"), resource_id.hex


def add_entry(entries: Entries, name: str, added: Entry) -> None:
    """Add stats to those of a name."""
    entry = entries.get(name)
    if entry is None:
        entries[name] = [*added]
        return
    for number in range(_WIDTH):
        entry[number] += added[number]
    entry[_WIDTH:] = max(entry[_WIDTH:], added[_WIDTH:])


def encode(values: Mapping[str, Entry] | Mapping[str, int]) -> str:
    """Return the values as JSON."""
    # A Counter is a dict to Python, but not to the encoder.
    return orjson.dumps(dict(values), option=orjson.OPT_SORT_KEYS).decode()


def decode(text: str) -> dict[str, Any]:
    """Return what a text holds."""
    values: dict[str, Any] = orjson.loads(text)
    return values
