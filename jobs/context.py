"""What a handler is given: the job, and the two things to say while it runs."""

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
    """One attempt at a job, as its handler sees it.

    The flags are set by other threads of the worker: the heartbeat, and the signal to stop.
    """

    def __init__(self, job: JobSnapshot, *, watched: bool = False) -> None:
        """watched: a heartbeat thread reports what becomes of the job; without one `check` asks the database."""
        self.job = job
        self.completed = False
        self.outcome: AttemptOutcome | None = None
        self.error_code = ""
        self._watched = watched
        self._started = self._looked = time.monotonic()
        self._lost = False
        self._cancelled = False
        self._stop_at: float | None = None

    def check(self) -> None:
        """Raise what must end the attempt; cheap, to be called about every second.

        Raises LeaseLost, JobCancelled, AttemptTimedOut or ShuttingDown. Let them pass after stopping the work.
        """
        now = time.monotonic()
        if not self._watched and now - self._looked >= CHECK_INTERVAL_S:
            self._looked = now
            self.apply_heartbeat(sql.watch(self.job))
        if self._lost:
            raise LeaseLost
        if self._cancelled:
            raise JobCancelled
        if now - self._started >= self.job.timeout_s:
            raise AttemptTimedOut
        if self._stop_at is not None and now >= self._stop_at:
            raise ShuttingDown

    def complete(self, result: dict[str, Any] | None = None) -> None:
        """Record success inside the handler's own transaction: its effects and the success commit together, once.

        The handler should return soon after; what it returns is then not stored.
        Raises LeaseLost, which undoes that transaction, if another attempt owns the job; RuntimeError outside one.
        """
        if not connection.in_atomic_block:
            raise RuntimeError("complete() belongs inside the transaction that writes the job's effects")
        if not sql.end(self.job, JobStatus.SUCCEEDED, AttemptOutcome.SUCCEEDED, result=result):
            raise LeaseLost
        self.completed = True
        self.set_outcome(AttemptOutcome.SUCCEEDED)

    def mark_failed(self, *, error_code: str = "") -> None:
        """Say that a service of the queue, called in the handler's own transaction, has ended the attempt already.

        For failures that commit together with what the handler knows of them: see `services.fail_attempt`.
        """
        self.completed = True
        self.set_outcome(AttemptOutcome.FAILED, error_code=error_code)

    def set_outcome(self, outcome: AttemptOutcome, *, error_code: str = "") -> None:
        """Take down how the attempt ends, for whoever observes it. The row is what counts."""
        self.outcome, self.error_code = outcome, error_code

    def apply_heartbeat(self, cancel_requested: bool | None) -> None:
        """Take what the database says of the job: None if it is lost, else whether it is to be cancelled."""
        if cancel_requested is None:
            self._lost = True
        elif cancel_requested:
            self._cancelled = True

    def stop_by(self, moment: float) -> None:
        """Have `check` end the attempt from this moment of the monotonic clock on, because the worker stops."""
        self._stop_at = moment

    @property
    def age_s(self) -> float:
        """Return how long the attempt has run."""
        return time.monotonic() - self._started
