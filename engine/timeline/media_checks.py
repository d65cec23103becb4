"""Media checks: whether each source file fits the asset that uses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.issues import Issue
from engine.language.edit import Edit
from engine.language.sources import SourceKind, SourceRef, sources
from engine.media import MediaInfo, MediaKind

GIF = "image/gif"

_REQUIRED = {
    SourceKind.VIDEO: "a video",
    SourceKind.IMAGE: "an image",
    SourceKind.AUDIO: "audio",
    SourceKind.LUMA: "an image or a video",
    SourceKind.CAPTION: "a subtitle file (SRT, WebVTT, SSA, ASS or TTML)",
    SourceKind.SOUNDTRACK: "audio",
    SourceKind.FONT: "a TrueType or OpenType font",
}
_FOUND = {
    MediaKind.VIDEO: "a video",
    MediaKind.IMAGE: "an image",
    MediaKind.AUDIO: "an audio file",
    MediaKind.FONT: "a font",
    MediaKind.SUBTITLE: "a subtitle file",
}


def media_mismatches(edit: Edit, media: Mapping[str, MediaInfo]) -> Iterator[Issue]:
    """Yield an error for every source that is missing or of the wrong kind."""
    for reference in sources(edit):
        info = media.get(reference.url)
        if info is None:
            yield Issue(reference.pointer, "media_missing", "This file could not be fetched.")
        elif (problem := _problem(reference, info)) is not None:
            yield Issue(reference.pointer, "media_mismatch", problem)


def _problem(reference: SourceRef, info: MediaInfo) -> str | None:
    """Return why a file does not fit its asset, or None."""
    required = _REQUIRED[reference.kind]
    if info.kind not in reference.kind.accepts:
        return f"The file is {_FOUND[info.kind]}; {required} is required here."
    if reference.kind in (SourceKind.AUDIO, SourceKind.SOUNDTRACK) and not info.has_audio:
        return "The video has no audio."
    if reference.kind is SourceKind.IMAGE and info.kind is MediaKind.VIDEO and info.content_type != GIF:
        return "The file is a video; an image is required here. Use a video asset."
    return None
