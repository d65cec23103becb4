"""FFmpeg lookup."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

import imageio_ffmpeg

from engine.errors import RenderError

FFMPEG_VARIABLE = "RENDEROWL_FFMPEG"


@cache
def _resolved(configured: str) -> Path:
    found = shutil.which(configured) if configured else imageio_ffmpeg.get_ffmpeg_exe()
    if found is None:
        raise RenderError(f"FFmpeg was not found: {FFMPEG_VARIABLE} is {configured!r}.")
    return Path(found).resolve()


def ffmpeg_path() -> Path:
    """Return the FFmpeg program: `RENDEROWL_FFMPEG` if set, else the one of the imageio-ffmpeg package.

    Raises RenderError if that program does not exist.
    """
    return _resolved(os.environ.get(FFMPEG_VARIABLE, ""))
