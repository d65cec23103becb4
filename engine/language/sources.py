"""Source references: the files that an edit uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from engine.issues import pointer
from engine.language.checks import walk_clips
from engine.language.clip import Clip
from engine.language.edit import Edit
from engine.language.media_assets import SourcedAsset
from engine.language.text_assets import CaptionAsset, RichCaptionAsset
from engine.media import MediaKind


class SourceKind(StrEnum):
    """The use of a source file."""

    VIDEO = "video"
    IMAGE = "image"
    AUDIO = "audio"
    LUMA = "luma"
    CAPTION = "caption"
    SOUNDTRACK = "soundtrack"
    FONT = "font"

    @property
    def accepts(self) -> frozenset[MediaKind]:
        """Return the kinds of file that fit; a GIF counts as a video and may serve as an image."""
        return _ACCEPTS[self]


_ACCEPTS = {
    SourceKind.VIDEO: frozenset({MediaKind.VIDEO}),
    SourceKind.IMAGE: frozenset({MediaKind.IMAGE, MediaKind.VIDEO}),
    SourceKind.AUDIO: frozenset({MediaKind.AUDIO, MediaKind.VIDEO}),
    SourceKind.LUMA: frozenset({MediaKind.IMAGE, MediaKind.VIDEO}),
    SourceKind.CAPTION: frozenset({MediaKind.SUBTITLE}),
    SourceKind.SOUNDTRACK: frozenset({MediaKind.AUDIO, MediaKind.VIDEO}),
    SourceKind.FONT: frozenset({MediaKind.FONT}),
}


@dataclass(frozen=True, slots=True)
class SourceRef:
    """A reference to a file: the pointer to its `src`, its URL as written, and its use."""

    pointer: str
    url: str
    kind: SourceKind


def sources(edit: Edit) -> tuple[SourceRef, ...]:
    """Return every reference to a file in the edit's order; one URL may occur many times."""
    return tuple(_references(edit))


def _references(edit: Edit) -> Iterator[SourceRef]:
    timeline = edit.timeline
    if timeline.soundtrack is not None:
        yield SourceRef("/timeline/soundtrack/src", timeline.soundtrack.src, SourceKind.SOUNDTRACK)
    for index, font in enumerate(timeline.fonts):
        yield SourceRef(pointer("timeline", "fonts", index, "src"), font.src, SourceKind.FONT)
    for where, _, clip in walk_clips(edit):
        if (kind := source_kind(clip)) is not None and isinstance(
            clip.asset, SourcedAsset | CaptionAsset | RichCaptionAsset
        ):
            yield SourceRef(f"{where}/asset/src", clip.asset.src, kind)


def source_kind(clip: Clip) -> SourceKind | None:
    """Return the use of a clip's file, or None if the asset is drawn."""
    if isinstance(clip.asset, CaptionAsset | RichCaptionAsset):
        return SourceKind.CAPTION
    return SourceKind(clip.asset.type) if isinstance(clip.asset, SourcedAsset) else None
