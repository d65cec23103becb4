"""Whether each source file can serve the asset that names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.issues import Issue
from engine.language.edit import Edit
from engine.language.sources import SourceKind, SourceRef, sources
from engine.media import MediaInfo, MediaKind

GIF = "image/gif"

_WANTED = {
    SourceKind.VIDEO: "a video",
    SourceKind.IMAGE: "a picture",
    SourceKind.AUDIO: "sound",
    SourceKind.LUMA: "a picture or video",
    SourceKind.CAPTION: "SRT or WebVTT subtitles",
    SourceKind.SOUNDTRACK: "sound",
    SourceKind.FONT: "a TrueType or OpenType font",
}
_FOUND = {
    MediaKind.VIDEO: "a video",
    MediaKind.IMAGE: "a still picture",
    MediaKind.AUDIO: "a sound file",
    MediaKind.FONT: "a font",
    MediaKind.SUBTITLE: "a subtitle file",
}


def media_mismatches(edit: Edit, media: Mapping[str, MediaInfo]) -> Iterator[Issue]:
    """Yield an error for every source that is not there or is no file of the kind wanted."""
    for reference in sources(edit):
        info = media.get(reference.url)
        if info is None:
            yield Issue(reference.pointer, "media_missing", "This file could not be had.")
        elif (problem := _problem(reference, info)) is not None:
            yield Issue(reference.pointer, "media_mismatch", problem)


def _problem(reference: SourceRef, info: MediaInfo) -> str | None:
    """Return why a file cannot serve, or None."""
    wanted = _WANTED[reference.kind]
    if info.kind not in reference.kind.accepts:
        return f"The file is {_FOUND[info.kind]}, and {wanted} is wanted here."
    if reference.kind in (SourceKind.AUDIO, SourceKind.SOUNDTRACK) and not info.has_audio:
        return "The video has no sound."
    if reference.kind is SourceKind.IMAGE and info.kind is MediaKind.VIDEO and info.content_type != GIF:
        return "The file is a video, and a picture is wanted here; use a video asset."
    return None
