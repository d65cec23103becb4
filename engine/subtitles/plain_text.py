"""SRT and WebVTT subtitles."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from engine.subtitles.cues import Cue, TimedWord, make_cue

_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}")
_INLINE_TIME = re.compile(rf"<{_TIME}>")
# The tags of both formats. Anything else in angle brackets or braces is text: "a < b", "<Enter>", "{name}".
_CLASSES = r"(?:\.[^\s<>.]+)*"
_TAG = re.compile(
    rf"</?(?:b|i|u|s|c|ruby|rt){_CLASSES}\s*>"
    rf"|<(?:v|lang){_CLASSES}(?:\s[^<>]*)?>|</(?:v|lang|font|span)\s*>"
    r"|<(?:font|span)(?:\s+[\w-]+\s*=[^<>]*)?>",
    re.IGNORECASE,
)
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_OVERRIDE = re.compile(
    r"\{(?:\\(?:(?:an?|[ibus]|[1-4]?[ac]|alpha|[xy]?bord|[xy]?shad|be|blur|fs(?:c[xy]|p)?|fr[xyz]?|fa[xy]|fe|k[fot]?|K|"
    r"q|p|pos|move|org|i?clip|fade?|t)(?=[-\d.(&\\}])|fn|r(?=[\\}]))[^\\{}]*)+\}"
)
_CHARACTER_REFERENCE = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")


def parse_plain_text(text: str) -> list[Cue]:
    """Return the cues of SRT or WebVTT text; anything else is skipped."""
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
        cue = make_cue(start, end, _words("\n".join(body), start))
        if cue is not None:
            cues.append(cue)
    return cues


def _words(raw: str, start_s: float) -> tuple[TimedWord, ...]:
    """Split a cue at its inline times and drop its markup."""
    parts = _INLINE_TIME.split(raw)
    timed = (
        TimedWord(_seconds(parts[index : index + 4]), _plain(parts[index + 4])) for index in range(1, len(parts), 5)
    )
    return (TimedWord(start_s, _plain(parts[0])), *timed)


def _plain(text: str) -> str:
    untagged = _OVERRIDE.sub("", _TAG.sub("", _LINE_BREAK.sub("\n", text)))
    return _CHARACTER_REFERENCE.sub(lambda reference: html.unescape(reference[0]), untagged)


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction}")
