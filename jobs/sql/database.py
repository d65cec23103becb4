"""SQL fragments for the database in use, and helpers that run statements on the default connection.

Rules for all statements: times are the database's, never the worker's; a status in a WHERE clause is a literal, or the
partial indexes are not used; `%` occurs only in placeholders, as `%%` is unescaped only when there are parameters.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from django.db import connection

from jobs.models import Job
from jobs.snapshot import JobSnapshot

IS_POSTGRESQL = connection.vendor == "postgresql"

if IS_POSTGRESQL:
    # Not now(), which is the start of the transaction; not clock_timestamp(), which is volatile and uses no index.
    NOW = "statement_timestamp()"
    ELAPSED_S = "extract(epoch FROM statement_timestamp() - started_at)"
    SKIP_LOCKED, FOR_UPDATE = "FOR UPDATE SKIP LOCKED", "FOR UPDATE"
else:
    # Sorts with Django's text format on SQLite, `2026-11-23 12:00:00.123456`. Row locks are not needed, as a
    # transaction locks the whole database.
    NOW = "datetime('now', 'subsec')"
    ELAPSED_S = "unixepoch('now', 'subsec') - unixepoch(started_at, 'subsec')"
    SKIP_LOCKED, FOR_UPDATE = "", ""

# In the order of JobSnapshot's fields.
SNAPSHOT_COLUMNS = (
    "id, queue, type, priority, payload, attempts, failures, lost, max_attempts, timeout_s, worker, user_id, "
    "reference, traceparent, request_id, limit_key"
)
SNAPSHOT_WIDTH = 16

# Every write to a running job is fenced by worker and attempt, so that it changes nothing once another attempt has
# started.
FENCE = "id = %(id)s AND status = 'running' AND worker = %(worker)s AND attempts = %(attempt)s"


def seconds_from_now(parameter: str) -> str:
    """Return SQL for the current time plus a parameter in seconds."""
    if IS_POSTGRESQL:
        return f"statement_timestamp() + make_interval(secs => %({parameter})s)"
    return f"datetime('now', 'subsec', %({parameter})s || ' seconds')"


def json_of(parameter: str) -> str:
    """Return the SQL placeholder of a parameter with JSON text."""
    return f"%({parameter})s::jsonb" if IS_POSTGRESQL else f"%({parameter})s"


def fetch(statement: str, **parameters: Any) -> list[Any]:
    """Run a statement and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[Any] = cursor.fetchall()
    return rows


def change(statement: str, **parameters: Any) -> int:
    """Run a statement and return the number of affected rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        changed: int = cursor.rowcount
    return changed


def fence(job: JobSnapshot) -> dict[str, Any]:
    """Return the query parameters of `FENCE`."""
    return {"id": uuid_parameter(job.id), "worker": job.worker, "attempt": job.attempt}


def uuid_parameter(value: uuid.UUID) -> str | uuid.UUID:
    """Return an id as the database stores it: native, or hexadecimal on SQLite."""
    return value if connection.features.has_native_uuid_field else value.hex


def json_parameter(value: dict[str, Any] | None) -> str | None:
    """Return the value as JSON text; None stays NULL."""
    return None if value is None else json.dumps(value)


def to_snapshot(row: Sequence[Any]) -> JobSnapshot:
    """Build a snapshot from a row that starts with `SNAPSHOT_COLUMNS`."""
    fields = list(row[:SNAPSHOT_WIDTH])
    job_id, payload, user_id = fields[0], fields[4], fields[11]
    fields[0] = job_id if isinstance(job_id, uuid.UUID) else uuid.UUID(job_id)
    fields[4] = json.loads(payload) if isinstance(payload, str) else payload
    fields[11] = None if user_id is None else Job._meta.get_field("user").target_field.to_python(user_id)
    return JobSnapshot(*fields)
