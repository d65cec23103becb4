"""Videos of very many clips: correct, fast, and within limited memory."""

from __future__ import annotations

import resource
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

import engine.encode
from engine.plan import make_plan
from engine.plan.model import RenderPlan
from engine.plan.segments import split_segments
from engine.raster.model import Raster, RasterFrame
from engine.timeline.model import Effect, Soundtrack, Transition
from tests.engine.render_helpers import (
    audio_media,
    clip,
    clip_sound,
    frames_of,
    image_media,
    near,
    render,
    render_frames,
    run_plan,
    timeline_of,
)

pytestmark = pytest.mark.acceptance
SMALL = (96, 54)


def shade(number: int) -> tuple[int, int, int]:
    """Return a distinct colour for each clip."""
    return (number * 37 % 200 + 40, number * 91 % 200 + 40, number * 13 % 200 + 40)


@pytest.fixture(scope="module")
def color_images(tmp_path_factory) -> list[Path]:
    """Twenty images of one colour each."""
    folder = tmp_path_factory.mktemp("color_images")
    for number in range(20):
        Image.new("RGB", SMALL, shade(number)).save(folder / f"{number}.png")
    return sorted(folder.iterdir(), key=lambda path: int(path.stem))


def times_of(path: Path) -> list[Fraction]:
    """Return the timestamps of all frames, in frames."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        found = [packet.pts * stream.time_base * 25 for packet in container.demux(stream) if packet.pts is not None]
    return sorted(found)


def test_five_hundred_stills_on_a_track_are_shown_in_turn(color_images, tmp_path):
    clips = [clip(image_media(color_images[n % 20]), n * 2, 2) for n in range(500)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    began = time.monotonic()
    result = render(timeline_of(*clips, frames=1000, size=SMALL), tmp_path)
    took = time.monotonic() - began
    frames = frames_of(result.output, SMALL)
    assert len(frames) == 1000
    for at in range(0, 1000, 13):
        assert near(frames[at].getpixel((48, 27)), shade(at // 2 % 20), 8), at
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(before, 600_000)
    assert took < 60


def test_segments_join_without_a_seam(color_images, tmp_path, make_tone, monkeypatch):
    """A video made in segments has the same frames at the same timestamps as one made in a single process."""
    music = Soundtrack(audio_media(make_tone(tmp_path / "tone.wav", 5.0), 5.0), clip_sound())
    clips = [
        clip(
            image_media(color_images[n]),
            n * 10,
            15,
            track=20 - n,
            transition_in=Transition("fade", 5),
            transition_out=Transition("wipeLeft" if n % 2 else "slideUp", 5),
            effect=Effect("zoomIn", "fast") if n % 3 == 0 else None,
        )
        for n in range(10)
    ]
    timeline = timeline_of(*clips, frames=105, size=SMALL, soundtrack=music, poster_frame=100)
    whole = render_frames(timeline, tmp_path / "whole")
    monkeypatch.setattr(engine.encode, "split_segments", lambda plan: split_segments(plan, max_inputs=4))
    assert len(engine.encode.split_segments(make_plan(timeline, {}))) > 2
    percents: list[float] = []
    poster = tmp_path / "poster.jpg"
    result = render(timeline, tmp_path / "parts", poster=poster, on_progress=lambda p: percents.append(p.percent))
    assert times_of(result.output) == list(range(105))
    joined = frames_of(result.output, SMALL)
    for at, (one, other) in enumerate(zip(whole, joined, strict=True)):
        for spot in ((10, 10), (48, 27), (85, 45)):
            assert near(one.getpixel(spot), other.getpixel(spot), 14), (at, spot)
    assert result.has_audio
    assert percents == sorted(percents)
    assert percents[-1] == 100
    with Image.open(poster) as image:
        assert near(image.getpixel((48, 27)), joined[100].getpixel((48, 27)), 14)


def test_segments_have_few_inputs_and_cover_all_frames(color_images):
    clips = [clip(image_media(color_images[n % 20]), n * 10, 25, track=n % 3) for n in range(200)]
    plan: RenderPlan = make_plan(timeline_of(*clips, frames=2015), {})
    segments = split_segments(plan, max_inputs=12)
    at = 0
    for first, frames in segments:
        assert first == at
        assert sum(layer.start < first + frames and layer.end > first for layer in plan.layers) <= 12
        at += frames
    assert at == 2015
    assert split_segments(plan, max_inputs=500) == [(0, 2015)]
    picture = replace(plan, output=replace(plan.output, format="gif"))
    assert split_segments(picture, max_inputs=12) == [(0, 2015)]


def test_hundreds_of_drawn_titles_use_one_input(tmp_path):
    """Each title is a picture of its own size with a letter-like block at its own height."""
    clips, rasters = [], {}
    for n in range(300):
        width = 60 + n % 5 * 4
        path = tmp_path / f"{n}.png"
        picture = Image.new("RGBA", (width, 20), (0, 0, 0, 0))
        picture.paste((*shade(n), 255), (10, 0, width - 10, 20))
        picture.save(path)
        clips.append(clip(None, n * 2, 2 if n % 10 else 1))
        rasters[clips[-1].pointer] = Raster(width, 20, (RasterFrame(path, clips[-1].frames),))
    plan = make_plan(timeline_of(*clips, frames=600, size=SMALL), rasters)
    assert len(plan.layers) == 1
    frames = run_plan(plan, tmp_path)
    assert len(frames) == 600
    for n in range(0, 300, 7):
        assert near(frames[2 * n].getpixel((48, 27)), shade(n), 10), n
        wanted = shade(n) if n % 10 else (0, 0, 0)
        assert near(frames[2 * n + 1].getpixel((48, 27)), wanted, 10), n
        assert near(frames[2 * n].getpixel((2, 27)), (0, 0, 0), 10), n
