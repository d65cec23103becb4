"""A mergeable histogram of queue waits, from which percentiles of any time range are computed.

Bucket n holds waits up to 10 ms * 1.2**n. The value of a bucket is off by at most 10 %, and merging hours into days
is lossless. Source: Masson, Rim, Lee: DDSketch (VLDB 2019), section 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

ERROR_BOUND = 0.1
_MIN_MS = 10
_GROWTH = 1.2
_LAST_BUCKET = 120  # a year
_PREFIX = "w"


def bucket_of(waited_ms: int) -> str:
    """Return the name of the bucket of a wait, e.g. `w012`."""
    if waited_ms <= _MIN_MS:
        return f"{_PREFIX}000"
    # Rounded, so that a wait exactly on a bound stays in its bucket despite the float error.
    number = math.ceil(round(math.log(waited_ms / _MIN_MS, _GROWTH), 9))
    return f"{_PREFIX}{min(number, _LAST_BUCKET):03d}"


@lru_cache(maxsize=_LAST_BUCKET + 1)
def bucket_seconds(name: str) -> float:
    """Return the representative wait of a bucket in seconds."""
    number = int(name.removeprefix(_PREFIX))
    if number == 0:
        return _MIN_MS / 2000
    return _MIN_MS / 1000 * 2 * _GROWTH**number / (_GROWTH + 1)


def encode_waits(counts: Mapping[str, int]) -> str:
    """Return counts by bucket as text, e.g. `w012=3 w020=1`."""
    return " ".join(f"{name}={count}" for name, count in sorted(counts.items()))


def decode_waits(text: str) -> dict[str, int]:
    """Return the counts by bucket of an encoded text."""
    return {name: int(count) for name, _, count in (item.partition("=") for item in text.split())}


def percentiles(counts: Mapping[str, int], *shares: float) -> list[float | None]:
    """Return the percentile in seconds for each share, None if there are no counts.

    counts: by bucket. shares: ascending, above 0, up to 1.
    """
    total = sum(counts.values())
    if total == 0:
        return [None] * len(shares)
    values: list[float | None] = []
    ranks = [max(1, math.ceil(share * total)) for share in shares]
    seen = 0
    for name in sorted(counts):
        seen += counts[name]
        while seen >= ranks[len(values)]:
            values.append(bucket_seconds(name))
            if len(values) == len(ranks):
                return values
    raise AssertionError("the ranks end with the total")
