"""Offline rendering: an edit to a file, without server, queue or database."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import EditInvalid
from engine.issues import Issue
from engine.language import parse_edit, sources
from engine.language.edit import FORMATS
from engine.pipeline import render_timeline
from engine.run import FFmpegProgress
from engine.timeline import resolve
from renders.fetching import FetchOptions, FolderFetch
from renders.sources import gather_media

_SUFFIX_ALIASES = {"jpeg": "jpg"}


@dataclass(frozen=True, slots=True)
class OfflineRender:
    """The result of an offline render. width, height: None for audio.

    The pointers of warnings and notes are into the edit.
    """

    output: Path
    duration_s: float
    width: int | None
    height: int | None
    warnings: tuple[Issue, ...]
    notes: tuple[Issue, ...]


def render_offline(
    edit: object,
    *,
    out: Path,
    merge: Mapping[str, Any],
    strict: bool,
    options: FetchOptions,
    on_progress: Callable[[FFmpegProgress], None],
) -> OfflineRender:
    """Render an edit to a file.

    out: written atomically.
    Raises EditInvalid with pointers into the edit, also for unusable sources, and RenderError.
    """
    parsed = parse_edit(edit, merge=merge, strict=strict)
    _refuse_other_suffix(parsed.edit.output.format, out)
    with tempfile.TemporaryDirectory(prefix="renderowl-") as name:
        folder = Path(name)
        media = gather_media(sources(parsed.edit), FolderFetch(folder, options))
        resolved = resolve(parsed.edit, media)
        warnings = tuple(dict.fromkeys([*parsed.warnings, *resolved.warnings]))
        if strict and warnings:
            raise EditInvalid(warnings)
        work = folder / "work"
        work.mkdir()
        result = render_timeline(resolved.timeline, out=out, work_dir=work, on_progress=on_progress)
    if strict and result.warnings:
        out.unlink()
        raise EditInvalid(result.warnings)
    found = tuple(dict.fromkeys([*warnings, *result.warnings]))
    return OfflineRender(out, result.duration_s, result.width, result.height, found, resolved.notes)


def _refuse_other_suffix(output_format: str, out: Path) -> None:
    """Raise EditInvalid if the suffix of the file is that of another format."""
    suffix = out.suffix.lower().removeprefix(".")
    suffix_format = _SUFFIX_ALIASES.get(suffix, suffix)
    if suffix_format in FORMATS and suffix_format != output_format:
        detail = f"The edit asks for {output_format}, but the output file is {out.name}: change one of the two."
        raise EditInvalid([Issue("/output/format", "format_mismatch", detail)])


def elapsed_since(started_at: float) -> float:
    """Return the seconds since a reading of the monotonic clock, rounded to hundredths."""
    return round(time.monotonic() - started_at, 2)
