"""The time that requests spend in the database.

Counted are statements until their first row and commits. What a request does not do is not counted: without an account
in `core.spent` a statement costs one look.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from core.spent import MOST_STATEMENTS, Spent, current

_now = time.perf_counter_ns


def install() -> None:
    """Time the statements of all connections, those that are open and those to come."""
    connection_created.connect(_on_connection, dispatch_uid="performance")
    for connection in connections.all(initialized_only=True):
        time_connection(connection)


def _on_connection(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    time_connection(connection)


def time_connection(connection: BaseDatabaseWrapper) -> None:
    """Time the statements of one connection, once however often it reconnects."""
    if _run_timed in connection.execute_wrappers:
        return
    connection.execute_wrappers.append(_run_timed)
    # A commit is no statement to Django's wrappers, and where it waits for a disk it is the dearest part.
    commit = connection._commit  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public place
    connection._commit = partial(_commit_timed, commit)  # type: ignore[attr-defined]  # noqa: SLF001 - as above


def _run_timed(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
    spent = current.get()
    if spent is None:
        return execute(sql, params, many, context)
    began = _now()
    try:
        return execute(sql, params, many, context)
    finally:
        # As in _note, without the call.
        took_ns = _now() - began
        spent.sql_ns += took_ns
        spent.queries += 1
        if spent.queries <= MOST_STATEMENTS:
            spent.statements.append((sql if type(sql) is str else str(sql), took_ns))


def _commit_timed(commit: Callable[[], None]) -> None:
    spent = current.get()
    if spent is None:
        commit()
        return
    began = _now()
    try:
        commit()
    finally:
        _note(spent, "COMMIT", _now() - began)


def _note(spent: Spent, sql: Any, took_ns: int) -> None:
    spent.sql_ns += took_ns
    spent.queries += 1
    if spent.queries <= MOST_STATEMENTS:
        spent.statements.append((sql if isinstance(sql, str) else str(sql), took_ns))
