"""Rasters: the drawn pictures of a clip that has no media file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.issues import Issue


@dataclass(frozen=True, slots=True)
class RasterFrame:
    """One drawn picture (RGBA PNG, straight alpha) and how many output frames it is shown for."""

    path: Path
    frames: int


@dataclass(frozen=True, slots=True)
class Raster:
    """The pictures of one clip, all of one size in pixels, in order; a still has exactly one.

    fit: how to place the pictures. `none` means at their own size: the clip's box and its `fit` were used
        to draw them and must not be applied again; position, offset, scale and the rest must.
    warnings: what could not be drawn as asked, with pointers into the edit.
    """

    width: int
    height: int
    pictures: tuple[RasterFrame, ...]
    fit: str = "none"
    warnings: tuple[Issue, ...] = ()

    @property
    def is_still(self) -> bool:
        """Return whether one picture covers the whole clip."""
        return len(self.pictures) == 1
