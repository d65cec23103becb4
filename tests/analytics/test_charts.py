"""Charts of the admin: correct stats, permissions, and no requests to other hosts."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from analytics import charts
from analytics.models import AnalyticsEvent, AnalyticsEventType
from analytics.services import aggregate_events, record_event
from tests.acceptance.browser import browser_page
from tests.factories import make_render, make_user

PASSWORD = "correct horse battery"


@pytest.fixture
def root(db):
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def stats(root):
    """Events of ana and bo, some of them uncounted; returns the failed render."""
    AnalyticsEvent.objects.all()._raw_delete("default")
    ana, bo = make_user("ana"), make_user("bo")
    AnalyticsEvent.objects.all()._raw_delete("default")
    failed = make_render(bo, status="failed", error={"code": "timeout"})
    now = timezone.now()
    for user, paid in ((ana, 300), (bo, 50)):
        record_event(
            type=AnalyticsEventType.RENDER_SUCCEEDED,
            user_id=user.pk,
            at=now - timedelta(hours=2),
            duration_ms=60_000,
            work_ms=30_000,
            credits=paid,
            size_bytes=2**30,
        )
    aggregate_events()
    record_event(type=AnalyticsEventType.RENDER_FAILED, user_id=bo.pk, resource_id=failed.pk, code="timeout")
    record_event(type=AnalyticsEventType.RENDER_SUBMITTED, user_id=bo.pk, at=now - timedelta(days=20))
    return failed


def panels(page) -> dict[str, charts.Panel]:
    return {panel.title: panel for panel in page.context["panels"]}


def series_by_label(panel: charts.Panel) -> dict[str, list[float]]:
    return {line["label"]: line["data"] for line in json.loads(panel.data)["datasets"]}


def test_shows_the_last_24_hours_by_default(client, root, stats) -> None:
    client.force_login(root)
    page = client.get(reverse("analytics-charts"))
    assert page.status_code == 200
    shown = panels(page)
    assert sum(series_by_label(shown["Renders"])["succeeded"]) == 2
    assert sum(series_by_label(shown["Renders"])["submitted"]) == 0
    assert shown["Failures"].headline == "1 failed, 33.3% of finished renders"
    assert sum(series_by_label(shown["Render minutes"])["work"]) == 1
    assert shown["Speed"].headline.startswith("2.00")
    assert sum(series_by_label(shown["Credits"])["charged"]) == 3.5
    assert series_by_label(shown["Storage"])["stored"][-1] == 2.0
    assert [row[0] for row in shown["Top users by credits, as aggregated so far"].table["rows"]] == ["ana", "bo"]
    text = page.content.decode()
    assert reverse("admin:renders_render_change", args=[stats.pk]) in text
    assert 'aria-current="page"' in text


@pytest.mark.parametrize(
    ("name", "submitted", "buckets"), [("7d", 0, 169), ("30d", 1, 31), ("1y", 1, 366), ("x", 0, 25)]
)
def test_shows_the_selected_range(client, root, stats, name, submitted, buckets) -> None:
    client.force_login(root)
    shown = panels(client.get(reverse("analytics-charts"), {"range": name}))["Renders"]
    assert sum(series_by_label(shown)["submitted"]) == submitted
    assert len(shown.labels) == buckets


def test_shows_empty_charts_without_events(client, root) -> None:
    client.force_login(root)
    assert client.get(reverse("analytics-charts")).status_code == 200


def test_requires_staff_with_the_permission(client, db) -> None:
    url = reverse("analytics-charts")
    assert client.get(url).status_code == 302
    client.force_login(make_user("guest"))
    assert client.get(url).status_code == 302
    clerk = make_user("clerk", is_staff=True)
    client.force_login(clerk)
    assert client.get(url).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_dailystat"))
    assert client.get(url).status_code == 200


def test_panels_of_higher_apps_require_their_permission(client, root) -> None:
    def maker(time_range):
        return [charts.Panel("Cache", "99 % hits")]

    with charts.panel_makers.override(("jobs.view_job", maker)):
        client.force_login(root)
        assert "Cache" in panels(client.get(reverse("analytics-charts")))
        clerk = make_user("clerk", is_staff=True)
        clerk.user_permissions.add(Permission.objects.get(codename="view_dailystat"))
        client.force_login(clerk)
        assert "Cache" not in panels(client.get(reverse("analytics-charts")))


@pytest.mark.acceptance
@pytest.mark.django_db(transaction=True)
def test_charts_are_drawn_without_requests_to_other_hosts(live_server, client, monkeypatch) -> None:
    # Playwright keeps an event loop in this thread; the ORM calls of this test are not inside it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    root = make_user("root", is_staff=True, is_superuser=True)
    record_event(type=AnalyticsEventType.RENDER_SUBMITTED, user_id=root.pk)
    client.force_login(root)
    session = client.cookies["sessionid"].value
    with browser_page() as visit:
        visit.page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        visit.page.goto(live_server.url + reverse("analytics-charts"))
        visit.page.wait_for_function("Chart.getChart(document.querySelector('canvas.chart')) !== undefined")
        pixels = "[...document.querySelectorAll('canvas.chart')].map(c => c.toDataURL().length)"
        assert min(visit.page.evaluate(pixels)) > 2000
        assert len(visit.page.evaluate(pixels)) == 7
        active = visit.page.locator("#nav-sidebar a.active, aside a.active").all_inner_texts()
        assert len(active) <= 1
    assert visit.errors == []
    assert visit.outside(live_server.url) == []
