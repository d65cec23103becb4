"""Probing real and hostile files in the limited process."""

from __future__ import annotations

import struct
import time
import zlib
from pathlib import Path

import PIL
import pytest
from PIL import Image

from engine.errors import MediaUnreadable
from engine.media import MediaKind
from engine.probe import client
from engine.probe.client import probe_file, probe_files

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("probe")


def refusal(path: Path, **options) -> MediaUnreadable:
    began = time.monotonic()
    with pytest.raises(MediaUnreadable) as caught:
        probe_file(path, **options)
    assert time.monotonic() - began < 10
    return caught.value


def png_header(width: int, height: int) -> bytes:
    def chunk(tag: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_describes_a_video_with_audio(folder, make_video):
    info = probe_file(make_video(folder / "plain.mp4", 2.0, (320, 180), 25, audio=440))
    assert (info.kind, info.content_type, info.demuxer) == (MediaKind.VIDEO, "video/mp4", "mov")
    assert (info.width, info.height, info.frames, info.fps) == (320, 180, 50, 25.0)
    assert info.duration_s == pytest.approx(2.0, abs=0.001)
    assert (info.video_codec, info.audio_codec) == ("h264", "aac")
    assert not info.has_alpha
    assert info.size_bytes == info.path.stat().st_size


@pytest.mark.parametrize(
    ("name", "extra", "content_type", "demuxer", "codec"),
    [
        ("a.mov", ("-c:v", "libx264"), "video/quicktime", "mov", "h264"),
        ("a.mkv", ("-c:v", "libx264"), "video/x-matroska", "matroska", "h264"),
        ("a.webm", ("-c:v", "libvpx", "-deadline", "realtime"), "video/webm", "matroska", "vp8"),
    ],
)
def test_detects_video_containers(folder, make_video, name, extra, content_type, demuxer, codec):
    info = probe_file(make_video(folder / name, 1.0, (64, 48), 25, extra=extra))
    assert (info.kind, info.content_type, info.demuxer) == (MediaKind.VIDEO, content_type, demuxer)
    assert info.video_codec == codec
    assert info.duration_s == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("name", "content_type", "demuxer"),
    [
        ("t.mp3", "audio/mpeg", "mp3"),
        ("t.wav", "audio/wav", "wav"),
        ("t.m4a", "audio/mp4", "mov"),
        ("t.aac", "audio/aac", "aac"),
        ("t.ogg", "audio/ogg", "ogg"),
        ("t.flac", "audio/flac", "flac"),
    ],
)
def test_detects_audio_types(folder, make_tone, name, content_type, demuxer):
    info = probe_file(make_tone(folder / name, 1.5))
    assert (info.kind, info.content_type, info.demuxer) == (MediaKind.AUDIO, content_type, demuxer)
    assert info.duration_s == pytest.approx(1.5, abs=0.1)
    assert info.has_audio
    assert not info.has_video


def test_video_container_with_only_audio_is_audio(folder, make_tone):
    info = probe_file(make_tone(folder / "sound.mp4", extra=("-c:a", "aac")))
    assert (info.kind, info.content_type) == (MediaKind.AUDIO, "audio/mp4")


def test_ignores_the_cover_art_of_an_audio_file(folder, make_tone, make_image, run_ffmpeg):
    song, cover = make_tone(folder / "bare.mp3"), make_image(folder / "cover.png", (64, 64))
    tagged = folder / "song.mp3"
    run_ffmpeg("-i", song, "-i", cover, "-map", "0:a", "-map", "1:v", "-c:a", "copy", "-c:v", "mjpeg",
               "-disposition:v", "attached_pic", "-id3v2_version", "3", tagged)  # fmt: skip
    info = probe_file(tagged)
    assert info.kind is MediaKind.AUDIO
    assert info.video_codec is None


@pytest.mark.parametrize(
    ("name", "color", "content_type", "demuxer", "alpha"),
    [
        ("p.png", (255, 0, 0), "image/png", "png_pipe", False),
        ("q.png", (255, 0, 0, 128), "image/png", "png_pipe", True),
        ("opaque.png", (255, 0, 0, 255), "image/png", "png_pipe", False),
        ("p.jpg", (255, 0, 0), "image/jpeg", "jpeg_pipe", False),
        ("p.webp", (255, 0, 0, 128), "image/webp", "webp_pipe", True),
        ("still.gif", (255, 0, 0), "image/gif", "gif", False),
    ],
)
def test_describes_images(folder, make_image, name, color, content_type, demuxer, alpha):
    info = probe_file(make_image(folder / name, (70, 50), color))
    assert (info.kind, info.content_type, info.demuxer) == (MediaKind.IMAGE, content_type, demuxer)
    assert (info.width, info.height, info.has_alpha) == (70, 50, alpha)
    assert info.duration_s is None


