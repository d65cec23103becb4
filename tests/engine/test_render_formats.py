"""Every output format, with poster and thumbnail, decoded by an independent reader."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from engine.timeline.model import Soundtrack, Transition
from tests.engine.render_helpers import (
    BLUE,
    RED,
    SIZE,
    audio_media,
    clip,
    clip_sound,
    image_media,
    near,
    render,
    timeline_of,
    video_media,
)

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def media_dir(tmp_path_factory, make_image, make_tone) -> Path:
    """A folder with an image and an audio file."""
    folder = tmp_path_factory.mktemp("formats")
    make_image(folder / "red.png")
    make_image(folder / "blue.png", color=BLUE)
    make_tone(folder / "tone.wav", 2.0)
    return folder


def two_colors(media_dir: Path, **fields):
    """Return a timeline that is red, then blue, with audio."""
    track = Soundtrack(audio_media(media_dir / "tone.wav", 2.0), clip_sound())
    clips = (clip(image_media(media_dir / "red.png"), 0, 15), clip(image_media(media_dir / "blue.png"), 15, 15))
    return timeline_of(*clips, frames=30, soundtrack=track, **fields)


def test_mp4_is_h264_and_aac_with_the_index_in_front(media_dir, tmp_path):
    result = render(two_colors(media_dir), tmp_path)
    with av.open(str(result.output)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.width, video.height, video.frames) == ("h264", *SIZE, 30)
        assert video.average_rate == 25
        assert video.codec_context.pix_fmt == "yuv420p"
        assert (video.codec_context.colorspace, video.codec_context.color_range) == (1, 1)
        assert (sound.codec_context.name, sound.codec_context.sample_rate, sound.codec_context.channels) == (
            "aac",
            48000,
            2,
        )
        assert container.duration / av.time_base == pytest.approx(1.2, abs=0.05)
    data = result.output.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert result.sha256 == hashlib.sha256(data).hexdigest()
    assert result.size_bytes == len(data)
    assert (result.width, result.height, result.duration_s, result.fps) == (*SIZE, 1.2, Fraction(25))


def test_poster_and_thumbnail_come_from_their_frames(media_dir, tmp_path):
    poster, thumbnail = tmp_path / "poster.jpg", tmp_path / "thumbnail.jpg"
    timeline = two_colors(media_dir, poster_frame=3, thumbnail_frame=29, thumbnail_scale=0.25)
    result = render(timeline, tmp_path, poster=poster, thumbnail=thumbnail)
    assert (result.poster, result.thumbnail) == (poster, thumbnail)
    with Image.open(poster) as image:
        assert image.format == "JPEG"
        assert image.size == SIZE
        assert near(image.getpixel((160, 90)), RED, 6)
    with Image.open(thumbnail) as image:
        assert image.size == (80, 45)
        assert near(image.getpixel((40, 20)), BLUE, 6)


def test_fractional_frame_rates_are_exact(media_dir, tmp_path):
    result = render(two_colors(media_dir, fps=Fraction(30000, 1001)), tmp_path)
    with av.open(str(result.output)) as container:
        assert container.streams.video[0].average_rate == Fraction(30000, 1001)
        assert container.streams.video[0].frames == 30


def test_webm_is_vp9_and_opus(media_dir, tmp_path):
    result = render(two_colors(media_dir, format="webm", quality="medium"), tmp_path)
    with av.open(str(result.output)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["vp9", "opus"]
        colors = [frame.to_image().getpixel((160, 90)) for frame in container.decode(video=0)]
    assert len(colors) == 30
    assert near(colors[5], RED, 12)
    assert near(colors[25], BLUE, 12)


@pytest.mark.parametrize(("repeat", "loop"), [(True, 0), (False, None)])
def test_gif_is_animated_and_repeats_only_on_request(media_dir, tmp_path, repeat, loop):
    result = render(two_colors(media_dir, format="gif", repeat=repeat), tmp_path)
    with Image.open(result.output) as image:
        assert image.size == SIZE
        assert image.info.get("loop") == loop
        assert near(image.convert("RGB").getpixel((160, 90)), RED, 8)
        image.seek(image.n_frames - 1)
        assert near(image.convert("RGB").getpixel((160, 90)), BLUE, 8)
    assert not result.has_audio


@pytest.mark.parametrize(("name", "kind"), [("jpg", "JPEG"), ("png", "PNG"), ("bmp", "BMP")])
def test_image_formats_have_one_frame(media_dir, tmp_path, name, kind):
    result = render(two_colors(media_dir, format=name, first_frame=20), tmp_path)
    with Image.open(result.output) as image:
        assert (image.format, image.size) == (kind, SIZE)
        assert near(image.convert("RGB").getpixel((160, 90)), BLUE, 6)


def test_mp3_has_only_audio(media_dir, tmp_path):
    result = render(two_colors(media_dir, format="mp3"), tmp_path, poster=tmp_path / "poster.jpg")
    with av.open(str(result.output)) as container:
        assert [stream.codec_context.name for stream in container.streams] in (["mp3float"], ["mp3"])
        assert container.duration / av.time_base == pytest.approx(1.2, abs=0.08)
    assert (result.width, result.poster) == (None, None)


def test_higher_quality_makes_larger_files(media_dir, tmp_path, make_video):
    source = video_media(make_video(tmp_path / "busy.mp4", 1.0), 1.0)
    sizes = [
        render(
            timeline_of(clip(source, transition_in=Transition("fade", 20)), quality=name), tmp_path / name
        ).size_bytes
        for name in ("verylow", "medium", "veryhigh")
    ]
    assert sizes[0] < 0.8 * sizes[1] < 0.64 * sizes[2]
