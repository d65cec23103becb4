"""What a handler and the hooks see of a job: plain data, taken when the attempt began."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from core.ids import encode_id
from jobs.models import Job


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """A job at the start of an attempt.

    attempt: number of this attempt, from 1, lost ones included; with `worker` the fence of every write.
    failures, lost: how often the handler failed and how often a worker was lost before this attempt.
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
        """Return the id as logs and the admin show it."""
        return encode_id(Job.ID_PREFIX, self.id)

    @classmethod
    def of(cls, job: Job) -> JobSnapshot:
        """Return the snapshot of a row."""
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
    """Why an attempt did not succeed. code: stable, for programs; message: for people; traceback: for staff."""

    code: str
    message: str
    traceback: str = ""

    def as_json(self) -> dict[str, str]:
        """Return what the row stores."""
        stored = {"code": self.code, "message": self.message}
        return {**stored, "traceback": self.traceback} if self.traceback else stored


@dataclass(frozen=True, slots=True)
class DeadJob:
    """A job that has just become a dead letter, for its handler's `on_dead`."""

    job: JobSnapshot
    error: JobError

    @property
    def id(self) -> uuid.UUID:
        """Return the job's id."""
        return self.job.id

    @property
    def payload(self) -> dict[str, Any]:
        """Return the job's payload."""
        return self.job.payload

    @property
    def reference(self) -> str:
        """Return the job's reference."""
        return self.job.reference

    @property
    def user_id(self) -> Any:
        """Return the id of the user whom the job is for, if any."""
        return self.job.user_id
