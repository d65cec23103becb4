"""The sketch stays within its error bound, in any merge order, and agrees with the reference library."""

from __future__ import annotations

import math
import random

import pytest
from ddsketch import DDSketch

from monitoring.performance.sketch import (
    ERROR_BOUND,
    add_buckets,
    add_encoded,
    bucket_of,
    decode,
    encode,
    middle_of,
    quantiles,
)

SHARES = [0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0]
DISTRIBUTIONS = {
    "lognormal": lambda rng: rng.lognormvariate(7, 1.5),
    "uniform": lambda rng: rng.uniform(1, 1e6),
    "two modes": lambda rng: rng.choice((rng.gauss(900, 30), rng.gauss(250_000, 9000))),
    "constant": lambda rng: 1234,
    "pareto": lambda rng: rng.paretovariate(0.8) * 50,
}


def sketch_of(values: list[int]) -> dict[int, int]:
    buckets: dict[int, int] = {}
    for value in values:
        buckets[bucket_of(value)] = buckets.get(bucket_of(value), 0) + 1
    return buckets


def draw(distribution: str, count: int) -> list[int]:
    rng = random.Random(f"{distribution}{count}")
    return [max(1, int(DISTRIBUTIONS[distribution](rng))) for _ in range(count)]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("count", [1, 2, 10, 2000])
def test_quantiles_are_within_the_error_bound(distribution: str, count: int) -> None:
    values = draw(distribution, count)
    ordered = sorted(values)
    for share, found in zip(SHARES, quantiles(sketch_of(values), SHARES), strict=True):
        exact = ordered[max(1, math.ceil(round(share * count, 9))) - 1]
        assert found is not None
        assert abs(found - exact) <= ERROR_BOUND * exact, (share, found, exact)


def test_every_value_is_within_the_error_bound_of_its_bucket() -> None:
    rng = random.Random(1)
    for value in [*range(1, 3000), *(int(10 ** rng.uniform(3, 13)) for _ in range(3000))]:
        assert abs(middle_of(bucket_of(value)) - value) <= ERROR_BOUND * value
    assert bucket_of(0) == bucket_of(1) == bucket_of(-5)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_merging_in_any_order_equals_one_sketch(distribution: str) -> None:
    values = draw(distribution, 900)
    parts = [encode(sketch_of(values[start::7])) for start in range(7)]
    rng = random.Random(2)
    for _ in range(3):
        rng.shuffle(parts)
        whole: dict[int, int] = {}
        for part in parts[:3]:
            add_encoded(whole, part)
        rest: dict[int, int] = {}
        for part in parts[3:]:
            add_buckets(rest, decode(part))
        add_buckets(whole, rest)
        assert whole == sketch_of(values)


@pytest.mark.parametrize("buckets", [{}, {0: 1}, {0: 127, 1: 128, 300: 2**40}, {1100: 1}])
def test_decode_reverses_encode(buckets: dict[int, int]) -> None:
    assert decode(encode(buckets)) == buckets
    assert decode(memoryview(encode(buckets))) == buckets


def test_an_encoded_sketch_is_small() -> None:
    """One minute of a busy route: 2,000 requests between 1 and 30 ms."""
    rng = random.Random(3)
    assert len(encode(sketch_of([int(rng.lognormvariate(8, 0.6)) for _ in range(2000)]))) < 600


def test_an_empty_sketch_has_no_quantiles() -> None:
    assert quantiles({}, [0.5, 0.99]) == [None, None]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_agrees_with_the_reference_library(distribution: str) -> None:
    values = draw(distribution, 3000)
    reference = DDSketch(0.01)
    for value in values:
        reference.add(value)
    for share, found in zip((0.5, 0.95, 0.99), quantiles(sketch_of(values), (0.5, 0.95, 0.99)), strict=True):
        other = reference.get_quantile_value(share)
        assert found is not None
        # Each may be off by the bound, and they may choose adjacent ranks.
        assert abs(found - other) <= 0.025 * other
