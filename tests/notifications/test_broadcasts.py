"""Broadcasts: each recipient exactly once, the form of the admin, permissions."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry
from core.ids import uuid7
from jobs.models import Job
from notifications.models import Broadcast, Notification, OutgoingEmail
from notifications.services import broadcasts
from notifications.services.broadcasts import deliver_batch, send_broadcast
from tests.factories import make_notification, make_user
from tests.jobs.inline import run_pending

pytestmark = pytest.mark.django_db
SEND = "admin:notifications_broadcast_compose_broadcast"


@pytest.fixture
def root():
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def staff(root):
    client = Client()
    client.force_login(root)
    return client


def recipients() -> list[str]:
    return sorted(Notification.objects.values_list("user__username", flat=True))


def test_reaches_each_active_account_once(root, monkeypatch) -> None:
    monkeypatch.setattr(broadcasts, "BATCH_SIZE", 2)
    for name in ("alice", "bob", "charlie"):
        make_user(name)
    make_user("gone", is_active=False)
    make_user("bad", is_suspended=True)
    token = uuid7()
    sent = send_broadcast(token=token, title="Resting on Sunday", actor=root)
    assert send_broadcast(token=token, title="Resting on Sunday", actor=root).pk == sent.pk
    run_pending()
    assert recipients() == ["alice", "bob", "charlie", "root"]
    sent.refresh_from_db()
    assert (sent.recipients, sent.finished_at is not None) == (4, True)
    assert set(Notification.objects.values_list("kind", "title")) == {("service.notice", "Resting on Sunday")}
    assert not OutgoingEmail.objects.exists()
    assert AuditEntry.objects.get(action="notice.sent").subject == sent.public_id
    Job.objects.update(status="queued", finished_at=None)
    run_pending()
    assert len(recipients()) == 4


def test_continues_after_a_killed_worker(root, monkeypatch) -> None:
    monkeypatch.setattr(broadcasts, "BATCH_SIZE", 1)
    make_user("alice")
    sent = send_broadcast(token=uuid7(), title="T", actor=root)
    assert deliver_batch(broadcast_id=sent.pk)
    before = recipients()
    assert len(before) == 1
    real = broadcasts.deliver_notification
    monkeypatch.setattr(broadcasts, "deliver_notification", lambda notification: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        deliver_batch(broadcast_id=sent.pk)
    assert recipients() == before
    monkeypatch.setattr(broadcasts, "deliver_notification", real)
    run_pending()
    assert recipients() == ["alice", "root"]


def test_can_be_limited_to_a_plan_and_user_names(root) -> None:
    make_user("alice", plan="pro")
    make_user("bob", plan="pro", email="bob@owls.example")
    make_user("charlie")
    send_broadcast(token=uuid7(), title="T", plan="pro", actor=root)
    send_broadcast(token=uuid7(), title="T", usernames=["bob", "charlie"], plan="pro", actor=root)
    run_pending()
    assert recipients() == ["alice", "bob", "bob"]
    assert OutgoingEmail.objects.count() == 2


def test_form_shows_a_preview_with_the_number_of_recipients(staff) -> None:
    make_user("alice")
    form = {"title": "Hello <b>", "body": "line\nline", "plan": "free", "usernames": "", "token": str(uuid7())}
    page = staff.get(reverse(SEND))
    assert page.status_code == 200
    assert "Preview" in page.content.decode()
    page = staff.post(reverse(SEND), form).content.decode()
    assert "1 user will get this" in page
    assert "Hello &lt;b&gt;" in page
    assert not Broadcast.objects.exists()
    for _ in range(2):
        assert staff.post(reverse(SEND), {**form, "confirm": ""}).status_code == 302
    sent = Broadcast.objects.get()
    assert (sent.title, sent.body, sent.plan) == ("Hello <b>", "line\nline", "free")
    run_pending()
    assert recipients() == ["alice"]
    assert staff.get(reverse("admin:notifications_broadcast_change", args=[sent.pk])).status_code == 200
    assert "Hello &lt;b&gt;" in staff.get(reverse("admin:notifications_broadcast_changelist")).content.decode()


@pytest.mark.parametrize(
    "wrong", [{"title": ""}, {"title": "t" * 201}, {"usernames": "alice, unknown"}, {"plan": "gold"}, {"token": "x"}]
)
def test_form_refuses_invalid_values(staff, wrong) -> None:
    make_user("alice")
    form = {"title": "T", "body": "", "plan": "", "usernames": "alice", "token": str(uuid7()), "confirm": "", **wrong}
    assert staff.post(reverse(SEND), form).status_code == 200
    assert not Broadcast.objects.exists()


def test_form_refuses_staff_without_permission() -> None:
    client = Client()
    client.force_login(make_user("clerk", is_staff=True))
    assert client.get(reverse(SEND)).status_code == 403
    assert client.post(reverse(SEND), {"title": "T", "confirm": ""}).status_code == 403
    assert not Broadcast.objects.exists()


def test_admin_of_inboxes_is_read_only(staff, alice) -> None:
    row = make_notification(alice, title="<script>alert(1)</script>", body="<i>")
    email = OutgoingEmail.objects.create(user=alice, kind="k", title="An email")
    for name, pk, text in (("notification", row.pk, "&lt;script&gt;"), ("outgoingemail", email.pk, "An email")):
        for url in (
            reverse(f"admin:notifications_{name}_changelist"),
            reverse(f"admin:notifications_{name}_changelist") + "?q=alice",
            reverse(f"admin:notifications_{name}_change", args=[pk]),
        ):
            page = staff.get(url)
            assert page.status_code == 200
            assert text in page.content.decode()
            assert "<script>alert(1)" not in page.content.decode()
        change = reverse(f"admin:notifications_{name}_change", args=[pk])
        assert staff.post(change, {"title": "x"}).status_code == 403
        assert staff.get(reverse(f"admin:notifications_{name}_add")).status_code == 403
    assert staff.get(reverse("admin:notifications_notificationpreference_changelist")).status_code == 200
