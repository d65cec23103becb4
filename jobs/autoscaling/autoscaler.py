"""The autoscaler's main loop: reads the load of the queues and adjusts the fleet."""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Callable, Sequence

from django.db import Error, connections, reset_queries

from jobs import services
from jobs.autoscaling.fleet import Fleet
from jobs.autoscaling.policy import AutoscalerOptions, ScalingPolicy, count_needed
from jobs.registry import io_queues
from jobs.selectors import QueueLoad, queue_loads
from jobs.worker.signals import SignalPipe, on_stop

logger = logging.getLogger(__name__)

POLL_INTERVAL_S = 0.5


class Autoscaler:
    """The process of `autoscale_workers`. Starts no threads, as its children use `preexec_fn`."""

    def __init__(self, *, queues: Sequence[str], options: AutoscalerOptions, report: Callable[[str], None]) -> None:
        """report: called with a line whenever the target number of workers changes."""
        self._queues = frozenset(queues)
        self._options = options
        self._report = report
        self._policy = ScalingPolicy(options)
        arguments = ["--queues", ",".join(queues), "--concurrency", str(options.concurrency)]
        self._fleet = Fleet(max_workers=options.max_workers, arguments=arguments)
        self._target = options.min_workers
        self._stopping = False

    def run(self) -> None:
        """Run until SIGTERM or SIGINT, then stop the workers."""
        signals = SignalPipe()
        on_stop(self._stop)
        self._try(services.sync_schedules)
        while not self._stopping:
            self._try(self._evaluate)
            select.select([signals.reader], [], [], POLL_INTERVAL_S)
            signals.drain()
        self._report(f"stopping {self._fleet.active + self._fleet.retiring} workers")
        self._fleet.stop()
        connections.close_all()
        signals.close()

    def _stop(self) -> None:
        self._stopping = True

    def _evaluate(self) -> None:
        if not self._fleet.active:
            self._run_housekeeping()
        loads = [load for load in queue_loads() if load.queue in self._queues]
        needed = count_needed(loads, concurrency=self._options.concurrency, io=io_queues())
        oldest_s = max((load.oldest_s for load in loads), default=0.0)
        target = self._policy.decide(now=time.monotonic(), needed=needed, oldest_s=oldest_s)
        if target != self._target:
            self._report(f"{_describe(loads)}: {self._target} -> {target} workers")
            self._target = target
        self._fleet.adjust(target)
        reset_queries()

    def _run_housekeeping(self) -> None:
        """Do the workers' housekeeping while there are none, or no job would become ready again."""
        services.promote_due()
        services.admit_blocked()
        services.reap_expired()
        services.fire_due_schedules()

    def _try(self, action: Callable[[], object]) -> None:
        """Run the action; if the database is unavailable, leave the workers as they are."""
        try:
            action()
        except Error:
            logger.warning("the autoscaler cannot reach the database", exc_info=True)
            connections.close_all()


def _describe(loads: Sequence[QueueLoad]) -> str:
    ready = sum(load.claimable for load in loads)
    running = sum(load.running for load in loads)
    oldest_s = max((load.oldest_s for load in loads), default=0.0)
    return f"{ready} ready (oldest {oldest_s:.0f} s), {running} running"
