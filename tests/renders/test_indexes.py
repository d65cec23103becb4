"""Each index serves the query that its comment names, on the database in use."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from renders.models import Render
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db


def plan_of(rows):
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # A table of a few rows would always be read as a whole.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
    return rows.explain()


@pytest.fixture
def owner():
    """One of twenty accounts with twenty renders each."""
    now = timezone.now()
    rows = []
    for user in [make_user() for _ in range(20)]:
        project = make_project(user)
        rows += [
            Render(
                owner=user, project=project, edit={}, status=status, created_at=now + timedelta(seconds=len(rows) + n)
            )
            for n, status in enumerate(["queued", "fetching", "rendering", "saving"] * 5)
        ]
    Render.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return user


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
