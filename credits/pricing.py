"""What a render costs. One credit is one minute of 1080p at 30 frames a second; inside, integer hundredths."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache

HUNDREDTHS = 100
_ONE_CREDIT = 60 * 1920 * 1080 * 30  # pixels shown
_MIN_CREDITS = 1
_MAX_CREDITS = 10**15  # far from the edge of the 64-bit columns


def cost_of(
    duration_s: int | float | Decimal | Fraction, width: int, height: int, fps: int | float | Decimal | Fraction
) -> int:
    """Return the cost in hundredths of a credit: exact, rounded up, at least 1.

    width, height: pixels. Floats count as the decimal number they stand for, to the sixth digit, so that 4.2 s costs
    what forty-two tenths cost and not a hundredth more.
    Raises ValueError unless all are positive.
    """
    if min(duration_s, width, height, fps) <= 0:
        raise ValueError("duration, width, height and fps must be positive")
    pixels = _exact(duration_s) * width * height * _exact(fps)
    hundredths = pixels * HUNDREDTHS / _ONE_CREDIT
    return max(_MIN_CREDITS, -(-hundredths.numerator // hundredths.denominator))


# A list has two amounts a row, most of them the same few.
@lru_cache(maxsize=4096)
def format_credits(hundredths: int) -> str:
    """Return an amount as clients see it, e.g. `0.20`."""
    whole, rest = divmod(abs(hundredths), HUNDREDTHS)
    return f"{'-' if hundredths < 0 else ''}{whole}.{rest:02}"


def parse_credits(text: str) -> int:
    """Return the hundredths of an amount such as `10`, `0.2` or `-3.50`.

    Raises ValueError for what is no number, or is finer than a hundredth.
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
