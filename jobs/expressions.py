"""Conditions on the status with the value in the SQL itself.

Both databases plan a partial index only when its condition stands literally in the query: SQLite always, and
PostgreSQL once it has made a generic plan. A bound parameter would read the whole table.
"""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Expression, Q
from django.db.models.sql.compiler import SQLCompiler

from jobs.states import JobStatus


class StatusLiteral(Expression):
    """One status, quoted into the SQL. Only members of the enum get here, never a client's text."""

    def __init__(self, status: JobStatus) -> None:
        super().__init__(output_field=CharField())
        self.status = JobStatus(status)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        """Return the quoted value and no parameters."""
        return f"'{self.status.value}'", ()


def status_is(status: JobStatus) -> Q:
    """Return the condition `status = '...'`."""
    return Q(status=StatusLiteral(status))


def status_in(*statuses: JobStatus) -> Q:
    """Return the condition `status IN ('...', ...)`, in the order given, as the index states it."""
    return Q(status__in=[StatusLiteral(status) for status in statuses])
