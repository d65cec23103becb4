"""Server-sent events of one render. Source: HTML standard, section 9.2."""

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
# A stream that goes on for longer is ended; the client comes back and goes on where it was.
MAX_STREAM_S = 1800.0


class TooManyStreams(DomainError):
    """As many as the server has threads for are being waited for; poll, or try again later."""

    code = "rate_limited"
    status = 429
    retry_after_s = 5


class EventStream:
    """The body of the answer: bytes as they come. Holds a slot and a subscription from its making to `close`.

    seen: the last event that the client got. is_allowed: asked with every heartbeat, and at least as often while
    events come: a key that was revoked must not go on listening. end_of: what the event of the end tells besides.
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
        """Take a slot, to be released by `close`.

        Raises TooManyStreams where none is left.
        """
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
        self._waiting: deque[bytes] = deque([b"retry: %d\n\n" % RETRY_MS + self._tell(first)])

    def __iter__(self) -> EventStream:
        return self

    def __next__(self) -> bytes:
        """Return the next piece, waiting for it."""
        if not self._waiting and not self._is_over:
            self._wait()
        if not self._waiting:
            self.close()
            raise StopIteration
        self._wrote_at = self._clock()
        return self._waiting.popleft()

    def close(self) -> None:
        """Release slot and subscription; the server calls this when the client is gone. Safe to repeat."""
        if not self._is_closed:
            self._is_closed = self._is_over = True
            self._watcher.unsubscribe(self._subscription)
            self._slots.release(self._account_id)

    def __del__(self) -> None:
        """Close what nobody read to the end."""
        self.close()

    def _wait(self) -> None:
        """Return with something to send, or when it is over."""
        while not self._waiting and not self._is_over:
            due_at = min(self._wrote_at, self._checked_at) + self._heartbeat_s
            snapshot = self._subscription.wait(min(due_at, self._ends_at) - self._clock())
            now = self._clock()
            if is_shutting_down() or now >= self._ends_at or not self._may_go_on(now):
                self._is_over = True
            elif snapshot is not None and (text := self._tell(snapshot)):
                self._waiting.append(text)
            elif now - self._wrote_at >= self._heartbeat_s:
                self._waiting.append(b": still here\n\n")

    def _may_go_on(self, now: float) -> bool:
        if now - self._checked_at < self._heartbeat_s:
            return True
        self._checked_at = now
        return self._is_allowed()

    def _tell(self, snapshot: ProgressSnapshot) -> bytes:
        """Return the events that the client has not had, and note that it has."""
        pieces = []
        for event in events_since(self._seen, snapshot):
            self._seen = event.id
            is_end = event.is_current and snapshot.is_terminal
            pieces.append(_written(event, self._end_of() if is_end else {}))
            self._is_over = self._is_over or is_end
        return b"".join(pieces)


def _written(event: StreamEvent, more: dict[str, Any]) -> bytes:
    data = orjson.dumps({**event.data, **more})
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.kind.encode(), data)
