"""Encode a plan in one FFmpeg process, or in segments joined by concat when one process would have too many inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from engine.graph import FFmpegCommand, RenderPaths, compile_concat, compile_plan, concat_list
from engine.plan import make_plan
from engine.plan.model import RenderPlan
from engine.plan.segments import split_segments
from engine.raster.model import Raster
from engine.run import FFmpegLimits, FFmpegProgress, FFmpegResult, run
from engine.run.image_sequences import write_sequence
from engine.steps import OnStep, ignore_steps
from engine.timeline.model import OutputSpec, Timeline

ReportProgress = Callable[[FFmpegProgress], None]
ShouldCancel = Callable[[], bool]


def run_command(
    command: FFmpegCommand,
    fps: Fraction,
    report: ReportProgress,
    should_cancel: ShouldCancel,
    limits: FFmpegLimits,
    on_step: OnStep = ignore_steps,
) -> FFmpegResult:
    """Write the filter graph and the image sequences that a command reads, then run it."""
    command.script_path.write_text(command.script, encoding="utf-8")
    for sequence in command.sequences:
        write_sequence(sequence.path, sequence.source, fps)
    with on_step("ffmpeg") as note:
        result = run(command, on_progress=report, should_cancel=should_cancel, limits=limits)
        note(
            {
                "frames": result.frames,
                "encode_s": round(result.wall_s, 3),
                "output_s": command.duration_s,
                "speed": round(command.duration_s / result.wall_s, 3) if result.wall_s else 0.0,
            }
        )
    return result


def encode(
    plan: RenderPlan,
    timeline: Timeline,
    rasters: Mapping[str, Raster],
    paths: RenderPaths,
    *,
    on_progress: ReportProgress,
    should_cancel: ShouldCancel,
    limits: FFmpegLimits,
    on_step: OnStep = ignore_steps,
) -> tuple[FFmpegResult, bool]:
    """Write the files of `paths`; return the result of the last FFmpeg run and whether the output has audio.

    plan: of the whole `timeline`. Scratch files go to `paths.work_dir`. Raises RenderError and its subclasses.
    """
    segments = split_segments(plan)
    if len(segments) == 1:
        command = compile_plan(plan, paths)
        return run_command(command, plan.fps, on_progress, should_cancel, limits, on_step), command.has_audio
    files = []
    for index, (first, frames) in enumerate(segments):
        folder = paths.work_dir / f"segment-{index}"
        folder.mkdir()
        segment_paths, spec = _segment(plan.output, first, frames, paths, folder, index)
        segment_plan = make_plan(replace(timeline, output=spec), rasters)
        command = compile_plan(segment_plan, segment_paths)
        report = _offset_progress(on_progress, first, plan.output.frames)
        run_command(command, plan.fps, report, should_cancel, limits, on_step)
        files.append(segment_paths.output)
    list_path = paths.work_dir / "segments.ffconcat"
    list_path.write_text(concat_list(files), encoding="utf-8")
    command = compile_concat(plan, list_path, paths)
    report = _concat_progress(on_progress)
    return run_command(command, plan.fps, report, should_cancel, limits, on_step), command.has_audio


def _segment(
    spec: OutputSpec, first: int, frames: int, paths: RenderPaths, folder: Path, index: int
) -> tuple[RenderPaths, OutputSpec]:
    """Return paths and output of one segment; poster and thumbnail belong to the segment that has their frame."""
    poster, thumbnail = spec.poster_at - first, spec.thumbnail_at - first
    segment_paths = RenderPaths(
        paths.ffmpeg,
        folder,
        paths.work_dir / f"segment-{index}.{spec.format}",
        paths.poster if 0 <= poster < frames else None,
        paths.thumbnail if 0 <= thumbnail < frames else None,
    )
    segment = replace(
        spec,
        first_frame=spec.first_frame + first,
        frames=frames,
        mute=True,
        poster_frame=max(0, poster),
        thumbnail_frame=max(0, thumbnail),
    )
    return segment_paths, segment


def _offset_progress(report: ReportProgress, first: int, total: int) -> ReportProgress:
    """Return a callback that reports a segment's progress as progress of the whole render."""

    def forward(progress: FFmpegProgress) -> None:
        frame = min(first + progress.frame, total - 1)
        left = (total - frame) / progress.fps if progress.fps else None
        report(replace(progress, frame=frame, total_frames=total, percent=100 * frame / total, eta_s=left))

    return forward


def _concat_progress(report: ReportProgress) -> ReportProgress:
    """Return a callback that reports only the end of the concat run: all frames are encoded before it."""

    def forward(progress: FFmpegProgress) -> None:
        if progress.frame >= progress.total_frames:
            report(progress)

    return forward
