"""Clip motion: position, scale, rotation and opacity of a clip at each of its frames."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from dataclasses import dataclass

from engine.timeline.model import Curve, Effect, Keyframe, TimedClip, Transition

# Our own values: the format names the speeds but gives no numbers.
ZOOM_FACTORS = {"slow": 1.15, "normal": 1.3, "fast": 1.5}
SLIDE_TRAVEL = {"slow": 0.06, "normal": 0.12, "fast": 0.2}
TRANSITION_ZOOM_IN = 0.5
TRANSITION_ZOOM_OUT = 2.0
TRANSITION_SLIDE = 0.1
# At this distance, in viewports, a rotated clip of the viewport's size is out of sight.
SHUFFLE_REACH = 1.5
SHUFFLE_LEAN = 0.3
SHUFFLE_TURN_DEG = 30.0

DIRECTIONS = {"Left": (-1, 0), "Right": (1, 0), "Up": (0, -1), "Down": (0, 1)}
SIDES = {"Left": (-1, 0), "Right": (1, 0), "Top": (0, -1), "Bottom": (0, 1)}
_CORNER = re.compile("|".join(SIDES))


@dataclass(frozen=True, slots=True)
class Pose:
    """A clip's geometry and alpha at one frame.

    scale: of the clip itself, before it is anchored; zoom: on top, about its own centre.
    offset_x, offset_y: fractions of the viewport, +y up. drift_x, drift_y: motion of effects and shuffles,
    fractions of the viewport, +y down. alpha: 0 to 1.
    """

    scale: float
    zoom: float
    offset_x: float
    offset_y: float
    drift_x: float
    drift_y: float
    rotate_deg: float
    skew_x: float
    skew_y: float
    alpha: float


def _bezier(x: float, control: tuple[float, float, float, float]) -> float:
    """Return y of a cubic Bezier from (0, 0) to (1, 1) at `x`; control: x1, y1, x2, y2 as CSS orders them."""
    x1, y1, x2, y2 = control

    def axis(t: float, a: float, b: float) -> float:
        return 3 * a * t * (1 - t) ** 2 + 3 * b * t * t * (1 - t) + t**3

    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if axis(middle, x1, x2) < x:
            low = middle
        else:
            high = middle
    return axis(low, y1, y2)


def ease(name: str | tuple[float, float, float, float], part: float) -> float:
    """Return the eased progress at `part` (0 to 1) of a change's time."""
    if isinstance(name, tuple):
        return _bezier(part, name)
    if name == "ease_in":
        return part**3
    if name == "ease_out":
        return 1 - (1 - part) ** 3
    if name == "ease_in_out":
        return 4 * part**3 if part < 0.5 else 1 - (2 - 2 * part) ** 3 / 2
    if name == "hold":
        return 0.0 if part < 1 else 1.0
    return part


def _within(piece: Keyframe, frame: int) -> float:
    """Return the value of one keyframe at `frame`, held after its end."""
    if frame >= piece.start + piece.frames or piece.frames <= 0:
        return piece.value_to
    part = max(0, frame - piece.start) / piece.frames
    return piece.value_from + (piece.value_to - piece.value_from) * ease(piece.easing, part)


def value_at(curve: Curve, frame: int) -> float:
    """Return the value of a curve at a frame of its clip."""
    if curve.is_constant:
        return curve.constant
    index = bisect_right(curve.keyframes, frame, key=lambda piece: piece.start) - 1
    return _within(curve.keyframes[max(0, index)], frame)


def _part(frame: int, frames: int) -> float:
    """Return the progress of a clip: 0 at its first frame, 1 at its last."""
    return frame / (frames - 1) if frames > 1 else 0.0


def effect_zoom(effect: Effect | None, frame: int, frames: int) -> float:
    """Return the zoom of an effect at a frame of a clip of `frames` frames."""
    if effect is None or effect.name not in ("zoomIn", "zoomOut"):
        return 1.0
    part = _part(frame, frames)
    factor = ZOOM_FACTORS.get(effect.speed, ZOOM_FACTORS["normal"])
    return 1 + (factor - 1) * (part if effect.name == "zoomIn" else 1 - part)


def effect_slide(effect: Effect | None, frame: int, frames: int) -> tuple[float, float]:
    """Return the offset of a slide effect, as fractions of the viewport, +y down."""
    if effect is None or not effect.name.startswith("slide"):
        return 0.0, 0.0
    dx, dy = DIRECTIONS.get(effect.name.removeprefix("slide"), (0, 0))
    reach = SLIDE_TRAVEL.get(effect.speed, SLIDE_TRAVEL["normal"]) * (_part(frame, frames) - 0.5)
    return dx * reach, dy * reach


def entered(clip: TimedClip, frame: int) -> float:
    """Return the progress of the transition in: 0 at the first frame, 1 when it is over."""
    transition = clip.transition_in
    return min(1.0, frame / transition.frames) if transition and transition.frames else 1.0


