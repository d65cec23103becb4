"""The numbers of the queues, one reading for `/metrics` and for scalers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.models import QueueState
from jobs.registry import known_queues
from jobs.selectors import QueueDepth, queue_depths
from monitoring.performance.system import living_workers, oldest_s


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """One queue at one moment. ready: due and claimable now; what waits in a paused queue is held instead."""

    queue: str
    ready: int
    oldest_seconds: float
    held: int
    running: int
    scheduled: int
    blocked: int
    slots: int
    busy_slots: int


@dataclass(frozen=True, slots=True)
class WorkloadSnapshot:
    """All queues and workers at one moment."""

    queues: tuple[QueueSnapshot, ...]
    workers: int
    slots: int
    busy_slots: int

    @property
    def busy_ratio(self) -> float:
        """Return which share of the slots works; 0 without workers."""
        return ratio(self.busy_slots, self.slots)

    def of(self, queue: str) -> QueueSnapshot | None:
        """Return the numbers of one queue, None where nothing knows it."""
        return next((found for found in self.queues if found.queue == queue), None)


def ratio(part: int, whole: int) -> float:
    """Return a share, 0 of nothing."""
    return round(part / whole, 4) if whole else 0.0


def read_queues(now: datetime) -> WorkloadSnapshot:
    """Count what waits and who works."""
    depths = {depth.queue: depth for depth in queue_depths()}
    paused = set(QueueState.objects.filter(paused=True).values_list("name", flat=True))
    workers = living_workers(now)
    queues = []
    for queue in sorted({*depths, *known_queues()}):
        depth = depths.get(queue, QueueDepth(queue, 0, 0, 0, 0, None))
        serving = [worker for worker in workers if queue in worker.queues]
        held = depth.ready if queue in paused else 0
        queues.append(
            QueueSnapshot(
                queue=queue,
                ready=depth.ready - held,
                oldest_seconds=0.0 if queue in paused else oldest_s(depth.oldest_ready_at, now),
                held=held,
                running=depth.running,
                scheduled=depth.scheduled,
                blocked=depth.blocked,
                slots=sum(worker.concurrency for worker in serving),
                busy_slots=sum(worker.busy for worker in serving),
            )
        )
    return WorkloadSnapshot(
        queues=tuple(queues),
        workers=len(workers),
        slots=sum(worker.concurrency for worker in workers),
        busy_slots=sum(worker.busy for worker in workers),
    )
