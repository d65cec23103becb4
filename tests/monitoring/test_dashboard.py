"""The admin dashboard: database settings, and cards for failures."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from automations.models import Automation
from core.database import effective_pragmas
from tests.factories import make_automation, make_delivery, make_endpoint, make_run, make_user

pytestmark = pytest.mark.django_db


def test_shows_the_effective_settings_of_sqlite(client: Client) -> None:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    page = client.get("/admin/").content.decode()
    values = effective_pragmas(connection)
    if connection.vendor != "sqlite":
        assert values == {}
        assert "mmap_size" not in page
        return
    assert (values["cache_size"], values["synchronous"], values["busy_timeout"]) == (-65536, 1, 4000)
    assert "mmap_size" in page
    assert "-65536" in page


def paused_automation() -> Automation:
    automation = make_automation()
    Automation.objects.filter(pk=automation.pk).update(paused_reason="5 failures")
    return automation


def test_counts_failed_deliveries_and_automation_runs(client: Client) -> None:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    now = timezone.now()
    before = now - timedelta(days=2)
    for status, created_at in (("failed", now), ("failed", now), ("succeeded", now), ("failed", before)):
        make_delivery(status=status, created_at=created_at)
    make_endpoint(disabled_at=now)
    make_endpoint(disabled_at=now, deleted_at=now)
    for status, created_at in (("failed", now), ("succeeded", now), ("failed", before)):
        make_run(paused_automation(), status=status, created_at=created_at, finished_at=now)
    cards = {card["title"]: card for card in client.get("/admin/").context["cards"]}
    deliveries, runs = cards["Failed deliveries, last 24 h"], cards["Failed automation runs, last 24 h"]
    assert (deliveries["value"], deliveries["note"], deliveries["is_alarming"]) == (2, "1 endpoints disabled", True)
    assert (runs["value"], runs["note"], runs["is_alarming"]) == (1, "3 automations paused after failures", True)
    for card in (deliveries, runs):
        assert client.get(card["link"]).status_code == 200


def test_cards_require_permission_for_their_rows(client: Client) -> None:
    client.force_login(make_user(is_staff=True))
    assert client.get("/admin/").context["cards"] == []