def remaining(clip: TimedClip, frame: int) -> float:
    """Return what is left of the transition out: 1 before it starts, towards 0 after the last frame."""
    transition = clip.transition_out
    return min(1.0, (clip.frames - frame) / transition.frames) if transition and transition.frames else 1.0


def _is(transition: Transition | None, name: str) -> bool:
    return transition is not None and transition.name == name


def fades(transition: Transition | None) -> bool:
    """Return whether a transition changes the opacity: fades, zooms and slides do."""
    return transition is not None and (transition.name in ("fade", "zoom") or transition.name.startswith("slide"))


def shuffles(transition: Transition | None) -> bool:
    """Return whether a transition is a shuffle."""
    return transition is not None and transition.name.startswith("shuffle")


def transition_alpha(clip: TimedClip, frame: int) -> float:
    """Return the opacity factor of both transitions."""
    alpha = 1.0
    if fades(clip.transition_in):
        alpha *= entered(clip, frame)
    if fades(clip.transition_out):
        alpha *= remaining(clip, frame)
    return alpha


def transition_zoom(clip: TimedClip, frame: int) -> float:
    """Return the zoom of zoom transitions: the clip grows on its way in, and grows further on its way out."""
    zoom = 1.0
    if _is(clip.transition_in, "zoom"):
        zoom *= TRANSITION_ZOOM_IN + (1 - TRANSITION_ZOOM_IN) * ease("ease_out", entered(clip, frame))
    if _is(clip.transition_out, "zoom"):
        zoom *= 1 + (TRANSITION_ZOOM_OUT - 1) * ease("ease_in", 1 - remaining(clip, frame))
    return zoom


def transition_shuffle(clip: TimedClip, frame: int) -> tuple[float, float, float]:
    """Return the offset and rotation of shuffles: fractions of the viewport, +y down, and degrees."""
    x = y = turn = 0.0
    for transition, gone in (
        (clip.transition_in, 1 - ease("ease_out", entered(clip, frame))),
        (clip.transition_out, ease("ease_in", 1 - remaining(clip, frame))),
    ):
        if transition is None or not shuffles(transition):
            continue
        # "TopRight" swings over the top and leans to the right, "RightTop" the reverse.
        side, lean = (SIDES[word] for word in _CORNER.findall(transition.name))
        x += gone * (side[0] * SHUFFLE_REACH + lean[0] * SHUFFLE_LEAN)
        y += gone * (side[1] * SHUFFLE_REACH + lean[1] * SHUFFLE_LEAN)
        turn += gone * SHUFFLE_TURN_DEG * (side[0] * lean[1] - side[1] * lean[0])
    return x, y, turn


def pose_at(clip: TimedClip, frame: int) -> Pose:
    """Return the pose of a clip at one of its own frames (0 is its first)."""
    drift = effect_slide(clip.effect, frame, clip.frames)
    shuffle = transition_shuffle(clip, frame)
    return Pose(
        scale=value_at(clip.scale, frame),
        zoom=effect_zoom(clip.effect, frame, clip.frames) * transition_zoom(clip, frame),
        offset_x=value_at(clip.offset_x, frame),
        offset_y=value_at(clip.offset_y, frame),
        drift_x=drift[0] + shuffle[0],
        drift_y=drift[1] + shuffle[1],
        rotate_deg=value_at(clip.rotate_deg, frame) + shuffle[2],
        skew_x=value_at(clip.skew_x, frame),
        skew_y=value_at(clip.skew_y, frame),
        alpha=max(0.0, min(1.0, value_at(clip.opacity, frame))) * transition_alpha(clip, frame),
    )


def _slide_direction(name: str) -> tuple[int, int] | None:
    """Return the direction of a sliding transition, or None for the others."""
    for family in ("slide", "carousel"):
        if name.startswith(family):
            return DIRECTIONS.get(name.removeprefix(family))
    return None


def slide_offsets(clip: TimedClip, frames: range, viewport: tuple[int, int]) -> list[tuple[float, float]]:
    """Return the offset of sliding transitions at each frame, in pixels, +y down.

    A carousel travels the whole viewport; a slide moves a little while it fades.
    """
    offsets = []
    for frame in frames:
        x = y = 0.0
        coming, going = clip.transition_in, clip.transition_out
        if coming and (direction := _slide_direction(coming.name)):
            distance = _travel(coming.name) * (1 - ease("ease_out", entered(clip, frame)))
            x, y = x - direction[0] * distance * viewport[0], y - direction[1] * distance * viewport[1]
        if going and (direction := _slide_direction(going.name)):
            gone = _travel(going.name) * ease("ease_in", 1 - remaining(clip, frame))
            x, y = x + direction[0] * gone * viewport[0], y + direction[1] * gone * viewport[1]
        offsets.append((x, y))
    return offsets


def _travel(name: str) -> float:
    """Return the distance that a sliding transition covers, in viewports."""
    return TRANSITION_SLIDE if name.startswith("slide") else 1.0


def constant(values: list[float], tolerance: float = 1e-6) -> bool:
    """Return whether all values are equal within `tolerance`."""
    return math.isclose(min(values), max(values), abs_tol=tolerance, rel_tol=0.0)
