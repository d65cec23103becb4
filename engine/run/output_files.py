"""Check an output and put it in its place, whole or not at all."""

from __future__ import annotations

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

CHUNK_BYTES = 1 << 20
# One AAC or MP3 frame at either end, and the rounding of containers.
DURATION_SLACK_S = 0.12
PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class OutputInfo:
    """What an output turned out to hold."""

    size_bytes: int
    width: int | None
    height: int | None
    has_audio: bool


def partial_name(target: Path) -> Path:
    """Return a fresh temporary name beside a target; hidden, and telling what it belongs to."""
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.{PARTIAL}")


def remove_partials(target: Path) -> None:
    """Remove what earlier attempts at the same target left when they were killed."""
    for path in target.parent.glob(f".{_escape_glob(target.name)}.*.{PARTIAL}"):
        path.unlink(missing_ok=True)


def _escape_glob(name: str) -> str:
    """Return a file name with the wildcards of `glob` taken literally."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


@contextmanager
def temporary_outputs(targets: list[Path]) -> Iterator[dict[Path, Path]]:
    """Give a temporary name for each target; whatever is left of them afterwards is removed."""
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
    """Move a finished file to its name so that it survives a crash: file first, then its folder's entry."""
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
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def verify_output(path: Path, spec: OutputSpec, *, frames: int, has_audio: bool) -> OutputInfo:
    """Return what an output holds after comparing it with what was asked; headers only, no decoding.

    frames: as counted by FFmpeg. Raises RenderCrashed naming the first difference.
    """
    size_bytes = path.stat().st_size if path.exists() else 0
    if size_bytes == 0:
        raise RenderCrashed("FFmpeg wrote nothing.")
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
    """Return the demuxer that reads a format of ours."""
    return {"webm": "matroska", "mp4": "mov"}.get(name, name)


def _check_streams(
    container: av.container.InputContainer, spec: OutputSpec, size_bytes: int, frames: int, has_audio: bool
) -> OutputInfo:
    """Compare streams, size and duration with the specification."""
    videos, sounds = container.streams.video, container.streams.audio
    pictures = spec.format not in ("mp3", "wav")
    _require_equal("number of video streams", len(videos), int(pictures))
    _require_equal("sound", bool(sounds), has_audio)
    width = height = None
    if pictures:
        width, height = videos[0].width, videos[0].height
        _require_equal("size", (width, height), spec.final_size)
        _require_equal("number of frames", frames, spec.frames)
        if spec.format == "mp4":
            _require_equal("number of frames in the file", videos[0].frames, spec.frames)
    if container.duration is not None and spec.format != "gif":
        duration_s = container.duration / av.time_base
        if abs(duration_s - spec.duration_s) > max(DURATION_SLACK_S, 1 / float(spec.fps)):
            raise RenderCrashed(f"The output lasts {duration_s:.2f} s instead of {spec.duration_s:.2f} s.")
    return OutputInfo(size_bytes, width, height, bool(sounds))


def image_size(path: Path) -> tuple[int, int]:
    """Return the size of a picture that we wrote. Raises RenderCrashed if it is none."""
    try:
        with Image.open(path) as image:
            return image.size
    except (UnidentifiedImageError, OSError) as error:
        raise RenderCrashed(f"The picture cannot be read: {error}") from error


def _require_equal(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise RenderCrashed(f"The output's {what} is {found} instead of {wanted}.")
