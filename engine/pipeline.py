"""Render pipeline: draws, plans, encodes, verifies and publishes a resolved timeline."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from engine.encode import encode
from engine.errors import RenderAborted
from engine.graph import RenderPaths
from engine.issues import Issue
from engine.plan import make_plan
from engine.raster import is_drawn, rasterize_all
from engine.raster.model import Raster
from engine.run import FFmpegLimits, FFmpegProgress, FFmpegResult
from engine.run.binary import ffmpeg_path
from engine.run.output_files import OutputInfo, image_size, publish, sha256_of, temporary_outputs, verify_output
from engine.steps import OnStep, ignore_steps
from engine.timeline.model import Timeline

# Clips drawn between two calls of `should_cancel`.
DRAW_BATCH = 200


@dataclass(frozen=True, slots=True)
class RenderResult:
    """A published render. width, height: None without video. timings: seconds by step. log: the end of FFmpeg's log."""

    output: Path
    width: int | None
    height: int | None
    duration_s: float
    fps: Fraction
    size_bytes: int
    sha256: str
    has_audio: bool
    poster: Path | None
    thumbnail: Path | None
    warnings: tuple[Issue, ...]
    timings: Mapping[str, float]
    log: str


@dataclass(slots=True)
class _StepTimer:
    """Measures the steps of a render in seconds."""

    on_step: OnStep
    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        with self.on_step(name):
            yield
        self.timings[name] = round(time.perf_counter() - began, 4)


def draw_clips(timeline: Timeline, out_dir: Path, should_cancel: Callable[[], bool]) -> dict[str, Raster]:
    """Return the rasters of the clips that have no media file, by pointer.

    Only clips within the output's frame range are drawn. Raises RenderAborted between two batches.
    """
    first, last = timeline.output.first_frame, timeline.output.first_frame + timeline.output.frames
    visible = [clip for clip in timeline.clips if is_drawn(clip.asset) and clip.end > first and clip.start < last]
    rasters: dict[str, Raster] = {}
    for at in range(0, len(visible), DRAW_BATCH):
        if should_cancel():
            raise RenderAborted("The render was cancelled.")
        rasters.update(rasterize_all(visible[at : at + DRAW_BATCH], timeline=timeline, out_dir=out_dir))
    return rasters


@contextmanager
def _scratch(work_dir: Path) -> Iterator[Path]:
    """Yield a new folder below `work_dir`; it is removed on exit."""
    work_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="render-", dir=work_dir.resolve()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def render_timeline(
    timeline: Timeline,
    *,
    out: Path,
    work_dir: Path,
    poster: Path | None = None,
    thumbnail: Path | None = None,
    on_progress: Callable[[FFmpegProgress], None] = lambda _: None,
    should_cancel: Callable[[], bool] = lambda: False,
    limits: FFmpegLimits | None = None,
    on_step: OnStep = ignore_steps,
) -> RenderResult:
    """Render a timeline to `out`, and to `poster` and `thumbnail` (JPEG) if given and the format has video.

    The files appear under their names complete or not at all. Scratch files go below `work_dir` and beside the
    targets (hidden, ending in `.partial`); the next render to the same target removes those of a killed one.
    on_step: observes the steps that `timings` names, and each FFmpeg process.
    Raises RenderError and its subclasses, and what the callbacks raise.
    """
    timer = _StepTimer(on_step)
    spec = timeline.output
    out = out.absolute()
    has_video = spec.format not in ("mp3", "wav")
    extras = [path.absolute() for path in (poster, thumbnail) if path is not None and has_video]
    with _scratch(work_dir) as scratch, temporary_outputs([out, *extras]) as names:
        with timer.step("draw"):
            rasters = draw_clips(timeline, scratch, should_cancel) if has_video else {}
        with timer.step("plan"):
            plan = make_plan(timeline, rasters)
            paths = RenderPaths(
                ffmpeg_path(),
                scratch,
                names[out],
                names[poster.absolute()] if poster is not None and has_video else None,
                names[thumbnail.absolute()] if thumbnail is not None and has_video else None,
            )
        with timer.step("run"):
            result, has_audio = encode(
                plan,
                timeline,
                rasters,
                paths,
                on_progress=on_progress,
                should_cancel=should_cancel,
                limits=limits or FFmpegLimits(),
                on_step=on_step,
            )
        with timer.step("verify"):
            found = verify_output(names[out], spec, frames=result.frames, has_audio=has_audio)
            for path in extras:
                image_size(names[path])
            digest = sha256_of(names[out])
        with timer.step("publish"):
            for path in [*extras, out]:
                publish(names[path], path)
    warnings = tuple(issue for raster in rasters.values() for issue in raster.warnings)
    return _result(timeline, out, poster, thumbnail, found, digest, warnings, timer, result)


def _result(
    timeline: Timeline,
    out: Path,
    poster: Path | None,
    thumbnail: Path | None,
    found: OutputInfo,
    digest: str,
    warnings: tuple[Issue, ...],
    timer: _StepTimer,
    result: FFmpegResult,
) -> RenderResult:
    has_video = found.width is not None
    return RenderResult(
        output=out,
        width=found.width,
        height=found.height,
        duration_s=timeline.output.duration_s,
        fps=timeline.output.fps,
        size_bytes=found.size_bytes,
        sha256=digest,
        has_audio=found.has_audio,
        poster=poster if has_video else None,
        thumbnail=thumbnail if has_video else None,
        warnings=warnings,
        timings=timer.timings,
        log=result.log,
    )
