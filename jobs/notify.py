"""Tell idle workers that there is work. It only saves them waiting: they look for themselves every second."""

from __future__ import annotations

from django.db import connection, transaction

CHANNEL = "renderowl_jobs"


def notify_workers_on_commit() -> None:
    """Wake workers once the open transaction commits; at most once a transaction, as a NOTIFY costs a quarter of the
    insert rate. On SQLite workers see the commit itself.
    """
    if connection.vendor != "postgresql":
        return
    if any(entry[1] is _notify for entry in connection.run_on_commit):
        return
    transaction.on_commit(_notify, robust=True)


def _notify() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")
