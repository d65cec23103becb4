"""Renders from JSON to a file: frozen video, and output at another size than it is composed at."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from engine.language import parse_edit
from engine.pipeline import render_timeline
from engine.probe.client import probe_file
from engine.timeline import resolve
from tests.engine.edit_factories import asset, edit_of, title

pytestmark = pytest.mark.acceptance
SOURCE = "https://example.com/v.mp4"


def rendered(folder: Path, media: Path, edit: dict) -> list:
    """Render an edit with one source and return its frames as arrays (height, width, 3)."""
    timeline = resolve(parse_edit(edit).edit, {SOURCE: probe_file(media)}).timeline
    result = render_timeline(timeline, out=folder / "out.mp4", work_dir=folder / "work")
    with av.open(str(result.output)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_speed_zero_freezes_the_frame_at_the_trim(tmp_path, make_video, run_ffmpeg):
    red, blue = make_video(tmp_path / "r.mp4", 1, color="red"), make_video(tmp_path / "b.mp4", 1, color="blue")
    both = tmp_path / "both.mp4"
    run_ffmpeg("-i", red, "-i", blue, "-filter_complex", "[0:v][1:v]concat=n=2:v=1", both)
    edit = edit_of(
        title(asset=asset("video", SOURCE, speed=0, trim=1.5), length=2),
        output={"resolution": "preview"},
    )
    frames = rendered(tmp_path, both, edit)
    assert len(frames) == 30
    for frame in (frames[0], frames[15], frames[29]):
        red_level, _, blue_level = frame[144, 256].tolist()
        assert blue_level > 200
        assert red_level < 50


def test_scale_to_writes_the_composition_at_the_other_size(tmp_path, make_video):
    source = make_video(tmp_path / "v.mp4", 0.4, (64, 36), color="lime")
    clip = title(asset=asset("video", SOURCE), length=0.4, scale=0.5, position="topLeft")
    edit = edit_of(clip, output={"resolution": "sd", "scaleTo": "mobile", "fps": 25})
    frames = rendered(tmp_path, source, edit)
    assert [frame.shape for frame in (frames[0], frames[-1])] == [(360, 640, 3)] * 2
    assert frames[5][90, 160].tolist()[1] > 200
    assert max(frames[5][270, 480].tolist()) < 30
