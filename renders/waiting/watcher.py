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

from renders.waiting.standings import Standing, read_standings
from renders.waiting.stopping import is_stopping, on_stop

SQLITE_NAP_S = 0.02
POSTGRES_NAP_S = 0.1
# However quiet it is: what was missed for any reason is found then.
LOOK_ANYWAY_S = 1.0
REST_AFTER_ERROR_S = 1.0

logger = logging.getLogger(__name__)
Look = Callable[[Collection[UUID]], Mapping[UUID, Standing]]


class Ticket:
    """Somebody who waits for one render. `latest` is the last that was seen of it, None before the first look."""

    def __init__(self, render_id: UUID) -> None:
        self.render_id = render_id
        self.latest: Standing | None = None
        self._changed = threading.Event()

    def offer(self, standing: Standing) -> None:
        """Wake who waits, if this is news."""
        if standing != self.latest:
            self.latest = standing
            self._changed.set()

    def wake(self) -> None:
        """Wake who waits, without news."""
        self._changed.set()

    def wait(self, timeout_s: float) -> Standing | None:
        """Sleep until there is news, the time is over or the server stops; return the latest."""
        if not is_stopping():
            self._changed.wait(max(0.0, timeout_s))
        self._changed.clear()
        return self.latest


class DataVersion:
    """Says whether somebody committed since the last time it was asked."""

    def __init__(self) -> None:
        self.nap_s = POSTGRES_NAP_S if connection.vendor == "postgresql" else SQLITE_NAP_S
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
    """Keeps the tickets, and a thread while there are any."""

    def __init__(self, look: Look = read_standings, make_probe: Callable[[], DataVersion] = DataVersion) -> None:
        """look: reads where renders stand; make_probe: called in the thread that will ask it."""
        self._look = look
        self._make_probe = make_probe
        self._lock = threading.Lock()
        self._tickets: dict[UUID, list[Ticket]] = defaultdict(list)
        self._thread: threading.Thread | None = None
        self._newcomers = False
        on_stop(self.wake_all)

    @contextmanager
    def watching(self, render_id: UUID) -> Iterator[Ticket]:
        """Give a ticket for a render; whatever changes from before now on wakes it."""
        ticket = self.enter(render_id)
        try:
            yield ticket
        finally:
            self.leave(ticket)

    def enter(self, render_id: UUID) -> Ticket:
        """Return a ticket, to be given back with `leave`."""
        ticket = Ticket(render_id)
        with self._lock:
            self._tickets[render_id].append(ticket)
            # Looked at once in any case: it may have changed since the caller read it.
            self._newcomers = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="render-watcher", daemon=True)
                self._thread.start()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give a ticket back; once is enough."""
        with self._lock:
            tickets = self._tickets.get(ticket.render_id, [])
            if ticket in tickets:
                tickets.remove(ticket)
            if not tickets:
                self._tickets.pop(ticket.render_id, None)

    def wake_all(self) -> None:
        """Wake everybody, because the server stops."""
        with self._lock:
            everybody = [ticket for tickets in self._tickets.values() for ticket in tickets]
        for ticket in everybody:
            ticket.wake()

    def _run(self) -> None:
        try:
            while True:
                try:
                    if self._watch():
                        return
                except (DatabaseError, InterfaceError):
                    logger.warning("the watcher of renders cannot read the database", exc_info=True)
                    connection.close()
                    time.sleep(REST_AFTER_ERROR_S)
        finally:
            connection.close()

    def _watch(self) -> bool:
        """Look until nobody waits any more; then return True, no longer being the thread that looks."""
        has_changed = self._make_probe()
        looked_at = float("-inf")
        while True:
            with self._lock:
                if not self._tickets:
                    self._thread = None
                    return True
                newcomers, self._newcomers = self._newcomers, False
                ids = list(self._tickets)
            changed = has_changed()
            now = time.monotonic()
            if changed or newcomers or now - looked_at >= LOOK_ANYWAY_S:
                looked_at = now
                self._tell(self._look(ids))
            time.sleep(has_changed.nap_s)

    def _tell(self, standings: Mapping[UUID, Standing]) -> None:
        with self._lock:
            news = [(ticket, standing) for pk, standing in standings.items() for ticket in self._tickets.get(pk, ())]
        for ticket, standing in news:
            ticket.offer(standing)


@lru_cache(maxsize=1)
def watcher() -> Watcher:
    """Return the watcher of this process."""
    return Watcher()
