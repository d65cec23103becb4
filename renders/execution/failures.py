"""What an attempt's failure looks like to the owner of the render."""

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
    """Return a failure as the API shows it. step: the state of the render in which it happened."""
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
    """Return whether a failure answers what the owner asked for, such as an unreadable source or too few credits.

    Such a render has failed, but its job has done what it was for: a dead letter would call staff for nothing.
    """
    return not isinstance(failure, RenderError) and not getattr(failure, "retryable", False)


def as_queue_failure(error: dict[str, Any]) -> PermanentFailure | TransientFailure:
    """Return what to raise for the queue to try again, or not to."""
    if error["retryable"]:
        return TransientFailure(error["code"], error["message"])
    return PermanentFailure(error["code"], error["message"])


def error_of_dead(render: Render, dead: DeadJob) -> dict[str, Any]:
    """Return the error of a render whose job is dead: what its last attempt wrote, else what the queue says."""
    if render.error is not None and render.error.get("attempt") == render.attempt:
        return dict(render.error)
    code, message = _QUEUE_ERRORS.get(dead.error.code, _INTERNAL_ERROR)
    step = render.status if render.attempt else None
    return {
        "code": code,
        "message": message,
        "retryable": code != "render_timeout",
        "pointer": None,
        "step": step,
        "attempt": render.attempt,
    }


def add_issues(known: list[dict[str, str]], issues: tuple[Issue, ...]) -> list[dict[str, str]]:
    """Return warnings with the engine's findings added, each once."""
    places = {(warning["pointer"], warning["code"]) for warning in known}
    new = [issue_as_json(issue) for issue in issues]
    return [*known, *(warning for warning in new if (warning["pointer"], warning["code"]) not in places)]
