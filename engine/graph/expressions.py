"""Write moving values in FFmpeg's expression language, and text safely in its filter language."""

from __future__ import annotations

from fractions import Fraction

from engine.plan.model import PiecewiseLinear


def number(value: float) -> str:
    """Return a number in plain decimals, as short as it can be said within a millionth."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def time_s(frames: int, fps: Fraction) -> str:
    """Return the time of a frame in seconds."""
    return number(float(frames / fps))


def expression(polyline: PiecewiseLinear, variable: str) -> str:
    """Return a piecewise linear value as an expression of a frame number.

    A tree of `if` keeps the nesting within FFmpeg's limit and the evaluation short for any number of pieces.
    """
    points = polyline.points
    if len(points) == 1:
        return number(points[0][1])
    pieces = [_piece(points[i], points[i + 1], variable) for i in range(len(points) - 1)]
    limits = [points[i + 1][0] for i in range(len(points) - 2)]
    # Outside its first and last point the value is held.
    variable_held = f"clip({variable},{points[0][0]},{points[-1][0]})"
    held = [piece.replace(f"({variable}-", f"({variable_held}-") for piece in (pieces[0], pieces[-1])]
    pieces[0], pieces[-1] = held[0], held[-1]
    return _tree(pieces, limits, variable)


def _piece(start: tuple[int, float], end: tuple[int, float], variable: str) -> str:
    """Return one straight piece."""
    slope = (end[1] - start[1]) / (end[0] - start[0])
    if abs(slope) < 1e-9:
        return number(start[1])
    return f"{number(start[1])}+{slope:.9g}*({variable}-{start[0]})"


def _tree(pieces: list[str], limits: list[int], variable: str) -> str:
    """Return the choice among pieces as a balanced tree of comparisons."""
    if len(pieces) == 1:
        return pieces[0]
    middle = len(pieces) // 2
    left = _tree(pieces[:middle], limits[: middle - 1], variable)
    right = _tree(pieces[middle:], limits[middle:], variable)
    return f"if(lt({variable},{limits[middle - 1]}),{left},{right})"


def color(value: str) -> str:
    """Return `#RRGGBB` as FFmpeg writes it."""
    return "0x" + value.lstrip("#")
