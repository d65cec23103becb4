"""Failures of attempts, translated for the API and for the queue."""

from __future__ import annotations

from typing import Any

from core.exceptions import DomainError
from engine.errors import EditInvalid, EngineError, RenderError
from engine.issues import Issue
from jobs.exceptions import PermanentFailure, TransientFailure
from jobs.services.outcomes import LOST, POISON, TIMED_OUT
from jobs.snapshot import DeadJob
from renders.models import Render
from renders.requests import issue_as_json

# Any other code of the queue is an internal error: its message is for the log.
_QUEUE_ERRORS = {
    TIMED_OUT.code: ("render_timeout", "The render took longer than a render may take."),
    POISON.code: (LOST.code, "Every worker that ran this render died."),
}
_INTERNAL_ERROR = ("internal_error", "The render failed for a reason on our side.")


def describe(failure: EngineError | DomainError, *, step: str, attempt: int) -> dict[str, Any]:
    """Return the `error` of a render, as the API shows it. step: the state in which it failed."""
    pointer = None
    message = str(failure)
    if isinstance(failure, EditInvalid):
        pointer, message = f"/edit{failure.issues[0].pointer}", failure.issues[0].detail
    return {
        "code": failure.code,
        "message": message,
        "retryable": bool(getattr(failure, "retryable", False)),
        "pointer": pointer,
        "step": step,
        "attempt": attempt,
    }


def is_owners_fault(failure: EngineError | DomainError) -> bool:
    """Return whether the request is the cause, such as an unreadable source or too few credits.

    Such a render fails, but its job succeeds: a dead letter would alert staff for no reason.
    """
    return not isinstance(failure, RenderError) and not getattr(failure, "retryable", False)


def as_queue_failure(error: dict[str, Any]) -> PermanentFailure | TransientFailure:
    """Return the exception that makes the queue retry the job, or dead-letter it."""
    if error["retryable"]:
        return TransientFailure(error["code"], error["message"])
    return PermanentFailure(error["code"], error["message"])


def error_of_dead(render: Render, dead: DeadJob) -> dict[str, Any]:
    """Return the error of a render whose job is dead: that of its last attempt, else one for the queue's reason."""
    if render.error is not None and render.error.get("attempt") == render.attempt:
        return dict(render.error)
    code, message = _QUEUE_ERRORS.get(dead.error.code, _INTERNAL_ERROR)
    return {
        "code": code,
        "message": message,
        "retryable": code != "render_timeout",
        "pointer": None,
        "step": render.status if render.attempt else None,
        "attempt": render.attempt,
    }


def add_issues(known: list[dict[str, str]], issues: tuple[Issue, ...]) -> list[dict[str, str]]:
    """Return the warnings and the engine's issues, without duplicates."""
    seen = {(warning["pointer"], warning["code"]) for warning in known}
    new = [issue_as_json(issue) for issue in issues]
    return [*known, *(warning for warning in new if (warning["pointer"], warning["code"]) not in seen)]
