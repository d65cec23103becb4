"""`make demo`: the resulting video, probed with another decoder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from renderowl.local.processes import ROOT

pytestmark = [pytest.mark.acceptance]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    data_dir = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "renderowl.local.demo"],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return done, data_dir / "demo"


def pictures(path: Path, *times: float) -> Iterator[np.ndarray]:
    """Yield the frames at some times, in ascending order, as (height, width, 3) uint8 RGB."""
    wanted = list(times)
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if wanted and frame.time is not None and frame.time >= wanted[0]:
                wanted.pop(0)
                yield frame.to_ndarray(format="rgb24")
    assert not wanted


def test_succeeds_and_prints_what_it_made(demo) -> None:
    done, folder = demo
    assert done.returncode == 0, done.stderr
    for word in (str(folder / "demo.mp4"), "size", "duration  10.00 s", "took"):
        assert word in done.stdout
    assert done.stderr == ""


def test_video_has_the_promised_streams(demo) -> None:
    _, folder = demo
    with av.open(str(folder / "demo.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 1280, 720)
        assert video.average_rate == Fraction(25)
        assert audio.codec_context.name == "aac"
        assert sum(1 for _ in container.decode(video=0)) == 250
        assert container.duration is not None
        assert abs(container.duration / 1e6 - 10.0) < 0.1


def test_picture_moves_and_text_is_drawn(demo) -> None:
    _, folder = demo
    early, later, owl, owl_later = pictures(folder / "demo.mp4", 0.2, 4.2, 6.0, 9.0)
    assert np.abs(early.astype(int) - later).mean() > 2
    # The zoom: the owl at 9 s is larger than at 6 s.
    assert np.abs(owl.astype(int) - owl_later).mean() > 1
    (titled,) = pictures(folder / "demo.mp4", 2.5)
    band = titled[260:460, 200:1080]
    assert (band.min(axis=2) > 240).mean() > 0.05, "the white letters of the title"


def test_soundtrack_is_audible(demo) -> None:
    _, folder = demo
    with av.open(str(folder / "demo.mp4")) as container:
        sound = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    middle = sound[:, sound.shape[1] // 3 : sound.shape[1] // 2]
    assert float(np.sqrt((middle**2).mean())) > 0.02


def test_poster_is_a_picture_of_the_video(demo) -> None:
    _, folder = demo
    with av.open(str(folder / "poster.jpg")) as container:
        frame = next(container.decode(video=0))
    assert frame.width / frame.height == pytest.approx(16 / 9, rel=0.01)
