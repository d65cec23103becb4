"""Which code does which job. Higher apps register their handlers and schedules in `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jobs.context import JobContext
from jobs.cron import check_cron
from jobs.exceptions import UnknownJobType
from jobs.snapshot import DeadJob, JobSnapshot
from jobs.states import DEFAULT_QUEUE


@dataclass(frozen=True, slots=True)
class Handler:
    """How jobs of one type are done.

    run: does the work; may run twice for one job, so its lasting effects belong into the transaction in which it
        calls `context.complete()`. What it returns is stored as the job's result.
    on_dead: told in the transaction that makes a job a dead letter; may only write rows or enqueue jobs.
    on_cancelled: the same for a cancelled job, whether it waited or ran.
    max_attempts: failures of the handler before the job is dead; lost workers are not counted here.
    timeout_s: the time of one attempt; past it the process is killed. Processes that a handler starts must stay in
        its process group, or ask the kernel to die with their parent.
    retry_delays_s: the waits after the first, second, ... failure; empty means exponential backoff.
    """

    name: str
    run: Callable[[JobContext], dict[str, Any] | None]
    on_dead: Callable[[DeadJob], None] | None = None
    on_cancelled: Callable[[JobSnapshot], None] | None = None
    queue: str = DEFAULT_QUEUE
    max_attempts: int = 5
    timeout_s: int = 600
    retry_delays_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class RegisteredSchedule:
    """A job that comes back by the clock. cron: five fields, in UTC."""

    name: str
    cron: str
    type: str
    payload: Mapping[str, Any] = field(default_factory=dict)


_handlers: dict[str, Handler] = {}
_schedules: dict[str, RegisteredSchedule] = {}


def register(handler: Handler) -> None:
    """Make a handler known.

    Raises ValueError if another handler has its name.
    """
    if _handlers.get(handler.name, handler) != handler:
        raise ValueError(f"two handlers are named {handler.name!r}")
    _handlers[handler.name] = handler


def unregister(name: str) -> None:
    """Forget a handler; for tests."""
    _handlers.pop(name, None)


def get_handler(name: str) -> Handler:
    """Return the handler of a type.

    Raises UnknownJobType.
    """
    try:
        return _handlers[name]
    except KeyError:
        raise UnknownJobType(f"no handler is registered for jobs of type {name!r}") from None


def find_handler(name: str) -> Handler | None:
    """Return the handler of a type, or None where this version of the program has none."""
    return _handlers.get(name)


def known_types() -> list[str]:
    """Return the types that have a handler."""
    return sorted(_handlers)


def known_queues() -> list[str]:
    """Return the queues that registered handlers use, the default one included."""
    return sorted({DEFAULT_QUEUE, *(handler.queue for handler in _handlers.values())})


def register_schedule(name: str, *, cron: str, type: str, payload: Mapping[str, Any] | None = None) -> None:  # noqa: A002
    """Have a job of this type enqueued whenever the cron expression (UTC) comes due; workers take it up as they start.

    Raises ValueError if the expression cannot be read or another schedule has the name.
    """
    check_cron(cron)
    schedule = RegisteredSchedule(name=name, cron=cron, type=type, payload=dict(payload or {}))
    if _schedules.get(name, schedule) != schedule:
        raise ValueError(f"two schedules are named {name!r}")
    _schedules[name] = schedule


def unregister_schedule(name: str) -> None:
    """Forget a schedule; for tests."""
    _schedules.pop(name, None)


def registered_schedules() -> list[RegisteredSchedule]:
    """Return all schedules, by name."""
    return [_schedules[name] for name in sorted(_schedules)]
