"""File types by their first bytes."""

from __future__ import annotations

import pytest

from engine.errors import MediaUnreadable
from engine.media import MediaKind
from engine.probe.sniff import sniff

MP3_FRAME = b"\xff\xfb\x90\x64" + bytes(413)


@pytest.mark.parametrize(
    ("head", "kind", "content_type", "demuxer"),
    [
        (b"\x00\x00\x00\x18ftypmp42", MediaKind.VIDEO, "video/mp4", "mov"),
        (b"\x00\x00\x00\x14ftypqt  ", MediaKind.VIDEO, "video/quicktime", "mov"),
        (b"\x00\x00\x00\x08wide\x00\x00\x10\x00mdat", MediaKind.VIDEO, "video/quicktime", "mov"),
        (b"\x00\x00\x00\x20ftypM4A ", MediaKind.AUDIO, "audio/mp4", "mov"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", MediaKind.VIDEO, "video/webm", "matroska"),
        (b"\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska", MediaKind.VIDEO, "video/x-matroska", "matroska"),
        (b"GIF89a\x01\x00", MediaKind.VIDEO, "image/gif", "gif"),
        (b"\x89PNG\r\n\x1a\n\x00", MediaKind.IMAGE, "image/png", "png_pipe"),
        (b"\xff\xd8\xff\xe1", MediaKind.IMAGE, "image/jpeg", "jpeg_pipe"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", MediaKind.IMAGE, "image/webp", "webp_pipe"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", MediaKind.AUDIO, "audio/wav", "wav"),
        (b"ID3\x03\x00", MediaKind.AUDIO, "audio/mpeg", "mp3"),
        (MP3_FRAME * 2, MediaKind.AUDIO, "audio/mpeg", "mp3"),
        (b"\xff\xf1\x50\x80\x01\x7f\xfc" + bytes(4) + b"\xff\xf1\x50\x80", MediaKind.AUDIO, "audio/aac", "aac"),
        (b"OggS\x00\x02", MediaKind.AUDIO, "audio/ogg", "ogg"),
        (b"fLaC\x00\x00", MediaKind.AUDIO, "audio/flac", "flac"),
        (b"\x00\x01\x00\x00\x00\x10", MediaKind.FONT, "font/ttf", ""),
        (b"OTTO\x00\x10", MediaKind.FONT, "font/otf", ""),
        (b"WEBVTT\n\n00:00.000 --> 00:01.000\nHi\n", MediaKind.SUBTITLE, "text/vtt", ""),
        (b"\xef\xbb\xbf1\r\n00:00:01,000 --> 00:00:02,000\r\nHi\r\n", MediaKind.SUBTITLE, "application/x-subrip", ""),
    ],
)
def test_detects_allowed_types(tmp_path, head, kind, content_type, demuxer):
    path = tmp_path / "file.bin"
    path.write_bytes(head)
    assert sniff(path) == (kind, content_type, demuxer)


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "playlist"),
        (b"\xef\xbb\xbf\n#EXTM3U\n", "playlist"),
        (b"ffconcat version 1.0\nfile x\n", "concat script"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"  <SVG/>", "SVG"),
        (b"just some text\n", "text"),
        (b"PK\x03\x04\x14\x00\x00\x00\x08\x00", "zip"),
        (b"%PDF-1.7\n", "pdf"),
        (b"\x00\x00\x00\x1cftypavif", "not supported"),
        (b"\x00\x00\x00\x18ftypheic", "not supported"),
        (b"\x1a\x45\xdf\xa3" + bytes(60), "not supported"),
        (b"RIFF\x10\x00\x00\x00AVI LIST", "not supported"),
        (b"\xff\xff\xff\xff" * 10, "not supported"),
        (b"\x00" * 100, "not supported"),
        (b"WEBVTTX\n", "text"),
        (b"[InternetShortcut]\nURL=http://e.com\n", "not supported"),
    ],
)
def test_refuses_other_types_and_names_them(tmp_path, head, word):
    path = tmp_path / "file.mp4"
    path.write_bytes(head)
    with pytest.raises(MediaUnreadable, match=f"(?i){word}") as caught:
        sniff(path)
    assert caught.value.reason == "unsupported_type"


def test_refuses_empty_and_missing_files(tmp_path):
    (tmp_path / "empty").touch()
    for name, reason in (("empty", "empty_file"), ("absent", "not_found"), (".", "not_found")):
        with pytest.raises(MediaUnreadable) as caught:
            sniff(tmp_path / name)
        assert caught.value.reason == reason
