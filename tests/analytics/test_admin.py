"""Admin of analytics: read-only lists and details."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from analytics.models import AnalyticsEvent, AnalyticsEventType, RetentionWatermark
from analytics.services import aggregate_events, record_event
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db
MODELS = ["analyticsevent", "hourlystat", "dailystat", "retentionwatermark"]


@pytest.fixture
def rows(client):
    root = make_user("root", is_staff=True, is_superuser=True)
    project = make_project(root)
    record_event(
        type=AnalyticsEventType.RENDER_FAILED, user_id=root.pk, project_id=project.pk, code="timeout", credits=150
    )
    record_event(
        type=AnalyticsEventType.RENDER_SUCCEEDED,
        user_id=root.pk,
        duration_ms=2500,
        work_ms=500,
        credits=10,
        size_bytes=9,
    )
    aggregate_events()
    RetentionWatermark.objects.get_or_create(name="hourly")
    client.force_login(root)
    return project


@pytest.mark.parametrize("model", MODELS)
def test_shows_lists_and_details_but_refuses_changes(client, rows, model) -> None:
    base = f"admin:analytics_{model}"
    page = client.get(reverse(f"{base}_changelist"))
    assert page.status_code == 200
    if model != "retentionwatermark":
        text = page.content.decode()
        assert rows.public_id in text
        assert "1.50" in text
        assert client.get(reverse(f"{base}_changelist"), {"q": "timeout"}).status_code == 200
    pk = page.context["cl"].result_list[0].pk
    assert client.get(reverse(f"{base}_change", args=[pk])).status_code == 200
    assert client.get(reverse(f"{base}_add")).status_code == 403
    assert client.post(reverse(f"{base}_delete", args=[pk]), {"post": "yes"}).status_code == 403
    before = AnalyticsEvent.objects.count()
    assert client.post(reverse(f"{base}_change", args=[pk]), {"code": "x"}).status_code == 403
    assert AnalyticsEvent.objects.count() == before


@pytest.mark.parametrize("model", MODELS)
def test_refuses_staff_without_permission(client, rows, model) -> None:
    clerk = make_user("clerk", is_staff=True)
    client.force_login(clerk)
    url = reverse(f"admin:analytics_{model}_changelist")
    assert client.get(url).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename=f"view_{model}"))
    assert client.get(url).status_code == 200
