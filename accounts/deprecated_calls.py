"""In-memory counter of deprecated calls, flushed every few seconds and when the process exits.

A request only adds to a dict under a lock. A process that is killed loses its counts since the last flush.
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
from accounts.services.deprecations import DeprecatedCallCount, record_deprecated_calls
from api import lifecycle

logger = logging.getLogger(__name__)
_CallKey = tuple[UUID, int, str]


@dataclass(slots=True)
class _Count:
    calls: int
    first: datetime
    last: datetime

    def add(self, other: _Count) -> None:
        self.calls += other.calls
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)


class DeprecatedCallCounter:
    """Thread-safe counts by key and route. write: called with the counts; after a DatabaseError they are retried."""

    def __init__(self, write: Callable[[Sequence[DeprecatedCallCount]], None]) -> None:
        self._write = write
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        """Start empty, also after a fork: the parent process writes its own counts."""
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._counts: dict[_CallKey, _Count] = {}
        self._is_running = False

    def add(self, key_id: UUID, version: int, route: str, moment: datetime) -> None:
        """Count one call."""
        with self._lock:
            self._merge((key_id, version, route), _Count(1, moment, moment))
            must_start, self._is_running = not self._is_running, True
        if must_start:
            self._start()

    def flush(self) -> int:
        """Write the counts; return the number of calls written. On a DatabaseError the counts are retained."""
        with self._writing:
            with self._lock:
                pending, self._counts = self._counts, {}
            if not pending:
                return 0
            call_counts = [
                DeprecatedCallCount(*call_key, count.calls, count.first, count.last)
                for call_key, count in pending.items()
            ]
            try:
                self._write(call_counts)
            except DatabaseError:
                logger.warning("deprecated calls not written yet", exc_info=True)
                with self._lock:
                    for call_key, count in pending.items():
                        self._merge(call_key, count)
                return 0
            return sum(call_count.calls for call_count in call_counts)

    def _merge(self, call_key: _CallKey, count: _Count) -> None:
        known = self._counts.get(call_key)
        if known is None:
            self._counts[call_key] = count
        else:
            known.add(count)

    def _start(self) -> None:
        interval_s: int = settings.RENDEROWL_DEPRECATED_CALLS_FLUSH_S
        if not interval_s:
            return
        # Unlike atexit, this also runs in processes started by multiprocessing, such as the server's.
        Finalize(None, self.flush, exitpriority=10)
        threading.Thread(target=self._flush_forever, args=(interval_s,), name="deprecated-calls", daemon=True).start()

    def _flush_forever(self, interval_s: int) -> None:
        pause = threading.Event()
        while not pause.wait(interval_s):
            self.flush()
            connections.close_all()


counter = DeprecatedCallCounter(lambda call_counts: record_deprecated_calls(call_counts=call_counts))


def count_deprecated_call(credential: object, version: int, route: str) -> None:
    """Count a call made with an API key; access tokens belong to a login and identify no client program."""
    if isinstance(credential, Credential) and credential.key is not None:
        counter.add(credential.key.pk, version, route, lifecycle.now())
