"""What external workers report, and what follows: one transaction each, in which the message is recorded as processed.

All reports of one attempt wait for each other at the job's row: each renews the lease, and with that holds the row
until its transaction ends. So what is read after that is what earlier reports left, and their order does not matter:
progress only grows, and what has ended stays as it ended.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from core import counters
from core.exceptions import NotFound
from credits.exceptions import InsufficientCredits
from engine.errors import RenderTimeout
from jobs.exceptions import LeaseLost
from jobs.services import (
    cancel_attempt,
    complete_external,
    enqueue,
    fail_attempt,
    find_running_attempt,
    is_overdue,
    record_external_worker,
    renew_lease,
)
from jobs.snapshot import JobError, JobSnapshot
from jobs.states import AttemptOutcome
from renders.exceptions import OutputMissing, StaleAttempt
from renders.execution.failures import describe
from renders.external.claiming import digest_of, lease_s
from renders.external.messages import VerifiedMessage, record_message
from renders.job_types import PICTURES_JOB, RENDER_QUEUE
from renders.models import ExternalLease, Render
from renders.services.attempts import begin_rendering, begin_saving, requeue_render, top_up
from renders.services.outcomes import RenderedFiles, close_failed, close_succeeded
from renders.services.transitions import record_error
from renders.states import RenderStatus


class ReportStatus(StrEnum):
    """What a worker can say."""

    RENDERING = "rendering"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """One report. error: code, message and retryable, for failures."""

    render_id: UUID
    lease_token: str
    status: ReportStatus
    percent: float | None = None
    frame: int | None = None
    total_frames: int | None = None
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ReportResult:
    """What the worker is told. cancel: whether it should stop at once; ignored: whether the report said nothing new.

    lease_expires_at: None where the attempt is over.
    """

    status: str = ""
    duplicate: bool = False
    ignored: bool = False
    cancel: bool = False
    lease_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The attempt that a report is of, its job's row held."""

    render: Render
    lease: ExternalLease
    job: JobSnapshot


@transaction.atomic
def process_report(*, message: VerifiedMessage, report: WorkerReport) -> ReportResult:
    """Do what follows from a report; a message that was processed before has no effect.

    Raises MessageReused, NotFound, StaleAttempt, OutputMissing; then the message does not count as processed.
    """
    if not record_message(message):
        counters.count("renderowl_worker_reports_duplicate_total")
        return ReportResult(duplicate=True)
    lease = _find_lease(report, message.pool)
    job = find_running_attempt(job_id=lease.job_id, worker=lease.worker, attempt=lease.attempt)
    try:
        cancel = None if job is None else renew_lease(job=job, lease_s=lease_s())
    except LeaseLost:
        cancel = None
    render: Render = Render.objects.without_large_columns().get(pk=lease.render_id)
    if render.is_terminal and render.attempt == lease.attempt:
        _count(lease, ignored=True)
        return ReportResult(render.status, ignored=True, cancel=render.status == RenderStatus.CANCELLED)
    if job is None or cancel is None:
        raise StaleAttempt
    lease.refresh_from_db()
    attempt = _Attempt(render, lease, job)
    if cancel:
        return _cancel(attempt)
    if is_overdue(job=job):
        return _time_out(attempt)
    record_external_worker(name=lease.worker, hostname=lease.worker.rpartition(":")[2], queues=[RENDER_QUEUE])
    return _HANDLERS[report.status](attempt, report)


def _find_lease(report: WorkerReport, pool: str) -> ExternalLease:
    """Return the lease of the attempt that has, or last had, the render.

    Raises NotFound, StaleAttempt.
    """
    attempt = Render.objects.filter(pk=report.render_id).values_list("attempt", flat=True).first()
    if attempt is None:
        raise NotFound
    lease = ExternalLease.objects.filter(render=report.render_id, attempt=attempt).first()
    stored = lease.token_digest if lease is not None else "0" * 64
    fits = hmac.compare_digest(stored, digest_of(report.lease_token))
    # A member of one pool does not speak for the work of another.
    if lease is None or not fits or lease.pool != pool:
        raise StaleAttempt
    return lease


