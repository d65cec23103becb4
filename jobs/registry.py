"""Registry of job handlers, schedules and periodic tasks, which each app registers in its `tasks.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from core.registry import Registry
from jobs.context import JobContext
from jobs.cron import validate_cron
from jobs.exceptions import UnknownJobType
from jobs.snapshot import DeadJob, JobSnapshot
from jobs.states import DEFAULT_QUEUE

Run = TypeVar("Run", bound=Callable[[JobContext], dict[str, Any] | None])


@dataclass(frozen=True, slots=True)
class IoSteps:
    """An I/O-bound handler, in three steps.

    Many such jobs share one process and one database connection: only `perform` runs in a thread of its own.

    load: reads the input; an exception ends the attempt, as in any handler.
    perform: does the slow part with the result of `load`, within the job's `timeout_s`; must not touch the database.
    record: writes the result, quickly, as every other job of the process waits for it.
    """

    load: Callable[[JobContext], Any]
    perform: Callable[[Any], Any]
    record: Callable[[JobContext, Any], dict[str, Any] | None]

    def run(self, context: JobContext) -> dict[str, Any] | None:
        """Run the three steps in sequence in the calling thread."""
        return self.record(context, self.perform(self.load(context)))


@dataclass(frozen=True, slots=True)
class Handler:
    """The handler of one job type, and the defaults of its jobs.

    run: does the work; may run twice for one job, so its effects belong in the transaction in which it calls
        `context.complete()`. The return value is stored as the job's result.
    on_dead: called in the transaction that dead-letters a job; may only write rows or enqueue jobs.
    on_cancelled: the same for a cancelled job, waiting or running.
    max_attempts: failures of the handler before the job is dead; lost workers are not counted.
    timeout_s: limit of one attempt, after which the process is killed. Child processes must stay in its process
        group, or set a parent-death signal.
    retry_delays_s: the delays after the first, second, ... failure; empty means exponential backoff.
    io: the work of `run` in steps that let a worker run many jobs concurrently; see `io_handler`.
    more_queues: other queues that its jobs may be moved to, for workers to serve.
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
        """Return all queues that its jobs may be in."""
        return (self.queue, *self.more_queues)


@dataclass(frozen=True, slots=True)
class RegisteredSchedule:
    """A periodic job. cron: five fields, in UTC. Raises ValueError for an invalid expression."""

    name: str
    cron: str
    type: str
    payload: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        validate_cron(self.cron)


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """A task that every worker's supervisor runs at an interval, independent of jobs and free slots.

    run: called with the worker's name; quick, and safe to race with other workers. every_s: read once, at the start.
    """

    name: str
    run: Callable[[str], object]
    every_s: Callable[[], float]


class _Handlers(Registry[str, Handler]):
    def register(self, value: Handler) -> Handler:
        for other in self.values():
            if (other.io is None) != (value.io is None) and set(other.queues) & set(value.queues):
                raise ValueError(f"jobs of {value.name!r} and {other.name!r} cannot share a queue: only one is I/O")
        return super().register(value)


handlers = _Handlers("handler")
# Workers write the schedules to the database when they start.
schedules = Registry[str, RegisteredSchedule]("schedule")
periodic_tasks = Registry[str, PeriodicTask]("periodic task")


def handler(name: str, *, cron: str = "", schedule: str = "", **options: Any) -> Callable[[Run], Run]:
    """Register the decorated function as the handler of a job type.

    cron: also enqueue a job on this schedule; schedule: its name, by default the type's; options: fields of `Handler`.
    """

    def decorate(run: Run) -> Run:
        handlers.register(Handler(name, run, **options))
        if cron:
            schedules.register(RegisteredSchedule(schedule or name, cron, name))
        return run

    return decorate


def io_handler(name: str, steps: IoSteps, **options: Any) -> None:
    """Register an I/O-bound handler, whose jobs run concurrently in one process, in queues only for I/O jobs."""
    handler(name, io=steps, **options)(steps.run)


def get_handler(name: str) -> Handler:
    """Return the handler of a job type. Raises UnknownJobType."""
    try:
        return handlers[name]
    except KeyError:
        raise UnknownJobType(f"no handler is registered for jobs of type {name!r}") from None


def known_queues() -> list[str]:
    """Return the default queue and those of all registered handlers, sorted."""
    return sorted({DEFAULT_QUEUE, *(queue for handler in handlers.values() for queue in handler.queues)})


def io_queues() -> frozenset[str]:
    """Return the queues of I/O handlers."""
    return frozenset(queue for handler in handlers.values() if handler.io for queue in handler.queues)
