"""How the database would run a statement: asked, never run."""

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
    """lines: as the database words them; full_scans: tables that are read from end to end; note: why there is none."""

    lines: list[str] = field(default_factory=list)
    full_scans: list[str] = field(default_factory=list)
    note: str = ""


def explain_statement(sql: str) -> QueryPlan:
    """Return the plan of a statement as Django ran it, for parameters that are not known."""
    if not sql or not _EXPLAINABLE.match(sql):
        return QueryPlan(
            note="Only statements that read or write rows have a plan." if sql else "The text is too long."
        )
    try:
        lines = _explain_on_sqlite(sql) if connection.vendor == "sqlite" else _explain_on_postgresql(sql)
    except DatabaseError:
        return QueryPlan(note="The database does not explain this statement without its parameters.")
    pattern = _SQLITE_SCAN if connection.vendor == "sqlite" else _POSTGRESQL_SCAN
    scans = [match[1].strip('"') for line in lines if (match := pattern.search(line))]
    return QueryPlan(lines, list(dict.fromkeys(scans)))


def _explain_on_sqlite(sql: str) -> list[str]:
    count = sum(match[1] == "s" for match in _PLACEHOLDER.finditer(sql))
    with connection.cursor() as cursor:
        # The plan does not look at values; a text without any was run without parameters.
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
    # In a savepoint, as a refusal would spoil the transaction around.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        # One that could be prepared but not explained outlives the savepoint.
        cursor.execute("SELECT 1 FROM pg_prepared_statements WHERE name = %s", [_NAME])
        if cursor.fetchone():
            cursor.execute(f"DEALLOCATE {_NAME}")
        cursor.execute(f"PREPARE {_NAME} AS {text}")
        cursor.execute(f"EXPLAIN EXECUTE {_NAME}{values}")
        lines = [str(row[0]) for row in cursor.fetchall()]
        cursor.execute(f"DEALLOCATE {_NAME}")
    return lines
