"""The performance page of the admin: numbers of all routes, for staff who may see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse

from monitoring.admin import performance_page
from monitoring.performance import report
from monitoring.performance.monitor import Monitor
from tests.factories import make_user
from tests.monitoring.helpers import seen

pytestmark = pytest.mark.django_db
ADDRESS = reverse("admin:monitoring_performance")


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Monitor]:
    made = Monitor()
    for module in (report, performance_page):
        monkeypatch.setattr(module, "monitor", made)
    return made


@pytest.fixture
def root(client: Any) -> Any:
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    return client


def test_every_route_is_there_with_its_numbers(root: Any, mine: Monitor) -> None:
    for took_us, status in ((12_300, 200), (12_300, 200), (2_500_000, 503)):
        mine.observe(seen(took_us, status=status, route="/api/v2/<renders>"), is_slow=took_us > 10**6)
    mine.flush()
    mine.observe(seen(800, route="/live"), is_slow=False)
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
def test_windows_can_be_chosen(root: Any, mine: Monitor, window: str) -> None:
    mine.observe(seen(800), is_slow=False)
    response = root.get(ADDRESS, {"window": window})
    assert response.status_code == 200
    chosen = window if window in performance_page.WINDOWS else "1h"
    text = " ".join(response.content.decode().split())
    assert f'href="?window={chosen}" class="font-semibold' in text


def test_an_empty_installation_has_a_page(root: Any, mine: Monitor) -> None:
    assert "Nothing was served" in root.get(ADDRESS).content.decode()


def test_others_do_not_see_it(client: Any, mine: Monitor) -> None:
    assert client.get(ADDRESS).status_code == 302
    client.force_login(make_user(is_staff=True))
    assert client.get(ADDRESS).status_code == 403
