"""Output files: verification and atomic publication."""

from __future__ import annotations

import glob
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
from PIL import Image, UnidentifiedImageError

from engine.errors import RenderCrashed
from engine.timeline.model import OutputSpec

# One AAC or MP3 frame at either end, and the rounding of containers.
DURATION_SLACK_S = 0.12
PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class OutputInfo:
    """The verified properties of an output."""

    size_bytes: int
    width: int | None
    height: int | None
    has_audio: bool


def partial_name(target: Path) -> Path:
    """Return a new temporary name beside a target: hidden, and derived from the target's name."""
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.{PARTIAL}")


def remove_partials(target: Path) -> None:
    """Remove the temporary files of earlier, killed renders to the same target."""
    for path in target.parent.glob(f".{glob.escape(target.name)}.*.{PARTIAL}"):
        path.unlink(missing_ok=True)


@contextmanager
def temporary_outputs(targets: list[Path]) -> Iterator[dict[Path, Path]]:
    """Yield a temporary name for each target; files left under these names are removed on exit."""
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_partials(target)
    names = {target: partial_name(target) for target in targets}
    try:
        yield names
    finally:
        for path in names.values():
            path.unlink(missing_ok=True)


def publish(temporary: Path, target: Path) -> None:
    """Move a finished file to its name so that it survives a crash: fsync the file, then its folder."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_output(path: Path, spec: OutputSpec, *, frames: int, has_audio: bool) -> OutputInfo:
    """Return the properties of an output after checking them against `spec`; reads headers only.

    frames: as counted by FFmpeg. Raises RenderCrashed naming the first difference.
    """
    size_bytes = path.stat().st_size if path.exists() else 0
    if size_bytes == 0:
        raise RenderCrashed("FFmpeg wrote no output.")
    if spec.format in ("jpg", "png", "bmp"):
        width, height = image_size(path)
        _require_equal("size", (width, height), spec.final_size)
        return OutputInfo(size_bytes, width, height, has_audio=False)
    try:
        with av.open(str(path), "r", format=_demuxer(spec.format)) as container:
            return _check_streams(container, spec, size_bytes, frames, has_audio)
    except av.FFmpegError as error:
        raise RenderCrashed(f"The output cannot be read: {error}") from error


def _demuxer(name: str) -> str:
    return {"webm": "matroska", "mp4": "mov"}.get(name, name)


def _check_streams(
    container: av.container.InputContainer, spec: OutputSpec, size_bytes: int, frames: int, has_audio: bool
) -> OutputInfo:
    video_streams, audio_streams = container.streams.video, container.streams.audio
    has_video = spec.format not in ("mp3", "wav")
    _require_equal("number of video streams", len(video_streams), int(has_video))
    _require_equal("presence of audio", bool(audio_streams), has_audio)
    width = height = None
    if has_video:
        width, height = video_streams[0].width, video_streams[0].height
        _require_equal("size", (width, height), spec.final_size)
        _require_equal("number of frames", frames, spec.frames)
        if spec.format == "mp4":
            _require_equal("number of frames in the file", video_streams[0].frames, spec.frames)
    if container.duration is not None and spec.format != "gif":
        duration_s = container.duration / av.time_base
        if abs(duration_s - spec.duration_s) > max(DURATION_SLACK_S, 1 / float(spec.fps)):
            raise RenderCrashed(f"The output lasts {duration_s:.2f} s instead of {spec.duration_s:.2f} s.")
    return OutputInfo(size_bytes, width, height, bool(audio_streams))


def image_size(path: Path) -> tuple[int, int]:
    """Return the size of an image that a render wrote. Raises RenderCrashed if it cannot be read."""
    try:
        with Image.open(path) as image:
            return image.size
    except (UnidentifiedImageError, OSError) as error:
        raise RenderCrashed(f"The image cannot be read: {error}") from error


def _require_equal(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise RenderCrashed(f"The output's {what} is {found} instead of {wanted}.")
