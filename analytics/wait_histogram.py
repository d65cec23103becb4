"""A histogram of waits whose buckets add up, so that percentiles of any time range can be read from stats.

Bucket n holds the waits up to 10 ms times 1.2 to the power of n. What a bucket stands for is off by a tenth at most,
and merging hours into days loses nothing. Source: Masson, Rim, Lee: DDSketch (VLDB 2019), section 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

ERROR_BOUND = 0.1
_MIN_MS = 10
_GROWTH = 1.2
_LAST = 120  # a year
_PREFIX = "w"


def bucket_of(waited_ms: int) -> str:
    """Return the bucket of a wait, as events store it."""
    if waited_ms <= _MIN_MS:
        return f"{_PREFIX}000"
    # The rounding keeps a wait that lies on the border in its bucket.
    number = math.ceil(round(math.log(waited_ms / _MIN_MS, _GROWTH), 9))
    return f"{_PREFIX}{min(number, _LAST):03d}"


@lru_cache(maxsize=_LAST + 1)
def bucket_seconds(name: str) -> float:
    """Return the wait that a bucket stands for."""
    number = int(name.removeprefix(_PREFIX))
    if number == 0:
        return _MIN_MS / 2000
    return _MIN_MS / 1000 * 2 * _GROWTH**number / (_GROWTH + 1)


def encode_waits(counts: Mapping[str, int]) -> str:
    """Return counts by bucket as stats store them, e.g. `w012=3 w020=1`."""
    return " ".join(f"{name}={count}" for name, count in sorted(counts.items()))


def decode_waits(text: str) -> dict[str, int]:
    """Return the counts of a stored text."""
    return {name: int(count) for name, _, count in (item.partition("=") for item in text.split())}


def percentiles(counts: Mapping[str, int], *shares: float) -> list[float | None]:
    """Return for each share the wait that so many of all waits do not exceed, None without waits.

    counts: by bucket. shares: ascending, above 0, up to 1.
    """
    total = sum(counts.values())
    if total == 0:
        return [None] * len(shares)
    found: list[float | None] = []
    ranks = [max(1, math.ceil(share * total)) for share in shares]
    seen = 0
    for name in sorted(counts):
        seen += counts[name]
        while seen >= ranks[len(found)]:
            found.append(bucket_seconds(name))
            if len(found) == len(ranks):
                return found
    raise AssertionError("the ranks end with the total")
