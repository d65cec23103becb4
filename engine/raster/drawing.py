"""Drawings: the raster jobs of a clip, with the frames that each is shown for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.issues import Issue
from engine.raster.errors import DrawingFailed
from engine.raster.job import RasterJob, RasterLayer
from engine.raster.text_css import FontResolver
from engine.timeline.model import TimedClip, Timeline

MAX_WIDTH = 7680
MAX_HEIGHT = 4320
_MAX_PIXELS = MAX_WIDTH * MAX_HEIGHT


@dataclass(frozen=True, slots=True)
class Drawing:
    """A clip's pictures before they are drawn; their frames add up to the clip's."""

    width: int
    height: int
    pictures: tuple[tuple[RasterJob, int], ...]
    warnings: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class Canvas:
    """The size of a drawing. width, height: its own box in pixels. view_width, view_height: the viewport."""

    width: int
    height: int
    view_width: int
    view_height: int


def canvas_of(clip: TimedClip, timeline: Timeline, *, viewport: bool = False) -> Canvas:
    """Return a clip's box: the asset's own size, else the clip's, else the viewport's.

    viewport: always use the viewport. Raises DrawingFailed if it is too large.
    """
    output = timeline.output
    width = height = None
    if not viewport:
        width = getattr(clip.asset, "width", None) or clip.width
        height = getattr(clip.asset, "height", None) or clip.height
    return sized_canvas(timeline, width or output.width, height or output.height)


def sized_canvas(timeline: Timeline, width: float, height: float) -> Canvas:
    """Return a box of that size in whole pixels. Raises DrawingFailed if it is too large."""
    whole_width, whole_height = max(1, round(width)), max(1, round(height))
    too_long = max(whole_width, whole_height) > MAX_WIDTH
    if too_long or whole_width * whole_height > _MAX_PIXELS:
        detail = f"{whole_width} x {whole_height} pixels are too many to draw; the limit is {MAX_WIDTH} x {MAX_HEIGHT}"
        raise DrawingFailed(detail)
    return Canvas(whole_width, whole_height, timeline.output.width, timeline.output.height)


def still(canvas: Canvas, layers: Sequence[RasterLayer], frames: int, resolver: FontResolver) -> Drawing:
    """Return a drawing of one picture for the whole clip."""
    return sequence(canvas, [(layers, frames)], resolver)


def sequence(canvas: Canvas, pictures: Sequence[tuple[Sequence[RasterLayer], int]], resolver: FontResolver) -> Drawing:
    """Return a drawing of several pictures; equal neighbours are merged and empty spans left out."""
    joined: list[tuple[RasterJob, int]] = []
    for layers, frames in pictures:
        if frames <= 0:
            continue
        job = RasterJob(canvas.width, canvas.height, tuple(layers), tuple(resolver.files.items()))
        if joined and joined[-1][0] == job:
            joined[-1] = (job, joined[-1][1] + frames)
        else:
            joined.append((job, frames))
    return Drawing(canvas.width, canvas.height, tuple(joined), resolver.warnings)
