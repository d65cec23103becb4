"""Price of renders. One credit is one minute of 1080p at 30 fps; amounts are integer hundredths."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache

HUNDREDTHS = 100
_ONE_CREDIT = 60 * 1920 * 1080 * 30  # pixels
_MIN_CREDITS = 1
_MAX_CREDITS = 10**15  # well within 64-bit columns


def cost_of(
    duration_s: int | float | Decimal | Fraction, width: int, height: int, fps: int | float | Decimal | Fraction
) -> int:
    """Return the cost in hundredths of a credit: exact, rounded up, at least 1.

    width, height: pixels. Floats are rounded to six decimal places, so that 4.2 s costs no more than 42/10 s.
    Raises ValueError unless all are positive.
    """
    if min(duration_s, width, height, fps) <= 0:
        raise ValueError("duration, width, height and fps must be positive")
    pixels = _exact(duration_s) * width * height * _exact(fps)
    hundredths = pixels * HUNDREDTHS / _ONE_CREDIT
    return max(_MIN_CREDITS, -(-hundredths.numerator // hundredths.denominator))


# Cached: a list has two amounts per row, and most values repeat.
@lru_cache(maxsize=4096)
def format_credits(hundredths: int) -> str:
    """Return an amount in credits with two decimal places, e.g. `0.20`."""
    whole, rest = divmod(abs(hundredths), HUNDREDTHS)
    return f"{'-' if hundredths < 0 else ''}{whole}.{rest:02}"


def parse_credits(text: str) -> int:
    """Return the hundredths of an amount such as `10`, `0.2` or `-3.50`.

    Raises ValueError if it is not a number or has more than two decimal places.
    """
    try:
        amount = Decimal(text.strip())
    except InvalidOperation as error:
        raise ValueError("not a number") from error
    if not amount.is_finite() or abs(amount) >= _MAX_CREDITS:
        raise ValueError("not a usable number")
    hundredths = Fraction(amount) * HUNDREDTHS
    if hundredths.denominator != 1:
        raise ValueError("an amount has at most two decimal places")
    return int(hundredths)


def _exact(number: int | float | Decimal | Fraction) -> Fraction:
    return Fraction(str(round(number, 6))) if isinstance(number, float) else Fraction(number)
