"""States of a job and of its attempts, and the transitions between them.

scheduled ──due──> queued ──claim──> running ──> succeeded
    ^                ^                  ├──retry, postpone──> scheduled
    │                │                  ├──lost, released──> queued
    │                └──retry by staff──┼──> dead        (the dead letters)
    └──cancel (also from queued)────────┴──> cancelled

A job with a limit key passes through `blocked` before `queued`, and stays there while its key is at its limit of queued
and running jobs.
"""

from __future__ import annotations

from django.db import models

DEFAULT_QUEUE = "default"


class JobStatus(models.TextChoices):
    """Status of a job."""

    SCHEDULED = "scheduled"  # due later: a retry, or `run_at`
    BLOCKED = "blocked"  # due, but its key is at its limit
    QUEUED = "queued"  # due: a worker may claim it
    RUNNING = "running"  # leased to a worker
    SUCCEEDED = "succeeded"
    DEAD = "dead"  # a dead letter: out of attempts, or failed permanently
    CANCELLED = "cancelled"


class JobPriority(models.IntegerChoices):
    """Priority of a job; the smallest number is claimed first, so that one ascending index serves the claim."""

    URGENT = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3


class AttemptOutcome(models.TextChoices):
    """Outcome of an attempt."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the handler raised
    TIMEOUT = "timeout"  # counted as a failure of the handler
    POSTPONED = "postponed"  # the handler asked to run later
    LOST = "lost"  # the worker died, or its lease expired
    RELEASED = "released"  # the worker was stopping; not counted
    CANCELLED = "cancelled"


WAITING = (JobStatus.SCHEDULED, JobStatus.BLOCKED, JobStatus.QUEUED)
# In the order of the index conditions, which must match literally.
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
