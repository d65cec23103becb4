"""Timed Text Markup Language subtitles (TTML, also known as DFXP).

pysubs2 reads the paragraphs of one namespace at plain times. This module brings every document to that form: the older
namespaces, nested and sequential containers, durations, and times in frames and ticks.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from xml.etree import ElementTree as ET

import pysubs2

from engine.subtitles.cues import Cue, TimedWord, make_cue

# TTML 1 and 2, and the drafts that DFXP files use.
_NAMESPACE = re.compile(r"^\{http://www\.w3\.org/(?:ns/ttml|20\d\d/(?:04|10)/ttaf1)(#[\w-]+)?\}(.+)$")
_DECLARATION = re.compile(r"\A\s*(?:<\?xml[^>]*\?>\s*)?")
_TTML = "{http://www.w3.org/ns/ttml}"
_CLOCK_TIME = re.compile(r"(\d{1,9}):(\d{2}):(\d{2}(?:\.\d{1,9})?)(?::(\d{1,9}(?:\.\d{1,9})?))?")
_OFFSET_TIME = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(h|ms|m|s|f|t)")
_SECONDS = {"h": Fraction(3600), "m": Fraction(60), "s": Fraction(1), "ms": Fraction(1, 1000)}
MAX_DEPTH = 50
MAX_PARAGRAPH_ELEMENTS = 500
DEFAULT_DURATION_S = 3.0
_END_OF_TIME = Fraction(10**6)


@dataclass(frozen=True, slots=True)
class _Clock:
    """How many frames and ticks a second has."""

    frame_rate: Fraction
    tick_rate: Fraction

    def seconds(self, text: str) -> Fraction:
        """Return a time expression in seconds. Raises ValueError for one that TTML does not have."""
        if (clock := _CLOCK_TIME.fullmatch(text.strip())) is not None:
            hours, minutes, seconds, frames = clock.groups()
            whole = int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
            return whole + Fraction(frames or 0) / self.frame_rate
        if (offset := _OFFSET_TIME.fullmatch(text.strip())) is not None:
            units = {**_SECONDS, "f": 1 / self.frame_rate, "t": 1 / self.tick_rate}
            return Fraction(offset[1]) * units[offset[2]]
        detail = f"'{text[:40]}' is not a time"
        raise ValueError(detail)


def parse_ttml(text: str) -> list[Cue]:
    """Return the cues of the paragraphs; styles and regions are not used.

    Raises ValueError for damaged documents and those with a document type, which may define endless entities.
    """
    if "<!DOCTYPE" in text:
        raise ValueError("the document has a document type declaration")
    try:
        # The text is decoded: the encoding that its declaration names no longer counts.
        root = ET.fromstring(_DECLARATION.sub("", text, count=1))  # noqa: S314 - entities cannot be defined without a document type
    except ET.ParseError as error:
        detail = f"the document is damaged: {error}"
        raise ValueError(detail) from error
    clock = _clock_of(root)
    flat = ET.Element(f"{_TTML}tt")
    division = ET.SubElement(ET.SubElement(flat, f"{_TTML}body"), f"{_TTML}div")
    for body in (child for child in root if _name(child) == "body"):
        division.extend([*_paragraphs(body, *_interval(body, Fraction(0), _END_OF_TIME, clock), clock)])
    events = pysubs2.SSAFile.from_string(ET.tostring(flat, encoding="unicode"), format_="ttml").events
    cues = [cue for cue in map(_cue, events) if cue is not None]
    return _ended(sorted(cues, key=lambda cue: cue.start_s))


def _cue(event: pysubs2.SSAEvent) -> Cue | None:
    start_s = event.start / 1000
    return make_cue(start_s, event.end / 1000, [TimedWord(start_s, event.text.replace(r"\N", "\n"))])


def _ended(cues: list[Cue]) -> list[Cue]:
    """Return the cues with an end for those without one: where the next begins, for the last a little later."""
    endless = float(_END_OF_TIME)
    starts = [cue.start_s for cue in cues]
    ended: list[Cue] = []
    for index, cue in enumerate(cues):
        if cue.end_s >= endless:
            later = bisect_right(starts, cue.start_s, lo=index)
            end_s = starts[later] if later < len(cues) else cue.start_s + DEFAULT_DURATION_S
            ended.append(replace(cue, end_s=end_s))
        else:
            ended.append(cue)
    return ended


def _paragraphs(
    container: ET.Element, begin: Fraction, end: Fraction, clock: _Clock, depth: int = 0
) -> Iterator[ET.Element]:
    """Yield the paragraphs below a body or division, with their absolute times. begin, end: of the container."""
    if depth > MAX_DEPTH:
        raise ValueError("the document is nested too deeply")
    reached = begin
    for child in container:
        name = _name(child)
        if name not in ("p", "div"):
            continue
        first, last = _interval(child, reached, end, clock)
        if name == "p":
            yield _paragraph(child, first, last, clock)
        else:
            yield from _paragraphs(child, first, last, clock, depth + 1)
        if container.get("timeContainer") == "seq":
            reached = last


def _paragraph(element: ET.Element, begin: Fraction, end: Fraction, clock: _Clock) -> ET.Element:
    """Return a paragraph with its absolute times and the names that pysubs2 knows."""
    inner = list(element.iter())
    if len(inner) > MAX_PARAGRAPH_ELEMENTS:
        raise ValueError("a paragraph has too many parts")
    spans = [_interval(span, begin, end, clock) for span in inner[1:] if span.get("begin") is not None]
    if spans:
        # Times of parts, such as single words: the whole paragraph is shown while any of them is.
        begin, end = min(first for first, _ in spans), max(last for _, last in spans)
    for part in inner:
        part.tag = f"{_TTML}{_name(part)}"
        part.attrib.clear()
    element.attrib = {"begin": f"{float(begin):.3f}s", "end": f"{float(end):.3f}s"}
    return element


def _interval(element: ET.Element, begin: Fraction, end: Fraction, clock: _Clock) -> tuple[Fraction, Fraction]:
    """Return the absolute times of an element, within those of its container."""
    starts = begin + clock.seconds(element.get("begin", "0s"))
    ends = [end]
    if (written := element.get("end")) is not None:
        ends.append(begin + clock.seconds(written))
    if (duration := element.get("dur")) is not None:
        ends.append(starts + clock.seconds(duration))
    return starts, min(ends)


def _clock_of(root: ET.Element) -> _Clock:
    """Return the rates that a document declares, else those of the specification. Raises ValueError for others."""
    found = {_name_of(name): value for name, value in root.attrib.items()}
    try:
        multiplier = Fraction(*map(int, re.split(r"[ :]", found.get("frameRateMultiplier", "1 1"))))
        frame_rate = Fraction(found.get("frameRate", "30")) * multiplier
        tick_rate = Fraction(found.get("tickRate", frame_rate if "frameRate" in found else 1))
    except (TypeError, ZeroDivisionError) as error:
        raise ValueError("the document has no valid frame rate") from error
    if frame_rate <= 0 or tick_rate <= 0:
        raise ValueError("the document has no valid frame rate")
    return _Clock(frame_rate, tick_rate)


def _name(element: ET.Element) -> str:
    """Return the name of an element of TTML, without its namespace; that of any other is kept."""
    return _name_of(element.tag)


def _name_of(name: str) -> str:
    found = _NAMESPACE.match(name)
    return found[2] if found else name
