"""Which code does which job. Every app registers its handlers, schedules and periodic tasks in its `tasks.py`."""

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


@dataclass(frozen=True, slots=True)
class RegisteredSchedule:
    """A job that comes back by the clock. cron: five fields, in UTC. Raises ValueError if it cannot be read."""

    name: str
    cron: str
    type: str
    payload: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        validate_cron(self.cron)


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """Something that every worker's supervisor does every so often, beside its jobs and however busy they keep it.

    run: quick, and safe to race with other workers; it is given the worker's name. every_s: asked once, at the start.
    """

    name: str
    run: Callable[[str], object]
    every_s: Callable[[], float]


class _Handlers(Registry[str, Handler]):
    def register(self, value: Handler) -> Handler:
        """Make a handler known.

        Raises ValueError if another handler has its name, or one of the other kind has one of its queues.
        """
        for other in self.values():
            if (other.io is None) != (value.io is None) and set(other.queues) & set(value.queues):
                raise ValueError(f"jobs of {value.name!r} and {other.name!r} cannot share a queue: one of them is I/O")
        return super().register(value)


handlers = _Handlers("handler")
# Workers take schedules up as they start.
schedules = Registry[str, RegisteredSchedule]("schedule")
periodic_tasks = Registry[str, PeriodicTask]("periodic task")


def handler(name: str, *, cron: str = "", schedule: str = "", **terms: Any) -> Callable[[Run], Run]:
    """Have the decorated function do the jobs of a type. Every app's `tasks.py` is imported as the program starts.

    cron: also enqueue one whenever it comes due; schedule: under this name instead of the type's; terms: of `Handler`.
    """

    def decorate(run: Run) -> Run:
        handlers.register(Handler(name, run, **terms))
        if cron:
            schedules.register(RegisteredSchedule(schedule or name, cron, name))
        return run

    return decorate


def io_handler(name: str, steps: IoSteps, **terms: Any) -> None:
    """Register a handler whose jobs run many at a time in one process. Its queues hold nothing else."""
    handler(name, io=steps, **terms)(steps.run)


def get_handler(name: str) -> Handler:
    """Return the handler of a type.

    Raises UnknownJobType.
    """
    try:
        return handlers[name]
    except KeyError:
        raise UnknownJobType(f"no handler is registered for jobs of type {name!r}") from None


def known_queues() -> list[str]:
    """Return the queues that registered handlers use, the default one included."""
    return sorted({DEFAULT_QUEUE, *(queue for handler in handlers.values() for queue in handler.queues)})


def io_queues() -> frozenset[str]:
    """Return the queues whose jobs mostly wait, and run many at a time in one process."""
    return frozenset(queue for handler in handlers.values() if handler.io for queue in handler.queues)
