"""The result of drawing a clip that has no media file: text, HTML, shapes, SVG."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RasterFrame:
    """One drawn picture (RGBA PNG, straight alpha) and how many output frames it is shown for."""

    path: Path
    frames: int


@dataclass(frozen=True, slots=True)
class Raster:
    """The pictures of one clip, all of one size in pixels, in order; a still has exactly one."""

    width: int
    height: int
    pictures: tuple[RasterFrame, ...]

    @property
    def is_still(self) -> bool:
        """Return whether one picture serves the whole clip."""
        return len(self.pictures) == 1
