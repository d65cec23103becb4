"""Context of the current request or job, for logs and responses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from core.ids import encode_id

request_id: ContextVar[str] = ContextVar("request_id", default="-")
# Determined on demand, as most requests record no address.
current_client_address: ContextVar[Callable[[], str | None]] = ContextVar(
    "current_client_address", default=lambda: None
)


class LogContext:
    """Log fields of one request or job besides its id; empty if inapplicable. user_id: a UUID; job_id: public."""

    __slots__ = ("job_id", "job_type", "user_id")

    def __init__(self, *, user_id: UUID | None = None, job_id: str = "", job_type: str = "") -> None:
        self.user_id = user_id
        self.job_id = job_id
        self.job_type = job_type

    @property
    def account_id(self) -> str:
        """Return the account's public id or an empty text; encoded on demand, as few requests are logged."""
        return encode_id("usr", self.user_id) if self.user_id else ""


log_context: ContextVar[LogContext | None] = ContextVar("log_context", default=None)


@contextmanager
def bind_log_context(chosen: LogContext) -> Iterator[LogContext]:
    """Set the log context of the block; code inside the block may add to it."""
    token = log_context.set(chosen)
    try:
        yield chosen
    finally:
        log_context.reset(token)


def set_account(user_id: UUID) -> None:
    """Add the account to the log context, once it is known."""
    context = log_context.get()
    if context is not None:
        context.user_id = user_id
