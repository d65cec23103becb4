"""Media metadata: the result of probing one local file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class MediaKind(StrEnum):
    """The kinds of file that an edit can use."""

    VIDEO = "video"
    IMAGE = "image"
    AUDIO = "audio"
    FONT = "font"
    SUBTITLE = "subtitle"


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """A probed local file.

    kind: an animated GIF is VIDEO; a still image is IMAGE.
    content_type: detected from the content, never from the name.
    demuxer: the FFmpeg demuxer to force with `-f`; empty for fonts and subtitles.
    width, height: display size in pixels, rotation applied; None without a video stream.
    duration_s, fps, frames: None where the kind has none.
    has_alpha: whether decoded frames carry transparency. A VP8/VP9 file with an alpha side
        stream counts, and must then be decoded with libvpx (`video_decoder`).
    rotation: degrees clockwise by which FFmpeg rotates the stored frame; width and height are after it.
    pixel_aspect: width of a pixel over its height; 1.0 for all but old television footage.
    guessed_encoding: of subtitles that do not say their encoding; None where it is certain.
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
    guessed_encoding: str | None = None

    @property
    def has_video(self) -> bool:
        """Return whether the file has a video stream; a still image counts as one."""
        return self.video_codec is not None

    @property
    def has_audio(self) -> bool:
        """Return whether the file has an audio stream."""
        return self.audio_codec is not None
