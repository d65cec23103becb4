"""Subtitle parser: SRT and WebVTT as timed cues."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path

MAX_SUBTITLE_BYTES = 8 * 1024 * 1024
_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}")
_INLINE_TIME = re.compile(rf"<{_TIME}>")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|\{\\[^{}]*\}")


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A piece of a cue that is spoken from `start_s` on, with its blanks."""

    start_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Cue:
    """A text shown from `start_s` until `end_s`. words: its pieces if the file times them, else empty."""

    start_s: float
    end_s: float
    text: str
    words: tuple[TimedWord, ...] = ()


def read_cues(path: Path) -> tuple[Cue, ...]:
    """Read a subtitle file. Raises OSError if it cannot be read, ValueError if it has no cues or is too large."""
    if path.stat().st_size > MAX_SUBTITLE_BYTES:
        raise ValueError("the subtitle file is larger than 8 MB")
    cues = parse_cues(path.read_bytes().decode("utf-8-sig", errors="replace"))
    if not cues:
        raise ValueError("the subtitle file has no cues")
    return cues


def parse_cues(text: str) -> tuple[Cue, ...]:
    """Return the cues of SRT or WebVTT text by start time; anything else is skipped."""
    cues: list[Cue] = []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    index = 0
    while index < len(lines):
        timing = _TIMING.match(lines[index])
        index += 1
        if timing is None:
            continue
        body: list[str] = []
        while index < len(lines) and lines[index].strip() and not _TIMING.match(lines[index]):
            body.append(lines[index])
            index += 1
        if index < len(lines) and _TIMING.match(lines[index]) and body and body[-1].strip().isdecimal():
            body.pop()  # the number of a cue that follows without a blank line
        start, end = _seconds(timing.groups()[:4]), _seconds(timing.groups()[4:])
        words = _words("\n".join(body), start)
        shown = "".join(word.text for word in words).strip()
        if shown and end > start:
            cues.append(Cue(start, end, shown, words if len(words) > 1 else ()))
    return tuple(sorted(cues, key=lambda cue: cue.start_s))


def _words(raw: str, start_s: float) -> tuple[TimedWord, ...]:
    """Split a cue at its inline times and drop its markup."""
    parts = _INLINE_TIME.split(raw)
    timed = [
        TimedWord(_seconds(parts[index : index + 4]), _plain(parts[index + 4])) for index in range(1, len(parts), 5)
    ]
    return tuple(word for word in (TimedWord(start_s, _plain(parts[0])), *timed) if word.text.strip())


def _plain(text: str) -> str:
    return html.unescape(_TAG.sub("", text))


def _seconds(parts: tuple[str | None, ...] | list[str]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction}")
