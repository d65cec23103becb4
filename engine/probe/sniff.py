"""File type detection by the first bytes alone.

FFmpeg follows playlists and scripts whatever their names, so a type without a known signature is refused, and
the demuxer of a known one is fixed from here on.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import puremagic

from engine.errors import MediaUnreadable
from engine.media import MediaKind
from engine.subtitles import subtitle_format

HEAD_BYTES = 65_536
_QUICKTIME_ATOMS = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_STILL_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")


class FileType(NamedTuple):
    """A file type. kind: the likely one; a video container with audio alone becomes AUDIO later.

    demuxer: FFmpeg's name for `-f`; empty for fonts and subtitles.
    """

    kind: MediaKind
    content_type: str
    demuxer: str


_PNG = FileType(MediaKind.IMAGE, "image/png", "png_pipe")
_JPEG = FileType(MediaKind.IMAGE, "image/jpeg", "jpeg_pipe")
_WEBP = FileType(MediaKind.IMAGE, "image/webp", "webp_pipe")
_GIF = FileType(MediaKind.VIDEO, "image/gif", "gif")
_MP4 = FileType(MediaKind.VIDEO, "video/mp4", "mov")
_M4A = FileType(MediaKind.AUDIO, "audio/mp4", "mov")
_MOV = FileType(MediaKind.VIDEO, "video/quicktime", "mov")
_WEBM = FileType(MediaKind.VIDEO, "video/webm", "matroska")
_MKV = FileType(MediaKind.VIDEO, "video/x-matroska", "matroska")
_MP3 = FileType(MediaKind.AUDIO, "audio/mpeg", "mp3")
_WAV = FileType(MediaKind.AUDIO, "audio/wav", "wav")
_AAC = FileType(MediaKind.AUDIO, "audio/aac", "aac")
_OGG = FileType(MediaKind.AUDIO, "audio/ogg", "ogg")
_FLAC = FileType(MediaKind.AUDIO, "audio/flac", "flac")
_TTF = FileType(MediaKind.FONT, "font/ttf", "")
_OTF = FileType(MediaKind.FONT, "font/otf", "")

_SIGNATURES: tuple[tuple[bytes, FileType], ...] = (
    (b"\x89PNG\r\n\x1a\n", _PNG),
    (b"\xff\xd8\xff", _JPEG),
    (b"GIF87a", _GIF),
    (b"GIF89a", _GIF),
    (b"OggS", _OGG),
    (b"fLaC", _FLAC),
    (b"ID3", _MP3),
    (b"\x00\x01\x00\x00", _TTF),
    (b"true", _TTF),
    (b"OTTO", _OTF),
)


def sniff(path: Path) -> FileType:
    """Return the type of a file by its content.

    Raises MediaUnreadable (`not_found`, `empty_file`, `unsupported_type`) for any other file.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise MediaUnreadable("not_found", "The file cannot be opened.") from error
    if not head:
        raise MediaUnreadable("empty_file", "The file is empty.")
    found = _by_signature(head) or _by_container(head) or _by_frame_header(head) or _by_text(head)
    if found is None:
        raise MediaUnreadable("unsupported_type", f"The file is {_describe(head)}, which is not supported.")
    return found


def _by_signature(head: bytes) -> FileType | None:
    return next((kind for magic, kind in _SIGNATURES if head.startswith(magic)), None)


def _by_container(head: bytes) -> FileType | None:
    """Return the type of MP4, QuickTime, Matroska and RIFF files, by the content that they declare."""
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in _STILL_BRANDS:
            return None
        return _MOV if brand == b"qt  " else _M4A if brand in (b"M4A ", b"M4B ") else _MP4
    if head[4:8] in _QUICKTIME_ATOMS:
        return _MOV
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        beginning = head[:256]
        return _WEBM if b"\x42\x82\x84webm" in beginning else _MKV if b"\x42\x82\x88matroska" in beginning else None
    if head.startswith(b"RIFF"):
        return {b"WEBP": _WEBP, b"WAVE": _WAV}.get(head[8:12])
    return None


def _by_frame_header(head: bytes) -> FileType | None:
    """Return the type of bare MPEG audio: a valid frame header and, for AAC, another frame after the first."""
    if len(head) < 8 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        length = (head[3] & 0x03) << 11 | head[4] << 3 | head[5] >> 5
        follows = head[length : length + 2]
        return _AAC if length > 7 and (not follows or (follows[0] == 0xFF and follows[1:2] == head[1:2])) else None
    valid_layer = head[1] & 0xE0 == 0xE0 and head[1] & 0x18 != 0x08 and head[1] & 0x06 == 0x02
    valid_rates = head[2] & 0xF0 not in (0x00, 0xF0) and head[2] & 0x0C != 0x0C
    return _MP3 if valid_layer and valid_rates else None


def _by_text(head: bytes) -> FileType | None:
    """Return the type of subtitles."""
    found = subtitle_format(head)
    return FileType(MediaKind.SUBTITLE, found.value, "") if found is not None else None


def _describe(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:512]
    if start.startswith(b"#EXTM3U"):
        return "a playlist"
    if start.lower().startswith(b"ffconcat"):
        return "a concat script"
    if b"<svg" in start.lower():
        return "an SVG file"
    if head.startswith(b"PK\x03\x04"):
        return "a ZIP archive or office document"
    try:
        name = puremagic.from_string(head, mime=True)
    except (puremagic.PureError, ValueError):
        name = ""
    if name:
        return f"of the type {name}"
    return "plain text" if b"\x00" not in head and _is_text(head) else "of an unknown type"


def _is_text(head: bytes) -> bool:
    """Return whether bytes are UTF-8; the last character may be cut off."""
    try:
        head[:-4].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
