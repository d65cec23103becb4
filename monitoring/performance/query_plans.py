"""Query plans: explains statements without executing them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.db import DatabaseError, connection, transaction

_EXPLAINABLE = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"%(s|%)")
_SQLITE_SCAN = re.compile(r"^SCAN (?!CONSTANT|\()(?:TABLE )?(\S+)(?!.* USING )")
_POSTGRESQL_SCAN = re.compile(r"Seq Scan on (\S+)")
_NAME = "renderowl_explained"


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A query plan. lines: the database's text; full_scans: tables that it scans fully; note: why there is no plan."""

    lines: list[str] = field(default_factory=list)
    full_scans: list[str] = field(default_factory=list)
    note: str = ""


def explain_statement(sql: str) -> QueryPlan:
    """Return the plan of a statement as Django ran it, with unknown parameters."""
    if not sql or not _EXPLAINABLE.match(sql):
        return QueryPlan(note="Only statements that read or write rows have plans." if sql else "The text is too long.")
    try:
        lines = _explain_on_sqlite(sql) if connection.vendor == "sqlite" else _explain_on_postgresql(sql)
    except DatabaseError:
        return QueryPlan(note="The database cannot explain this statement without its parameters.")
    pattern = _SQLITE_SCAN if connection.vendor == "sqlite" else _POSTGRESQL_SCAN
    scans = [match[1].strip('"') for line in lines if (match := pattern.search(line))]
    return QueryPlan(lines, list(dict.fromkeys(scans)))


def _explain_on_sqlite(sql: str) -> list[str]:
    count = sum(match[1] == "s" for match in _PLACEHOLDER.finditer(sql))
    with connection.cursor() as cursor:
        # The plan does not depend on values; a text without placeholders was executed without parameters.
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * count if _PLACEHOLDER.search(sql) else None)
        rows = cursor.fetchall()
    depths = {0: -1}
    lines = []
    for number, parent, _, text in rows:
        depths[number] = depths.get(parent, -1) + 1
        lines.append("  " * depths[number] + text)
    return lines


def _explain_on_postgresql(sql: str) -> list[str]:
    numbers = iter(range(1, 10_000))
    text = _PLACEHOLDER.sub(lambda match: f"${next(numbers)}" if match[1] == "s" else "%", sql)
    count = next(numbers) - 1
    values = f"({', '.join(['NULL'] * count)})" if count else ""
    # In a savepoint, as an error would abort the surrounding transaction.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        # A statement that was prepared but could not be explained outlives its savepoint.
        cursor.execute("SELECT 1 FROM pg_prepared_statements WHERE name = %s", [_NAME])
        if cursor.fetchone():
            cursor.execute(f"DEALLOCATE {_NAME}")
        cursor.execute(f"PREPARE {_NAME} AS {text}")
        cursor.execute(f"EXPLAIN EXECUTE {_NAME}{values}")
        lines = [str(row[0]) for row in cursor.fetchall()]
        cursor.execute(f"DEALLOCATE {_NAME}")
    return lines
