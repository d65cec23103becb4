"""Rectangles: how a source fits its box, and where the box goes in the viewport."""

from __future__ import annotations

from dataclasses import dataclass

from engine.plan.model import Rect
from engine.timeline.model import Crop

ANCHORS = {
    "center": (0.5, 0.5),
    "top": (0.5, 0.0),
    "topRight": (1.0, 0.0),
    "right": (1.0, 0.5),
    "bottomRight": (1.0, 1.0),
    "bottom": (0.5, 1.0),
    "bottomLeft": (0.0, 1.0),
    "left": (0.0, 0.5),
    "topLeft": (0.0, 0.0),
}


@dataclass(frozen=True, slots=True)
class CropRect:
    """A part of a source frame, in its pixels, and the size of that part in the viewport at scale 1."""

    left: float
    top: float
    width: float
    height: float
    shown_width: float
    shown_height: float


def fit_picture(source: tuple[int, int], fit: str, box: tuple[int, int], crop: Crop) -> CropRect:
    """Return the visible part of a source and its size, before the clip's scale.

    source: width and height in pixels. box: the clip's own box, or the viewport.
    The crop applies to what the fit leaves visible, and keeps its scale.
    """
    width, height = float(source[0]), float(source[1])
    if fit == "crop":
        factor = max(box[0] / width, box[1] / height)
        seen_width, seen_height = box[0] / factor, box[1] / factor
        rect = CropRect((width - seen_width) / 2, (height - seen_height) / 2, seen_width, seen_height, *map(float, box))
    elif fit == "contain":
        factor = min(box[0] / width, box[1] / height)
        rect = CropRect(0, 0, width, height, width * factor, height * factor)
    elif fit == "cover":
        rect = CropRect(0, 0, width, height, *map(float, box))
    else:
        rect = CropRect(0, 0, width, height, width, height)
    across, down = max(0.0, 1 - crop.left - crop.right), max(0.0, 1 - crop.top - crop.bottom)
    return CropRect(
        rect.left + rect.width * crop.left,
        rect.top + rect.height * crop.top,
        rect.width * across,
        rect.height * down,
        rect.shown_width * across,
        rect.shown_height * down,
    )


def anchored_corner(
    position: str, size: tuple[float, float], offset: tuple[float, float], viewport: tuple[int, int]
) -> tuple[float, float]:
    """Return the top left corner of a box of `size` at an anchor position; offset: fractions, +y up."""
    across, down = ANCHORS.get(position, ANCHORS["center"])
    left = (viewport[0] - size[0]) * across + offset[0] * viewport[0]
    top = (viewport[1] - size[1]) * down - offset[1] * viewport[1]
    return left, top


def even(value: float) -> int:
    """Return the nearest even whole number, at least 2: chroma is sampled at every second pixel."""
    return max(2, 2 * round(value / 2))


def source_rect(rect: CropRect, source: tuple[int, int]) -> Rect | None:
    """Return a crop in whole pixels within the source, or None for all of it."""
    left = min(source[0] - 1, max(0, round(rect.left)))
    top = min(source[1] - 1, max(0, round(rect.top)))
    width = max(1, min(source[0] - left, round(rect.left + rect.width) - left))
    height = max(1, min(source[1] - top, round(rect.top + rect.height) - top))
    box = Rect(left, top, width, height)
    return None if box == Rect(0, 0, *source) else box


def clip_to_viewport(
    rect: CropRect, left: float, top: float, flips: tuple[bool, bool], viewport: tuple[int, int]
) -> tuple[CropRect, float, float] | None:
    """Return the part of a layer within the viewport and its new corner; None if there is none.

    left, top: corner of the layer. flips: whether it is mirrored (across, down), so that its left side comes from
    the right of the source.
    """
    right, bottom = left + rect.shown_width, top + rect.shown_height
    seen_left, seen_top = max(0.0, left), max(0.0, top)
    seen_right, seen_bottom = min(float(viewport[0]), right), min(float(viewport[1]), bottom)
    if seen_right - seen_left < 0.5 or seen_bottom - seen_top < 0.5:
        return None
    per_x, per_y = rect.width / rect.shown_width, rect.height / rect.shown_height
    lost_left = (right - seen_right if flips[0] else seen_left - left) * per_x
    lost_top = (bottom - seen_bottom if flips[1] else seen_top - top) * per_y
    visible = CropRect(
        rect.left + lost_left,
        rect.top + lost_top,
        (seen_right - seen_left) * per_x,
        (seen_bottom - seen_top) * per_y,
        seen_right - seen_left,
        seen_bottom - seen_top,
    )
    return visible, seen_left, seen_top
