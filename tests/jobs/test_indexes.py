"""Each index of the job table is used by its query, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from core.ids import uuid7
from jobs.models import Job
from jobs.selectors import depth_rows
from jobs.sql import claiming, leases, outcomes, promoting
from jobs.states import JobStatus
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def fill():
    """Insert three thousand jobs, most of them finished, as in an old table."""
    now = timezone.now()
    users = [make_user(f"user-{number}").pk for number in range(20)]
    statuses = [*["succeeded"] * 20, "dead", "cancelled", *["queued"] * 4, "running", "scheduled"]
    rows = []
    for number in range(3000):
        status = statuses[number % len(statuses)]
        moment = now - timedelta(minutes=number)
        row = Job(
            type=f"type.{number % 40}",
            queue=f"queue-{number % 10}",
            status=status,
            priority=number % 4,
            scheduled_at=moment,
            created_at=moment,
            user_id=users[number % 20],
        )
        if status == "running":
            row.worker, row.lease_expires_at = f"w/{number}", now + timedelta(seconds=number)
        if row.is_terminal:
            row.finished_at = moment
        if status in ("queued", "running") and number % 3 == 0:
            row.unique_key = f"key-{number}"
        rows.append(row)
    Job.objects.bulk_create(rows, batch_size=500)
    return users


@pytest.fixture
def many_jobs():
    """Insert the same jobs, and analyze the table."""
    users = fill()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_job")
    return users


def explain(text, **values):
    prefix = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
    with connection.cursor() as cursor:
        cursor.execute(prefix + text, values)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def plan_of(queryset):
    return queryset.explain()


def test_each_index_serves_its_query(many_jobs):
    old = timezone.now() - timedelta(days=2)
    some_id = uuid7() if connection.vendor == "postgresql" else uuid7().hex
    plans = {
        "idx_jobs_queue_status_priority_scheduled": explain(claiming.CLAIM, worker="w", lease_s=30, queue="queue-5"),
        "idx_jobs_type_status": plan_of(Job.objects.filter(type="type.7", status="dead")),
        "idx_jobs_created_at": plan_of(Job.objects.order_by("-created_at")[:50]),
        "idx_jobs_user_created": plan_of(Job.objects.filter(user_id=many_jobs[3]).order_by("-created_at")[:100]),
        "idx_jobs_worker_status": explain(leases.LIST_HELD, worker="w/26"),
        "idx_jobs_old_completed": plan_of(
            Job.objects.finished().filter(finished_at__lt=old).order_by("finished_at").values("pk")[:5]
        ),
        "idx_jobs_dlq": plan_of(Job.objects.dead().order_by("-finished_at", "-id")[:50]),
        "idx_jobs_scheduled_due": explain(promoting.PROMOTE, limit=100),
        "idx_jobs_lease": explain(leases.LIST_EXPIRED, limit=100),
        "uniq_jobs_active_key": plan_of(Job.objects.active().filter(unique_key="key-24")),
    }
    for name, plan in plans.items():
        assert name in plan, f"{name} is not used:\n{plan}"
    assert "idx_jobs_scheduled_due" in explain(promoting.ANY_DUE)
    assert "idx_jobs_queue_status_priority_scheduled" in explain(claiming.IS_READY, queue="queue-5")
    values = {"status": "dead", "failures": 0, "lost": 0, "error": None, "result": None, "lease_s": 30}
    for fenced in (leases.RENEW, outcomes.END, outcomes.REQUEUE):
        plan = explain(fenced, id=some_id, worker="w", attempt=1, **values)
        # Either finds the row among few.
        assert any(name in plan for name in ("jobs_job_pkey", "sqlite_autoindex_jobs_job_1", "idx_jobs_worker_status"))


def test_the_claim_needs_no_sort(many_jobs):
    plan = explain(claiming.CLAIM, worker="w", lease_s=30, queue="queue-5")
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


def test_the_claim_uses_its_index_without_statistics():
    fill()
    plan = explain(claiming.CLAIM, worker="w", lease_s=30, queue="queue-5")
    assert "idx_jobs_queue_status_priority_scheduled" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE FOR ORDER" not in plan


def test_queue_depths_use_the_index_of_active_jobs(many_jobs):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Rows of the open transaction are not all-visible, so an index-only scan looks too expensive.
            cursor.execute("SET LOCAL enable_seqscan = off")
    assert "idx_jobs_active" in plan_of(depth_rows())


def test_every_index_of_the_design_exists():
    with connection.cursor() as cursor:
        found = set(connection.introspection.get_constraints(cursor, Job._meta.db_table))
    assert {
        "idx_jobs_queue_status_priority_scheduled", "idx_jobs_active", "idx_jobs_type_status", "idx_jobs_created_at",
        "idx_jobs_user_created", "idx_jobs_worker_status", "idx_jobs_old_completed", "idx_jobs_dlq",
        "idx_jobs_scheduled_due", "idx_jobs_lease",
    } <= found  # fmt: skip


def test_the_job_table_has_its_storage_parameters_on_postgresql():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no storage parameters")
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = 'jobs_job'")
        (options,) = cursor.fetchone()
    assert {"fillfactor=70", "autovacuum_vacuum_scale_factor=0.01"} <= set(options)


def test_status_literals_are_in_the_sql_itself():
    text, values = Job.objects.finished().filter(queue="q").query.sql_with_params()
    assert "IN ('succeeded', 'dead', 'cancelled')" in text
    assert values == ("q",)
    assert JobStatus.DEAD.value not in values