def test_size_of_a_photo_includes_its_rotation(folder):
    image = Image.new("RGB", (80, 40), "red")
    exif = image.getexif()
    exif[0x0112] = 6  # rotate by 90 degrees
    image.save(folder / "turned.jpg", exif=exif)
    info = probe_file(folder / "turned.jpg")
    assert (info.width, info.height, info.rotation) == (40, 80, 90)


def test_size_of_a_phone_video_includes_its_rotation(folder, make_video, run_ffmpeg):
    flat = make_video(folder / "flat.mp4", 0.4, (128, 72))
    run_ffmpeg("-display_rotation", "90", "-i", flat, "-c", "copy", folder / "upright.mp4")
    info = probe_file(folder / "upright.mp4")
    assert (info.width, info.height) == (72, 128)
    assert info.rotation in (90, 270)


def test_animated_gif_is_a_video(folder):
    pictures = [Image.new("RGB", (32, 24), color) for color in ("red", "green", "blue")]
    pictures[0].save(folder / "moving.gif", save_all=True, append_images=pictures[1:], duration=200)
    info = probe_file(folder / "moving.gif")
    assert (info.kind, info.content_type, info.demuxer) == (MediaKind.VIDEO, "image/gif", "gif")
    assert info.duration_s == pytest.approx(0.6, abs=0.02)
    assert info.frames == 3


