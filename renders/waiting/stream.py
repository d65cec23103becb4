"""Stream of server-sent events of a render. Source: HTML standard, section 9.2."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings

from core.exceptions import DomainError
from renders.waiting.progress import ProgressSnapshot, StreamEvent, events_since
from renders.waiting.shutdown import is_shutting_down
from renders.waiting.waiter_slots import WaiterSlots
from renders.waiting.watcher import Watcher

RETRY_MS = 2000
# A longer stream is ended; the client reconnects and continues after the last event.
MAX_STREAM_S = 1800.0


class TooManyStreams(DomainError):
    """Too many streams and long polls are open. Poll without `wait`, or try again later."""

    code = "rate_limited"
    status = 429
    retry_after_s = 5


class EventStream:
    """Response body of a stream. Holds a waiter slot and a subscription until `close`.

    seen: the last event that the client received. is_allowed: called at least once per heartbeat, so that a revoked
    key stops receiving events. end_of: returns additional members of the final event.
    """

    def __init__(
        self,
        first: ProgressSnapshot,
        *,
        account_id: UUID,
        seen: int | None,
        is_allowed: Callable[[], bool],
        end_of: Callable[[], dict[str, Any]],
        slots: WaiterSlots,
        watcher: Watcher,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Acquire a slot, or raise TooManyStreams."""
        self._is_closed = True
        if not slots.acquire(account_id):
            raise TooManyStreams(policy="streams")
        self._slots, self._account_id = slots, account_id
        self._watcher, self._subscription = watcher, watcher.subscribe(first.id)
        self._is_closed = False
        self._seen = seen
        self._is_allowed = is_allowed
        self._end_of = end_of
        self._clock = clock
        self._heartbeat_s = float(settings.RENDEROWL_EVENTS_HEARTBEAT_S)
        self._ends_at = clock() + MAX_STREAM_S
        self._checked_at = self._wrote_at = clock()
        self._is_over = False
        self._pending: deque[bytes] = deque([b"retry: %d\n\n" % RETRY_MS + self._encode_new_events(first)])

    def __iter__(self) -> EventStream:
        return self

    def __next__(self) -> bytes:
        """Return the next block of bytes, waiting for it."""
        if not self._pending and not self._is_over:
            self._wait()
        if not self._pending:
            self.close()
            raise StopIteration
        self._wrote_at = self._clock()
        return self._pending.popleft()

    def close(self) -> None:
        """Release slot and subscription; called by the server when the client disconnects. Safe to repeat."""
        if not self._is_closed:
            self._is_closed = self._is_over = True
            self._watcher.unsubscribe(self._subscription)
            self._slots.release(self._account_id)

    def __del__(self) -> None:
        """Close a stream that was not read to its end."""
        self.close()

    def _wait(self) -> None:
        """Wait until there is something to send, or the stream is over."""
        while not self._pending and not self._is_over:
            due_at = min(self._wrote_at, self._checked_at) + self._heartbeat_s
            snapshot = self._subscription.wait(min(due_at, self._ends_at) - self._clock())
            now = self._clock()
            if is_shutting_down() or now >= self._ends_at or not self._may_continue(now):
                self._is_over = True
            elif snapshot is not None and (block := self._encode_new_events(snapshot)):
                self._pending.append(block)
            elif now - self._wrote_at >= self._heartbeat_s:
                self._pending.append(b": still here\n\n")

    def _may_continue(self, now: float) -> bool:
        if now - self._checked_at < self._heartbeat_s:
            return True
        self._checked_at = now
        return self._is_allowed()

    def _encode_new_events(self, snapshot: ProgressSnapshot) -> bytes:
        """Return the new events of a snapshot, and mark them as seen."""
        blocks = []
        for event in events_since(self._seen, snapshot):
            self._seen = event.id
            is_end = event.is_current and snapshot.is_terminal
            blocks.append(_encode_event(event, self._end_of() if is_end else {}))
            self._is_over = self._is_over or is_end
        return b"".join(blocks)


def _encode_event(event: StreamEvent, extra: dict[str, Any]) -> bytes:
    data = orjson.dumps({**event.data, **extra})
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.kind.encode(), data)
