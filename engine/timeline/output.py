"""Output specification: size, frame rate and frame range of the output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from engine.errors import EditInvalid
from engine.issues import Issue
from engine.language.edit import Edit, Output
from engine.language.presets import DEFAULT_FPS, DEFAULT_RESOLUTION, PRESET_FPS, exact_fps, preset_size
from engine.media import MediaInfo
from engine.timeline.model import OutputSpec
from engine.timeline.schedule import exact, make_schedule, to_frame

DEFAULT_THUMBNAIL_SCALE = 0.3
STILL_FORMATS = ("jpg", "png", "bmp")


@dataclass(frozen=True, slots=True)
class OutputEstimate:
    """The expected output of a render, before its media are known. is_exact: no length was guessed."""

    duration_s: float
    frames: int
    width: int
    height: int
    fps: float
    is_exact: bool


def estimate(edit: Edit, media: Mapping[str, MediaInfo] | None = None, *, unknown_s: float = 10.0) -> OutputEstimate:
    """Return the size and length of an edit's output.

    media: the sources probed so far. unknown_s: the `auto` length of clips whose media are not among them.
    Raises EditInvalid as `resolve` does for impossible times.
    """
    schedule = make_schedule(edit, media or {}, unknown=exact(unknown_s))
    fps = output_fps(edit.output)
    spec, _ = make_output(edit.output, max(1, to_frame(schedule.length, fps)))
    width, height = spec.final_size
    return OutputEstimate(spec.duration_s, spec.frames, width, height, float(fps), schedule.is_exact)


def output_size(output: Output) -> tuple[int, int]:
    """Return the size in pixels at which the edit is composed."""
    if output.size is not None:
        return (output.size.width, output.size.height)
    return preset_size(output.resolution or DEFAULT_RESOLUTION, output.aspect_ratio)


def output_fps(output: Output) -> Fraction:
    """Return the exact frame rate: the given one, else the preset's."""
    if output.fps is not None:
        return exact_fps(output.fps)
    preset = output.scale_to or (output.resolution if output.size is None else None)
    return Fraction(PRESET_FPS.get(preset or DEFAULT_RESOLUTION, DEFAULT_FPS))


def make_output(output: Output, total_frames: int) -> tuple[OutputSpec, tuple[Issue, ...]]:
    """Return the output of a timeline of `total_frames` frames, and warnings.

    Raises EditInvalid if the range starts after the end.
    """
    fps = output_fps(output)
    width, height = output_size(output)
    first, frames = _frame_range(output, total_frames, fps)
    warnings: list[Issue] = []
    poster = thumbnail = None
    if output.poster is not None:
        poster = _capture("/output/poster/capture", output.poster.capture, fps, first, frames, warnings)
    if output.thumbnail is not None:
        thumbnail = _capture("/output/thumbnail/capture", output.thumbnail.capture, fps, first, frames, warnings)
    spec = OutputSpec(
        format=output.format,
        width=width,
        height=height,
        fps=fps,
        first_frame=first,
        frames=frames,
        quality=output.quality,
        mute=output.mute,
        repeat=output.repeat,
        poster_frame=poster,
        thumbnail_frame=thumbnail,
        thumbnail_scale=output.thumbnail.scale if output.thumbnail is not None else DEFAULT_THUMBNAIL_SCALE,
        scale_to=preset_size(output.scale_to, output.aspect_ratio) if output.scale_to else None,
    )
    return spec, tuple(warnings)


def _frame_range(output: Output, total_frames: int, fps: Fraction) -> tuple[int, int]:
    start = output.range.start if output.range is not None else 0.0
    length = output.range.length if output.range is not None else None
    first = to_frame(exact(start), fps)
    if first >= total_frames:
        detail = f"The range starts at {start:g} s, but the timeline ends at {float(total_frames / fps):.2f} s."
        raise EditInvalid([Issue("/output/range/start", "out_of_range", detail)])
    if output.format in STILL_FORMATS:
        return first, 1
    end = total_frames if length is None else min(total_frames, to_frame(exact(start) + exact(length), fps))
    return first, max(1, end - first)


def _capture(where: str, seconds: float, fps: Fraction, first: int, frames: int, warnings: list[Issue]) -> int:
    """Return the output frame at a time of the timeline, clamped to the output."""
    frame = to_frame(exact(seconds), fps) - first
    clamped = min(max(frame, 0), frames - 1)
    if frame > frames or frame < 0:
        detail = f"{seconds:g} s is outside the output; its {'first' if frame < 0 else 'last'} frame is used."
        warnings.append(Issue(where, "out_of_range", detail))
    return clamped
