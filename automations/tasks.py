"""Job handlers of automations: running actions, and starting scheduled runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from accounts.limits import render_limit
from accounts.models import User
from api.ratelimit.limiter import limiter
from automations import job_types, services
from automations.actions import prepare_action
from automations.exceptions import ActionRefused, TooManyRuns
from automations.models import ActionType, AutomationRun
from automations.services.scheduling import MAX_RUNS_PER_CALL
from core.exceptions import DomainError
from jobs.context import JobContext
from jobs.exceptions import RetryLater
from jobs.registry import IoSteps, handler, io_handler
from jobs.snapshot import DeadJob, JobSnapshot

# A run that waits longer for its owner's render rate fails.
MAX_RATE_LIMIT_WAIT = timedelta(hours=1)
RUN_TIMEOUT_S = 120


def fail_dead_run(dead: DeadJob) -> None:
    """Fail the run of a dead-lettered job."""
    run = _find_run(dead.payload)
    if run is not None:
        error = {"code": "internal_error", "message": "Internal error; staff can see the cause.", "pointer": None}
        services.fail_run(run=run, error=error)


def skip_cancelled_run(job: JobSnapshot) -> None:
    """Skip the run whose job staff cancelled."""
    run = _find_run(job.payload)
    if run is not None:
        services.skip_run(run=run, error={"code": "cancelled", "message": "Staff cancelled the run.", "pointer": None})


@handler(
    job_types.RUN_JOB, on_dead=fail_dead_run, on_cancelled=skip_cancelled_run, max_attempts=3, timeout_s=RUN_TIMEOUT_S
)
def run_automation(context: JobContext) -> None:
    """Run the action of an automation, once for each trigger."""
    run = _find_run(context.job.payload)
    if run is None or run.is_ended:
        return
    AutomationRun.objects.filter(pk=run.pk, started_at=None).update(started_at=timezone.now())
    automation, owner = run.automation, run.automation.owner
    if not automation.is_active or not owner.is_active or owner.is_suspended:
        error = {"code": "paused", "message": "The automation or its owner's account was paused."}
        services.skip_run(run=run, error=error, before_commit=context.complete)
        return
    try:
        action = prepare_action(automation, run.input)
        if automation.action_type == ActionType.RENDER:
            _await_render_rate(run, owner)
        services.complete_run(run=run, action=action, before_commit=context.complete)
    except DomainError as refusal:
        services.fail_run(run=run, error=error_details(refusal), before_commit=context.complete)


def _find_run(payload: dict[str, Any]) -> AutomationRun | None:
    runs = AutomationRun.objects.select_related("automation__owner")
    return runs.filter(pk=UUID(payload["run"])).first()


def _await_render_rate(run: AutomationRun, owner: User) -> None:
    """Charge one render to the owner's render rate, like a request.

    Raises RetryLater while the rate is used up, and TooManyRuns after MAX_RATE_LIMIT_WAIT.
    """
    limits, limit = limiter(), render_limit(owner)
    decision = None if limits is None or limit is None else limits.take([limit])
    if decision is None or decision.allowed:
        return
    wait_s = decision.limit_statuses[0].wait_s
    if timezone.now() - run.created_at + timedelta(seconds=wait_s) > MAX_RATE_LIMIT_WAIT:
        raise TooManyRuns(policy="renders", retry_after_s=wait_s)
    raise RetryLater(wait_s)


def error_details(refusal: DomainError) -> dict[str, Any]:
    """Return an error as stored in the run."""
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.detail, "pointer": None}
    if isinstance(refusal, ActionRefused):
        first = refusal.errors[0]
        error |= {"code": first["code"], "message": first["detail"], "pointer": first["pointer"]}
        error["errors"] = refusal.errors
    return error


def start_scheduled_runs(context: JobContext) -> int:
    """Start the runs of due cron triggers; raise RetryLater if there may be more, as other jobs share the process."""
    started = services.start_due_runs(now=timezone.now())
    if started >= MAX_RUNS_PER_CALL:
        raise RetryLater(0.1)
    return started


def report_started(context: JobContext, started: int) -> dict[str, Any]:
    """Return the number of started runs as the job's result."""
    return {"started": started}


# An I/O job, so that it need not wait for a slot that is busy with a render.
io_handler(
    job_types.SCHEDULE_JOB,
    IoSteps(load=start_scheduled_runs, perform=int, record=report_started),
    queue=job_types.SCHEDULE_QUEUE,
    max_attempts=1,
    timeout_s=60,
    cron="* * * * *",
)
