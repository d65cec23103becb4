"""Conditions on a job's status with the value as a literal in the SQL.

A partial index is used only when its condition appears literally in the query: on SQLite always, on PostgreSQL with a
generic plan. With a bound parameter the whole table would be read.
"""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Expression, Q
from django.db.models.sql.compiler import SQLCompiler

from jobs.states import JobStatus


class StatusLiteral(Expression):
    """A status as a quoted SQL literal. Accepts members of the enum only, so client input never reaches the SQL."""

    def __init__(self, status: JobStatus) -> None:
        super().__init__(output_field=CharField())
        self.status = JobStatus(status)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        """Return the quoted value, without parameters."""
        return f"'{self.status.value}'", ()


def status_is(status: JobStatus) -> Q:
    """Return the condition `status = '...'`."""
    return Q(status=StatusLiteral(status))


def status_in(*statuses: JobStatus) -> Q:
    """Return the condition `status IN ('...', ...)`, in the order given, which must be the index condition's."""
    return Q(status__in=[StatusLiteral(status) for status in statuses])
