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
class IoSteps:
    """The work of a handler that mostly waits for somebody else's computer, in three steps.

    Many such jobs share one process and one database connection: only `perform` runs in a thread of its own.

    load: reads what the work needs; what it raises ends the attempt, as in any handler.
    perform: does the slow part with what `load` returned, within the job's `timeout_s`; must not touch the database.
    settle: writes what came of it, quickly: every other job of the process waits meanwhile.
    """

    load: Callable[[JobContext], Any]
    perform: Callable[[Any], Any]
    settle: Callable[[JobContext, Any], dict[str, Any] | None]

    def run(self, context: JobContext) -> dict[str, Any] | None:
        """Do all three where the caller is, one after the other."""
        return self.settle(context, self.perform(self.load(context)))


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
    io: the same work as `run`, in the steps that let a worker do many at a time; see `io_handler`.
    more_queues: further queues that its jobs may be put into, for workers to serve.
    """

    name: str
    run: Callable[[JobContext], dict[str, Any] | None]
    on_dead: Callable[[DeadJob], None] | None = None
    on_cancelled: Callable[[JobSnapshot], None] | None = None
    queue: str = DEFAULT_QUEUE
    max_attempts: int = 5
    timeout_s: int = 600
    retry_delays_s: tuple[float, ...] = ()
    io: IoSteps | None = None
    more_queues: tuple[str, ...] = ()

    @property
    def queues(self) -> tuple[str, ...]:
        """Return the queues that its jobs may be in."""
        return (self.queue, *self.more_queues)


def io_handler(name: str, steps: IoSteps, **terms: Any) -> Handler:
    """Return a handler whose jobs run many at a time in one process. Its queues hold nothing else."""
    return Handler(name=name, run=steps.run, io=steps, **terms)


@dataclass(frozen=True, slots=True)
class RegisteredSchedule:
    """A job that comes back by the clock. cron: five fields, in UTC."""

    name: str
    cron: str
    type: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ticker:
    """Something that every worker's supervisor does every so often, beside its jobs and however busy they keep it.

    run: quick, and safe to race with other workers; it is given the worker's name. every_s: asked once, at the start.
    """

    name: str
    run: Callable[[str], object]
    every_s: Callable[[], float]


_handlers: dict[str, Handler] = {}
_tickers: dict[str, Ticker] = {}
_schedules: dict[str, RegisteredSchedule] = {}


def register(handler: Handler) -> None:
    """Make a handler known.

    Raises ValueError if another handler has its name, or one of the other kind has one of its queues.
    """
    if _handlers.get(handler.name, handler) != handler:
        raise ValueError(f"two handlers are named {handler.name!r}")
    for other in _handlers.values():
        if (other.io is None) != (handler.io is None) and set(other.queues) & set(handler.queues):
            raise ValueError(f"jobs of {handler.name!r} and {other.name!r} cannot share a queue: one of them is I/O")
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
    return sorted({DEFAULT_QUEUE, *(queue for handler in _handlers.values() for queue in handler.queues)})


def io_queues() -> frozenset[str]:
    """Return the queues whose jobs mostly wait, and run many at a time in one process."""
    return frozenset(queue for handler in _handlers.values() if handler.io for queue in handler.queues)


def register_schedule(name: str, *, cron: str, type: str, payload: Mapping[str, Any] | None = None) -> None:  # noqa: A002
    """Have a job of this type enqueued whenever the cron expression (UTC) comes due; workers take it up as they start.

    Raises ValueError if the expression cannot be read or another schedule has the name.
    """
    check_cron(cron)
    schedule = RegisteredSchedule(name=name, cron=cron, type=type, payload=dict(payload or {}))
    if _schedules.get(name, schedule) != schedule:
        raise ValueError(f"two schedules are named {name!r}")
    _schedules[name] = schedule


def register_ticker(ticker: Ticker) -> None:
    """Have every worker do this.

    Raises ValueError if another one has its name.
    """
    if _tickers.get(ticker.name, ticker) != ticker:
        raise ValueError(f"two tickers are named {ticker.name!r}")
    _tickers[ticker.name] = ticker


def unregister_ticker(name: str) -> None:
    """Forget a ticker; for tests."""
    _tickers.pop(name, None)


def registered_tickers() -> list[Ticker]:
    """Return all tickers, by name."""
    return [_tickers[name] for name in sorted(_tickers)]


def unregister_schedule(name: str) -> None:
    """Forget a schedule; for tests."""
    _schedules.pop(name, None)


def registered_schedules() -> list[RegisteredSchedule]:
    """Return all schedules, by name."""
    return [_schedules[name] for name in sorted(_schedules)]
