"""The heartbeat thread of a slot: renews leases, and detects cancellation, lost leases and a dead supervisor."""

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
    """Uses its own database connection, so that on PostgreSQL a handler's transaction does not block it."""

    def __init__(self, *, lease_s: float, lifeline: int, poll_cancel: bool = True) -> None:
        """lifeline: read end of a pipe whose write end only the supervisor has, so that it is closed when that dies.

        poll_cancel: also check for cancellation between renewals; useless for handlers that do not call `check`.
        """
        super().__init__(name="heartbeat", daemon=True)
        self._lease_s = lease_s
        self._lifeline = lifeline
        self._poll_cancel = poll_cancel
        self._lock = threading.Lock()
        # When each attempt's lease was renewed, by the monotonic clock.
        self._renewed_at: dict[JobContext, float] = {}

    def watch(self, context: JobContext) -> None:
        """Start renewing the lease of this attempt."""
        with self._lock:
            self._renewed_at[context] = time.monotonic()

    def forget(self, context: JobContext) -> None:
        """Stop renewing the lease of this attempt."""
        with self._lock:
            self._renewed_at.pop(context, None)

    def run(self) -> None:
        """Renew leases every half second as needed; kill the process group if the supervisor is dead."""
        tick_s = min(CHECK_INTERVAL_S, self._lease_s / 6)
        while True:
            if select.select([self._lifeline], [], [], tick_s)[0]:
                # Nothing is ever written to the pipe, so it is readable only when the supervisor is dead. Other workers
                # run the jobs again, and children in this process group must not outlive it.
                os.killpg(0, signal.SIGKILL)
            with self._lock:
                watched = list(self._renewed_at.items())
            for context, renewed_at in watched:
                # A job shorter than one interval costs no query.
                if context.age_s >= tick_s:
                    self._beat(context, renewed_at)

    def _beat(self, context: JobContext, renewed_at: float) -> None:
        now = time.monotonic()
        try:
            if now - renewed_at >= self._lease_s / 3:
                context.apply_heartbeat(sql.renew(context.job, lease_s=self._lease_s))
                self._note_renewal(context, now)
            elif self._poll_cancel:
                context.apply_heartbeat(sql.watch(context.job))
        except Error:
            logger.warning("heartbeat failed", exc_info=True, extra={"job_id": context.job.public_id})
            connection.close()
            if now - renewed_at >= self._lease_s:
                # The lease has expired, so the reaper may have requeued the job.
                context.apply_heartbeat(None)

    def _note_renewal(self, context: JobContext, moment: float) -> None:
        with self._lock:
            if context in self._renewed_at:
                self._renewed_at[context] = moment
