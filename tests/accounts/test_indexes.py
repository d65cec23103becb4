"""Indexes of accounts, broadcasts and cache tag increments serve the queries named in their comments."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import QuerySet
from django.test import RequestFactory
from django.utils import timezone

from accounts.models import ApiKey, AuditEntry, User
from core.cache_tags.models import TagIncrement
from core.cache_tags.versions import tag_versions_sql
from notifications.models import Broadcast
from tests.factories import make_user

pytestmark = pytest.mark.django_db
ROWS = 1500


@pytest.fixture
def users() -> list[User]:
    now = timezone.now()
    users = [make_user(f"user{number}") for number in range(30)]
    times = [now - timedelta(minutes=number) for number in range(ROWS)]
    ApiKey.objects.bulk_create(
        ApiKey(user=users[n % 30], name="k", key_prefix=f"{n:08}", digest=f"{n:064}", created_at=at)
        for n, at in enumerate(times)
    )
    AuditEntry.objects.bulk_create(
        AuditEntry(action="key.minted", subject=f"key_{n % 300}", actor_name="x", created_at=at)
        for n, at in enumerate(times)
    )
    Broadcast.objects.bulk_create(Broadcast(token=uuid4(), title="t", body="b", created_at=at) for at in times)
    TagIncrement.objects.bulk_create(
        TagIncrement(account=users[n % 30].pk.hex, tag="renders", amount=1) for n in range(ROWS)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return users


def page_of_admin(model: type[AuditEntry] | type[Broadcast]) -> QuerySet[AuditEntry] | QuerySet[Broadcast]:
    """Return the rows of the first page of the admin's list."""
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_staff=True)
    changes = admin.site.get_model_admin(model).get_changelist_instance(request)
    return changes.queryset[:50]


def test_lists_use_an_index(users: list[User]) -> None:
    keys = ApiKey.objects.for_owner(users[7])
    queries = {
        "idx_api_keys_user": keys.order_by("-created_at", "-pk")[:26],
        "idx_audit_created": page_of_admin(AuditEntry),
        "idx_broadcasts_created": page_of_admin(Broadcast),
    }
    for name, rows in queries.items():
        plan = rows.explain()
        assert name in plan, f"{name} is not used:\n{plan}"
    assert "idx_api_keys_user" in keys.active().values("pk").explain()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite tags are incremented directly")
def test_pending_tag_increments_are_found_by_account(users: list[User]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + tag_versions_sql("postgresql", f"'{users[7].pk.hex}'"))
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "idx_tag_increments_account" in plan, plan
