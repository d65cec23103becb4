"""Reader of subtitle files of every supported format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.subtitles.cues import Cue
from engine.subtitles.encoding import decode, decode_head
from engine.subtitles.plain_text import parse_plain_text
from engine.subtitles.ssa import parse_ssa
from engine.subtitles.ttml import parse_ttml

MAX_SUBTITLE_BYTES = 8 * 1024 * 1024
# Enough to recognise a format.
HEAD_CHARACTERS = 65_536
_TIME = r"(?:\d{1,3}:)?\d{1,2}:\d{1,2}[.,]\d{1,3}"
_TIMING_LINE = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}")
_TTML_ROOT = re.compile(r"<(?:[\w-]+:)?tt\s[^<>]*http://www\.w3\.org/(?:ns/ttml|20\d\d/(?:04|10)/ttaf1)")
_SSA_SECTION = re.compile(r"\[(?:Script Info|V4\+? Styles|Events)\]", re.IGNORECASE)


class SubtitleFormat(StrEnum):
    """The content type of each format."""

    SRT = "application/x-subrip"
    WEBVTT = "text/vtt"
    SSA = "text/x-ssa"
    TTML = "application/ttml+xml"


@dataclass(frozen=True, slots=True)
class Subtitles:
    """The cues of a file by start time. guessed_encoding: None if the encoding of the file is certain."""

    cues: tuple[Cue, ...]
    guessed_encoding: str | None


def subtitle_format(head: bytes) -> SubtitleFormat | None:
    """Return the format of a file by its first bytes; None if it has no subtitles."""
    text = decode_head(head)
    return None if "\x00" in text else _format_of(text.lstrip("\ufeff"))


def _format_of(text: str) -> SubtitleFormat | None:
    if re.match(r"WEBVTT(?:[ \t\r\n]|$)", text):
        return SubtitleFormat.WEBVTT
    lines = [line.strip() for line in text[:HEAD_CHARACTERS].splitlines()[:20] if line.strip()]
    if lines and _TIMING_LINE.match(lines[0]):
        return SubtitleFormat.SRT
    if len(lines) > 1 and lines[0].isdecimal() and _TIMING_LINE.match(lines[1]):
        return SubtitleFormat.SRT
    first = next((line for line in lines if not line.startswith(";")), "")
    if _SSA_SECTION.match(first):
        return SubtitleFormat.SSA
    return SubtitleFormat.TTML if _TTML_ROOT.search(text[:HEAD_CHARACTERS]) else None


def read_subtitles(path: Path) -> Subtitles:
    """Read a subtitle file. Raises OSError if it cannot be read, ValueError if it has no cues or is too large."""
    if path.stat().st_size > MAX_SUBTITLE_BYTES:
        raise ValueError("the subtitle file is larger than 8 MB")
    text, guessed = decode(path.read_bytes())
    cues = parse_cues(text)
    if not cues:
        raise ValueError("the subtitle file has no cues")
    return Subtitles(cues, guessed)


def parse_cues(text: str) -> tuple[Cue, ...]:
    """Return the cues of a subtitle text by start time. Raises ValueError if it is damaged."""
    text = text.lstrip("\ufeff")
    match _format_of(text):
        case SubtitleFormat.SSA:
            cues = parse_ssa(text)
        case SubtitleFormat.TTML:
            cues = parse_ttml(text)
        case _:
            cues = parse_plain_text(text)
    return tuple(sorted(cues, key=lambda cue: cue.start_s))
