"""Each index serves the query that its comment names, on the configured database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Count
from django.utils import timezone

from core.ids import uuid7
from renders.models import Batch, Render
from renders.selectors import batch_progress
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db


def plan_of(rows):
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # A small table would always be scanned.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
    return rows.explain()


def analyze():
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


@pytest.fixture
def owner():
    """One of twenty accounts with five batches of twenty renders each."""
    for user in [make_user() for _ in range(20)]:
        add_batches(user, count=5, size=20)
    analyze()
    return user


def add_batches(user, *, count, size):
    now = timezone.now()
    project = make_project(user)
    rows = []
    for batch in [Batch.objects.create(owner=user, total=size, pending=size) for _ in range(count)]:
        rows += [
            Render(
                owner=user,
                project=project,
                batch=batch,
                edit={},
                status=status,
                created_at=now + timedelta(seconds=len(rows) + n),
            )
            for n, status in enumerate(["queued", "fetching", "rendering", "saving"] * (size // 4))
        ]
    Render.objects.bulk_create(rows)
    return batch


def newest(rows):
    return rows.order_by("-created_at", "-pk")[:25]


def test_admin_list_by_status(owner):
    rows = Render.objects.filter(status="queued").order_by("created_at")[:25]
    assert "idx_renders_status_created" in plan_of(rows)


def test_list_of_an_account(owner):
    plan = plan_of(newest(Render.objects.for_owner(owner)))
    assert "idx_renders_user_created" in plan
    assert "TEMP B-TREE" not in plan


def test_list_of_an_account_by_status(owner):
    rows = Render.objects.for_owner(owner).filter(status="queued").order_by("-created_at")[:25]
    assert "idx_renders_user_status" in plan_of(rows)


def test_list_of_a_project_by_status(owner):
    project = Render.objects.for_owner(owner).first().project
    rows = Render.objects.filter(project=project, status="queued").order_by("-created_at")[:25]
    assert "idx_renders_project_status" in plan_of(rows)


def test_list_of_a_batch(owner):
    # A batch of at most a page may as well be sorted.
    large = add_batches(owner, count=4, size=500)
    analyze()
    plan = plan_of(newest(Render.objects.for_owner(owner).filter(batch=large)))
    assert "idx_renders_batch_created" in plan
    assert "TEMP B-TREE" not in plan


def test_counts_of_batches(owner, django_assert_num_queries):
    batches = list(Batch.objects.for_owner(owner))
    with django_assert_num_queries(2):
        assert batch_progress(batches)[batches[0].pk].counts["queued"] == 5
    rows = Render.objects.filter(batch__in=[batch.pk for batch in batches]).order_by()
    plan = plan_of(rows.values_list("batch_id", "status").annotate(number=Count("pk")))
    assert "idx_renders_batch_status" in plan


def test_lists_of_batches(owner):
    now, owners = timezone.now(), [owner, *(make_user() for _ in range(39))]
    made = [
        # Interleaved owners: an index on the time alone would mostly find rows of other accounts.
        Batch(owner=owners[n % 40], total=1, pending=1, id=uuid7(), created_at=now + timedelta(seconds=n))
        for n in range(2000)
    ]
    Batch.objects.bulk_create(made)
    analyze()
    assert "idx_batches_user_created" in plan_of(newest(Batch.objects.for_owner(owner)))
    some = Batch.objects.for_owner(owner).filter(status="completed").order_by("-created_at")[:25]
    assert "idx_batches_user_status" in plan_of(some)
    assert "idx_batches_created" in plan_of(newest(Batch.objects.all()))
