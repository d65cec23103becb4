"""The API reference works in a real browser without external requests."""

from __future__ import annotations

import pytest

from tests.acceptance.browser import browser_page

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _allow_orm_beside_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    # Playwright runs an event loop in this thread; the ORM calls of these tests are outside of it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


def test_swagger_ui_lists_every_operation_without_outside_requests(live_server) -> None:
    with browser_page() as visit:
        visit.page.goto(f"{live_server.url}/api/docs/")
        visit.page.wait_for_selector(".opblock")
        shown = visit.page.locator(".opblock").count()
        document = visit.page.request.get(
            f"{live_server.url}/api/v2/schema", headers={"Accept": "application/json"}
        ).json()
    operations = sum(len(methods) for methods in document["paths"].values())
    assert shown == operations > 10
    assert visit.outside(live_server.url) == []
    assert visit.errors == []


def test_swagger_ui_opens_an_operation(live_server) -> None:
    with browser_page() as visit:
        visit.page.goto(f"{live_server.url}/api/docs/")
        visit.page.locator(".opblock-summary").first.click()
        visit.page.wait_for_selector(".opblock-body")
        assert visit.page.locator(".opblock-body").first.inner_text()
    assert visit.errors == []


def test_redoc_shows_the_reference_without_outside_requests(live_server) -> None:
    with browser_page() as visit:
        visit.page.goto(f"{live_server.url}/api/redoc/")
        visit.page.wait_for_selector("h1")
        assert "Renderowl" in visit.page.locator("h1").first.inner_text()
    assert visit.outside(live_server.url) == []
