"""Counts of deprecated calls: kept in memory, written every few seconds and when the process ends.

A request adds to a dict under a lock and never writes to the database. A process that is killed outright loses what it
counted since the last write.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.util import Finalize
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connections

from accounts.authentication import Credential
from accounts.services.deprecations import CallTally, record_deprecated_calls
from api import lifecycle

logger = logging.getLogger(__name__)
_Place = tuple[UUID, int, str]


@dataclass(slots=True)
class _Count:
    calls: int
    first: datetime
    last: datetime

    def add(self, other: _Count) -> None:
        self.calls += other.calls
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)


class CallCounter:
    """Counts that are written now and then. write: takes tallies; what it raises as DatabaseError is tried again."""

    def __init__(self, write: Callable[[Sequence[CallTally]], None]) -> None:
        self._write = write
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        """Start with nothing: what a parent process counted is the parent's to write."""
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._counts: dict[_Place, _Count] = {}
        self._is_running = False

    def add(self, key_id: UUID, version: int, route: str, moment: datetime) -> None:
        """Count one call."""
        with self._lock:
            self._merge((key_id, version, route), _Count(1, moment, moment))
            must_start, self._is_running = not self._is_running, True
        if must_start:
            self._start()

    def flush(self) -> int:
        """Write what was counted; return how many calls that were. Keeps them where the database does not answer."""
        with self._writing:
            with self._lock:
                taken, self._counts = self._counts, {}
            if not taken:
                return 0
            tallies = [CallTally(*place, count.calls, count.first, count.last) for place, count in taken.items()]
            try:
                self._write(tallies)
            except DatabaseError:
                logger.warning("deprecated calls not written yet", exc_info=True)
                with self._lock:
                    for place, count in taken.items():
                        self._merge(place, count)
                return 0
            return sum(tally.calls for tally in tallies)

    def _merge(self, place: _Place, count: _Count) -> None:
        known = self._counts.get(place)
        if known is None:
            self._counts[place] = count
        else:
            known.add(count)

    def _start(self) -> None:
        interval_s: int = settings.RENDEROWL_DEPRECATED_CALLS_FLUSH_S
        if not interval_s:
            return
        # Unlike atexit this also runs in processes that multiprocessing started, as the server's are.
        Finalize(None, self.flush, exitpriority=10)
        threading.Thread(target=self._flush_forever, args=(interval_s,), name="deprecated-calls", daemon=True).start()

    def _flush_forever(self, interval_s: int) -> None:
        pause = threading.Event()
        while not pause.wait(interval_s):
            self.flush()
            connections.close_all()


counter = CallCounter(lambda tallies: record_deprecated_calls(tallies=tallies))


def count_deprecated_call(credential: object, version: int, route: str) -> None:
    """Count a call that an API key made; access tokens come from a login and name no program."""
    if isinstance(credential, Credential) and credential.key is not None:
        counter.add(credential.key.pk, version, route, lifecycle.now())
