"""The sketch keeps its promise against sorted values, in any order of merging, and against the reference library."""

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
SHAPES = {
    "lognormal": lambda dice: dice.lognormvariate(7, 1.5),
    "uniform": lambda dice: dice.uniform(1, 1e6),
    "two modes": lambda dice: dice.choice((dice.gauss(900, 30), dice.gauss(250_000, 9000))),
    "constant": lambda dice: 1234,
    "pareto": lambda dice: dice.paretovariate(0.8) * 50,
}


def sketch_of(values: list[int]) -> dict[int, int]:
    buckets: dict[int, int] = {}
    for value in values:
        buckets[bucket_of(value)] = buckets.get(bucket_of(value), 0) + 1
    return buckets


def draw(shape: str, count: int) -> list[int]:
    dice = random.Random(f"{shape}{count}")
    return [max(1, int(SHAPES[shape](dice))) for _ in range(count)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 2, 10, 2000])
def test_every_quantile_is_within_the_bound_of_the_exact_one(shape: str, count: int) -> None:
    values = draw(shape, count)
    ordered = sorted(values)
    for share, found in zip(SHARES, quantiles(sketch_of(values), SHARES), strict=True):
        exact = ordered[max(1, math.ceil(round(share * count, 9))) - 1]
        assert found is not None
        assert abs(found - exact) <= ERROR_BOUND * exact, (share, found, exact)


def test_every_value_is_within_the_bound_of_its_bucket() -> None:
    dice = random.Random(1)
    for value in [*range(1, 3000), *(int(10 ** dice.uniform(3, 13)) for _ in range(3000))]:
        assert abs(middle_of(bucket_of(value)) - value) <= ERROR_BOUND * value
    assert bucket_of(0) == bucket_of(1) == bucket_of(-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_parts_add_up_in_any_order_to_the_sketch_of_all(shape: str) -> None:
    values = draw(shape, 900)
    parts = [encode(sketch_of(values[start::7])) for start in range(7)]
    dice = random.Random(2)
    for _ in range(3):
        dice.shuffle(parts)
        whole: dict[int, int] = {}
        for part in parts[:3]:
            add_encoded(whole, part)
        rest: dict[int, int] = {}
        for part in parts[3:]:
            add_buckets(rest, decode(part))
        add_buckets(whole, rest)
        assert whole == sketch_of(values)


@pytest.mark.parametrize("buckets", [{}, {0: 1}, {0: 127, 1: 128, 300: 2**40}, {1100: 1}])
def test_what_is_stored_is_read_back(buckets: dict[int, int]) -> None:
    assert decode(encode(buckets)) == buckets
    assert decode(memoryview(encode(buckets))) == buckets


def test_it_is_small() -> None:
    """A minute of a busy route: 2,000 requests between 1 and 30 ms."""
    dice = random.Random(3)
    assert len(encode(sketch_of([int(dice.lognormvariate(8, 0.6)) for _ in range(2000)]))) < 600


def test_an_empty_sketch_has_no_quantiles() -> None:
    assert quantiles({}, [0.5, 0.99]) == [None, None]


@pytest.mark.parametrize("shape", SHAPES)
def test_it_agrees_with_the_reference(shape: str) -> None:
    values = draw(shape, 3000)
    reference = DDSketch(0.01)
    for value in values:
        reference.add(value)
    for share, found in zip((0.5, 0.95, 0.99), quantiles(sketch_of(values), (0.5, 0.95, 0.99)), strict=True):
        other = reference.get_quantile_value(share)
        assert found is not None
        # Each may be off by the bound, and they may settle on neighbouring ranks.
        assert abs(found - other) <= 0.025 * other
