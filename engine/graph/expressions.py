"""FFmpeg expressions: piecewise linear values, numbers, times and colours in FFmpeg's syntax."""

from __future__ import annotations

from fractions import Fraction

from engine.plan.model import PiecewiseLinear


def number(value: float) -> str:
    """Return a number in plain decimals, rounded to a millionth, without trailing zeros."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def time_s(frames: int, fps: Fraction) -> str:
    """Return a number of frames as seconds."""
    return number(float(frames / fps))


def expression(polyline: PiecewiseLinear, variable: str) -> str:
    """Return a piecewise linear value as an FFmpeg expression; variable: the frame number in it.

    A balanced tree of `if` stays within FFmpeg's nesting limit and is quick to evaluate for any number of pieces.
    """
    points = polyline.points
    if len(points) == 1:
        return number(points[0][1])
    pieces = [_piece(points[i], points[i + 1], variable) for i in range(len(points) - 1)]
    limits = [points[i + 1][0] for i in range(len(points) - 2)]
    # Outside its first and last point the value is constant.
    clamped = f"clip({variable},{points[0][0]},{points[-1][0]})"
    for end in (0, -1):
        pieces[end] = pieces[end].replace(f"({variable}-", f"({clamped}-")
    return _tree(pieces, limits, variable)


def _piece(start: tuple[int, float], end: tuple[int, float], variable: str) -> str:
    slope = (end[1] - start[1]) / (end[0] - start[0])
    if abs(slope) < 1e-9:
        return number(start[1])
    return f"{number(start[1])}+{slope:.9g}*({variable}-{start[0]})"


def _tree(pieces: list[str], limits: list[int], variable: str) -> str:
    """Return a balanced tree of comparisons that selects a piece."""
    if len(pieces) == 1:
        return pieces[0]
    middle = len(pieces) // 2
    left = _tree(pieces[:middle], limits[: middle - 1], variable)
    right = _tree(pieces[middle:], limits[middle:], variable)
    return f"if(lt({variable},{limits[middle - 1]}),{left},{right})"


def color(value: str) -> str:
    """Return `#RRGGBB` as FFmpeg writes it."""
    return "0x" + value.lstrip("#")
