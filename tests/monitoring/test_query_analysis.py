"""SQL statements are normalized, aggregated and explained, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from jobs.models import Job
from monitoring.models import StatementMetric
from monitoring.performance import query_analysis
from monitoring.performance.monitor import Monitor, monitor
from monitoring.performance.query_plans import explain_statement
from monitoring.performance.statements import MAX_EXAMPLE_LENGTH, normalize_statement
from renders.models import Project
from tests.factories import make_api_key, make_render, make_user
from tests.monitoring.helpers import observation

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("one", "other", "normalized"),
    [
        ("SELECT a FROM b WHERE c = 1", "SELECT a FROM b  WHERE c = 22", "SELECT a FROM b WHERE c = ?"),
        ("SELECT 'it''s' FROM b", "SELECT 'x' FROM b", "SELECT ? FROM b"),
        ("c IN (%s, %s)", "c IN (%s,%s, %s)", "c IN (...)"),
        ("VALUES (%s, %s), (%s, %s)", "VALUES (%s, %s), (%s, %s), (%s, %s)", "VALUES (...), ..."),
        ('SAVEPOINT "s123_x1"', 'SAVEPOINT "s99_x7"', "SAVEPOINT ..."),
        ("LIMIT 21", "LIMIT 100", "LIMIT ?"),
        ("a > -1.5", "a > 2", "a > ?"),
    ],
)
def test_literals_are_not_part_of_the_normalized_text(one: str, other: str, normalized: str) -> None:
    assert normalize_statement(one).text == normalize_statement(other).text == normalized
    assert normalize_statement(one).digest == normalize_statement(other).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('SELECT "t1"."a2" FROM t1', 'SELECT "t1"."a3" FROM t1'),
        ("SELECT a FROM b", "SELECT a FROM c"),
        ("c IN (%s, %s)", "c IN (SELECT %s)"),
    ],
)
def test_different_statements_have_different_digests(one: str, other: str) -> None:
    assert normalize_statement(one).digest != normalize_statement(other).digest


def test_a_text_too_long_to_explain_has_no_example() -> None:
    assert normalize_statement("SELECT " + "a, " * MAX_EXAMPLE_LENGTH).example == ""


def sql_of(rows: Any) -> str:
    """Return the SQL as Django executes it, with placeholders."""
    return rows.query.sql_with_params()[0]


def test_plans_name_indexes_and_full_scans() -> None:
    indexed = explain_statement(sql_of(Project.objects.filter(pk="00000000-0000-0000-0000-000000000000")))
    assert indexed.lines
    assert indexed.full_scans == [] or connection.vendor == "postgresql"  # small tables are scanned there
    scanned = explain_statement(sql_of(Job.objects.filter(traceparent="x")))
    assert scanned.full_scans == ["jobs_job"]
    assert not scanned.note


@pytest.mark.parametrize("sql", ["COMMIT", "PRAGMA foreign_keys", "", "DROP TABLE jobs_job"])
def test_only_statements_on_rows_are_explained(sql: str) -> None:
    plan = explain_statement(sql)
    assert plan.lines == []
    assert plan.note


def test_a_failed_explanation_has_a_note_and_keeps_the_transaction() -> None:
    for _ in range(2):
        assert explain_statement("SELECT %s FROM no_such_table").note
        assert explain_statement(sql_of(Job.objects.filter(pk="00000000-0000-0000-0000-000000000000"))).lines


def test_explaining_executes_nothing() -> None:
    make_render()
    assert explain_statement("DELETE FROM jobs_job WHERE id = %s OR 1 = 1").lines
    assert explain_statement("DELETE FROM renders_render").lines
    assert make_render().__class__.objects.count() == 2


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Monitor]:
    monitor = Monitor()
    monkeypatch.setattr(query_analysis, "monitor", monitor)
    return monitor


@pytest.fixture
def staff() -> APIClient:
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=make_api_key(make_user(is_staff=True), scopes=("admin:*",)))
    return client


def test_statements_of_all_processes_are_aggregated(staff: APIClient, mine: Monitor) -> None:
    slow, quick = sql_of(Job.objects.filter(traceparent="x")), sql_of(Job.objects.filter(pk="0" * 32))
    other = Monitor()
    for process, took_ns in ((other, 4_000_000), (mine, 8_000_000)):
        statements = [(slow, took_ns), *[(quick, 100_000)] * 5]
        process.observe(observation(9000, route="/api/v2/x", statements=statements), is_slow=False)
        process.flush(is_last=True)
    mine.observe(observation(9000, route="/api/v2/y", statements=[(slow, 20_000_000)]), is_slow=False)
    assert StatementMetric.objects.count() == 4
    body = staff.get("/internal/query-analysis").json()
    first, second = body["statements"][:2]
    assert (first["count"], first["total_ms"], first["max_ms"], first["route"]) == (3, 32, 20, "/api/v2/y")
    assert first["p95_ms"] == pytest.approx(20, rel=0.01)
    assert first["full_scans"] == ["jobs_job"]
    assert "jobs_job" in body["full_scans"]
    assert (second["count"], second["total_ms"]) == (10, 1)
    assert body["sampled"] is False
    by_count = staff.get("/internal/query-analysis?sort=count&limit=1").json()["statements"]
    assert [row["count"] for row in by_count] == [10]
    assert staff.get("/internal/query-analysis?sort=colour").json()["parameter"] == "sort"
    assert staff.get("/internal/query-analysis?limit=51").json()["parameter"] == "limit"


def test_statements_of_real_requests_are_listed(staff: APIClient) -> None:
    monitor._reset()
    alice = make_user()
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=make_api_key(alice))
    assert client.get("/api/v2/renders").status_code == 200
    body = staff.get("/internal/query-analysis?limit=50").json()
    found = [row for row in body["statements"] if 'FROM "renders_render"' in row["sql"]]
    assert found
    assert found[0]["route"] == "/api/v2/renders"
    assert found[0]["plan"]
    monitor._reset()
