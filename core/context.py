"""What is known of the work in progress, for logs and answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from core.ids import encode_id

request_id: ContextVar[str] = ContextVar("request_id", default="-")
# Whose request this is, worked out where somebody asks: most requests leave no record.
current_client_address: ContextVar[Callable[[], str | None]] = ContextVar(
    "current_client_address", default=lambda: None
)


class LogContext:
    """What the log lines of one request or attempt carry besides its id; empty for what does not apply.

    user_id: of the account; job_id: public.
    """

    __slots__ = ("job_id", "job_type", "user_id")

    def __init__(self, *, user_id: UUID | None = None, job_id: str = "", job_type: str = "") -> None:
        self.user_id = user_id
        self.job_id = job_id
        self.job_type = job_type

    @property
    def account_id(self) -> str:
        """Return the account's public id, empty where there is none; made here, as few requests are logged."""
        return encode_id("usr", self.user_id) if self.user_id else ""


log_context: ContextVar[LogContext | None] = ContextVar("log_context", default=None)


@contextmanager
def bind_log_context(chosen: LogContext) -> Iterator[LogContext]:
    """Have the log lines of the block carry these; whoever learns more inside it may add to them."""
    token = log_context.set(chosen)
    try:
        yield chosen
    finally:
        log_context.reset(token)


def set_account(user_id: UUID) -> None:
    """Say whose request this is, once that is known."""
    found = log_context.get()
    if found is not None:
        found.user_id = user_id
