"""Admin screens of external workers, and the indexes that they and the retention use."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.ids import uuid7
from renders.models import ExternalLease, WorkerMessage
from tests.factories import make_render, make_user

pytestmark = pytest.mark.django_db


def browser_of(**user):
    browser = Client()
    browser.force_login(make_user(is_staff=True, **user))
    return browser


@pytest.fixture
def staff():
    return browser_of(is_superuser=True)


@pytest.fixture
def lease():
    return ExternalLease.objects.create(
        render=make_render(status="rendering"),
        job_id=uuid7(),
        attempt=1,
        worker="external:AAAAAAAA:gpu-1",
        pool="gpu",
        token_digest="d1e5" * 16,
        output={"key": "renders/x/1/output.mp4"},
    )


@pytest.fixture
def message():
    return WorkerMessage.objects.create(pool="gpu", message_id="msg_1", body_sha256="a" * 64)


def test_leases_are_listed_found_and_shown_without_their_tokens(staff, lease):
    changelist = reverse("admin:renders_externallease_changelist")
    assert "external:AAAAAAAA:gpu-1" in staff.get(changelist).content.decode()
    assert "gpu-1" in staff.get(changelist, {"q": "external:AAAAAAAA:gpu-1"}).content.decode()
    assert lease.public_id not in staff.get(changelist, {"q": "unknown"}).content.decode()
    page = staff.get(reverse("admin:renders_externallease_change", args=[lease.pk])).content.decode()
    assert "renders/x/1/output.mp4" in page
    assert lease.token_digest not in page


def test_messages_are_listed_and_shown(staff, message):
    changelist = reverse("admin:renders_workermessage_changelist")
    assert "msg_1" in staff.get(changelist, {"q": "msg_1"}).content.decode()
    assert "a" * 64 in staff.get(reverse("admin:renders_workermessage_change", args=[message.pk])).content.decode()


@pytest.mark.parametrize("model", ["externallease", "workermessage"])
def test_rows_are_read_only_and_hidden_without_permission(staff, model):
    assert staff.get(reverse(f"admin:renders_{model}_add")).status_code == 403
    assert browser_of().get(reverse(f"admin:renders_{model}_changelist")).status_code == 403


def test_the_lists_take_few_queries(staff, django_assert_max_num_queries):
    for number in range(20):
        ExternalLease.objects.create(
            render=make_render(), job_id=uuid7(), attempt=number, worker="w", pool="gpu", token_digest="0" * 64
        )
    with django_assert_max_num_queries(8):
        staff.get(reverse("admin:renders_externallease_changelist"))


def test_indexes_serve_their_queries():
    now = timezone.now()
    WorkerMessage.objects.bulk_create(
        WorkerMessage(pool="gpu", message_id=str(n), body_sha256="0" * 64, created_at=now - timedelta(minutes=n))
        for n in range(3000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE renders_workermessage")
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
    old = WorkerMessage.objects.filter(created_at__lt=now - timedelta(days=2)).order_by("created_at")
    assert "idx_worker_messages_created" in old[:100].explain()
    one = WorkerMessage.objects.filter(pool="gpu", message_id="17")
    assert "renders_worker_message_once" in one.explain() or "autoindex" in one.explain()
    assert "idx_external_leases_created" in ExternalLease.objects.order_by("-created_at").values("pk")[:50].explain()
