"""One thread a process that looks at the database for everybody who waits.

However many wait, there is one look a change: on SQLite after `PRAGMA data_version` (3 us) says that somebody
committed, on PostgreSQL ten times a second; one query for all renders that are waited for. Nobody who waits touches
the database meanwhile. Without anybody who waits there is no thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection

from renders.waiting.progress import ProgressSnapshot, read_progress
from renders.waiting.shutdown import is_shutting_down, on_shutdown

SQLITE_POLL_INTERVAL_S = 0.02
POSTGRES_POLL_INTERVAL_S = 0.1
# However quiet it is: what was missed for any reason is found then.
FALLBACK_POLL_S = 1.0
ERROR_BACKOFF_S = 1.0

logger = logging.getLogger(__name__)
ReadProgress = Callable[[Collection[UUID]], Mapping[UUID, ProgressSnapshot]]


class RenderSubscription:
    """Somebody who waits for one render. `latest` is the last that was seen of it, None before the first look."""

    def __init__(self, render_id: UUID) -> None:
        self.render_id = render_id
        self.latest: ProgressSnapshot | None = None
        self._changed = threading.Event()

    def notify(self, snapshot: ProgressSnapshot) -> None:
        """Wake who waits, if this is news."""
        if snapshot != self.latest:
            self.latest = snapshot
            self._changed.set()

    def wake(self) -> None:
        """Wake who waits, without news."""
        self._changed.set()

    def wait(self, timeout_s: float) -> ProgressSnapshot | None:
        """Sleep until there is news, the time is over or the server stops; return the latest."""
        if not is_shutting_down():
            self._changed.wait(max(0.0, timeout_s))
        self._changed.clear()
        return self.latest


class DataVersion:
    """Says whether somebody committed since the last time it was asked."""

    def __init__(self) -> None:
        self.poll_interval_s = POSTGRES_POLL_INTERVAL_S if connection.vendor == "postgresql" else SQLITE_POLL_INTERVAL_S
        self._seen: int | None = None

    def __call__(self) -> bool:
        """Return whether it is worth looking."""
        if connection.vendor == "postgresql":
            return True
        connection.ensure_connection()
        with connection.wrap_database_errors:
            version: int = connection.connection.execute("PRAGMA data_version").fetchone()[0]
        changed, self._seen = version != self._seen, version
        return changed


class Watcher:
    """Holds the subscriptions, and a thread while there are any."""

    def __init__(self, read: ReadProgress = read_progress, make_probe: Callable[[], DataVersion] = DataVersion) -> None:
        """read: reads the progress of renders; make_probe: called in the thread that will ask it."""
        self._read = read
        self._make_probe = make_probe
        self._lock = threading.Lock()
        self._subscriptions: dict[UUID, list[RenderSubscription]] = defaultdict(list)
        self._thread: threading.Thread | None = None
        self._has_new = False
        on_shutdown(self.wake_all)

    @contextmanager
    def watching(self, render_id: UUID) -> Iterator[RenderSubscription]:
        """Subscribe to a render; whatever changes from before now on wakes it."""
        subscription = self.subscribe(render_id)
        try:
            yield subscription
        finally:
            self.unsubscribe(subscription)

    def subscribe(self, render_id: UUID) -> RenderSubscription:
        """Return a subscription, to be ended with `unsubscribe`."""
        subscription = RenderSubscription(render_id)
        with self._lock:
            self._subscriptions[render_id].append(subscription)
            # Looked at once in any case: it may have changed since the caller read it.
            self._has_new = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="render-watcher", daemon=True)
                self._thread.start()
        return subscription

    def unsubscribe(self, subscription: RenderSubscription) -> None:
        """End a subscription; once is enough."""
        with self._lock:
            subscriptions = self._subscriptions.get(subscription.render_id, [])
            if subscription in subscriptions:
                subscriptions.remove(subscription)
            if not subscriptions:
                self._subscriptions.pop(subscription.render_id, None)

    def wake_all(self) -> None:
        """Wake everybody, because the server stops."""
        with self._lock:
            everybody = [
                subscription for subscriptions in self._subscriptions.values() for subscription in subscriptions
            ]
        for subscription in everybody:
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
        """Look until nobody waits any more; then return True, no longer being the thread that looks."""
        has_changed = self._make_probe()
        looked_at = float("-inf")
        while True:
            with self._lock:
                if not self._subscriptions:
                    self._thread = None
                    return True
                has_new, self._has_new = self._has_new, False
                ids = list(self._subscriptions)
            changed = has_changed()
            now = time.monotonic()
            if changed or has_new or now - looked_at >= FALLBACK_POLL_S:
                looked_at = now
                self._tell(self._read(ids))
            time.sleep(has_changed.poll_interval_s)

    def _tell(self, snapshots: Mapping[UUID, ProgressSnapshot]) -> None:
        with self._lock:
            news = [
                (subscription, snapshot)
                for pk, snapshot in snapshots.items()
                for subscription in self._subscriptions.get(pk, ())
            ]
        for subscription, snapshot in news:
            subscription.notify(snapshot)


@lru_cache(maxsize=1)
def watcher() -> Watcher:
    """Return the watcher of this process."""
    return Watcher()
