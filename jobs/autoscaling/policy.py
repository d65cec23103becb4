"""The scaling policy: computes the number of workers from the load, without processes or a clock."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from jobs.selectors import QueueLoad


@dataclass(frozen=True, slots=True)
class AutoscalerOptions:
    """Options of `autoscale_workers`.

    concurrency: concurrent jobs of one worker.
    scale_out_after_s: how long a job must have been ready before workers are added.
    scale_in_after_s: how long fewer workers must have sufficed before any is retired.
    """

    min_workers: int
    max_workers: int
    concurrency: int
    scale_out_after_s: float
    scale_in_after_s: float


def count_needed(loads: Iterable[QueueLoad], *, concurrency: int, io: Collection[str]) -> int:
    """Return how many workers the load can keep busy. io: I/O queues, for which one worker is enough."""
    slots = 0
    has_io_jobs = False
    for load in loads:
        jobs = load.claimable + load.running
        if load.queue in io:
            has_io_jobs = has_io_jobs or jobs > 0
        else:
            slots += jobs
    return max(math.ceil(slots / concurrency), int(has_io_jobs))


class ScalingPolicy:
    """Scales out immediately, and in only to the highest need within `scale_in_after_s`.

    It returns an absolute number of workers, not a step, so that workers that are still starting are counted.
    """

    def __init__(self, options: AutoscalerOptions) -> None:
        self._options = options
        self._target = options.min_workers
        self._started_at: float | None = None
        self._needs: deque[tuple[float, int]] = deque()

    def decide(self, *, now: float, needed: int, oldest_s: float) -> int:
        """Return the number of workers. now: of a monotonic clock; oldest_s: age of the oldest claimable job."""
        options = self._options
        desired = min(max(needed, options.min_workers), options.max_workers)
        if self._started_at is None:
            self._started_at = now
        self._needs.append((now, desired))
        while self._needs[0][0] < now - options.scale_in_after_s:
            self._needs.popleft()
        # A new job may soon get a free slot, so it waits first, unless there are no workers.
        is_late = oldest_s >= options.scale_out_after_s or self._target == 0
        if desired > self._target and is_late:
            self._target = desired
        elif now - self._started_at >= options.scale_in_after_s:
            self._target = min(self._target, max(need for _, need in self._needs))
        return self._target
