"""The states of a render and the ways between them."""

from __future__ import annotations

from django.db import models


class RenderStatus(models.TextChoices):
    """Where a render stands."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    FETCHING = "fetching"
    RENDERING = "rendering"
    SAVING = "saving"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class BatchStatus(models.TextChoices):
    """Where a batch stands. Completed: every one of its renders has ended, however."""

    PROCESSING = "processing"
    CANCELLING = "cancelling"
    COMPLETED = "completed"


S = RenderStatus
WAITING = frozenset({S.SCHEDULED, S.QUEUED})
RUNNING = frozenset({S.FETCHING, S.RENDERING, S.SAVING})
TERMINAL = frozenset({S.SUCCEEDED, S.FAILED, S.CANCELLED})
ACTIVE = frozenset(S) - TERMINAL

# RUNNING -> fetching is a later attempt taking over from a worker that died; RUNNING -> queued is a retry that waits.
# A render that is being cancelled can no longer succeed: the client was told that it would stop.
TRANSITIONS: dict[RenderStatus, frozenset[RenderStatus]] = {
    S.SCHEDULED: frozenset({S.QUEUED, S.CANCELLED, S.FAILED}),
    S.QUEUED: frozenset({S.FETCHING, S.CANCELLED, S.FAILED}),
    S.FETCHING: frozenset({S.FETCHING, S.RENDERING, S.QUEUED, S.CANCELLING, S.CANCELLED, S.FAILED}),
    S.RENDERING: frozenset({S.FETCHING, S.SAVING, S.QUEUED, S.CANCELLING, S.CANCELLED, S.FAILED}),
    S.SAVING: frozenset({S.FETCHING, S.SUCCEEDED, S.QUEUED, S.CANCELLING, S.CANCELLED, S.FAILED}),
    S.CANCELLING: frozenset({S.CANCELLED, S.FAILED}),
    S.SUCCEEDED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset(),
}


def sources_of(target: RenderStatus) -> frozenset[RenderStatus]:
    """Return the states from which `target` can be reached in one step."""
    return frozenset(state for state, targets in TRANSITIONS.items() if target in targets)
