"""SubStation Alpha subtitles (SSA and ASS)."""

from __future__ import annotations

import re

import pysubs2

from engine.subtitles.cues import Cue, TimedWord, make_cue

# Any block in braces: this format has no braces in its text.
_OVERRIDE = re.compile(r"\{([^}]*)\}")
_KARAOKE = re.compile(r"\\(?:kf|ko|k|K)(\d{1,7})")
_DRAWING = re.compile(r"\\p(\d{1,3})")


def parse_ssa(text: str) -> list[Cue]:
    """Return the cues of the dialogue; styles, positions and drawings are not used.

    Raises ValueError for damaged dialogue.
    """
    # Without styles and embedded fonts, whose damage must not cost the text. The ten fields of an event are in the
    # same order in both formats; "ssa" takes either kind of first field.
    dialogue = "\n".join(line for line in text.splitlines() if line.startswith("Dialogue:"))
    events = pysubs2.SSAFile.from_string(dialogue, format_="ssa").events
    cues = (make_cue(event.start / 1000, event.end / 1000, _words(event.text, event.start / 1000)) for event in events)
    return [cue for cue in cues if cue is not None]


def _words(text: str, start_s: float) -> tuple[TimedWord, ...]:
    """Split a dialogue line at its karaoke times, and drop its override blocks and drawings."""
    # Up to the last brace, so that text full of opening braces is not searched once for each of them.
    marked, brace, rest = text.rpartition("}")
    parts = _OVERRIDE.split(marked + brace)
    begins_s = ends_s = start_s
    is_drawing = False
    words: list[TimedWord] = []
    for index, part in enumerate([*parts[:-1], parts[-1] + rest]):
        if index % 2 == 0:
            if not is_drawing:
                _add(words, begins_s, _plain(part))
            continue
        for hundredths in _KARAOKE.findall(part):
            begins_s, ends_s = ends_s, ends_s + int(hundredths) / 100
        for scale in _DRAWING.findall(part):
            is_drawing = int(scale) > 0
    return tuple(words)


def _add(words: list[TimedWord], start_s: float, text: str) -> None:
    """Append text; what begins at the time of the last word belongs to it."""
    if words and words[-1].start_s == start_s:
        words[-1] = TimedWord(start_s, words[-1].text + text)
    else:
        words.append(TimedWord(start_s, text))


def _plain(text: str) -> str:
    return text.replace(r"\h", "\u00a0").replace(r"\n", "\n").replace(r"\N", "\n")
