"""Prices of renders, and amounts as text."""

from decimal import ROUND_CEILING, Decimal, getcontext
from fractions import Fraction

import pytest

from credits.pricing import cost_of, format_credits, parse_credits


@pytest.mark.parametrize(
    ("duration_s", "width", "height", "fps", "hundredths"),
    [
        (60, 1920, 1080, 30, 100),  # the definition of one credit
        (6, 1920, 1080, 30, 10),
        (12, 1280, 720, 25, 8),  # 7.41
        (10, 1280, 720, 30, 8),  # 7.41
        (60, 3840, 2160, 60, 800),
        (3600, 7680, 4320, 120, 384_000),
        (0.04, 16, 16, 1, 1),  # never free
        (Fraction(3, 5), 1920, 1080, 30, 1),  # exactly one hundredth
        (Fraction(3, 5) + Fraction(1, 10**9), 1920, 1080, 30, 2),  # and slightly more
    ],
)
def test_prices_follow_the_contract(duration_s, width, height, fps, hundredths):
    assert cost_of(duration_s, width, height, fps) == hundredths


def test_a_float_costs_the_same_as_its_decimal():
    """4.2 is 4.20000000000000017 in binary: exact arithmetic on that would charge a hundredth too much."""
    for tenths in range(6, 6000, 6):
        assert cost_of(tenths / 10, 1920, 1080, 30) == tenths // 6
    assert cost_of(0.1 + 0.2, 1920, 1080, 60) == 1


def test_agrees_with_decimal_arithmetic():
    getcontext().prec = 60
    for index in range(1, 400):
        duration, width, height, fps = Decimal(index) / 7, 16 * index, 9 * index, 1 + index % 120
        exact = Fraction(index, 7)
        expected = duration / 60 * width * height * fps / (1920 * 1080 * 30) * 100
        ceiling = max(1, int(expected.quantize(Decimal("1e-30")).to_integral_value(ROUND_CEILING)))
        assert cost_of(exact, width, height, fps) == ceiling


@pytest.mark.parametrize("values", [(0, 16, 16, 1), (-1, 16, 16, 1), (1, 0, 16, 1), (1, 16, 16, 0)])
def test_refuses_values_that_are_not_positive(values):
    with pytest.raises(ValueError, match="positive"):
        cost_of(*values)


@pytest.mark.parametrize(
    ("hundredths", "text"),
    [(0, "0.00"), (1, "0.01"), (20, "0.20"), (100, "1.00"), (-305, "-3.05"), (10**12, "10000000000.00")],
)
def test_formats_and_parses_amounts(hundredths, text):
    assert format_credits(hundredths) == text
    assert parse_credits(text) == hundredths


@pytest.mark.parametrize(("text", "hundredths"), [("10", 1000), (" 0.5 ", 50), ("1e2", 10_000), ("2.50", 250)])
def test_parses_amounts_as_users_type_them(text, hundredths):
    assert parse_credits(text) == hundredths


@pytest.mark.parametrize("text", ["", "ten", "0.001", "1/2", "NaN", "Infinity", "1e15", "0x10"])
def test_refuses_invalid_amounts(text):
    with pytest.raises(ValueError):
        parse_credits(text)
