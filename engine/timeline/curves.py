"""Animation curves: turns tweens in seconds into curves in frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from engine.language.animation import Tween
from engine.timeline.model import Curve, Keyframe
from engine.timeline.schedule import exact, to_frame

_BEZIERS: dict[str, tuple[float, float, float, float]] = {
    "ease": (0.25, 0.1, 0.25, 1.0),
    "easeIn": (0.42, 0.0, 1.0, 1.0),
    "easeOut": (0.0, 0.0, 0.58, 1.0),
    "easeInOut": (0.42, 0.0, 0.58, 1.0),
    "easeInQuad": (0.11, 0.0, 0.5, 0.0),
    "easeOutQuad": (0.5, 1.0, 0.89, 1.0),
    "easeInOutQuad": (0.45, 0.0, 0.55, 1.0),
    "easeInCubic": (0.32, 0.0, 0.67, 0.0),
    "easeOutCubic": (0.33, 1.0, 0.68, 1.0),
    "easeInOutCubic": (0.65, 0.0, 0.35, 1.0),
    "easeInQuart": (0.5, 0.0, 0.75, 0.0),
    "easeOutQuart": (0.25, 1.0, 0.5, 1.0),
    "easeInOutQuart": (0.76, 0.0, 0.24, 1.0),
    "easeInQuint": (0.64, 0.0, 0.78, 0.0),
    "easeOutQuint": (0.22, 1.0, 0.36, 1.0),
    "easeInOutQuint": (0.83, 0.0, 0.17, 1.0),
    "easeInSine": (0.12, 0.0, 0.39, 0.0),
    "easeOutSine": (0.61, 1.0, 0.88, 1.0),
    "easeInOutSine": (0.37, 0.0, 0.63, 1.0),
    "easeInExpo": (0.7, 0.0, 0.84, 0.0),
    "easeOutExpo": (0.16, 1.0, 0.3, 1.0),
    "easeInOutExpo": (0.87, 0.0, 0.13, 1.0),
    "easeInCirc": (0.55, 0.0, 1.0, 0.45),
    "easeOutCirc": (0.0, 0.55, 0.45, 1.0),
    "easeInOutCirc": (0.85, 0.0, 0.15, 1.0),
    "easeInBack": (0.36, 0.0, 0.66, -0.56),
    "easeOutBack": (0.34, 1.56, 0.64, 1.0),
    "easeInOutBack": (0.68, -0.6, 0.32, 1.6),
}


def make_curve(
    value: float | Sequence[Tween],
    *,
    fps: Fraction,
    frames: int,
    default: float,
    low: float | None = None,
    high: float | None = None,
) -> Curve:
    """Return a number or a list of tweens as a curve over a clip of `frames` frames.

    default: the start value of a first tween without `from`. low, high: bounds of the values.
    Overlapping tweens are cut short by the next one; tweens after the end of the clip are left out.
    """
    if isinstance(value, float):
        return Curve(_bounded(value, low, high))
    pieces: list[Keyframe] = []
    reached = default
    for tween in sorted(value, key=lambda piece: piece.start):
        first = reached if tween.from_ is None else tween.from_
        last = first if tween.to is None else tween.to
        start = to_frame(exact(tween.start), fps)
        if start >= frames:
            break
        end = frames if tween.length is None else to_frame(exact(tween.start) + exact(tween.length), fps)
        if pieces and pieces[-1].start + pieces[-1].frames > start:
            pieces[-1] = replace(pieces[-1], frames=start - pieces[-1].start)
        ends = (_bounded(first, low, high), _bounded(last, low, high))
        pieces.append(Keyframe(start, max(1, end - start), *ends, easing=easing_of(tween)))
        reached = last
    keyframes = tuple(piece for piece in pieces if piece.frames > 0)
    return Curve(keyframes[0].value_from if keyframes else _bounded(default, low, high), keyframes)


def easing_of(tween: Tween) -> str | tuple[float, float, float, float]:
    """Return a tween's easing in the timeline's terms.

    `constant` holds until its end and then jumps. An easing applies with `bezier`, or without an interpolation.
    """
    if tween.interpolation == "constant":
        return "hold"
    straight = tween.interpolation == "linear" and "interpolation" in tween.model_fields_set
    easing = tween.easing or ("ease" if tween.interpolation == "bezier" else "linear")
    return "linear" if straight or easing == "linear" else _BEZIERS[easing]


def _bounded(value: float, low: float | None, high: float | None) -> float:
    value = value if low is None else max(low, value)
    return value if high is None else min(high, value)
