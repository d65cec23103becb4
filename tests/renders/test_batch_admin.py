"""Admin screens of batches."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry
from credits.models import CreditAccount
from credits.selectors import check_ledger
from jobs.models import Job
from renders.job_types import CANCEL_BATCH_JOB
from renders.models import Batch, Render
from tests.factories import make_batch, make_user
from tests.renders.batching import submit_batch

pytestmark = pytest.mark.django_db
BATCHES = reverse("admin:renders_batch_changelist")


@pytest.fixture
def staff(db) -> Client:
    return browser_of(make_user("root", is_staff=True, is_superuser=True))


def browser_of(user) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def cancel(browser, *rows) -> list[str]:
    data = {"action": "cancel_batches", "_selected_action": [str(row.pk) for row in rows]}
    return [str(message) for message in browser.post(BATCHES, data, follow=True).context["messages"]]


def test_list_shows_progress_bars_and_outcomes(staff, alice, django_assert_max_num_queries):
    make_batch(alice, total=4, pending=1, succeeded=2, failed=1, credits_reserved=400, credits_charged=300)
    for _ in range(20):
        make_batch(alice, total=1)
    with django_assert_max_num_queries(8):
        page = staff.get(BATCHES).content.decode()
    assert page.count('role="progressbar"') == 21
    assert 'aria-valuenow="75' in page
    assert "4, 2 succeeded, 1 failed" in page


@pytest.mark.parametrize("by", ["id", "name"])
def test_search_finds(staff, alice, by):
    batch = make_batch(alice)
    other = make_batch(make_user("bob"))
    page = staff.get(BATCHES, {"q": batch.public_id if by == "id" else "alice"}).content.decode()
    assert batch.public_id in page
    assert other.public_id not in page


def test_detail_shows_the_current_counts(staff, alice):
    batch = make_batch(alice, total=3, metadata={"campaign": "<b>spring</b>"})
    Render.objects.filter(pk=batch.renders.first().pk).update(status="rendering")
    page = staff.get(reverse("admin:renders_batch_change", args=[batch.pk])).content.decode()
    assert "1 rendering" in page
    assert "2 queued" in page
    assert f"{reverse('admin:renders_render_changelist')}?batch__id__exact={batch.pk}" in page
    assert "&lt;b&gt;spring" in page
    assert "<b>spring" not in page
    link = staff.get(reverse("admin:renders_render_changelist"), {"batch__id__exact": str(batch.pk)})
    assert link.content.decode().count('role="progressbar"') == 3


def test_cancel_ends_waiting_renders_and_refunds_them(staff, alice):
    before = CreditAccount.objects.get(user=alice).balance
    batch = submit_batch(alice, 3)
    done = make_batch(make_user("bob"), status="completed", pending=0, succeeded=1, finished_at=timezone.now())
    assert CreditAccount.objects.get(user=alice).balance < before
    messages = cancel(staff, batch, done)
    assert "1 batches cancelled." in messages
    assert any(done.public_id in message for message in messages)
    batch.refresh_from_db()
    assert (batch.status, batch.cancelled, batch.pending) == ("completed", 3, 0)
    assert set(batch.renders.values_list("status", flat=True)) == {"cancelled"}
    assert set(Job.objects.exclude(type=CANCEL_BATCH_JOB).values_list("status", flat=True)) <= {"cancelled", "queued"}
    assert (CreditAccount.objects.get(user=alice).balance, list(check_ledger())) == (before, [])
    entry = AuditEntry.objects.get(action="batch.cancelled")
    assert (entry.subject, entry.actor_name) == (batch.public_id, "root")


def test_view_permission_does_not_allow_cancelling(alice):
    viewer = make_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_batch"))
    browser, batch = browser_of(viewer), submit_batch(alice, 1)
    assert browser.get(BATCHES).status_code == 200
    cancel(browser, batch)
    assert Batch.objects.get().status == "processing"
    assert not AuditEntry.objects.filter(action="batch.cancelled").exists()
    assert browser.get(reverse("admin:renders_batch_add")).status_code == 403
    assert browser_of(make_user("clerk", is_staff=True)).get(BATCHES).status_code == 403
