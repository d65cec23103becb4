"""What is heard, measured on the decoded output."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.timeline.model import Curve, Keyframe, Sound, Soundtrack
from tests.engine.film_kit import clip, film, levels, loud, movie, shoot, tone

pytestmark = pytest.mark.acceptance

# A sine of amplitude 1/8, which is what FFmpeg's `sine` source gives, has this loudness.
FULL = 0.125 / 2**0.5


@pytest.fixture(scope="module")
def shelf(tmp_path_factory, make_video, make_tone) -> Path:
    """A folder with sounds of known level."""
    folder = tmp_path_factory.mktemp("sounds")
    make_tone(folder / "tone.wav", 3.0, 440)
    make_video(folder / "talk.mp4", 2.0, audio=330, color="gray")
    return folder


def heard(timeline, folder):
    """Render and measure."""
    return levels(shoot(timeline, folder).output)


def test_clip_sounds_at_its_volume_and_only_for_its_time(shelf, tmp_path):
    half = clip(tone(shelf / "tone.wav", 3.0), start=25, frames=25, sound=loud(0.5))
    found = heard(film(half, frames=75), tmp_path)
    assert max(found[1:9]) < 0.002
    assert found[15] == pytest.approx(FULL / 2, rel=0.1)
    assert max(found[22:29]) < 0.002


def test_soundtrack_plays_under_everything_and_is_cut_at_the_end(shelf, tmp_path):
    track = Soundtrack(tone(shelf / "tone.wav", 3.0), loud())
    result = shoot(film(frames=50, soundtrack=track), tmp_path)
    found = levels(result.output)
    assert result.has_audio
    assert len(found) in (20, 21)
    assert found[5] == pytest.approx(FULL, rel=0.1)
    assert found[15] == pytest.approx(FULL, rel=0.1)


def test_soundtrack_is_not_repeated(shelf, tmp_path):
    track = Soundtrack(tone(shelf / "tone.wav", 3.0), loud())
    found = heard(film(frames=100, soundtrack=track), tmp_path)
    assert found[25] > FULL / 2
    assert max(found[32:39]) < 0.002


def test_fades_rise_and_fall_in_a_line(shelf, tmp_path):
    faded = clip(tone(shelf / "tone.wav", 3.0), frames=75, sound=loud(1.0, fade_in=25, fade_out=25))
    found = heard(film(faded, frames=75), tmp_path)
    assert found[5] == pytest.approx(FULL * 0.55, rel=0.2)
    assert found[15] == pytest.approx(FULL, rel=0.1)
    assert found[25] == pytest.approx(FULL * 0.45, rel=0.2)


def test_volume_follows_its_keyframes(shelf, tmp_path):
    course = Sound(Curve(1.0, (Keyframe(0, 50, 1.0, 0.0),)))
    found = heard(film(clip(tone(shelf / "tone.wav", 3.0), frames=50, sound=course), frames=50), tmp_path)
    assert found[2] == pytest.approx(FULL * 0.875, rel=0.1)
    assert found[15] == pytest.approx(FULL * 0.225, rel=0.2)


def test_sounds_add_up_instead_of_making_each_other_quieter(shelf, tmp_path):
    quiet = clip(tone(shelf / "tone.wav", 3.0), start=50, frames=25, sound=loud(0.3))
    track = Soundtrack(tone(shelf / "tone.wav", 3.0), loud())
    found = heard(film(quiet, frames=75, soundtrack=track), tmp_path)
    assert found[5] == pytest.approx(FULL, rel=0.1)
    assert found[25] > FULL * 1.02


def test_speed_changes_the_length_and_not_the_level(shelf, tmp_path):
    fast = clip(movie(shelf / "talk.mp4", 2.0, sound=True), frames=50, speed=2.0, sound=loud())
    found = heard(film(fast, frames=50), tmp_path)
    assert found[5] == pytest.approx(FULL, rel=0.15)
    assert max(found[12:19]) < 0.003


def test_mute_and_silent_edits_have_no_sound_stream(shelf, tmp_path):
    talk = movie(shelf / "talk.mp4", 2.0, sound=True)
    assert not shoot(film(clip(talk, sound=loud()), mute=True), tmp_path).has_audio
    assert not shoot(film(clip(talk, sound=None)), tmp_path).has_audio


def test_range_starts_inside_the_sound(shelf, tmp_path):
    late = clip(tone(shelf / "tone.wav", 3.0), start=50, frames=50, sound=loud(1.0, fade_in=50))
    timeline = film(late, frames=25, first_frame=75)
    found = heard(timeline, tmp_path)
    assert found[0] == pytest.approx(FULL * 0.52, rel=0.15)
    assert found[8] == pytest.approx(FULL * 0.85, rel=0.15)
