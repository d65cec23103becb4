"""Posters: thumbnails of videos and images, made by FFmpeg with limited resources."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from engine.media import MediaInfo, MediaKind
from engine.run import launcher
from engine.run.binary import ffmpeg_path

MAX_SIDE_PX = 640
TIMEOUT_S = 10
MAX_MEMORY_BYTES = 3 * 1024**3
MAX_POSTER_BYTES = 8 * 1024**2
NICE = 5
_MAX_POSITION_S = 1.0
_KINDS = frozenset({MediaKind.VIDEO, MediaKind.IMAGE})
logger = logging.getLogger(__name__)


def make_poster(info: MediaInfo, folder: Path, *, max_side_px: int = MAX_SIDE_PX) -> Path | None:
    """Write a thumbnail of an image or of a video frame (at a tenth of the duration, at most 1 s); return its path.

    PNG if the source has an alpha channel, else JPEG. None for other kinds, and if FFmpeg fails or times out: the file
    has already been probed, and a missing poster is no reason to refuse it.
    """
    if info.kind not in _KINDS:
        return None
    target = folder / ("poster.png" if info.has_alpha else "poster.jpg")
    try:
        subprocess.run(
            [*_limited(), *_command(info, target, max_side_px)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        logger.warning("no poster", extra={"error": (error.stderr or b"")[-500:].decode(errors="replace")})
        return None
    return target if target.is_file() and target.stat().st_size else None


def _limited() -> list[str]:
    limits = (os.getpid(), NICE, MAX_MEMORY_BYTES, MAX_POSTER_BYTES, TIMEOUT_S)
    return [sys.executable, "-I", "-S", str(launcher.__file__), *(str(value) for value in limits), "--"]


def _command(info: MediaInfo, target: Path, side: int) -> list[str]:
    at_s = min(_MAX_POSITION_S, (info.duration_s or 0) / 10)
    fit = (
        f"scale=w='min({side},iw)':h='min({side},ih)':force_original_aspect_ratio=decrease:flags=bicubic"
        f",format={'rgba' if info.has_alpha else 'yuvj420p'}"
    )
    decoder = ["-c:v", info.video_decoder] if info.video_decoder else []
    seek = ["-ss", f"{at_s:.3f}"] if at_s else []
    source = ["-f", info.demuxer, *decoder, *seek, "-i", str(info.path)]
    muxer = ["-f", "image2pipe", "-c:v", "png" if info.has_alpha else "mjpeg"]
    safe = [str(ffmpeg_path()), "-nostdin", "-y", "-v", "error", "-threads", "1", "-protocol_whitelist", "file"]
    return [*safe, *source, "-map", "0:v:0", "-an", "-vf", fit, "-frames:v", "1", "-q:v", "4", *muxer, str(target)]
