"""How many workers there should be. Nothing here knows of processes or of a clock."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from jobs.selectors import QueueLoad


@dataclass(frozen=True, slots=True)
class AutoscalerOptions:
    """What the operator decided.

    concurrency: jobs at a time of one worker.
    scale_out_after_s: how long a ready job must have waited before more workers come.
    scale_in_after_s: for how long fewer must have been enough before any goes.
    """

    min_workers: int
    max_workers: int
    concurrency: int
    scale_out_after_s: float
    scale_in_after_s: float


def count_needed(loads: Iterable[QueueLoad], *, concurrency: int, io: Collection[str]) -> int:
    """Return how many workers could be busy now. io: queues of which one worker does nearly any number at a time."""
    slots = 0
    waits_for_others = False
    for load in loads:
        jobs = load.claimable + load.running
        if load.queue in io:
            waits_for_others = waits_for_others or jobs > 0
        else:
            slots += jobs
    return max(math.ceil(slots / concurrency), int(waits_for_others))


class ScalingPolicy:
    """Follows the load up at once, and down only after it stayed down: the highest need of a while is what counts.

    What is returned is a number of workers, never a step, so that workers which are still starting are not started
    again by the next look.
    """

    def __init__(self, options: AutoscalerOptions) -> None:
        self._options = options
        self._target = options.min_workers
        self._began: float | None = None
        self._needs: deque[tuple[float, int]] = deque()

    def decide(self, *, now: float, needed: int, oldest_s: float) -> int:
        """Return the number of workers. now: of any clock that only goes forward; oldest_s: of the jobs to claim."""
        options = self._options
        wanted = min(max(needed, options.min_workers), options.max_workers)
        if self._began is None:
            self._began = now
        self._needs.append((now, wanted))
        while self._needs[0][0] < now - options.scale_in_after_s:
            self._needs.popleft()
        # A job that has just come is for a slot that is about to be free; where there is none at all, nobody waits.
        is_late = oldest_s >= options.scale_out_after_s or self._target == 0
        if wanted > self._target and is_late:
            self._target = wanted
        elif now - self._began >= options.scale_in_after_s:
            self._target = min(self._target, max(need for _, need in self._needs))
        return self._target
