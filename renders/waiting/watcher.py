"""Watcher of renders: one thread per process that polls the database for all waiting requests.

One query reads all watched renders: on SQLite whenever `PRAGMA data_version` (3 us) shows a commit, on PostgreSQL ten
times a second. Waiting requests do not touch the database. Without subscriptions there is no thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection

from renders.waiting.progress import ProgressSnapshot, read_progress
from renders.waiting.shutdown import is_shutting_down, on_shutdown

SQLITE_POLL_INTERVAL_S = 0.02
POSTGRES_POLL_INTERVAL_S = 0.1
# Even without a sign of a change, in case one was missed.
FALLBACK_POLL_S = 1.0
ERROR_BACKOFF_S = 1.0

logger = logging.getLogger(__name__)
ReadProgress = Callable[[Collection[UUID]], Mapping[UUID, ProgressSnapshot]]


class RenderSubscription:
    """Subscription of a waiting request to one render. latest: its last snapshot, None before the first read."""

    def __init__(self, render_id: UUID) -> None:
        self.render_id = render_id
        self.latest: ProgressSnapshot | None = None
        self._changed = threading.Event()

    def notify(self, snapshot: ProgressSnapshot) -> None:
        """Store the snapshot and wake the waiting thread, if it differs from the last one."""
        if snapshot != self.latest:
            self.latest = snapshot
            self._changed.set()

    def wake(self) -> None:
        """Wake the waiting thread without a change."""
        self._changed.set()

    def wait(self, timeout_s: float) -> ProgressSnapshot | None:
        """Wait for a change, the timeout or the shutdown of the server; return the latest snapshot."""
        if not is_shutting_down():
            self._changed.wait(max(0.0, timeout_s))
        self._changed.clear()
        return self.latest


class DataVersion:
    """Detects commits since the last call; always true on PostgreSQL, which has no cheap check."""

    def __init__(self) -> None:
        self.poll_interval_s = POSTGRES_POLL_INTERVAL_S if connection.vendor == "postgresql" else SQLITE_POLL_INTERVAL_S
        self._seen: int | None = None

    def __call__(self) -> bool:
        """Return whether the renders should be read again."""
        if connection.vendor == "postgresql":
            return True
        connection.ensure_connection()
        with connection.wrap_database_errors:
            version: int = connection.connection.execute("PRAGMA data_version").fetchone()[0]
        changed, self._seen = version != self._seen, version
        return changed


class Watcher:
    """The subscriptions of this process, and a polling thread while there are any."""

    def __init__(self, read: ReadProgress = read_progress, make_probe: Callable[[], DataVersion] = DataVersion) -> None:
        """read: reads snapshots by id. make_probe: called in the polling thread, as connections are thread-local."""
        self._read = read
        self._make_probe = make_probe
        self._lock = threading.Lock()
        self._subscriptions: dict[UUID, list[RenderSubscription]] = defaultdict(list)
        self._thread: threading.Thread | None = None
        self._has_new = False
        on_shutdown(self.wake_all)

    @contextmanager
    def watching(self, render_id: UUID) -> Iterator[RenderSubscription]:
        """Subscribe to a render for the duration of the block."""
        subscription = self.subscribe(render_id)
        try:
            yield subscription
        finally:
            self.unsubscribe(subscription)

    def subscribe(self, render_id: UUID) -> RenderSubscription:
        """Return a new subscription, to be ended with `unsubscribe`."""
        subscription = RenderSubscription(render_id)
        with self._lock:
            self._subscriptions[render_id].append(subscription)
            # Read at least once: the render may have changed since the caller read it.
            self._has_new = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="render-watcher", daemon=True)
                self._thread.start()
        return subscription

    def unsubscribe(self, subscription: RenderSubscription) -> None:
        """End a subscription. Safe to repeat."""
        with self._lock:
            subscriptions = self._subscriptions.get(subscription.render_id, [])
            if subscription in subscriptions:
                subscriptions.remove(subscription)
            if not subscriptions:
                self._subscriptions.pop(subscription.render_id, None)

    def wake_all(self) -> None:
        """Wake all waiting threads, as the server shuts down."""
        with self._lock:
            subscriptions = list(chain.from_iterable(self._subscriptions.values()))
        for subscription in subscriptions:
            subscription.wake()

    def _run(self) -> None:
        try:
            while True:
                try:
                    if self._watch():
                        return
                except (DatabaseError, InterfaceError):
                    logger.warning("the watcher of renders cannot read the database", exc_info=True)
                    connection.close()
                    time.sleep(ERROR_BACKOFF_S)
        finally:
            connection.close()

    def _watch(self) -> bool:
        """Poll until no subscription is left; then return True, after clearing `_thread`."""
        has_changed = self._make_probe()
        read_at = float("-inf")
        while True:
            with self._lock:
                if not self._subscriptions:
                    self._thread = None
                    return True
                has_new, self._has_new = self._has_new, False
                ids = list(self._subscriptions)
            changed = has_changed()
            now = time.monotonic()
            if changed or has_new or now - read_at >= FALLBACK_POLL_S:
                read_at = now
                self._notify(self._read(ids))
            time.sleep(has_changed.poll_interval_s)

    def _notify(self, snapshots: Mapping[UUID, ProgressSnapshot]) -> None:
        with self._lock:
            updates = [
                (subscription, snapshot)
                for pk, snapshot in snapshots.items()
                for subscription in self._subscriptions.get(pk, ())
            ]
        for subscription, snapshot in updates:
            subscription.notify(snapshot)


@lru_cache(maxsize=1)
def watcher() -> Watcher:
    """Return the watcher of this process."""
    return Watcher()
