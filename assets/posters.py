"""Small pictures of videos and images, made by FFmpeg in a process that can do no harm."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import imageio_ffmpeg
from django.conf import settings

from engine.media import MediaInfo, MediaKind

LONGEST_SIDE_PX = 640
TIMEOUT_S = 10
MOST_MEMORY_KIB = 3 * 1024 * 1024
_LATEST_S = 1.0
_KINDS = frozenset({MediaKind.VIDEO, MediaKind.IMAGE})
# Limits are set by the shell that becomes FFmpeg: setting them in a forked child is unsafe in a program with threads.
_LIMITED = f'ulimit -v {MOST_MEMORY_KIB} -t {TIMEOUT_S}; exec "$@"'
logger = logging.getLogger(__name__)


def make_poster(info: MediaInfo, folder: Path) -> Path | None:
    """Return a picture of a video (a tenth in, at most 1 s) or image, at most 640 px wide or high.

    PNG where the picture is transparent, else JPEG. None for other kinds, and where FFmpeg makes none in time: the
    file itself has been judged before, and a poster is no reason to refuse it.
    """
    if info.kind not in _KINDS:
        return None
    target = folder / ("poster.png" if info.has_alpha else "poster.jpg")
    try:
        subprocess.run(
            ["/bin/sh", "-c", _LIMITED, "sh", *_command(info, target)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        logger.warning("no poster", extra={"error": (error.stderr or b"")[-500:].decode(errors="replace")})
        return None
    return target if target.is_file() and target.stat().st_size else None


def _command(info: MediaInfo, target: Path) -> list[str]:
    exe = settings.RENDEROWL_FFMPEG or imageio_ffmpeg.get_ffmpeg_exe()
    at_s = min(_LATEST_S, (info.duration_s or 0) / 10)
    side = LONGEST_SIDE_PX
    fit = (
        f"scale=w='min({side},iw)':h='min({side},ih)':force_original_aspect_ratio=decrease:flags=bicubic"
        f",format={'rgba' if info.has_alpha else 'yuvj420p'}"
    )
    decoder = ["-c:v", info.video_decoder] if info.video_decoder else []
    seek = ["-ss", f"{at_s:.3f}"] if at_s else []
    source = ["-f", info.demuxer, *decoder, *seek, "-i", str(info.path)]
    muxer = ["-f", "image2pipe", "-c:v", "png" if info.has_alpha else "mjpeg"]
    safe = [exe, "-nostdin", "-y", "-v", "error", "-threads", "1", "-protocol_whitelist", "file"]
    return [*safe, *source, "-map", "0:v:0", "-an", "-vf", fit, "-frames:v", "1", "-q:v", "4", *muxer, str(target)]