@pytest.mark.parametrize(
    ("name", "extra", "decoder"),
    [
        ("vp9.webm", ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-pix_fmt", "yuva420p"), "libvpx-vp9"),
        ("vp8.webm", ("-c:v", "libvpx", "-auto-alt-ref", "0", "-pix_fmt", "yuva420p"), "libvpx"),
        ("rle.mov", ("-c:v", "qtrle"), None),
        ("prores.mov", ("-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le"), None),
    ],
)
def test_detects_transparency_in_video(folder, run_ffmpeg, name, extra, decoder):
    path = folder / name
    source = "color=c=red@0.5:s=64x48:r=25:d=0.4,format=rgba"
    run_ffmpeg("-f", "lavfi", "-i", source, *extra, path)
    info = probe_file(path)
    assert info.has_alpha
    assert info.video_decoder == decoder


def test_reads_fonts_and_subtitles(folder):
    installed = next(Path(PIL.__file__).parent.parent.glob("**/*.ttf"))
    captions = folder / "c.srt"
    captions.write_text("1\n00:00:01,000 --> 00:00:02,500\nHello\n\n2\n00:00:03,000 --> 00:00:04,000\nAgain\n")
    web = folder / "c.vtt"
    web.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n")
    font, srt, vtt = probe_files([installed, captions, web])
    assert (font.kind, font.content_type) == (MediaKind.FONT, "font/ttf")
    assert (srt.kind, srt.duration_s) == (MediaKind.SUBTITLE, 4.0)
    assert (vtt.content_type, vtt.duration_s) == ("text/vtt", 2.0)


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
SVG = "<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("list.mp4", PLAYLIST.encode(), "unsupported_type"),
        ("concat.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "unsupported_type"),
        ("text.mp4", b"hello, I am a video\n" * 100, "unsupported_type"),
        ("drawing.png", SVG.encode(), "unsupported_type"),
        ("packed.mp4", b"PK\x03\x04" + bytes(200), "unsupported_type"),
        ("empty.mp4", b"", "empty_file"),
        ("bomb.png", png_header(50_000, 50_000), "too_many_pixels"),
        ("thin.png", png_header(60_000, 10), "too_many_pixels"),
        ("cut.png", png_header(100, 100), "truncated"),
        ("noise.mp4", b"\x00\x00\x00\x20ftypisom" + bytes(range(256)) * 40, "damaged"),
        ("noise.webm", b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm" + bytes(range(256)) * 40, "damaged"),
        ("noise.mp3", b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\x55" * 4000, "damaged"),
        ("noise.ttf", b"\x00\x01\x00\x00\xff\xff" + bytes(60), "truncated"),
        ("noise.jpg", b"\xff\xd8\xff\xe0" + bytes(400), "damaged"),
    ],
)
def test_refuses_hostile_files_quickly(folder, name, content, reason):
    path = folder / name
    path.write_bytes(content)
    error = refusal(path)
    assert error.reason == reason
    assert "passwd" not in str(error)
    assert str(path) not in str(error)


@pytest.mark.parametrize("flags", [("-movflags", "+faststart"), ()])
def test_refuses_a_truncated_video(folder, make_video, flags):
    whole = make_video(folder / f"whole{len(flags)}.mp4", 8.0, (160, 90), audio=300, extra=flags)
    cut = folder / f"cut{len(flags)}.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert refusal(cut).reason in ("truncated", "damaged")


def test_refuses_a_truncated_photo(folder):
    Image.effect_noise((400, 300), 80).convert("RGB").save(folder / "noisy.jpg")
    cut = folder / "noisy-cut.jpg"
    cut.write_bytes((folder / "noisy.jpg").read_bytes()[:9000])
    assert refusal(cut).reason == "truncated"


def patched_copy(folder: Path, honest: Path, patches: dict[bytes, tuple[int, int]]) -> Path:
    """Return a copy of an mp4 with 32-bit numbers replaced: box -> (offset after its name, value)."""
    data = bytearray(honest.read_bytes())
    for box, (offset, value) in patches.items():
        struct.pack_into(">I", data, data.index(box) + 4 + offset, value)
    path = folder / f"patched-{'-'.join(box.decode() for box in patches)}.mp4"
    path.write_bytes(data)
    return path


def test_trusts_the_samples_of_a_video_over_its_header(folder, make_video):
    honest = make_video(folder / "honest.mp4", 1.0, (64, 48))
    ten_hours = 36_000_000
    info = probe_file(patched_copy(folder, honest, {b"mvhd": (16, ten_hours), b"tkhd": (20, ten_hours)}))
    assert info.duration_s == pytest.approx(1.0, abs=0.1)


def test_refuses_samples_that_last_for_days(folder, make_video):
    honest = make_video(folder / "honest2.mp4", 1.0, (64, 48))
    path = patched_copy(folder, honest, {b"mvhd": (16, 2**31), b"elst": (8, 2**31), b"stts": (12, 2**30)})
    assert refusal(path).reason == "bad_timing"


def test_refuses_a_gap_of_days_between_two_frames(folder, make_video, run_ffmpeg):
    run_ffmpeg("-f", "lavfi", "-i", "color=c=red:s=64x48:r=25:d=0.4,setpts='if(gte(N,5),PTS+20000/TB,PTS)'",
               "-fps_mode", "passthrough", folder / "gap.mkv")  # fmt: skip
    assert refusal(folder / "gap.mkv").reason == "bad_timing"


@pytest.mark.parametrize("fps", ["1/2", "500"])
def test_refuses_implausible_frame_rates(folder, run_ffmpeg, fps):
    path = folder / f"rate{fps.replace('/', '-')}.mp4"
    run_ffmpeg("-f", "lavfi", "-i", f"color=c=red:s=64x48:r={fps}:d=8", "-frames:v", "4" if "/" in fps else "400", path)
    assert refusal(path).reason == "bad_timing"


def test_refusal_of_animated_webp_names_the_format(folder):
    pictures = [Image.new("RGBA", (32, 24), color) for color in ("red", "green")]
    pictures[0].save(folder / "moving.webp", save_all=True, append_images=pictures[1:], duration=100)
    error = refusal(folder / "moving.webp")
    assert error.reason == "unsupported_type"
    assert "WebP" in str(error)


def test_keeps_the_order_and_continues_after_a_bad_file(folder, make_image):
    good = make_image(folder / "good.png", (10, 10))
    bad = folder / "bad.png"
    bad.write_bytes(b"no picture")
    results = probe_files([good, bad, folder / "absent.png", good])
    assert [getattr(result, "reason", result) for result in results[1:3]] == ["unsupported_type", "not_found"]
    assert results[0] == results[3]
    assert results[0].width == 10


def fake_worker(folder: Path, monkeypatch, action: str) -> None:
    """Install a probe process that crashes or hangs on its first request and answers the next."""
    package = folder / "engine" / "probe"
    package.mkdir(parents=True)
    (folder / "engine" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "worker.py").write_text(
        f"import os, sys, time, signal\nprint('{{}}', flush=True)\nsys.stdin.readline()\n{action}\n"
    )
    monkeypatch.setattr(client, "_ROOT", folder)


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "probe_crashed"),
        ("time.sleep(60)", "probe_timeout"),
        ("signal.raise_signal(signal.SIGXCPU)", "probe_timeout"),
        ("sys.exit(0)", "probe_crashed"),
        ("print('Segmentation', flush=True)", "probe_crashed"),
        ("print('[1, 2]', flush=True)", "probe_crashed"),
    ],
)
def test_survives_a_decoder_that_crashes_or_hangs(tmp_path, make_image, monkeypatch, action, reason):
    picture = make_image(tmp_path / "p.png", (8, 8))
    fake_worker(tmp_path, monkeypatch, action)
    error = refusal(picture, timeout_s=1)
    assert error.reason == reason


def test_gives_the_process_no_secrets(tmp_path, make_image, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "do not leak")
    picture = make_image(tmp_path / "p.png", (8, 8))
    dump = tmp_path / "environment"
    fake_worker(tmp_path, monkeypatch, f"open({str(dump)!r}, 'w').write(repr(dict(os.environ)))")
    refusal(picture, timeout_s=5)
    assert "PYTHONPATH" in dump.read_text()
    assert "do not leak" not in dump.read_text()
