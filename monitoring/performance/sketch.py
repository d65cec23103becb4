"""Percentiles that can be added up: a histogram with logarithmic buckets.

Bucket k counts the values v with GAMMA**k <= v < GAMMA**(k+1), so that its middle is off by at most ALPHA of any.
Two histograms add bucket by bucket, in any order, and the sum is what one histogram of all values would have been.
Source: Masson, Rim, Lee: DDSketch, VLDB 2019.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

ERROR_BOUND = 0.01
# A little less than promised, so that the rounding of logarithms and answers fits in as well: GAMMA is 103/101.
ALPHA = 1 / 102
GAMMA = (1 + ALPHA) / (1 - ALPHA)
SCALE = 1 / math.log(GAMMA)
# 0.07 * 100 is a little more than 7.
_ROUNDING = 1e-9
_log = math.log
Buckets = dict[int, int]


def bucket_of(value: int) -> int:
    """Return the bucket of a value; anything below 1 counts as 1."""
    return int(_log(value) * SCALE) if value > 1 else 0


def middle_of(bucket: int) -> float:
    """Return the value that stands for a bucket: off by the same share at both its ends."""
    return 2 * GAMMA ** (bucket + 1) / (GAMMA + 1)


def add_buckets(into: Buckets, other: Mapping[int, int]) -> None:
    """Add the counts of one histogram to another."""
    for bucket, count in other.items():
        into[bucket] = into.get(bucket, 0) + count


def quantiles(buckets: Mapping[int, int], shares: Iterable[float]) -> list[float | None]:
    """Return the value at each share (0..1, ascending) of the ordered values; None for an empty histogram."""
    total = sum(buckets.values())
    wanted = list(shares)
    if not total:
        return [None] * len(wanted)
    found: list[float | None] = []
    ordered = iter(sorted(buckets))
    bucket = next(ordered)
    seen = buckets[bucket]
    for share in wanted:
        # The smallest value that at least this share of all values does not exceed: the nearest rank.
        rank = max(1, math.ceil(share * total - _ROUNDING))
        while seen < rank:
            bucket = next(ordered)
            seen += buckets[bucket]
        found.append(middle_of(bucket))
    return found


def encode(buckets: Mapping[int, int]) -> bytes:
    """Return a histogram as bytes: the distance to the bucket before, then the count, each as a varint."""
    out = bytearray()
    before = 0
    for bucket in sorted(buckets):
        for number in (bucket - before, buckets[bucket]):
            while number > 0x7F:
                out.append(number & 0x7F | 0x80)
                number >>= 7
            out.append(number)
        before = bucket
    return bytes(out)


def add_encoded(into: Buckets, data: bytes | memoryview) -> None:
    """Add a stored histogram to another."""
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
    """Return a stored histogram."""
    buckets: Buckets = {}
    add_encoded(buckets, data)
    return buckets
