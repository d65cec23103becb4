"""Wait histogram: bounded error, mergeable buckets, percentiles."""

from __future__ import annotations

import math
import random
from collections import Counter

from analytics.wait_histogram import ERROR_BOUND, bucket_of, bucket_seconds, decode_waits, encode_waits, percentiles


def test_bucket_values_are_within_the_error_bound() -> None:
    for ms in [11, 12, 13, 20, 99, 100, 101, 1000, 59_999, 3_600_000, 86_400_000]:
        assert abs(bucket_seconds(bucket_of(ms)) * 1000 - ms) / ms < ERROR_BOUND, ms


def test_zero_and_huge_waits_have_a_bucket() -> None:
    assert bucket_of(0) == bucket_of(10) == "w000"
    assert bucket_of(10**15) == "w120"
    assert bucket_seconds("w000") == 0.005


def test_bucket_names_sort_like_their_waits() -> None:
    names = [bucket_of(ms) for ms in range(0, 200_000, 37)]
    assert names == sorted(names)


def test_percentiles_of_random_waits_are_within_the_error_bound() -> None:
    rng = random.Random(3)
    waits = sorted(int(rng.lognormvariate(7, 1.5)) + 11 for _ in range(5000))
    first, second = Counter(map(bucket_of, waits[::2])), Counter(map(bucket_of, waits[1::2]))
    shares = (0.01, 0.5, 0.5, 0.95, 0.99, 1.0)
    for share, found in zip(shares, percentiles(first + second, *shares), strict=True):
        truth = waits[math.ceil(share * len(waits)) - 1] / 1000
        assert found is not None
        assert abs(found - truth) / truth < ERROR_BOUND


def test_percentiles_of_no_waits_are_none() -> None:
    assert percentiles({}, 0.5, 0.95) == [None, None]


def test_one_wait_is_every_percentile() -> None:
    assert percentiles({"w007": 1}, 0.01, 0.5, 1.0) == [bucket_seconds("w007")] * 3


def test_counts_round_trip_through_text() -> None:
    counts = {"w012": 3, "w000": 1}
    assert encode_waits(counts) == "w000=1 w012=3"
    assert decode_waits(encode_waits(counts)) == counts
    assert decode_waits(encode_waits({})) == {}
