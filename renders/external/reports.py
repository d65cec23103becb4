"""Reports of external workers. Each is processed in one transaction, which also records its message as processed.

Renewing the lease locks the row of the job, so the reports of one attempt are processed one after the other, each on
the rows that the previous one left. Their order does not matter: progress only grows, and a final state never changes.
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
    """The `status` of a report."""

    RENDERING = "rendering"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """A report of a worker. error: code, message and retryable, for failures."""

    render_id: UUID
    lease_token: str
    status: ReportStatus
    percent: float | None = None
    frame: int | None = None
    total_frames: int | None = None
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ReportResult:
    """The response to a report. cancel: the worker must stop at once. ignored: the report changed nothing.

    lease_expires_at: None if the attempt is over.
    """

    status: str = ""
    duplicate: bool = False
    ignored: bool = False
    cancel: bool = False
    lease_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The attempt that a report belongs to; the row of its job is locked."""

    render: Render
    lease: ExternalLease
    job: JobSnapshot


@transaction.atomic
def process_report(*, message: VerifiedMessage, report: WorkerReport) -> ReportResult:
    """Apply a report; a message that was processed before has no effect.

    Raises MessageReused, NotFound, StaleAttempt, OutputMissing; the message is then not recorded as processed.
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
    """Return the lease of the render's latest attempt. Raises NotFound, StaleAttempt."""
    attempt = Render.objects.filter(pk=report.render_id).values_list("attempt", flat=True).first()
    if attempt is None:
        raise NotFound
    lease = ExternalLease.objects.filter(render=report.render_id, attempt=attempt).first()
    stored = lease.token_digest if lease is not None else "0" * 64
    matches = hmac.compare_digest(stored, digest_of(report.lease_token))
    # A worker of one pool cannot report for another pool.
    if lease is None or not matches or lease.pool != pool:
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
        # The price is topped up on success, when the length of the output is known.
        frames = total or render.total_frames or 1
        _require(begin_rendering(render=render, total_frames=frames, cost=0, warnings=render.warnings))
    grows = percent > render.percent or frame > render.frame or total != lease.total_frames
    if grows:
        _write_progress(attempt, frame, percent, total)
    _count(lease, ignored=not (begins or grows), total_frames=total)
    return ReportResult(RenderStatus.RENDERING, ignored=not (begins or grows), lease_expires_at=_lease_end())


def _write_progress(attempt: _Attempt, frame: int, percent: float, total: int | None) -> None:
    """Record the progress, which never falls. Speed and ETA count from the claim, by the server's clock."""
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
    """Finish job and render, as the last transaction of an internal worker does."""
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
    """Fail a render whose actual length its owner cannot pay for; the job succeeds, as a retry would not help."""
    error = describe(refusal, step=RenderStatus.SAVING, attempt=attempt.lease.attempt)
    complete_external(job=attempt.job, result={"render": attempt.render.public_id, "failed": error["code"]})
    close_failed(render_id=attempt.render.pk, error=error)
    _end(attempt.lease)
    return ReportResult(RenderStatus.FAILED)


def _fail(attempt: _Attempt, report: WorkerReport) -> ReportResult:
    reported = report.error or {}
    error = {
        "code": reported.get("code", "worker_failed"),
        "message": reported.get("message") or "The worker could not render this.",
        "retryable": bool(reported.get("retryable", True)),
        "pointer": None,
        "step": RenderStatus(attempt.render.status).value,
        "attempt": attempt.lease.attempt,
    }
    return _end_failed(attempt, error, AttemptOutcome.FAILED, cancel=False)


def _time_out(attempt: _Attempt) -> ReportResult:
    """End an attempt that exceeded the time limit of its job."""
    failure = RenderTimeout(f"The render took longer than {attempt.job.timeout_s} s.")
    error = describe(failure, step=attempt.render.status, attempt=attempt.lease.attempt)
    return _end_failed(attempt, error, AttemptOutcome.TIMEOUT, cancel=True)


def _end_failed(attempt: _Attempt, error: dict[str, Any], outcome: AttemptOutcome, *, cancel: bool) -> ReportResult:
    """End a failed attempt; the queue decides whether there is another one."""
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
    """Cancel at once: this response tells the worker, and its later reports are ignored."""
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
    """Roll back if the render is no longer in the state that its job implies."""
    if not changed:
        raise StaleAttempt
