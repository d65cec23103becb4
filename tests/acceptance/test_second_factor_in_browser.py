"""Second factors in a browser: set up by QR code, log in by code, turn off by recovery code."""

from __future__ import annotations

import base64
import os
import re
import time
from pathlib import Path

import pytest

from accounts import totp
from accounts.models import SecondFactor
from tests.acceptance.browser import Visit, browser_page
from tests.acceptance.test_admin_in_browser import PASSWORD, log_in
from tests.factories import make_user

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _allow_orm_beside_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    # Playwright runs an event loop in this thread; the ORM calls of these tests are outside of it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


def look(visit: Visit, name: str) -> None:
    """Save a screenshot if SCREENSHOTS names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        visit.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def give_code(visit: Visit, code: str, button: str) -> None:
    visit.page.fill("input[name=code]", code)
    visit.page.get_by_role("button", name=button).click()


def test_a_member_of_staff_sets_it_up_uses_it_and_turns_it_off(live_server) -> None:
    make_user("root", is_staff=True, is_superuser=True)
    base = live_server.url
    with browser_page() as visit:
        page = visit.page
        log_in(visit, base)
        page.goto(f"{base}/admin/second-factor/")
        look(visit, "enrol")
        assert page.locator("#qr-code svg").bounding_box()["width"] > 150  # type: ignore[index]
        secret = page.inner_text("#secret")
        give_code(visit, "000000", "Set up")
        assert "not right" in page.inner_text("body")
        look(visit, "enrol-refused")
        factor_secret = base64.b32decode(secret)
        give_code(visit, totp.code_at(factor_secret, int(time.time()) // 30), "Set up")
        codes = re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", page.inner_text("#recovery-codes"))
        look(visit, "codes")
        assert len(codes) == 10
        page.reload()
        assert page.locator("#recovery-codes").count() == 0
        look(visit, "manage")
        page.context.clear_cookies()

        page.goto(f"{base}/admin/")
        page.fill("input[name=username]", "root")
        page.fill("input[name=password]", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_url(f"{base}/admin/login/code/")
        give_code(visit, "000000", "Log in")
        assert "not right" in page.inner_text("body")
        look(visit, "code-refused")
        # The current code is used up; that of the next step is accepted for clocks that are a little ahead.
        give_code(visit, totp.code_at(factor_secret, int(time.time()) // 30 + 1), "Log in")
        page.wait_for_url(f"{base}/admin/")

        page.goto(f"{base}/admin/second-factor/")
        give_code(visit, codes[0], "Turn off")
        page.wait_for_url(f"{base}/admin/")
        look(visit, "off")
        assert "The second factor is off." in page.inner_text("body")
    assert not SecondFactor.objects.exists()
    assert visit.errors == []
    assert visit.outside(base) == []
