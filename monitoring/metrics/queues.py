"""Queue and worker counts for `/metrics` and autoscalers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.models import QueueState
from jobs.registry import known_queues
from jobs.selectors import QueueDepth, queue_depths
from monitoring.performance.system import live_workers, oldest_s


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """One queue at one moment. ready: due and claimable; jobs that are due in a paused queue count as held."""

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
        """Return the share of busy slots; 0 without workers."""
        return ratio(self.busy_slots, self.slots)

    def of(self, queue: str) -> QueueSnapshot | None:
        """Return the snapshot of one queue; None for an unknown queue."""
        return next((snapshot for snapshot in self.queues if snapshot.queue == queue), None)


def ratio(part: int, whole: int) -> float:
    """Return part / whole, or 0 if whole is 0."""
    return round(part / whole, 4) if whole else 0.0


def read_queues(now: datetime) -> WorkloadSnapshot:
    """Count the jobs of all queues and the slots of all live workers."""
    depths = {depth.queue: depth for depth in queue_depths()}
    paused = set(QueueState.objects.filter(paused=True).values_list("name", flat=True))
    workers = live_workers(now)
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
