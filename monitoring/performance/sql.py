"""Timing of SQL statements within requests.

Measures statements until their first row, and commits. Outside requests `current` is empty and nothing is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from core.request_timings import current

_now = time.perf_counter_ns


def install() -> None:
    """Time the statements of all open and future connections."""
    connection_created.connect(_on_connection, dispatch_uid="performance")
    for connection in connections.all(initialized_only=True):
        time_connection(connection)


def _on_connection(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    time_connection(connection)


def time_connection(connection: BaseDatabaseWrapper) -> None:
    """Time the statements of one connection; safe to call again when it reconnects."""
    if _run_timed in connection.execute_wrappers:
        return
    connection.execute_wrappers.append(_run_timed)
    # Django's wrappers do not see commits, which are the slowest part if they wait for a disk.
    commit = connection._commit  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public hook
    connection._commit = partial(_commit_timed, commit)  # type: ignore[attr-defined]  # noqa: SLF001 - as above


def _run_timed(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
    timings = current.get()
    if timings is None:
        return execute(sql, params, many, context)
    began = _now()
    try:
        return execute(sql, params, many, context)
    finally:
        timings.add_statement(sql if isinstance(sql, str) else str(sql), _now() - began)


def _commit_timed(commit: Callable[[], None]) -> None:
    timings = current.get()
    if timings is None:
        commit()
        return
    began = _now()
    try:
        commit()
    finally:
        timings.add_statement("COMMIT", _now() - began)
