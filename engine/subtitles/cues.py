"""Cues: the timed texts of a subtitle file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


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


def make_cue(start_s: float, end_s: float, words: Iterable[TimedWord]) -> Cue | None:
    """Return the cue of these words, blank ones joined to those before them; None if it would show nothing."""
    spoken: list[TimedWord] = []
    for word in words:
        if word.text.strip():
            spoken.append(word)
        elif spoken:
            spoken[-1] = TimedWord(spoken[-1].start_s, spoken[-1].text + word.text)
    text = "".join(word.text for word in spoken).strip()
    if not text or end_s <= start_s:
        return None
    return Cue(start_s, end_s, text, tuple(spoken) if len(spoken) > 1 else ())
