"""Memory shared between the supervisor and its slots: the deadline of each slot's job."""

from __future__ import annotations

import mmap
import struct

_CELL = struct.Struct("d")
IDLE = 0.0


class SharedDeadlines:
    """A cell for each slot: when its attempt is overdue, in seconds of the monotonic clock, or IDLE.

    Created before the slots are forked. Only its slot writes a cell, as eight aligned bytes, so reads need no lock.
    """

    def __init__(self, slots: int, *, counted: int | None = None) -> None:
        """counted: the number of slots, from the first, that `count_busy` includes; by default all."""
        self._counted = slots if counted is None else counted
        self._memory = mmap.mmap(-1, max(slots, 1) * _CELL.size)

    def write(self, slot: int, overdue_at: float) -> None:
        """Set the deadline of a slot."""
        _CELL.pack_into(self._memory, slot * _CELL.size, overdue_at)

    def read(self, slot: int) -> float:
        """Return the deadline of a slot, or IDLE."""
        value: float = _CELL.unpack_from(self._memory, slot * _CELL.size)[0]
        return value

    def count_busy(self) -> int:
        """Return how many of the counted slots have a job."""
        return sum(self.read(slot) != IDLE for slot in range(self._counted))
