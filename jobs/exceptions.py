"""Errors of the queue.

UnknownJobType             no handler is registered for the type
JobNotFound          404   (DomainError)
JobInterrupted             raised by `JobContext` inside a handler, which should let it propagate
├── LeaseLost              another worker owns the job; nothing more may be written
├── JobCancelled           cancellation was requested
├── AttemptTimedOut        the attempt exceeded its timeout
└── ShuttingDown           the worker is stopping; the attempt is not counted
PermanentFailure           raised by a handler: a retry cannot help
TransientFailure           raised by a handler: an expected error that a retry may fix; counted as a failure
RetryLater                 raised by a handler: run again later; not counted as a failure
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
    """Cancellation of the job was requested."""


class AttemptTimedOut(JobInterrupted):
    """The attempt exceeded its timeout."""


class ShuttingDown(JobInterrupted):
    """The worker is stopping and releases the job."""


class PermanentFailure(Exception):
    """The work failed in a way that a retry cannot fix."""

    def __init__(self, code: str, message: str) -> None:
        """code: stable, for programs; message: a sentence for people."""
        super().__init__(message)
        self.code = code
        self.message = message


class TransientFailure(Exception):
    """The work failed for an expected, temporary reason, such as an unreachable server.

    Counted and retried like any failure, but logged in one line without a traceback.
    """

    def __init__(self, code: str, message: str) -> None:
        """code: stable, for programs; message: a sentence for people."""
        super().__init__(message)
        self.code = code
        self.message = message


class RetryLater(Exception):
    """The work cannot be done yet."""

    def __init__(self, delay_s: float) -> None:
        """delay_s: seconds to wait before the next attempt."""
        super().__init__(f"retry in {delay_s:g} s")
        self.delay_s = delay_s
