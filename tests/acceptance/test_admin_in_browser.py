"""Admin pages in a real browser: each opens without errors and without external requests."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.urls import reverse

from accounts.models import ApiKey, User
from tests.acceptance.browser import Visit, browser_page
from tests.factories import make_asset, make_job, make_project, make_render, make_template, make_user

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _allow_orm_beside_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    # Playwright runs an event loop in this thread; the ORM calls of these tests are outside of it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture
def root() -> User:
    return make_user("root", is_staff=True, is_superuser=True)


def log_in(visit: Visit, base: str) -> None:
    visit.page.goto(f"{base}/admin/")
    visit.page.fill("input[name=username]", "root")
    visit.page.fill("input[name=password]", PASSWORD)
    visit.page.click("button[type=submit]")
    visit.page.wait_for_url(f"{base}/admin/")


def local_models() -> list[type]:
    home = str(settings.BASE_DIR / "x")[:-1]
    local = [c for c in apps.get_app_configs() if c.path.startswith(home) and ".venv" not in c.path]
    return [model for config in local for model in config.get_models() if model in admin.site._registry]


def test_every_list_and_detail_opens(live_server, root: User) -> None:
    for make in (make_job, make_asset, make_project, make_template, make_render):
        make()
    with browser_page() as visit:
        log_in(visit, live_server.url)
        opened = 0
        for model in local_models():
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            response = visit.page.goto(live_server.url + reverse(f"{name}_changelist"))
            assert response is not None
            assert response.status == 200, name
            row = model.objects.first()
            if row is not None:
                response = visit.page.goto(live_server.url + reverse(f"{name}_change", args=[row.pk]))
                assert response is not None
                assert response.status == 200, name
                opened += 1
        assert opened >= 7
    assert visit.errors == []
    assert visit.outside(live_server.url) == []


def test_key_made_in_the_admin_is_seen_once_and_works(live_server, root: User, api) -> None:
    with browser_page() as visit:
        log_in(visit, live_server.url)
        visit.page.goto(live_server.url + reverse("admin:accounts_apikey_add"))
        visit.page.fill("input[name=name]", "from the admin")
        user = visit.page.locator("[name=user]")
        if user.evaluate("element => element.tagName") == "SELECT":
            user.evaluate(
                "(element, pk) => { element.add(new Option(pk, pk, true, true)); }",
                str(root.pk),
            )
        else:
            user.fill(str(root.pk))
        for box in visit.page.locator("input[type=checkbox][name=scopes]").all():
            if box.get_attribute("value") in {"renders:read", "*"}:
                box.check()
        visit.page.locator("button[name=_save], input[name=_save]").first.click()
        visit.page.wait_for_load_state()
        shown = re.search(r"ro_live_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}", visit.page.content())
        assert shown is not None, visit.page.inner_text("body")[:2000]
        key = ApiKey.objects.get()
        for name, arguments in (("changelist", []), ("change", [key.pk])):
            visit.page.goto(live_server.url + reverse(f"admin:accounts_apikey_{name}", args=arguments))
            assert key.key_prefix in visit.page.content()
            assert shown[0] not in visit.page.content()
    assert api.get("/api/v2/me", HTTP_X_API_KEY=shown[0]).status_code == 200


def test_first_page_shows_the_state_of_the_service(live_server, root: User) -> None:
    render = make_render(user=root)
    with browser_page() as visit:
        log_in(visit, live_server.url)
        text = visit.page.inner_text("main, #main, body")
    for word in ("Waiting renders", "Ready jobs", "Dead letters", "Workers alive", render.public_id):
        assert word in text
    assert visit.errors == []
