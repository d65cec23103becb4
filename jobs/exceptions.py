"""Errors of the queue.

UnknownJobType             a type that no handler is registered for
JobNotFound          404   (DomainError)
JobInterrupted             raised by `JobContext` inside a handler, which should let it pass
├── LeaseLost              another worker owns the job by now; nothing more may be written
├── JobCancelled           somebody asked to cancel
├── AttemptTimedOut        the attempt used up its time
└── ShuttingDown           the worker must stop; the attempt is not counted
PermanentFailure           raised by a handler: trying again is no use
TransientFailure           raised by a handler: went wrong for a known reason that may pass; counted as a failure
RetryLater                 raised by a handler: not now; not counted as a failure
"""

from __future__ import annotations

from core.exceptions import NotFound


class UnknownJobType(LookupError):
    """No handler is registered for this type."""


class JobNotFound(NotFound):
    """No such job."""


class JobInterrupted(Exception):
    """The attempt must end now."""


class LeaseLost(JobInterrupted):
    """The job belongs to another attempt."""


class JobCancelled(JobInterrupted):
    """The job is to be cancelled."""


class AttemptTimedOut(JobInterrupted):
    """The attempt took longer than it may."""


class ShuttingDown(JobInterrupted):
    """The worker stops and releases the job."""


class PermanentFailure(Exception):
    """Trying again would fail in the same way."""

    def __init__(self, code: str, message: str) -> None:
        """code: stable, for programs; message: a sentence for people."""
        super().__init__(message)
        self.code = code
        self.message = message


class TransientFailure(Exception):
    """The work failed for a reason that a later attempt may not meet, such as a server that does not answer.

    Counted and retried like any failure, but logged in one line: nothing in our code needs looking at.
    """

    def __init__(self, code: str, message: str) -> None:
        """code: stable, for programs; message: a sentence for people."""
        super().__init__(message)
        self.code = code
        self.message = message


class RetryLater(Exception):
    """The work cannot be done yet."""

    def __init__(self, delay_s: float) -> None:
        """delay_s: how long to wait before the next attempt."""
        super().__init__(f"try again in {delay_s:g} s")
        self.delay_s = delay_s