def _record_progress(attempt: _Attempt, report: WorkerReport) -> ReportResult:
    render, lease = attempt.render, attempt.lease
    total = max(filter(None, (lease.total_frames, report.total_frames)), default=None)
    frame = report.frame or 0
    percent = report.percent
    if percent is None:
        percent = min(100.0, 100 * frame / total) if total else 0.0
    percent = round(percent, 1)
    begins = render.status == RenderStatus.FETCHING
    if begins:
        # What it costs is settled when the output is there and its length is known.
        shown = total or render.total_frames or 1
        _require(begin_rendering(render=render, total_frames=shown, cost=0, warnings=render.warnings))
    grows = percent > render.percent or frame > render.frame or total != lease.total_frames
    if grows:
        _write_progress(attempt, frame, percent, total)
    _count(lease, ignored=not (begins or grows), total_frames=total)
    return ReportResult(RenderStatus.RENDERING, ignored=not (begins or grows), lease_expires_at=_lease_end())


def _write_progress(attempt: _Attempt, frame: int, percent: float, total: int | None) -> None:
    """Raise what is higher than before. Rate and time left are by our clock, since the attempt began."""
    now = timezone.now()
    elapsed_s = max(0.001, (now - attempt.lease.created_at).total_seconds())
    best = max(percent, attempt.render.percent)
    changed = Render.objects.filter(
        pk=attempt.render.pk, attempt=attempt.lease.attempt, status=RenderStatus.RENDERING
    ).update(
        percent=Greatest(F("percent"), Value(percent)),
        frame=Greatest(F("frame"), Value(frame)),
        total_frames=total or F("total_frames"),
        speed_fps=round(max(frame, attempt.render.frame) / elapsed_s, 2),
        eta_s=round(elapsed_s * (100 - best) / best, 1) if best else None,
        progress_at=now,
    )
    _require(changed == 1)


def _succeed(attempt: _Attempt, report: WorkerReport) -> ReportResult:
    facts = attempt.lease.output
    if facts is None:
        raise OutputMissing
    try:
        with transaction.atomic():
            _save(attempt, facts)
    except InsufficientCredits as refusal:
        return _refuse_unpaid(attempt, refusal)
    _end(attempt.lease)
    return ReportResult(RenderStatus.SUCCEEDED)


def _save(attempt: _Attempt, facts: Mapping[str, Any]) -> None:
    """Let the render succeed, as the last step of a worker of ours does: all that follows happens at once."""
    render, lease = attempt.render, attempt.lease
    frames, cost = int(facts["frames"]), int(facts["cost"])
    complete_external(job=attempt.job, result={"render": render.public_id})
    if render.status == RenderStatus.FETCHING:
        _require(begin_rendering(render=render, total_frames=frames, cost=cost, warnings=render.warnings))
    else:
        _require(top_up(render=render, cost=cost))
    render.total_frames = frames
    _require(begin_saving(render=render))
    files = RenderedFiles(
        **{name: facts[name] for name in ("format", "width", "height", "fps", "duration_s", "size_bytes", "sha256")},
        output_key=facts["key"],
        poster_key=lease.poster["key"] if lease.poster else "",
        thumbnail_key=lease.thumbnail["key"] if lease.thumbnail else "",
    )
    took_s = round((timezone.now() - lease.created_at).total_seconds(), 3)
    log = f"attempt {lease.attempt}, by {lease.worker}\nexternal: {took_s:.3f} s"
    _require(close_succeeded(render=render, files=files, cost=cost, timings={"external": took_s}, log=log))
    Render.objects.filter(pk=render.pk).update(total_frames=frames)
    if facts["width"] and not (lease.poster and lease.thumbnail):
        enqueue(type=PICTURES_JOB, payload={"render": str(render.pk)}, user_id=render.owner_id)


