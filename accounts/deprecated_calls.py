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
    """Counts that are written now and then. write: takes them; what it raises as DatabaseError is tried again."""

    def __init__(self, write: Callable[[Sequence[DeprecatedCallCount]], None]) -> None:
        self._write = write
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        """Start with nothing: what a parent process counted is the parent's to write."""
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
        """Write what was counted; return how many calls that were. Keeps them where the database does not answer."""
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
        # Unlike atexit this also runs in processes that multiprocessing started, as the server's are.
        Finalize(None, self.flush, exitpriority=10)
        threading.Thread(target=self._flush_forever, args=(interval_s,), name="deprecated-calls", daemon=True).start()

    def _flush_forever(self, interval_s: int) -> None:
        pause = threading.Event()
        while not pause.wait(interval_s):
            self.flush()
            connections.close_all()


counter = DeprecatedCallCounter(lambda call_counts: record_deprecated_calls(call_counts=call_counts))


def count_deprecated_call(credential: object, version: int, route: str) -> None:
    """Count a call that an API key made; access tokens come from a login and name no program."""
    if isinstance(credential, Credential) and credential.key is not None:
        counter.add(credential.key.pk, version, route, lifecycle.now())
