"""Media notes: what was done to a source file so that it shows what the edit describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.issues import Issue
from engine.language.edit import Edit
from engine.language.sources import sources
from engine.media import MediaInfo


def media_notes(edit: Edit, media: Mapping[str, MediaInfo]) -> Iterator[Issue]:
    """Yield the notes about every source file, once a file, at its first use in the edit."""
    seen: set[str] = set()
    for reference in sources(edit):
        if reference.url not in seen:
            seen.add(reference.url)
            for code, detail in _remedies(media[reference.url]):
                yield Issue(reference.pointer, code, detail)


def _remedies(info: MediaInfo) -> Iterator[tuple[str, str]]:
    """Yield code and detail of each note about a file."""
    if info.guessed_encoding is not None:
        yield (
            "encoding_guessed",
            f"The subtitle file does not say its encoding; it was read as {info.guessed_encoding}.",
        )
