"""Statuses of renders and batches, and the allowed transitions."""

from __future__ import annotations

from django.db import models


class RenderStatus(models.TextChoices):
    """Status of a render; `TRANSITIONS` lists the allowed changes."""

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
    """Status of a batch. Completed: all of its renders have ended, successfully or not."""

    PROCESSING = "processing"
    CANCELLING = "cancelling"
    COMPLETED = "completed"


S = RenderStatus
WAITING = frozenset({S.SCHEDULED, S.QUEUED})
RUNNING = frozenset({S.FETCHING, S.RENDERING, S.SAVING})
TERMINAL = frozenset({S.SUCCEEDED, S.FAILED, S.CANCELLED})
ACTIVE = frozenset(S) - TERMINAL

# RUNNING -> fetching: a later attempt takes over from a dead worker. RUNNING -> queued: the render waits for a retry.
# CANCELLING never leads to succeeded: the client was told that the render stops.
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
    """Return the statuses that can change to `target` directly."""
    return frozenset(state for state, targets in TRANSITIONS.items() if target in targets)
