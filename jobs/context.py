"""The context of an attempt, passed to the job's handler: interruption checks and completion."""

from __future__ import annotations

import time
from typing import Any

from django.db import connection

from jobs import sql
from jobs.exceptions import AttemptTimedOut, JobCancelled, LeaseLost, ShuttingDown
from jobs.snapshot import JobSnapshot
from jobs.states import AttemptOutcome, JobStatus

CHECK_INTERVAL_S = 1.0


class JobContext:
    """One attempt at a job. Its flags are set by the heartbeat thread and by the worker's signal handlers."""

    def __init__(self, job: JobSnapshot, *, watched: bool = False) -> None:
        """watched: a heartbeat thread reports lost leases and cancellation; otherwise `check` queries the database."""
        self.job = job
        self.completed = False
        self.outcome: AttemptOutcome | None = None
        self.error_code = ""
        self._watched = watched
        self._started_at = self._checked_at = time.monotonic()
        self._lost = False
        self._cancelled = False
        self._stop_at: float | None = None

    def check(self) -> None:
        """Raise if the attempt must end; cheap, to be called about every second.

        Raises LeaseLost, JobCancelled, AttemptTimedOut or ShuttingDown. Let them propagate after stopping the work.
        """
        now = time.monotonic()
        if not self._watched and now - self._checked_at >= CHECK_INTERVAL_S:
            self._checked_at = now
            self.apply_heartbeat(sql.watch(self.job))
        if self._lost:
            raise LeaseLost
        if self._cancelled:
            raise JobCancelled
        if now - self._started_at >= self.job.timeout_s:
            raise AttemptTimedOut
        if self._stop_at is not None and now >= self._stop_at:
            raise ShuttingDown

    def complete(self, result: dict[str, Any] | None = None) -> None:
        """Record success in the handler's own transaction, so that its effects and the success commit together, once.

        The handler should return soon after; its return value is then not stored.
        Raises LeaseLost, which rolls that transaction back, if another attempt owns the job; RuntimeError outside one.
        """
        if not connection.in_atomic_block:
            raise RuntimeError("complete() must be called in the transaction that writes the job's effects")
        if not sql.end(self.job, JobStatus.SUCCEEDED, AttemptOutcome.SUCCEEDED, result=result):
            raise LeaseLost
        self.completed = True
        self.set_outcome(AttemptOutcome.SUCCEEDED)

    def mark_failed(self, *, error_code: str = "") -> None:
        """Mark the attempt as already failed by `services.fail_attempt` in the handler's own transaction."""
        self.completed = True
        self.set_outcome(AttemptOutcome.FAILED, error_code=error_code)

    def set_outcome(self, outcome: AttemptOutcome, *, error_code: str = "") -> None:
        """Set the outcome that traces and observers report; the job's row is authoritative."""
        self.outcome, self.error_code = outcome, error_code

    def apply_heartbeat(self, cancel_requested: bool | None) -> None:
        """Set the flags from a heartbeat: None if the lease is lost, else whether cancellation was requested."""
        if cancel_requested is None:
            self._lost = True
        elif cancel_requested:
            self._cancelled = True

    def stop_by(self, moment: float) -> None:
        """Make `check` raise ShuttingDown from this moment of the monotonic clock on."""
        self._stop_at = moment

    @property
    def age_s(self) -> float:
        """Return the seconds since the attempt started."""
        return time.monotonic() - self._started_at
