"""The admin of automations and their runs."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry
from automations.models import Automation, AutomationRun
from tests.factories import make_automation, make_run, make_user

pytestmark = pytest.mark.django_db
LIST = "admin:automations_automation_changelist"


@pytest.fixture
def staff():
    client = Client()
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    return client


def act(client, action, *rows) -> str:
    form = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return client.post(reverse(LIST), form, follow=True).content.decode()


def test_lists_and_details_escape_texts_and_hide_secrets(staff, alice) -> None:
    row = make_automation(alice, name="<script>alert(1)</script>" + "n" * 100, trigger={"type": "webhook"})
    run = make_run(row, status="failed", error={"code": "missing_value", "message": "<b>No.</b>", "pointer": "/x"})
    detail = reverse("admin:automations_automation_change", args=[row.pk])
    runs = reverse("admin:automations_automationrun_changelist")
    for url in (
        reverse(LIST),
        f"{reverse(LIST)}?q=alice&trigger_type__exact=webhook",
        detail,
        runs,
        f"{runs}?automation__id__exact={row.pk}&status__exact=failed",
        reverse("admin:automations_automationrun_change", args=[run.pk]),
    ):
        page = staff.get(url)
        assert page.status_code == 200, url
        text = page.content.decode()
        assert "<script>alert(1)" not in text
        assert "<b>No.</b>" not in text
        assert row.webhook_salt not in text
        assert "whsec_" not in text
    assert "missing_value" in staff.get(runs).content.decode()
    assert f"{runs}?automation__id__exact={row.pk}" in staff.get(detail).content.decode()
    assert "render" in staff.get(detail).content.decode()


def test_runs_pauses_and_resumes(staff, alice) -> None:
    trigger = {"type": "cron", "cron": "0 9 * * *", "timezone": "UTC"}
    active, paused = make_automation(alice, trigger=trigger), make_automation(alice, is_active=False, name="paused one")
    page = act(staff, "run_now", active, paused)
    assert "1 started." in page
    assert "paused one: The automation is paused." in page
    assert AutomationRun.objects.get().automation == active
    assert "1 paused." in act(staff, "pause", active, paused)
    active.refresh_from_db()
    assert (active.is_active, active.next_run_at, active.paused_reason) == (False, None, "Paused by staff.")
    assert "2 resumed." in act(staff, "resume", active, paused)
    active.refresh_from_db()
    assert (active.is_active, active.paused_reason) == (True, "")
    assert active.next_run_at is not None
    entries = AuditEntry.objects.filter(subject=active.public_id).order_by("created_at")
    assert list(entries.values_list("action", "actor_name")) == [
        ("automation.run", "root"),
        ("automation.paused", "root"),
        ("automation.resumed", "root"),
    ]


def test_rows_are_read_only(staff, alice) -> None:
    row = make_automation(alice)
    run = make_run(row)
    for name, pk in (("automation", row.pk), ("automationrun", run.pk)):
        assert staff.post(reverse(f"admin:automations_{name}_change", args=[pk]), {"name": "x"}).status_code == 403
        assert staff.get(reverse(f"admin:automations_{name}_add")).status_code == 403
        assert staff.post(reverse(f"admin:automations_{name}_delete", args=[pk]), {"post": "yes"}).status_code == 403
    assert Automation.objects.get().name == row.name


def test_actions_need_their_permissions(alice) -> None:
    row = make_automation(alice)
    viewer = make_user("viewer", is_staff=True)
    client = Client()
    client.force_login(viewer)
    assert client.get(reverse(LIST)).status_code == 403
    viewer.user_permissions.add(Permission.objects.get(codename="view_automation"))
    client.force_login(type(viewer).objects.get(pk=viewer.pk))
    assert client.get(reverse(LIST)).status_code == 200
    for action in ("run_now", "pause"):
        act(client, action, row)
    row.refresh_from_db()
    assert row.is_active
    assert not AutomationRun.objects.exists()


def test_long_lists_take_few_queries(staff, alice, django_assert_max_num_queries) -> None:
    row = make_automation(alice)
    for _ in range(20):
        make_run(row)
        make_automation(alice)
    for url in (reverse(LIST), reverse("admin:automations_automationrun_changelist")):
        staff.get(url)
        with django_assert_max_num_queries(9):
            staff.get(url)
