"""Edit resolver: puts a validated edit and its probed media on the output's frame grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from engine.errors import EditInvalid
from engine.issues import Issue
from engine.language.colors import parse_color
from engine.language.edit import Edit
from engine.language.media_assets import LumaAsset
from engine.media import MediaInfo
from engine.timeline.clips import ClipResolver, make_sound
from engine.timeline.media_checks import media_mismatches
from engine.timeline.media_notes import media_notes
from engine.timeline.model import Soundtrack, TimedClip, Timeline
from engine.timeline.output import make_output, output_fps
from engine.timeline.schedule import ClipSlot, exact, make_schedule, to_frame

MAX_ERRORS = 50


@dataclass(frozen=True, slots=True)
class ResolvedEdit:
    """A timeline ready to plan.

    warnings: what will differ from the edit. notes: what was done to show a source as the edit describes it.
    """

    timeline: Timeline
    warnings: tuple[Issue, ...]
    notes: tuple[Issue, ...] = ()


def resolve(edit: Edit, media: Mapping[str, MediaInfo]) -> ResolvedEdit:
    """Put an edit on the frame grid of its output.

    media: the probed file of every source, by the URL as the edit writes it.
    Starts and ends are rounded to whole frames independently, so that adjacent clips stay adjacent.
    Raises EditInvalid for sources that are missing or of the wrong kind (`media_missing`, `media_mismatch`),
    a trim beyond the end of its file, an empty, too long or circular timeline, and a range beyond the end.
    """
    if errors := list(media_mismatches(edit, media)):
        raise EditInvalid(errors[:MAX_ERRORS], truncated=len(errors) > MAX_ERRORS)
    schedule = make_schedule(edit, media)
    fps = output_fps(edit.output)
    ranges, dropped = _frame_ranges(schedule.slots, fps)
    total = max([1, to_frame(schedule.length, fps), *(start + frames for _, start, frames in ranges)])
    output, output_warnings = make_output(edit.output, total)
    warnings: list[Issue] = [*schedule.warnings, *dropped, *output_warnings]
    resolver = ClipResolver(fps, media, warnings)
    timed = [resolver.make(slot, start, frames) for slot, start, frames in ranges]
    if resolver.errors:
        raise EditInvalid(resolver.errors[:MAX_ERRORS], truncated=len(resolver.errors) > MAX_ERRORS)
    clips = _with_lumas([clip for clip in timed if clip is not None], warnings)
    timeline = Timeline(
        output=output,
        background=hex_color(edit.timeline.background),
        frames=total,
        clips=_painting_order(clips),
        soundtrack=_soundtrack(edit, media, fps, total),
        fonts={font.src: media[font.src] for font in edit.timeline.fonts},
    )
    if output.format == "mp3" and not has_sound(timeline):
        raise EditInvalid([Issue("/output/format", "no_sound", "An mp3 needs audio, but the edit has none.")])
    return ResolvedEdit(timeline, tuple(dict.fromkeys(warnings)), tuple(media_notes(edit, media)))


def has_sound(timeline: Timeline) -> bool:
    """Return whether a timeline has any audio."""
    audible = timeline.soundtrack is not None or any(clip.sound is not None for clip in timeline.clips)
    return audible and not timeline.output.mute


def hex_color(text: str) -> str:
    """Return a colour as `#RRGGBB`, without its alpha."""
    red, green, blue, _ = parse_color(text)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _frame_ranges(slots: Sequence[ClipSlot], fps: Fraction) -> tuple[list[tuple[ClipSlot, int, int]], list[Issue]]:
    """Return each clip with its first frame and number of frames.

    A clip shorter than half a frame still gets one, unless another clip of its track has that frame.
    """
    rounded = [(slot, to_frame(slot.start, fps), to_frame(slot.end, fps)) for slot in slots]
    occupied = {(slot.track, start) for slot, start, end in rounded if end > start}
    covered = _FrameCoverage([(slot.track, start, end) for slot, start, end in rounded if end > start])
    ranges: list[tuple[ClipSlot, int, int]] = []
    dropped: list[ClipSlot] = []
    for slot, start, end in rounded:
        if end > start:
            ranges.append((slot, start, end - start))
        elif (slot.track, start) in occupied or covered.holds(slot.track, start):
            dropped.append(slot)
        else:
            occupied.add((slot.track, start))
            ranges.append((slot, start, 1))
    if not dropped:
        return ranges, []
    others = f" The same holds for {len(dropped) - 1} more clips." if len(dropped) > 1 else ""
    detail = f"The clip is shorter than a frame and another clip of its track has that frame; it is not shown.{others}"
    return ranges, [Issue(dropped[0].pointer, "clip_too_short", detail)]


class _FrameCoverage:
    """The frames of each track that are covered by clips of at least one frame."""

    def __init__(self, ranges: Sequence[tuple[int, int, int]]) -> None:
        """ranges: track, first frame, end."""
        self._ranges: dict[int, list[tuple[int, int]]] = {}
        for track, start, end in sorted(ranges):
            merged = self._ranges.setdefault(track, [])
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], end))
            else:
                merged.append((start, end))

    def holds(self, track: int, frame: int) -> bool:
        return any(start <= frame < end for start, end in self._ranges.get(track, ()))


def _with_lumas(clips: Sequence[TimedClip], warnings: list[Issue]) -> list[TimedClip]:
    """Return the clips without the mattes, each with the matte of its track that overlaps it most."""
    lumas: dict[int, list[TimedClip]] = {}
    for clip in clips:
        if isinstance(clip.asset, LumaAsset):
            lumas.setdefault(clip.track, []).append(clip)
    used: set[str] = set()
    masked: list[TimedClip] = []
    for clip in clips:
        if isinstance(clip.asset, LumaAsset):
            continue
        mattes = [luma for luma in lumas.get(clip.track, ()) if _overlap(luma, clip) > 0 and clip.asset.type != "audio"]
        if not mattes:
            masked.append(clip)
            continue
        luma = max(mattes, key=lambda candidate: _overlap(candidate, clip))
        used.add(luma.pointer)
        masked.append(replace(clip, luma=luma))
    for luma in (luma for track in lumas.values() for luma in track if luma.pointer not in used):
        detail = "No clip of its track overlaps this luma clip, so it has no effect."
        warnings.append(Issue(luma.pointer, "luma_unused", detail))
    return masked


def _overlap(one: TimedClip, other: TimedClip) -> int:
    """Return how many frames two clips have in common."""
    return min(one.end, other.end) - max(one.start, other.start)


def _painting_order(clips: Sequence[TimedClip]) -> tuple[TimedClip, ...]:
    """Return the clips bottom first: the last track first, within a track by start, then as listed."""
    return tuple(sorted(clips, key=lambda clip: (-clip.track, clip.start)))


def _soundtrack(edit: Edit, media: Mapping[str, MediaInfo], fps: Fraction, total: int) -> Soundtrack | None:
    """Return the soundtrack; its fades count from where its file ends."""
    soundtrack = edit.timeline.soundtrack
    if soundtrack is None:
        return None
    info = media[soundtrack.src]
    frames = total if info.duration_s is None else max(1, min(total, to_frame(exact(info.duration_s), fps)))
    sound = make_sound(soundtrack.volume, soundtrack.effect, fps=fps, frames=frames)
    return Soundtrack(info, sound) if sound is not None else None