def _refuse_unpaid(attempt: _Attempt, refusal: InsufficientCredits) -> ReportResult:
    """Fail a render that turned out longer than its owner can pay: no fault of the worker's, nor one to try again."""
    error = describe(refusal, step=RenderStatus.SAVING, attempt=attempt.lease.attempt)
    complete_external(job=attempt.job, result={"render": attempt.render.public_id, "failed": error["code"]})
    close_failed(render_id=attempt.render.pk, error=error)
    _end(attempt.lease)
    return ReportResult(RenderStatus.FAILED)


def _fail(attempt: _Attempt, report: WorkerReport) -> ReportResult:
    given = report.error or {}
    error = {
        "code": given.get("code", "worker_failed"),
        "message": given.get("message") or "The worker could not render this.",
        "retryable": bool(given.get("retryable", True)),
        "pointer": None,
        "step": RenderStatus(attempt.render.status).value,
        "attempt": attempt.lease.attempt,
    }
    return _leave(attempt, error, AttemptOutcome.FAILED, cancel=False)


def _time_out(attempt: _Attempt) -> ReportResult:
    """Take a render back that its worker has kept for longer than a render may take."""
    failure = RenderTimeout(f"The render took longer than {attempt.job.timeout_s} s.")
    error = describe(failure, step=attempt.render.status, attempt=attempt.lease.attempt)
    return _leave(attempt, error, AttemptOutcome.TIMEOUT, cancel=True)


def _leave(attempt: _Attempt, error: dict[str, Any], outcome: AttemptOutcome, *, cancel: bool) -> ReportResult:
    """End the attempt by the queue's rules: another one later, or none."""
    log = f"attempt {attempt.lease.attempt}, by {attempt.lease.worker}\n{error['code']}: {error['message']}"
    if error["retryable"]:
        requeue_render(render=attempt.render, error=error, log=log)
    else:
        record_error(render=attempt.render, error=error, log=log)
    reason = JobError(error["code"], error["message"])
    fail_attempt(job=attempt.job, error=reason, outcome=outcome, permanent=not error["retryable"])
    _end(attempt.lease)
    status = Render.objects.values_list("status", flat=True).get(pk=attempt.render.pk)
    return ReportResult(status, cancel=cancel)


def _cancel(attempt: _Attempt) -> ReportResult:
    """Cancel now: the worker hears of it in this very answer, and nothing that it sends later counts."""
    cancel_attempt(job=attempt.job)
    _end(attempt.lease)
    return ReportResult(RenderStatus.CANCELLED, cancel=True)


_HANDLERS: dict[ReportStatus, Callable[[_Attempt, WorkerReport], ReportResult]] = {
    ReportStatus.RENDERING: _record_progress,
    ReportStatus.SUCCEEDED: _succeed,
    ReportStatus.FAILED: _fail,
}


def _count(lease: ExternalLease, *, ignored: bool, total_frames: int | None = None) -> None:
    if ignored:
        counters.count("renderowl_worker_reports_ignored_total")
    fields: dict[str, Any] = {} if total_frames is None else {"total_frames": total_frames}
    ExternalLease.objects.filter(pk=lease.pk).update(
        reports=F("reports") + 1, ignored=F("ignored") + int(ignored), last_report_at=timezone.now(), **fields
    )


def _end(lease: ExternalLease) -> None:
    now = timezone.now()
    ExternalLease.objects.filter(pk=lease.pk).update(reports=F("reports") + 1, last_report_at=now, ended_at=now)


def _lease_end() -> datetime:
    return timezone.now() + timedelta(seconds=lease_s())


def _require(changed: bool) -> None:
    """Undo everything where the render is no longer in the state that its job says."""
    if not changed:
        raise StaleAttempt
