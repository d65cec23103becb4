"""What is known of one local media file after probing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class MediaKind(StrEnum):
    """The families of files that an edit can use."""

    VIDEO = "video"
    IMAGE = "image"
    AUDIO = "audio"
    FONT = "font"
    SUBTITLE = "subtitle"


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """A probed local file.

    kind: an animated GIF is VIDEO; a still picture is IMAGE.
    content_type: by content, never by name.
    demuxer: the FFmpeg demuxer to force with `-f`; empty for fonts and subtitles.
    width, height: display size in pixels, rotation applied; None without pictures.
    duration_s, fps, frames: None where the kind has none.
    has_alpha: whether decoded pictures carry transparency. A VP8/VP9 file with an alpha side
        stream counts, and must then be decoded with libvpx (`video_decoder`).
    rotation: degrees clockwise by which FFmpeg turns the stored picture; width and height are after it.
    pixel_aspect: width of a pixel over its height; all but old television footage has square ones.
    """

    path: Path
    kind: MediaKind
    content_type: str
    size_bytes: int
    demuxer: str = ""
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    fps: float | None = None
    frames: int | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    has_alpha: bool = False
    rotation: int = 0
    video_decoder: str | None = None
    pixel_aspect: float = 1.0

    @property
    def has_video(self) -> bool:
        """Return whether there are moving pictures or a still."""
        return self.video_codec is not None

    @property
    def has_audio(self) -> bool:
        """Return whether there is sound."""
        return self.audio_codec is not None
