"""`db_stats` prints rows, indexes, sizes, the oldest rows and the effective settings."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from core.ids import uuid7
from monitoring.models import SlowRequest
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def stats() -> dict:
    out = StringIO()
    call_command("db_stats", "--json", stdout=out)
    return json.loads(out.getvalue())


def test_reports_rows_indexes_and_the_oldest_row_of_a_table() -> None:
    then = timezone.now() - timedelta(days=9)
    numbers = {"duration_ms": 1, "sql_ms": 1, "cache_ms": 1, "queries": 1, "status": 200}
    SlowRequest.objects.bulk_create(
        SlowRequest(id=uuid7(), created_at=then + timedelta(days=day), at=then, route="/", method="GET", **numbers)
        for day in range(7)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    found = stats()
    table = next(table for table in found["tables"] if table["table"] == "monitoring_slowrequest")
    assert table["rows"] == 7
    assert table["rows_estimated"] == (connection.vendor == "postgresql")
    assert table["oldest_at"][:19] == then.isoformat()[:19]
    assert "idx_slow_requests_time" in {index["name"] for index in table["indexes"]}
    assert found["disk"]["free_bytes"] > 0
    assert {"name": "slow requests", "table": "monitoring_slowrequest", "keep_days": 30.0} in found["retention"]
    if connection.vendor == "postgresql":
        assert table["bytes"] > 0
        assert all(index["uses"] is not None for index in table["indexes"])
    else:
        assert found["database"]["pragmas"]["foreign_keys"] == 1
        assert found["database"]["free_bytes"] >= 0


def test_prints_tables_and_retention() -> None:
    make_user("alice")
    out = StringIO()
    call_command("db_stats", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith(connection.vendor)
    assert any(line.startswith("accounts_user ") for line in lines)
    assert "  slow requests: 30 days" in lines
