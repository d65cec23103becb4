"""From the rows of raw statements to snapshots, and from ids to parameters."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from jobs.models import Job
from jobs.snapshot import JobSnapshot

SNAPSHOT_WIDTH = 16


def uuid_parameter(connection: BaseDatabaseWrapper, value: uuid.UUID) -> str | uuid.UUID:
    """Return an id in the form that the database stores."""
    return value if connection.features.has_native_uuid_field else value.hex


def json_parameter(value: dict[str, Any] | None) -> str | None:
    """Return JSON text, or None for NULL."""
    return None if value is None else json.dumps(value)


def to_snapshot(row: Sequence[Any]) -> JobSnapshot:
    """Return the snapshot of a row of `SNAPSHOT_COLUMNS`."""
    user_id = row[11]
    return JobSnapshot(
        id=_to_uuid(row[0]),
        queue=row[1],
        type=row[2],
        priority=row[3],
        payload=json.loads(row[4]) if isinstance(row[4], str) else row[4],
        attempt=row[5],
        failures=row[6],
        lost=row[7],
        max_attempts=row[8],
        timeout_s=row[9],
        worker=row[10],
        user_id=None if user_id is None else Job._meta.get_field("user").target_field.to_python(user_id),
        reference=row[12],
        traceparent=row[13],
        request_id=row[14],
        limit_key=row[15],
    )


def _to_uuid(value: str | uuid.UUID) -> uuid.UUID:
    return value if isinstance(value, uuid.UUID) else uuid.UUID(value)
