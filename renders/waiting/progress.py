"""Progress of a render as a number that only grows, and the events that a client has missed since a number.

The number is the id of events. It is computed from columns: the attempt, the rank of the status within an attempt and,
while rendering, the progress. So a stream stores nothing, any process can continue a stream of another process, and
the id of an event never changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core.ids import encode_id
from renders.models import Render
from renders.serializers.renders import ProgressEventSerializer
from renders.states import TERMINAL, RenderStatus

# The order within an attempt. Queued comes after the running statuses: it means waiting for the next attempt.
_RANKS = {
    RenderStatus.SCHEDULED: 0,
    RenderStatus.FETCHING: 1,
    RenderStatus.RENDERING: 2,
    RenderStatus.SAVING: 3,
    RenderStatus.QUEUED: 4,
    RenderStatus.CANCELLING: 5,
    **dict.fromkeys(TERMINAL, 6),
}
_BY_RANK = {rank: status for status, rank in _RANKS.items() if status not in TERMINAL}
_PERMILLES = 1001
_FRAMES = 1_000_000
_STEP = _PERMILLES * _FRAMES
_FIELDS = (
    "id",
    "status",
    "attempt",
    "percent",
    "frame",
    "total_frames",
    "speed_fps",
    "eta_s",
    "max_attempts",
    "progress_at",
)


@dataclass(frozen=True, slots=True)
class ProgressSnapshot:
    """The columns of a render that events are made of."""

    id: UUID
    status: str
    attempt: int
    percent: float
    frame: int
    total_frames: int | None
    speed_fps: float | None
    eta_s: float | None
    max_attempts: int
    progress_at: datetime | None

    @classmethod
    def of(cls, render: Render) -> ProgressSnapshot:
        """Return the snapshot of a row."""
        return cls(*(getattr(render, name) for name in _FIELDS))

    @property
    def is_terminal(self) -> bool:
        """Return whether the render has ended."""
        return self.status in TERMINAL

    @property
    def step(self) -> int:
        """Return the number of the status: the lowest position that the render has in it."""
        return _step(self.attempt, _RANKS[RenderStatus(self.status)])

    @property
    def position(self) -> int:
        """Return the number of the status and progress."""
        if self.status != RenderStatus.RENDERING:
            return self.step
        # Neither percent nor frame decreases within an attempt.
        permille = min(max(int(self.percent * 10), 0), _PERMILLES - 1)
        return self.step + permille * _FRAMES + min(self.frame, _FRAMES - 1)


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event of a stream. is_current: it shows the current status, not one that was passed before."""

    id: int
    kind: str
    data: dict[str, Any]
    is_current: bool = True


def read_progress(ids: Collection[UUID]) -> dict[UUID, ProgressSnapshot]:
    """Return the snapshots of renders by id, in one query."""
    rows = Render.objects.filter(pk__in=ids).order_by().values_list(*_FIELDS)
    return {row[0]: ProgressSnapshot(*row) for row in rows}


def events_since(seen: int | None, now: ProgressSnapshot) -> Iterator[StreamEvent]:
    """Yield the events after an id. seen: the last id that the client received, None for a new client.

    A new client gets only the current state. A reconnecting one also gets the statuses in between that are certain: an
    attempt that renders has fetched, and one that succeeded has gone through all of them.
    """
    if seen is not None and now.position <= seen:
        return
    if seen is not None:
        for step, status in _passed_statuses(seen, now):
            yield _status_event(step, now.id, status, now.attempt, is_current=False)
    if seen is None or now.step > seen:
        yield _status_event(now.step, now.id, now.status, now.attempt)
    if now.position > now.step:
        yield StreamEvent(now.position, "progress", _progress_data(now))


def _passed_statuses(seen: int, now: ProgressSnapshot) -> Iterator[tuple[int, str]]:
    """Yield the numbers and names of the statuses between two events."""
    until = _RANKS[RenderStatus(now.status)]
    if now.status == RenderStatus.SUCCEEDED:
        until = _RANKS[RenderStatus.SAVING] + 1
    elif until > _RANKS[RenderStatus.SAVING]:
        return
    for rank in range(_RANKS[RenderStatus.FETCHING], until):
        step = _step(now.attempt, rank)
        if step > seen:
            yield step, _BY_RANK[rank]


def _step(attempt: int, rank: int) -> int:
    return (attempt * 10 + rank) * _STEP


def _status_event(number: int, render_id: UUID, status: str, attempt: int, *, is_current: bool = True) -> StreamEvent:
    data = {"render": encode_id(Render.ID_PREFIX, render_id), "status": str(status), "attempt": attempt}
    return StreamEvent(number, "status", data, is_current)


def _progress_data(now: ProgressSnapshot) -> dict[str, Any]:
    return {"render": encode_id(Render.ID_PREFIX, now.id), **ProgressEventSerializer(now).data}
