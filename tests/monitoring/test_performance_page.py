"""The performance page of the admin: all routes, for staff with permission."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse

from monitoring.admin import performance_page
from monitoring.performance import report
from monitoring.performance.monitor import Monitor
from tests.factories import make_user
from tests.monitoring.helpers import observation

pytestmark = pytest.mark.django_db
ADDRESS = reverse("admin:monitoring_performance")


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Monitor]:
    monitor = Monitor()
    for module in (report, performance_page):
        monkeypatch.setattr(module, "monitor", monitor)
    return monitor


@pytest.fixture
def root(client: Any) -> Any:
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    return client


def test_lists_all_routes_with_their_figures(root: Any, mine: Monitor) -> None:
    for took_us, status in ((12_300, 200), (12_300, 200), (2_500_000, 503)):
        mine.observe(observation(took_us, status=status, route="/api/v2/<renders>"), is_slow=took_us > 10**6)
    mine.flush()
    mine.observe(observation(800, route="/live"), is_slow=False)
    text = root.get(ADDRESS).content.decode().replace("\N{NO-BREAK SPACE}", " ")
    for part in (
        "/api/v2/&lt;renders&gt;",
        "/live",
        "12.",
        "2.50 s",
        "33.3% 5xx",
        "<polyline",
        "0.8 ms",
    ):
        assert part in text, part


@pytest.mark.parametrize("window", ["1h", "24h", "7d", "30d", "junk"])
def test_the_window_can_be_selected(root: Any, mine: Monitor, window: str) -> None:
    mine.observe(observation(800), is_slow=False)
    response = root.get(ADDRESS, {"window": window})
    assert response.status_code == 200
    chosen = window if window in performance_page.WINDOWS else "1h"
    text = " ".join(response.content.decode().split())
    assert f'href="?window={chosen}" class="font-semibold' in text


def test_renders_without_requests(root: Any, mine: Monitor) -> None:
    assert "No requests in this window" in root.get(ADDRESS).content.decode()


def test_requires_permission(client: Any, mine: Monitor) -> None:
    assert client.get(ADDRESS).status_code == 302
    client.force_login(make_user(is_staff=True))
    assert client.get(ADDRESS).status_code == 403
