"""Random timelines with all features: each must render completely and at the right size."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from engine.timeline.model import ChromaKey, Crop, Curve, Effect, Keyframe, TimedClip, Transition
from tests.engine.render_helpers import clip, clip_sound, frames_of, image_media, render, timeline_of, video_media

pytestmark = pytest.mark.acceptance

TRANSITIONS = ("fade", "reveal", "wipeLeft", "slideRight", "slideUp", "carouselDown", "zoom", "shuffleLeftBottom")
FILTERS = ("boost", "contrast", "darken", "greyscale", "lighten", "muted", "negative", "blur")
EASINGS = ("linear", "ease_in", "ease_out", "ease_in_out", "hold", (0.2, 0.1, 0.8, 1.3))


@pytest.fixture(scope="module")
def media_dir(tmp_path_factory, run_ffmpeg) -> Path:
    """Media of odd sizes, rates, colours and alpha."""
    folder = tmp_path_factory.mktemp("odd")
    lavfi = ("-f", "lavfi", "-i")
    run_ffmpeg(*lavfi, "testsrc2=s=322x178:r=30:d=2", *lavfi, "sine=d=2", "-preset", "veryfast", folder / "v.mp4")
    run_ffmpeg(*lavfi, "testsrc2=s=321x179:r=24:d=1,format=yuv444p", folder / "odd.mp4")
    ghost = "color=green@0.5:s=160x90:r=25:d=1,format=yuva420p"
    run_ffmpeg(*lavfi, ghost, "-c:v", "libvpx-vp9", "-cpu-used", "8", folder / "ghost.webm")
    run_ffmpeg(*lavfi, "testsrc=s=100x80:r=10:d=0.6", folder / "loop.gif")
    Image.radial_gradient("L").resize((333, 211)).save(folder / "gray.jpg")
    Image.new("P", (64, 64), 3).save(folder / "palette.png")
    Image.linear_gradient("L").resize((51, 33)).convert("RGBA").save(folder / "small.png")
    return folder


def some_media(rng: random.Random, media_dir: Path):
    return rng.choice(
        [
            video_media(media_dir / "v.mp4", 2.0, (322, 178), sound=True),
            video_media(media_dir / "odd.mp4", 1.0, (321, 179)),
            video_media(media_dir / "ghost.webm", 1.0, (160, 90), alpha=True, decoder="libvpx-vp9"),
            video_media(media_dir / "loop.gif", 0.6, (100, 80)),
            image_media(media_dir / "gray.jpg"),
            image_media(media_dir / "palette.png"),
            image_media(media_dir / "small.png", alpha=True),
        ]
    )


def some_curve(rng: random.Random, low: float, high: float) -> Curve:
    if rng.random() < 0.6:
        return Curve(rng.uniform(low, high))
    pieces, at = [], rng.randrange(3)
    for _ in range(rng.randrange(1, 4)):
        frames = rng.randrange(1, 8)
        ends = rng.uniform(low, high), rng.uniform(low, high)
        pieces.append(Keyframe(at, frames, *ends, rng.choice(EASINGS)))
        at += frames + rng.randrange(3)
    return Curve(1.0, tuple(pieces))


def some_clip(rng: random.Random, media_dir: Path, track: int, *, masked: bool = True) -> TimedClip:
    start, frames = rng.randrange(12), rng.randrange(1, 24)
    makers = {
        "fit": lambda: rng.choice(["crop", "contain", "cover", "none"]),
        "width": lambda: rng.randrange(1, 400),
        "height": lambda: rng.randrange(1, 300),
        "position": lambda: rng.choice(["top", "topLeft", "bottomRight", "right"]),
        "scale": lambda: some_curve(rng, 0, 2.2),
        "offset_x": lambda: some_curve(rng, -0.7, 0.7),
        "offset_y": lambda: some_curve(rng, -0.7, 0.7),
        "opacity": lambda: some_curve(rng, 0, 1),
        "rotate_deg": lambda: some_curve(rng, -200, 400),
        "skew_x": lambda: some_curve(rng, -2, 2),
        "flip_horizontal": lambda: True,
        "flip_vertical": lambda: True,
        "crop": lambda: Crop(*(rng.choice([0, 0.1, 0.25, 0.49, 0.6]) for _ in range(4))),
        "transition_in": lambda: Transition(rng.choice(TRANSITIONS), rng.randrange(1, min(frames, 12) + 1)),
        "transition_out": lambda: Transition(rng.choice(TRANSITIONS), rng.randrange(1, min(frames, 12) + 1)),
        "effect": lambda: Effect(rng.choice(["zoomIn", "zoomOut", "slideLeft"]), rng.choice(["slow", "fast"])),
        "filter": lambda: rng.choice(FILTERS),
        "chroma_key": lambda: ChromaKey("#00ff00", rng.choice([0, 60, 255]), rng.choice([0, 255])),
        "trim_s": lambda: rng.uniform(0, 0.5),
        "speed": lambda: rng.choice([0.25, 0.5, 1.7, 10.0]),
        "luma": lambda: some_clip(rng, media_dir, track, masked=False),
    }
    if not masked:
        del makers["luma"]
    fields = {name: make() for name, make in makers.items() if rng.random() < 0.3}
    media = some_media(rng, media_dir)
    return clip(media, start, frames, track=track, sound=clip_sound(0.4) if media.has_audio else None, **fields)


@pytest.mark.parametrize("seed", range(16))
def test_random_timeline_renders_completely(media_dir, tmp_path, seed):
    rng = random.Random(seed)
    clips = [some_clip(rng, media_dir, track) for track in range(rng.randrange(1, 6), 0, -1)]
    size = rng.choice([(320, 180), (180, 320), (162, 90)])
    frames = rng.randrange(2, 30)
    first = rng.randrange(8) if rng.random() < 0.3 else 0
    rate = rng.choice([Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(12)])
    timeline = timeline_of(*clips, frames=frames, first_frame=first, size=size, fps=rate)
    result = render(timeline, tmp_path, poster=tmp_path / "poster.jpg")
    assert len(frames_of(result.output, size)) == frames
    assert result.log == ""
    with Image.open(tmp_path / "poster.jpg") as image:
        assert image.size == size
