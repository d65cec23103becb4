"""Claims of a slot, in turn from each of its queues."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from jobs import sql
from jobs.models import QueueState
from jobs.snapshot import JobSnapshot

LIMITS_VALID_S = 1.0


class Claimer:
    """Claims jobs for one slot, round-robin over its queues, so that a long queue does not starve the others.

    A queue that was empty is first checked with a read, as a claim takes SQLite's write lock.
    """

    def __init__(self, *, slot: str, queues: Sequence[str], lease_s: float) -> None:
        """slot: the name stored in the claims, unique over time."""
        self._slot = slot
        self._queues = deque(queues)
        self._lease_s = lease_s
        self._busy: set[str] = set()
        self._limited: frozenset[str] = frozenset()
        self._limits_read_at = float("-inf")

    def claim(self) -> JobSnapshot | None:
        """Lease the next job to the slot; None if no queue has one."""
        self._read_limits()
        for _ in range(len(self._queues)):
            queue = self._queues[0]
            self._queues.rotate(-1)
            if queue not in self._busy and not sql.is_ready(queue):
                continue
            claim = sql.claim_limited if queue in self._limited else sql.claim
            job = claim(queue=queue, worker=self._slot, lease_s=self._lease_s)
            if job is not None:
                self._busy.add(queue)
                return job
            self._busy.discard(queue)
        return None

    def _read_limits(self) -> None:
        now = time.monotonic()
        if now - self._limits_read_at < LIMITS_VALID_S:
            return
        names = QueueState.objects.filter(max_running__isnull=False).values_list("name", flat=True)
        self._limited = frozenset(names)
        self._limits_read_at = now
