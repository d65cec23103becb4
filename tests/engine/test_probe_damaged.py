"""Damaged media: whatever is cut off or changed, the probe describes the file or refuses it, with no other error.

In this process, as a crash of the separate one would hide the kind of error.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from PIL import Image

from engine.errors import MediaUnreadable
from engine.media import MediaKind
from engine.probe.worker import probe
from engine.raster.fonts.bundled import font_directories

pytestmark = pytest.mark.acceptance

SEED = 20261201
VARIANTS = 24


@pytest.fixture(scope="module")
def samples(tmp_path_factory, make_video, make_image, make_tone) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("samples")
    two_frames = Image.new("RGB", (32, 18), "red")
    two_frames.save(
        folder / "moving.gif", save_all=True, append_images=[Image.new("RGB", (32, 18), "blue")], duration=100
    )
    small = {"seconds": 0.6, "size": (64, 36), "audio": 440}
    turned = ("-metadata:s:v", "rotate=90")
    font = min(
        (path for place in font_directories() for path in Path(place).rglob("*.ttf")), key=lambda p: p.stat().st_size
    )
    made = [
        make_video(folder / "video.mp4", **small),
        make_video(folder / "turned.mov", extra=turned, **small),
        make_video(folder / "video.mkv", **small),
        make_video(folder / "alpha.webm", 0.6, (64, 36), extra=("-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p")),
        make_image(folder / "still.png", (32, 18), (255, 0, 0, 128)),
        make_image(folder / "still.jpg", (32, 18)),
        make_image(folder / "still.webp", (32, 18)),
        make_image(folder / "still.gif", (32, 18)),
        make_tone(folder / "tone.mp3", 0.6),
        make_tone(folder / "tone.wav", 0.6),
        make_tone(folder / "tone.ogg", 0.6, extra=("-c:a", "libvorbis")),
        make_tone(folder / "tone.m4a", 0.6),
    ]
    (folder / "font.ttf").write_bytes(font.read_bytes())
    return {path.name: path for path in [*made, folder / "moving.gif", folder / "font.ttf"]}


KINDS = {
    **dict.fromkeys(("video.mp4", "turned.mov", "video.mkv", "alpha.webm", "moving.gif"), MediaKind.VIDEO),
    **dict.fromkeys(("still.png", "still.jpg", "still.webp", "still.gif"), MediaKind.IMAGE),
    **dict.fromkeys(("tone.mp3", "tone.wav", "tone.ogg", "tone.m4a"), MediaKind.AUDIO),
    "font.ttf": MediaKind.FONT,
}


@pytest.mark.parametrize("name", KINDS)
def test_describes_an_intact_file(samples, name) -> None:
    fields = probe(samples[name])
    assert fields["kind"] is KINDS[name]
    if fields["kind"] in {MediaKind.VIDEO, MediaKind.IMAGE}:
        assert {fields["width"], fields["height"]} in ({64, 36}, {32, 18})
    if fields["kind"] in {MediaKind.VIDEO, MediaKind.AUDIO} and name != "moving.gif":
        assert fields["duration_s"] == pytest.approx(0.6, abs=0.1)
    assert fields.get("has_alpha", False) is (name in {"alpha.webm", "still.png"})


@pytest.mark.parametrize("name", KINDS)
def test_refuses_or_describes_a_damaged_file(samples, tmp_path, name) -> None:
    content = samples[name].read_bytes()
    rng = random.Random(f"{SEED} {name}")
    outcomes = set()
    for number in range(VARIANTS):
        damaged = bytearray(content)
        if number % 2:
            for _ in range(rng.randint(1, 40)):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        if number % 3 == 0:
            del damaged[rng.randrange(1, len(damaged)) :]
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(damaged)
        try:
            outcomes.add(probe(path)["kind"])
        except MediaUnreadable as refusal:
            outcomes.add(refusal.reason)
    # MP3 has no header, and its frames stand alone.
    assert name == "tone.mp3" or outcomes & {"damaged", "truncated", "unsupported_type", "no_streams"}, outcomes


def test_refuses_sound_without_packets_and_pictures_that_are_too_large(tmp_path, make_tone, make_image) -> None:
    tone = make_tone(tmp_path / "tone.wav", 0.2)
    empty = tmp_path / "empty.wav"
    empty.write_bytes(tone.read_bytes()[:44])
    large = make_image(tmp_path / "large.png", (12000, 10000))
    reasons = []
    for path in (empty, large):
        with pytest.raises(MediaUnreadable) as caught:
            probe(path)
        reasons.append(caught.value.reason)
    assert reasons[1] == "too_many_pixels"
    assert reasons[0] in {"no_streams", "damaged", "truncated", "empty_file"}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mp3"])
def test_describes_a_file_whose_tags_are_not_utf_8(tmp_path, make_video, make_tone, suffix) -> None:
    path, title = tmp_path / f"tagged{suffix}", ("-metadata", "title=Cafe-au-lait")
    if suffix == ".mp3":
        make_tone(path, 0.6, extra=(*title, "-id3v2_version", "4"))
    else:
        make_video(path, 0.6, (64, 36), audio=440, extra=title)
    content = path.read_bytes()
    assert content.count(b"Cafe-au-lait") == 1
    path.write_bytes(content.replace(b"Cafe-au-lait", "Café-au-lait".encode("latin-1")))
    assert probe(path)["duration_s"] == pytest.approx(0.6, abs=0.1)
