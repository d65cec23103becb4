"""The thread beside a slot's jobs: renews leases, and hears of cancels, lost leases and the supervisor's death."""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
import time

from django.db import Error, connection

from jobs import sql
from jobs.context import JobContext

logger = logging.getLogger(__name__)

CHECK_INTERVAL_S = 0.5


class Heartbeat(threading.Thread):
    """Works on its own database connection, so that a handler's transaction cannot hold it up on PostgreSQL."""

    def __init__(self, *, lease_s: float, lifeline: int, listens: bool = True) -> None:
        """lifeline: read end of a pipe whose other end only the supervisor has; it ends with the supervisor.

        listens: whether to ask about cancels between the renewals; no use where nobody calls `check`.
        """
        super().__init__(name="heartbeat", daemon=True)
        self._lease_s = lease_s
        self._lifeline = lifeline
        self._listens = listens
        self._lock = threading.Lock()
        # When the lease of each attempt was renewed, by the monotonic clock.
        self._renewed_at: dict[JobContext, float] = {}

    def watch(self, context: JobContext) -> None:
        """Look after this attempt from now on."""
        with self._lock:
            self._renewed_at[context] = time.monotonic()

    def forget(self, context: JobContext) -> None:
        """Look after it no longer."""
        with self._lock:
            self._renewed_at.pop(context, None)

    def run(self) -> None:
        """Look every half second; die with the supervisor."""
        tick_s = min(CHECK_INTERVAL_S, self._lease_s / 6)
        while True:
            if select.select([self._lifeline], [], [], tick_s)[0]:
                # Nothing is ever written to it: it is readable because the supervisor is gone. Whatever runs here is
                # done again elsewhere, and children of this process group must not outlive it.
                os.killpg(0, signal.SIGKILL)
            with self._lock:
                watched = list(self._renewed_at.items())
            for context, renewed_at in watched:
                # A job that is over before the first look costs the database nothing.
                if context.age_s >= tick_s:
                    self._look_after(context, renewed_at)

    def _look_after(self, context: JobContext, renewed_at: float) -> None:
        now = time.monotonic()
        try:
            if now - renewed_at >= self._lease_s / 3:
                context.apply_heartbeat(sql.renew(context.job, lease_s=self._lease_s))
                self._note_renewal(context, now)
            elif self._listens:
                context.apply_heartbeat(sql.watch(context.job))
        except Error:
            logger.warning("heartbeat failed", exc_info=True, extra={"job_id": context.job.public_id})
            connection.close()
            if now - renewed_at >= self._lease_s:
                # Nobody can be told, but by now the reaper may have given the job away.
                context.apply_heartbeat(None)

    def _note_renewal(self, context: JobContext, moment: float) -> None:
        with self._lock:
            if context in self._renewed_at:
                self._renewed_at[context] = moment
