"""What a process has served and may still have to write: sums of each minute, kept until they are safely in their rows.

A minute's sums only grow, and its rows are replaced by them. So a write whose outcome is unknown is simply done again.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from core.counters import count as count_event
from monitoring.performance.recorder import MOST_SLOW, Cell, Place, Recorder, SlowCall, StatementCell, Taken
from monitoring.performance.statements import Shape, shape_of

# Without a database for longer than this the oldest minute is given up. Shorter than rows stay as they were written:
# what is written late never meets its own minute merged already.
MOST_MINUTES = 60
MOST_SHAPES = 400
MINUTES_OF_HOUR = 60
Run = tuple[int, str]


@dataclass(slots=True)
class Batch:
    """What is to be written at one time, copied."""

    cells: dict[Place, Cell] = field(default_factory=dict)
    statements: dict[Run, tuple[Shape, StatementCell]] = field(default_factory=dict)
    slow: list[SlowCall] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.cells or self.statements or self.slow)


class Pending:
    """The sums of the recent minutes, and which of them changed since they were written.

    Statements are summed by the hour: (hour, digest of the shape).
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._cells: dict[Place, Cell] = {}
        self._changed: set[Place] = set()
        self._runs: dict[Run, tuple[Shape, StatementCell]] = {}
        self._changed_runs: set[Run] = set()
        self._slow: deque[SlowCall] = deque(maxlen=MOST_SLOW)
        self.requests = 0
        self.lost = 0

    def gather(self) -> None:
        """Add what the recorder has taken down since the last time."""
        with self._lock:
            self._add(self._recorder.take())

    def _add(self, taken: Taken) -> None:
        for place, cell in taken.cells.items():
            self.requests += cell.count
            known = self._cells.setdefault(place, cell)
            if known is not cell:
                known.add(cell)
            self._changed.add(place)
        self._slow.extend(taken.slow)
        if taken.statements:
            hour = max((place.minute for place in taken.cells), default=0) // MINUTES_OF_HOUR
            for sql, runs in taken.statements.items():
                self._add_runs(hour, sql, runs)

    def _add_runs(self, hour: int, sql: str, cell: StatementCell) -> None:
        shape = shape_of(sql)
        run = (hour, shape.digest)
        if run not in self._runs and len(self._runs) >= MOST_SHAPES:
            shape = shape_of("")
            run = (hour, shape.digest)
        known = self._runs.setdefault(run, (shape, StatementCell()))
        known[1].add(cell)
        self._changed_runs.add(run)

    def batch(self, *, with_statements: bool) -> Batch:
        """Return copies of what changed since it was last written, and take it for written."""
        self.gather()
        with self._lock:
            batch = Batch({place: self._cells[place].copy() for place in self._changed})
            self._changed.clear()
            batch.slow = list(self._slow)
            self._slow.clear()
            if with_statements:
                batch.statements = {run: _copied(self._runs[run]) for run in self._changed_runs}
                self._changed_runs.clear()
        return batch

    def put_back(self, batch: Batch) -> None:
        """Take a batch for unwritten again."""
        with self._lock:
            self._changed |= batch.cells.keys() & self._cells.keys()
            self._changed_runs |= batch.statements.keys() & self._runs.keys()
            self._slow.extendleft(reversed(batch.slow[: MOST_SLOW - len(self._slow)]))

    def forget_before(self, minute: int) -> None:
        """Forget past minutes that are written, and unwritten ones that are too old to keep."""
        with self._lock:
            for place in [place for place in self._cells if place.minute < minute]:
                is_unwritten = place in self._changed
                if is_unwritten and place.minute >= minute - MOST_MINUTES:
                    continue
                cell = self._cells.pop(place)
                if is_unwritten:
                    self._changed.discard(place)
                    self.lost += cell.count
                    count_event("renderowl_performance_lost_requests_total", cell.count)
            hour = minute // MINUTES_OF_HOUR
            for run in [run for run in self._runs if run[0] < hour]:
                if run not in self._changed_runs or run[0] < hour - 1:
                    del self._runs[run]
                    self._changed_runs.discard(run)

    def snapshot(self) -> dict[Place, Cell]:
        """Return a copy of all sums in memory, written or not."""
        self.gather()
        with self._lock:
            return {place: cell.copy() for place, cell in self._cells.items()}

    def snapshot_runs(self) -> dict[Run, tuple[Shape, StatementCell]]:
        """Return a copy of the sums of statements in memory, written or not."""
        self.gather()
        with self._lock:
            return {run: _copied(found) for run, found in self._runs.items()}


def _copied(found: tuple[Shape, StatementCell]) -> tuple[Shape, StatementCell]:
    shape, cell = found
    return shape, cell.copy()
