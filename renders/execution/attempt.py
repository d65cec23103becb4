"""One attempt at a render: from the edit to stored files."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from opentelemetry.trace import get_current_span

from core import tracing
from core.exceptions import DomainError
from credits.pricing import cost_of
from engine.errors import EditInvalid, EngineError, RenderTimeout
from engine.language import ParsedEdit, parse_edit, sources
from engine.pipeline import RenderResult, render_timeline
from engine.run import FFmpegLimits, FFmpegProgress
from engine.steps import RecordAttributes
from engine.timeline import ResolvedEdit, resolve
from engine.timeline.model import Timeline
from jobs.context import JobContext
from jobs.exceptions import AttemptTimedOut, JobCancelled, LeaseLost
from renders.execution.failures import add_issues, as_queue_failure, describe, is_owners_fault
from renders.execution.fetching import LibraryFetch
from renders.execution.folders import work_folder
from renders.models import Render
from renders.requests import issue_as_json
from renders.selectors import OUTPUT_TYPES
from renders.services.attempts import (
    RenderProgress,
    begin_rendering,
    begin_saving,
    is_current_attempt,
    record_progress,
    requeue_render,
    start_attempt,
)
from renders.services.outcomes import RenderedFiles, close_failed, close_succeeded
from renders.services.storage import discard_files, publish_file, storage_key
from renders.services.transitions import record_error
from renders.sources import gather_media
from renders.states import RenderStatus

PROGRESS_EVERY_S = 1.0
LOG_LIMIT = 20_000

logger = logging.getLogger(__name__)


def run_render(context: JobContext) -> None:
    """Handle a job of type `renders.render`."""
    render_id = UUID(context.job.payload["render"])
    render = start_attempt(render_id=render_id, attempt=context.job.attempt)
    if render is None:
        # Ended or taken over. A cancellation that a dead worker left unfinished is finished by the queue.
        if Render.objects.filter(pk=render_id, status=RenderStatus.CANCELLING).exists():
            raise JobCancelled
        return
    Attempt(render, context).run()


class Attempt:
    """The steps of one attempt. step: the current state of the render."""

    def __init__(self, render: Render, context: JobContext) -> None:
        self.render = render
        self.context = context
        self.step = RenderStatus.FETCHING
        self.timings: dict[str, float] = {}
        self.log = [f"attempt {render.attempt}"]
        self._is_recorded = False
        self._written_at = 0.0
        self._latest: FFmpegProgress | None = None

    def run(self) -> None:
        """Run all steps.

        Raises the exception that tells the queue how the attempt ended; the render then waits for the next attempt.
        """
        tracing.set_attributes(get_current_span(), {"renderowl.render.id": self.render.public_id})
        try:
            with work_folder(self.render) as folder:
                timeline = self._prepare(folder)
                result = self._render(timeline, folder)
                self._save(timeline, result)
        except LeaseLost:
            # Another worker has the render, or it has ended: the files of this attempt are garbage.
            discard_files(render_id=self.render.pk)
            raise
        except AttemptTimedOut:
            self._fail(RenderTimeout(f"The render took longer than {self.context.job.timeout_s} s."))
        except (EngineError, DomainError) as failure:
            self._fail(failure)
        finally:
            if not self._is_recorded:
                # Interrupted, or a bug: the render waits until the queue has decided what to do with its job.
                requeue_render(render=self.render, error=None, log=self._log_text())

    def _prepare(self, folder: Path) -> Timeline:
        """Fetch and probe the sources, resolve the timeline and reserve the real price."""
        with self._timed("fetch"):
            parsed = parse_edit(self.render.edit, merge=self.render.merge, strict=self.render.strict)
            refs = sources(parsed.edit)
            library = LibraryFetch(self.render, [ref.url for ref in refs], folder)
            media = gather_media(refs, library, check=self.check)
        with self._timed("resolve"):
            resolved = resolve(parsed.edit, media)
        self._begin_rendering(parsed, resolved)
        return resolved.timeline

    def _begin_rendering(self, parsed: ParsedEdit, resolved: ResolvedEdit) -> None:
        findings = tuple(dict.fromkeys([*parsed.warnings, *resolved.warnings]))
        if self.render.strict and findings:
            raise EditInvalid(findings)
        if not begin_rendering(
            render=self.render,
            total_frames=resolved.timeline.output.frames,
            cost=cost_of_timeline(resolved.timeline),
            warnings=add_issues(self.render.warnings, findings),
            notes=[issue_as_json(note) for note in resolved.notes],
        ):
            self._raise_lost()
        self.log += [f"note {note['pointer']}: {note['detail']} ({note['code']})" for note in self.render.notes]
        self.step = RenderStatus.RENDERING

    def _render(self, timeline: Timeline, folder: Path) -> RenderResult:
        """Draw and encode, recording the progress about once a second."""
        work = folder / "engine"
        work.mkdir()
        with self._timed("render"):
            result = render_timeline(
                timeline,
                out=folder / f"output.{timeline.output.format}",
                work_dir=work,
                poster=folder / "poster.jpg",
                thumbnail=folder / "thumbnail.jpg",
                on_progress=self._set_progress,
                should_cancel=self._should_cancel,
                limits=FFmpegLimits(
                    wall_s=settings.RENDEROWL_RENDER_TIMEOUT_S, niceness=settings.RENDEROWL_RENDER_NICENESS
                ),
                on_step=step_span,
            )
        self.timings |= {f"render_{name}": round(seconds, 3) for name, seconds in result.timings.items()}
        self.log += filter(None, [result.log])
        if self.render.strict and result.warnings:
            raise EditInvalid(result.warnings)
        self.render.warnings = add_issues(self.render.warnings, result.warnings)
        return result

    def _save(self, timeline: Timeline, result: RenderResult) -> None:
        """Store the files, then finish job and render in one transaction."""
        if not begin_saving(render=self.render):
            self._raise_lost()
        self.step = RenderStatus.SAVING
        with self._timed("save"):
            files = self._publish(timeline, result)
        self.check()
        with transaction.atomic():
            # Job before render, as in every transaction that writes both: the same order everywhere avoids deadlocks.
            self.context.complete({"render": self.render.public_id})
            if not close_succeeded(
                render=self.render,
                files=files,
                cost=cost_of_timeline(timeline),
                timings=self.timings,
                log=self._log_text(),
            ):
                self._raise_lost()
        self._is_recorded = True
        codes = sorted({note["code"] for note in self.render.notes})
        self._log_event("render_succeeded", took_s=self.timings["render"], notes=codes)
        discard_files(render_id=self.render.pk)

    def _publish(self, timeline: Timeline, result: RenderResult) -> RenderedFiles:
        kind = timeline.output.format
        keys = {
            name: publish_file(source=path, key=storage_key(self.render, path.name), content_type=content_type)
            for name, path, content_type in (
                ("output", result.output, OUTPUT_TYPES[kind]),
                ("poster", result.poster, "image/jpeg"),
                ("thumbnail", result.thumbnail, "image/jpeg"),
            )
            if path is not None
        }
        return RenderedFiles(
            format=kind,
            width=result.width,
            height=result.height,
            fps=float(result.fps) if result.width else None,
            duration_s=result.duration_s,
            size_bytes=result.size_bytes,
            sha256=result.sha256,
            output_key=keys["output"],
            poster_key=keys.get("poster", ""),
            thumbnail_key=keys.get("thumbnail", ""),
        )

    def check(self) -> None:
        """Raise if the attempt must end. Reads the row of the render about once a second."""
        self.context.check()
        now = time.monotonic()
        if now - self._written_at < PROGRESS_EVERY_S:
            return
        self._written_at = now
        if self._latest is not None and self.step is RenderStatus.RENDERING:
            is_current = record_progress(render=self.render, progress=_to_progress(self._latest))
        else:
            is_current = is_current_attempt(render=self.render)
        if not is_current:
            self._raise_lost()

    def _set_progress(self, progress: FFmpegProgress) -> None:
        self._latest = progress

    def _should_cancel(self) -> bool:
        # An exception stops FFmpeg and propagates through `render_timeline`.
        self.check()
        return False

    def _raise_lost(self) -> None:
        """Raise JobCancelled or LeaseLost, whichever took the render from this attempt."""
        status = Render.objects.values_list("status", flat=True).get(pk=self.render.pk)
        raise JobCancelled if status in {RenderStatus.CANCELLING, RenderStatus.CANCELLED} else LeaseLost

    def _fail(self, failure: EngineError | DomainError) -> None:
        """Record the failure; then end the render if its owner caused it, else raise it to the queue."""
        error = describe(failure, step=self.step, attempt=self.render.attempt)
        self.log += filter(
            None, [getattr(failure, "log", ""), f"{self.step} failed: {error['code']}: {error['message']}"]
        )
        log = self._log_text()
        self._is_recorded = True
        self._log_event("render_failed", code=error["code"], step=error["step"])
        if is_owners_fault(failure):
            with transaction.atomic():
                self.context.complete({"render": self.render.public_id, "failed": error["code"]})
                close_failed(render_id=self.render.pk, error=error, log=log)
            return
        if error["retryable"]:
            requeue_render(render=self.render, error=error, log=log)
        else:
            record_error(render=self.render, error=error, log=log)
        raise as_queue_failure(error) from failure

    def _log_event(self, action: str, **fields: str | float | list[str]) -> None:
        known = {"action": action, "render_id": self.render.public_id, "attempt": self.render.attempt}
        logger.info(action.replace("_", " "), extra={**known, **fields})

    def _log_text(self) -> str:
        return "\n".join(self.log)[-LOG_LIMIT:]

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started_at = time.perf_counter()
        try:
            with tracing.span(name):
                yield
        finally:
            self.timings[name] = round(time.perf_counter() - started_at, 3)
            self.log.append(f"{name}: {self.timings[name]:.3f} s")


def cost_of_timeline(timeline: Timeline) -> int:
    """Return the price of an output in hundredths of a credit."""
    output = timeline.output
    width, height = output.final_size
    return cost_of(output.duration_s, width, height, float(output.fps))


def _to_progress(progress: FFmpegProgress) -> RenderProgress:
    return RenderProgress(progress.frame, progress.total_frames, progress.percent, progress.fps, progress.eta_s)


@contextmanager
def step_span(name: str, /) -> Iterator[RecordAttributes]:
    """Trace one step of the engine; its figures become attributes such as `renderowl.ffmpeg.frames`."""
    with tracing.span(name) as span:
        yield lambda figures: tracing.set_attributes(
            span, {f"renderowl.{name}.{key}": value for key, value in figures.items()}
        )
