"""Immutable job data for handlers and hooks, as of the start of the attempt."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from core.ids import encode_id
from jobs.models import Job


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """A job at the start of an attempt.

    attempt: number of this attempt, from 1, including lost ones; with `worker` the fence of every write.
    failures, lost: earlier attempts in which the handler failed, or the worker was lost.
    """

    id: uuid.UUID
    queue: str
    type: str
    priority: int
    payload: dict[str, Any]
    attempt: int
    failures: int
    lost: int
    max_attempts: int
    timeout_s: int
    worker: str
    user_id: Any
    reference: str
    traceparent: str
    request_id: str
    limit_key: str | None = None

    @property
    def public_id(self) -> str:
        """Return the prefixed id, as in logs and the admin."""
        return encode_id(Job.ID_PREFIX, self.id)

    @classmethod
    def of(cls, job: Job) -> JobSnapshot:
        """Build the snapshot of a row."""
        return cls(
            id=job.id,
            queue=job.queue,
            type=job.type,
            priority=job.priority,
            payload=job.payload,
            attempt=job.attempts,
            failures=job.failures,
            lost=job.lost,
            max_attempts=job.max_attempts,
            timeout_s=job.timeout_s,
            worker=job.worker,
            user_id=job.user_id,
            reference=job.reference,
            traceparent=job.traceparent,
            request_id=job.request_id,
            limit_key=job.limit_key,
        )


@dataclass(frozen=True, slots=True)
class JobError:
    """The error of an attempt. code: stable, for programs; message: for people; traceback: for staff only."""

    code: str
    message: str
    traceback: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the JSON stored in the row; without a traceback if there is none."""
        stored = {"code": self.code, "message": self.message}
        return {**stored, "traceback": self.traceback} if self.traceback else stored


@dataclass(frozen=True, slots=True)
class DeadJob:
    """A job that was just dead-lettered, for its handler's `on_dead`."""

    job: JobSnapshot
    error: JobError

    @property
    def payload(self) -> dict[str, Any]:
        """Return the job's payload."""
        return self.job.payload
