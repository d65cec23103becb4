"""Audio, measured on the decoded output."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.timeline.model import Curve, Keyframe, Sound, Soundtrack
from tests.engine.render_helpers import audio_media, clip, clip_sound, loudness, render, timeline_of, video_media

pytestmark = pytest.mark.acceptance

# A sine of amplitude 1/8, which is what FFmpeg's `sine` source gives, has this loudness.
FULL = 0.125 / 2**0.5


@pytest.fixture(scope="module")
def media_dir(tmp_path_factory, make_video, make_tone) -> Path:
    """A folder with audio files of known level."""
    folder = tmp_path_factory.mktemp("sounds")
    make_tone(folder / "tone.wav", 3.0, 440)
    make_video(folder / "talk.mp4", 2.0, audio=330, color="gray")
    return folder


def rendered_loudness(timeline, folder):
    """Render and measure."""
    return loudness(render(timeline, folder).output)


def test_clip_is_audible_at_its_volume_and_only_for_its_time(media_dir, tmp_path):
    half = clip(audio_media(media_dir / "tone.wav", 3.0), start=25, frames=25, sound=clip_sound(0.5))
    found = rendered_loudness(timeline_of(half, frames=75), tmp_path)
    assert max(found[1:9]) < 0.002
    assert found[15] == pytest.approx(FULL / 2, rel=0.1)
    assert max(found[22:29]) < 0.002


def test_soundtrack_plays_under_everything_and_is_cut_at_the_end(media_dir, tmp_path):
    track = Soundtrack(audio_media(media_dir / "tone.wav", 3.0), clip_sound())
    result = render(timeline_of(frames=50, soundtrack=track), tmp_path)
    found = loudness(result.output)
    assert result.has_audio
    assert len(found) in (20, 21)
    assert found[5] == pytest.approx(FULL, rel=0.1)
    assert found[15] == pytest.approx(FULL, rel=0.1)


def test_soundtrack_is_not_repeated(media_dir, tmp_path):
    track = Soundtrack(audio_media(media_dir / "tone.wav", 3.0), clip_sound())
    found = rendered_loudness(timeline_of(frames=100, soundtrack=track), tmp_path)
    assert found[25] > FULL / 2
    assert max(found[32:39]) < 0.002


def test_fades_are_linear(media_dir, tmp_path):
    faded = clip(audio_media(media_dir / "tone.wav", 3.0), frames=75, sound=clip_sound(1.0, fade_in=25, fade_out=25))
    found = rendered_loudness(timeline_of(faded, frames=75), tmp_path)
    assert found[5] == pytest.approx(FULL * 0.55, rel=0.2)
    assert found[15] == pytest.approx(FULL, rel=0.1)
    assert found[25] == pytest.approx(FULL * 0.45, rel=0.2)


def test_volume_follows_its_keyframes(media_dir, tmp_path):
    course = Sound(Curve(1.0, (Keyframe(0, 50, 1.0, 0.0),)))
    found = rendered_loudness(
        timeline_of(clip(audio_media(media_dir / "tone.wav", 3.0), frames=50, sound=course), frames=50), tmp_path
    )
    assert found[2] == pytest.approx(FULL * 0.875, rel=0.1)
    assert found[15] == pytest.approx(FULL * 0.225, rel=0.2)


def test_mixed_sounds_keep_their_levels(media_dir, tmp_path):
    quiet = clip(audio_media(media_dir / "tone.wav", 3.0), start=50, frames=25, sound=clip_sound(0.3))
    track = Soundtrack(audio_media(media_dir / "tone.wav", 3.0), clip_sound())
    found = rendered_loudness(timeline_of(quiet, frames=75, soundtrack=track), tmp_path)
    assert found[5] == pytest.approx(FULL, rel=0.1)
    assert found[25] > FULL * 1.02


def test_speed_changes_the_length_and_not_the_level(media_dir, tmp_path):
    fast = clip(video_media(media_dir / "talk.mp4", 2.0, sound=True), frames=50, speed=2.0, sound=clip_sound())
    found = rendered_loudness(timeline_of(fast, frames=50), tmp_path)
    assert found[5] == pytest.approx(FULL, rel=0.15)
    assert max(found[12:19]) < 0.003


def test_mute_and_silent_edits_have_no_audio_stream(media_dir, tmp_path):
    talk = video_media(media_dir / "talk.mp4", 2.0, sound=True)
    assert not render(timeline_of(clip(talk, sound=clip_sound()), mute=True), tmp_path).has_audio
    assert not render(timeline_of(clip(talk, sound=None)), tmp_path).has_audio


def test_range_starts_inside_the_sound(media_dir, tmp_path):
    late = clip(audio_media(media_dir / "tone.wav", 3.0), start=50, frames=50, sound=clip_sound(1.0, fade_in=50))
    timeline = timeline_of(late, frames=25, first_frame=75)
    found = rendered_loudness(timeline, tmp_path)
    assert found[0] == pytest.approx(FULL * 0.52, rel=0.15)
    assert found[8] == pytest.approx(FULL * 0.85, rel=0.15)
