"""Memory shared between the supervisor and its slots: until when each slot may go on with its job."""

from __future__ import annotations

import mmap
import struct

_CELL = struct.Struct("d")
IDLE = 0.0


class SharedDeadlines:
    """One cell a slot: the moment (monotonic clock, seconds) at which its attempt is overdue, or IDLE.

    Made before the slots are forked. A cell is written by its slot alone, eight aligned bytes at a time.
    """

    def __init__(self, slots: int, *, counted: int | None = None) -> None:
        """counted: how many of them, from the first, `count_busy` is about; all of them by default."""
        self._counted = slots if counted is None else counted
        self._memory = mmap.mmap(-1, max(slots, 1) * _CELL.size)

    def write(self, slot: int, overdue_at: float) -> None:
        """Set the cell of a slot."""
        _CELL.pack_into(self._memory, slot * _CELL.size, overdue_at)

    def read(self, slot: int) -> float:
        """Return the cell of a slot."""
        value: float = _CELL.unpack_from(self._memory, slot * _CELL.size)[0]
        return value

    def count_busy(self) -> int:
        """Return how many slots have a job."""
        return sum(self.read(slot) != IDLE for slot in range(self._counted))
