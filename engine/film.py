"""Make the film: in one FFmpeg process, or part by part where one could not hold all that it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from engine.graph import Command, Paths, compile_join, compile_plan, part_list
from engine.plan import make_plan
from engine.plan.model import Plan
from engine.plan.windows import split_windows
from engine.raster.model import Raster
from engine.run import Limits, Progress, RunResult, run
from engine.run.sequences import write_sequence
from engine.steps import OnStep, unwatched
from engine.timeline.model import OutputSpec, Timeline

Report = Callable[[Progress], None]
Ask = Callable[[], bool]


def run_command(
    command: Command, fps: Fraction, report: Report, should_cancel: Ask, limits: Limits, on_step: OnStep = unwatched
) -> RunResult:
    """Write the files that a command reads besides the media, and run it."""
    command.script_path.write_text(command.script, encoding="utf-8")
    for sequence in command.sequences:
        write_sequence(sequence.path, sequence.source, fps)
    with on_step("ffmpeg") as note:
        result = run(command, on_progress=report, should_cancel=should_cancel, limits=limits)
        note(
            {
                "frames": result.frames,
                "encode_s": round(result.wall_s, 3),
                "film_s": command.duration_s,
                "speed": round(command.duration_s / result.wall_s, 3) if result.wall_s else 0.0,
            }
        )
    return result


def make_film(
    plan: Plan,
    timeline: Timeline,
    rasters: Mapping[str, Raster],
    paths: Paths,
    *,
    on_progress: Report,
    should_cancel: Ask,
    limits: Limits,
    on_step: OnStep = unwatched,
) -> tuple[RunResult, bool]:
    """Write the files of `paths`; return the last run and whether there is sound.

    plan: of the whole `timeline`. Scratch files stay in `paths.work_dir`. Raises RenderError and its kin.
    """
    windows = split_windows(plan)
    if len(windows) == 1:
        command = compile_plan(plan, paths)
        return run_command(command, plan.fps, on_progress, should_cancel, limits, on_step), command.has_audio
    parts = []
    for index, (first, frames) in enumerate(windows):
        folder = paths.work_dir / f"part-{index}"
        folder.mkdir()
        part_paths, spec = _part(plan.output, first, frames, paths, folder, index)
        part_plan = make_plan(replace(timeline, output=spec), rasters)
        command = compile_plan(part_plan, part_paths)
        report = _shifted(on_progress, first, plan.output.frames)
        run_command(command, plan.fps, report, should_cancel, limits, on_step)
        parts.append(part_paths.output)
    list_path = paths.work_dir / "parts.ffconcat"
    list_path.write_text(part_list(parts), encoding="utf-8")
    command = compile_join(plan, list_path, paths)
    return run_command(command, plan.fps, _joining(on_progress), should_cancel, limits, on_step), command.has_audio


def _part(
    spec: OutputSpec, first: int, frames: int, paths: Paths, folder: Path, index: int
) -> tuple[Paths, OutputSpec]:
    """Return names and specification of one part; poster and thumbnail come from the part that shows them."""
    poster, thumbnail = spec.poster_at - first, spec.thumbnail_at - first
    part_paths = Paths(
        paths.ffmpeg,
        folder,
        paths.work_dir / f"part-{index}.{spec.format}",
        paths.poster if 0 <= poster < frames else None,
        paths.thumbnail if 0 <= thumbnail < frames else None,
    )
    part = replace(
        spec,
        first_frame=spec.first_frame + first,
        frames=frames,
        mute=True,
        poster_frame=max(0, poster),
        thumbnail_frame=max(0, thumbnail),
    )
    return part_paths, part


def _shifted(report: Report, first: int, total: int) -> Report:
    """Return a reporter that places the progress of a part in that of the whole."""

    def place(progress: Progress) -> None:
        frame = min(first + progress.frame, total - 1)
        left = (total - frame) / progress.fps if progress.fps else None
        report(replace(progress, frame=frame, total_frames=total, percent=100 * frame / total, eta_s=left))

    return place


def _joining(report: Report) -> Report:
    """Return a reporter for the joining of parts: all frames are made, and what counts is that it is done."""

    def place(progress: Progress) -> None:
        if progress.frame >= progress.total_frames:
            report(progress)

    return place
