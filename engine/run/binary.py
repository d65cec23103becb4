"""Find FFmpeg."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

import imageio_ffmpeg

from engine.errors import RenderError

FFMPEG_VARIABLE = "RENDEROWL_FFMPEG"


@cache
def _resolved(wanted: str) -> Path:
    """Return the path of the program named by the environment, or of the packaged one."""
    found = shutil.which(wanted) if wanted else imageio_ffmpeg.get_ffmpeg_exe()
    if found is None:
        raise RenderError(f"FFmpeg was not found: {FFMPEG_VARIABLE} is {wanted!r}.")
    return Path(found).resolve()


def ffmpeg_path() -> Path:
    """Return the FFmpeg program: `RENDEROWL_FFMPEG` if set, else the one of the imageio-ffmpeg package.

    Raises RenderError if the named program does not exist.
    """
    return _resolved(os.environ.get(FFMPEG_VARIABLE, ""))
