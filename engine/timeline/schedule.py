"""Clip schedule: starts and lengths in seconds, with `auto`, `end` and aliases resolved."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from engine.errors import EditInvalid
from engine.issues import Issue
from engine.language.checks import walk_clips
from engine.language.clip import Clip
from engine.language.edit import Edit
from engine.language.fields import ALIAS_PREFIX
from engine.language.media_assets import AudioAsset, SourcedAsset, VideoAsset
from engine.language.presets import MAX_DURATION_S
from engine.language.text_assets import CaptionAsset, RichCaptionAsset
from engine.media import MediaInfo

STILL_LENGTH_S = Fraction(3)
"""The `auto` length of a clip that has no length of its own."""


@dataclass(frozen=True, slots=True)
class ClipSlot:
    """A clip's place in the edit and in time, in exact seconds. guessed: its length assumes unknown media."""

    pointer: str
    track: int
    clip: Clip
    start: Fraction
    length: Fraction
    guessed: bool = False

    @property
    def end(self) -> Fraction:
        """Return when the clip ends."""
        return self.start + self.length


@dataclass(frozen=True, slots=True)
class ClipSchedule:
    """All clips in the edit's order, and the length of the timeline in exact seconds."""

    slots: tuple[ClipSlot, ...]
    length: Fraction
    warnings: tuple[Issue, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Return whether no length was guessed."""
        return not any(slot.guessed for slot in self.slots)


def make_schedule(edit: Edit, media: Mapping[str, MediaInfo], *, unknown: Fraction = STILL_LENGTH_S) -> ClipSchedule:
    """Resolve every start and length.

    unknown: the `auto` length of clips whose media are not among `media`.
    Raises EditInvalid for circular references, and for a timeline that is empty or over an hour.
    """
    clips = list(walk_clips(edit))
    solver = _TimingSolver([clip for _, _, clip in clips], [track for _, track, _ in clips])
    for index, (_, _, clip) in enumerate(clips):
        if clip.length == "auto":
            solver.settle(("length", index), natural_length(clip, media, unknown))
    solver.run()
    end = max((time for time in solver.ends() if time is not None), default=None)
    length = _soundtrack_length(edit, clips, media) if end is None else end
    solver.finish_ends(length)
    cycles = [
        Issue(where, "alias_cycle", "The start or length of this clip depends on itself.")
        for index, (where, _, _) in enumerate(clips)
        if not solver.is_settled(index)
    ]
    if cycles:
        raise EditInvalid(cycles[:50])
    slots = [
        ClipSlot(where, track, clip, *solver.of(index), _is_guess(clip, media))
        for index, (where, track, clip) in enumerate(clips)
    ]
    shown = tuple(slot for slot in slots if slot.length > 0)
    warnings = tuple(
        Issue(slot.pointer, "clip_empty", "The clip starts at or after the end of the timeline and is not shown.")
        for slot in slots
        if slot.length <= 0
    )
    total = max((slot.end for slot in shown), default=length)
    _check_total(total)
    return ClipSchedule(shown, total, warnings)


def natural_length(clip: Clip, media: Mapping[str, MediaInfo], unknown: Fraction = STILL_LENGTH_S) -> Fraction:
    """Return the `auto` length of a clip: its media after the trim, at its speed, or 3 s for a still."""
    asset = clip.asset
    if not isinstance(asset, SourcedAsset | CaptionAsset | RichCaptionAsset):
        return STILL_LENGTH_S
    info = media.get(asset.src)
    if info is None:
        return unknown if _has_own_length(clip) else STILL_LENGTH_S
    if info.duration_s is None:
        return STILL_LENGTH_S
    left = exact(info.duration_s) - exact(getattr(asset, "trim", 0.0))
    speed = exact(getattr(asset, "speed", 1.0))
    if left <= 0 or speed == 0:
        return STILL_LENGTH_S
    return left / speed


def exact(seconds: float) -> Fraction:
    """Return seconds as the decimal fraction that was written, without the noise of binary arithmetic."""
    return Fraction(str(round(seconds, 9)))


def to_frame(seconds: Fraction, fps: Fraction) -> int:
    """Return the frame that starts nearest to a time; of two as near, the later one."""
    return floor(seconds * fps + Fraction(1, 2))


def _has_own_length(clip: Clip) -> bool:
    """Return whether the clip's media decide its `auto` length."""
    return isinstance(clip.asset, VideoAsset | AudioAsset | CaptionAsset | RichCaptionAsset)


def _is_guess(clip: Clip, media: Mapping[str, MediaInfo]) -> bool:
    return clip.length == "auto" and _has_own_length(clip) and getattr(clip.asset, "src", None) not in media


def _soundtrack_length(edit: Edit, clips: Sequence[tuple[str, int, Clip]], media: Mapping[str, MediaInfo]) -> Fraction:
    """Return the length of a timeline whose clips all run to its end: the soundtrack's, or the longest media's."""
    soundtrack = edit.timeline.soundtrack
    info = media.get(soundtrack.src) if soundtrack is not None else None
    if info is not None and info.duration_s:
        return exact(info.duration_s)
    return max((natural_length(clip, media) for _, _, clip in clips), default=Fraction(0))


def _check_total(total: Fraction) -> None:
    if total <= 0:
        detail = "The timeline has no clips, so it has no length."
        raise EditInvalid([Issue("/timeline/tracks", "empty_timeline", detail)])
    if total > MAX_DURATION_S:
        detail = f"The timeline lasts {float(total):.2f} s; at most {MAX_DURATION_S} s are allowed."
        raise EditInvalid([Issue("/timeline", "out_of_range", detail)])


_Node = tuple[str, int]


@dataclass(slots=True)
class _TimingSolver:
    """Resolves the starts and lengths of all clips in the order of their dependencies."""

    clips: Sequence[Clip]
    tracks: Sequence[int]
    values: dict[_Node, Fraction] = field(default_factory=dict)
    waiting: defaultdict[_Node, list[_Node]] = field(default_factory=lambda: defaultdict(list))
    needs: dict[_Node, tuple[_Node, ...]] = field(default_factory=dict)
    ready: deque[_Node] = field(default_factory=deque)

    def __post_init__(self) -> None:
        aliases: dict[str, int] = {}
        for index, clip in enumerate(self.clips):
            if clip.alias:
                aliases.setdefault(clip.alias, index)
        for index, clip in enumerate(self.clips):
            for name, value in (("start", clip.start), ("length", clip.length)):
                if isinstance(value, float):
                    self.settle((name, index), exact(value))
                elif value.startswith(ALIAS_PREFIX):
                    self._need((name, index), ((name, aliases[value.removeprefix(ALIAS_PREFIX)]),))
                elif name == "start":
                    before = index - 1
                    follows = before >= 0 and self.tracks[before] == self.tracks[index]
                    self._need((name, index), (("start", before), ("length", before)) if follows else ())

    def _need(self, node: _Node, others: tuple[_Node, ...]) -> None:
        """Record that a node is the sum of others."""
        self.needs[node] = others
        for other in others:
            self.waiting[other].append(node)
        if not others:
            self.settle(node, Fraction(0))

    def settle(self, node: _Node, value: Fraction) -> None:
        """Set a value; the next `run` resolves what depends on it."""
        if node not in self.values:
            self.values[node] = value
            self.ready.append(node)

    def run(self) -> None:
        """Resolve all nodes that depend only on known values."""
        while self.ready:
            for node in self.waiting[self.ready.popleft()]:
                needs = self.needs[node]
                if all(other in self.values for other in needs):
                    self.settle(node, sum((self.values[other] for other in needs), Fraction(0)))

    def ends(self) -> list[Fraction | None]:
        """Return when each clip ends; None if that is not known."""
        return [self._end(index) for index in range(len(self.clips))]

    def _end(self, index: int) -> Fraction | None:
        if not self.is_settled(index):
            return None
        start, length = self.of(index)
        return start + length

    def finish_ends(self, end: Fraction) -> None:
        """Let clips of length `end` run to the end, in turn where one starts after another."""
        left = [index for index, clip in enumerate(self.clips) if clip.length == "end"]
        while left:
            now = [index for index in left if ("start", index) in self.values]
            if not now:
                return
            for index in now:
                self.settle(("length", index), max(Fraction(0), end - self.values["start", index]))
            left = [index for index in left if index not in set(now)]
            self.run()

    def is_settled(self, index: int) -> bool:
        return ("start", index) in self.values and ("length", index) in self.values

    def of(self, index: int) -> tuple[Fraction, Fraction]:
        return self.values["start", index], self.values["length", index]
