"""The states of a job, and how they follow one another.

scheduled ──due──> queued ──claim──> running ──> succeeded
    ^                ^                  ├──retry, later──> scheduled
    │                │                  ├──lost, released──> queued
    │                └──retry by staff──┼──> dead        (the dead letters)
    └──cancel (also from queued)────────┴──> cancelled

A job with a limit key goes through `blocked` on its way to `queued`, and stays there while as many jobs of its key as
the limit allows are queued or running.
"""

from __future__ import annotations

from django.db import models

DEFAULT_QUEUE = "default"


class JobStatus(models.TextChoices):
    """Where a job stands."""

    SCHEDULED = "scheduled"  # due later: a retry, or `run_at`
    BLOCKED = "blocked"  # due, but enough of its key are at work
    QUEUED = "queued"  # due: a worker may claim it
    RUNNING = "running"  # leased to a worker
    SUCCEEDED = "succeeded"
    DEAD = "dead"  # the dead letter: out of attempts, or beyond help
    CANCELLED = "cancelled"


class JobPriority(models.IntegerChoices):
    """Which job goes first; the smallest number does, so that one ascending index serves the claim."""

    URGENT = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3


class AttemptOutcome(models.TextChoices):
    """How one attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the handler raised
    TIMEOUT = "timeout"  # counted as a failure of the handler
    POSTPONED = "postponed"  # the handler asked to run later
    LOST = "lost"  # the worker died, or was not heard of for a lease
    RELEASED = "released"  # the worker was told to stop; not counted
    CANCELLED = "cancelled"


WAITING = (JobStatus.SCHEDULED, JobStatus.BLOCKED, JobStatus.QUEUED)
# In the order in which the conditions of the indexes name them.
ACTIVE = (JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.BLOCKED)
FINISHED = (JobStatus.SUCCEEDED, JobStatus.DEAD, JobStatus.CANCELLED)

TRANSITIONS: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.SCHEDULED: frozenset({JobStatus.QUEUED, JobStatus.BLOCKED, JobStatus.CANCELLED}),
    JobStatus.BLOCKED: frozenset({JobStatus.QUEUED, JobStatus.CANCELLED}),
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.BLOCKED, JobStatus.CANCELLED}),
    JobStatus.RUNNING: frozenset(
        {JobStatus.SUCCEEDED, JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.DEAD, JobStatus.CANCELLED}
    ),
    JobStatus.DEAD: frozenset({JobStatus.QUEUED, JobStatus.BLOCKED}),
    JobStatus.SUCCEEDED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}
