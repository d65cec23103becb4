"""Notifications that wake idle workers. They only reduce latency: workers also poll once a second."""

from __future__ import annotations

from django.db import connection, transaction

CHANNEL = "renderowl_jobs"


def notify_workers_on_commit() -> None:
    """Send one NOTIFY when the open transaction commits. A no-op on SQLite, where workers detect the commit itself."""
    if connection.vendor != "postgresql":
        return
    # A NOTIFY for each job would cost a quarter of the insert rate.
    if any(entry[1] is _notify for entry in connection.run_on_commit):
        return
    transaction.on_commit(_notify, robust=True)


def _notify() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")
