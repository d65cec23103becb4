"""Small synthetic media for the engine's tests, made by FFmpeg and Pillow on the spot."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest
from PIL import Image

RunFfmpeg = Callable[..., None]


@pytest.fixture(scope="session")
def ffmpeg_exe() -> str:
    """Return the path of the FFmpeg binary that the engine ships with."""
    return imageio_ffmpeg.get_ffmpeg_exe()


@pytest.fixture(scope="session")
def run_ffmpeg(ffmpeg_exe: str) -> RunFfmpeg:
    """Return a function that runs FFmpeg with the given arguments and fails on any error."""

    def run(*arguments: object) -> None:
        command = [ffmpeg_exe, "-nostdin", "-v", "error", "-y", *(str(argument) for argument in arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture(scope="session")
def make_video(run_ffmpeg: RunFfmpeg) -> Callable[..., Path]:
    """Return a function that writes a video of one colour or of a moving test picture.

    color: a colour of FFmpeg's, or None for the moving picture. audio: Hz of a tone, or None for silence.
    extra: further output arguments, e.g. a codec.
    """

    def make(
        path: Path,
        seconds: float = 1.0,
        size: tuple[int, int] = (320, 180),
        fps: int = 25,
        *,
        audio: int | None = None,
        color: str | None = None,
        extra: tuple[str, ...] = (),
    ) -> Path:
        width, height = size
        source = (
            f"color=c={color}:s={width}x{height}:r={fps}:d={seconds}"
            if color
            else f"testsrc2=s={width}x{height}:r={fps}:d={seconds}"
        )
        inputs: list[object] = ["-f", "lavfi", "-i", source]
        if audio:
            inputs += ["-f", "lavfi", "-i", f"sine=frequency={audio}:sample_rate=48000:duration={seconds}"]
        run_ffmpeg(*inputs, "-threads", "1", "-t", seconds, *extra, path)
        return path

    return make


@pytest.fixture(scope="session")
def make_image() -> Callable[..., Path]:
    """Return a function that writes a picture of one colour; the name's ending chooses the type."""

    def make(
        path: Path,
        size: tuple[int, int] = (320, 180),
        color: tuple[int, ...] | str = (255, 0, 0),
    ) -> Path:
        mode = "RGBA" if isinstance(color, tuple) and len(color) == 4 else "RGB"
        Image.new(mode, size, color).save(path)
        return path

    return make


@pytest.fixture(scope="session")
def make_tone(run_ffmpeg: RunFfmpeg) -> Callable[..., Path]:
    """Return a function that writes a tone; the name's ending chooses the type."""

    def make(path: Path, seconds: float = 1.0, frequency: int = 440, *, extra: tuple[str, ...] = ()) -> Path:
        source = f"sine=frequency={frequency}:sample_rate=48000:duration={seconds}"
        run_ffmpeg("-f", "lavfi", "-i", source, *extra, path)
        return path

    return make
