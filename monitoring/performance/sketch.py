"""Mergeable percentiles: a histogram with logarithmic buckets.

Bucket k counts the values v with GAMMA**k <= v < GAMMA**(k+1), so that its middle is within ALPHA of any.
Histograms add bucket by bucket, in any order; the sum equals one histogram of all values.
Source: Masson, Rim, Lee: DDSketch, VLDB 2019.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

ERROR_BOUND = 0.01
# A little below ERROR_BOUND, to leave room for rounding: GAMMA is 103/101.
ALPHA = 1 / 102
GAMMA = (1 + ALPHA) / (1 - ALPHA)
SCALE = 1 / math.log(GAMMA)
# Floating point: 0.07 * 100 is a little more than 7.
_ROUNDING = 1e-9
_log = math.log
Buckets = dict[int, int]


def bucket_of(value: int) -> int:
    """Return the bucket of a value; values below 1 count as 1."""
    return int(_log(value) * SCALE) if value > 1 else 0


def middle_of(bucket: int) -> float:
    """Return the value that represents a bucket, with the same relative error at both ends."""
    return 2 * GAMMA ** (bucket + 1) / (GAMMA + 1)


def add_buckets(into: Buckets, other: Mapping[int, int]) -> None:
    """Add the counts of one histogram to another."""
    for bucket, count in other.items():
        into[bucket] = into.get(bucket, 0) + count


def quantiles(buckets: Mapping[int, int], shares: Iterable[float]) -> list[float | None]:
    """Return the quantiles at the given shares (0..1, ascending); None each for an empty histogram."""
    total = sum(buckets.values())
    requested = list(shares)
    if not total:
        return [None] * len(requested)
    values: list[float | None] = []
    ordered = iter(sorted(buckets))
    bucket = next(ordered)
    cumulative = buckets[bucket]
    for share in requested:
        # Nearest rank: the smallest value with at least this share of all values at or below it.
        rank = max(1, math.ceil(share * total - _ROUNDING))
        while cumulative < rank:
            bucket = next(ordered)
            cumulative += buckets[bucket]
        values.append(middle_of(bucket))
    return values


def encode(buckets: Mapping[int, int]) -> bytes:
    """Encode a histogram: for each bucket the distance to the previous one and the count, as varints."""
    out = bytearray()
    previous = 0
    for bucket in sorted(buckets):
        for number in (bucket - previous, buckets[bucket]):
            while number > 0x7F:
                out.append(number & 0x7F | 0x80)
                number >>= 7
            out.append(number)
        previous = bucket
    return bytes(out)


def add_encoded(into: Buckets, data: bytes | memoryview) -> None:
    """Add an encoded histogram to another."""
    number = shift = bucket = 0
    is_count = False
    for byte in bytes(data):
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            continue
        if is_count:
            into[bucket] = into.get(bucket, 0) + number
        else:
            bucket += number
        is_count = not is_count
        number = shift = 0


def decode(data: bytes | memoryview) -> Buckets:
    """Decode a histogram."""
    buckets: Buckets = {}
    add_encoded(buckets, data)
    return buckets
