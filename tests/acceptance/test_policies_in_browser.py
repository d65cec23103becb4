"""Content security policies in a browser: pages work under them, and what they forbid is blocked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from django.urls import reverse

from engine.run.binary import ffmpeg_path
from files.links import signed_path
from tests.acceptance.browser import browser_page
from tests.acceptance.test_admin_in_browser import log_in
from tests.factories import make_asset, make_user

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]
PLAYS = "video => video.play().then(() => video.readyState >= 2 && video.videoWidth === 64)"


@pytest.fixture(autouse=True)
def _allow_orm_beside_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    # Playwright runs an event loop in this thread; the ORM calls of these tests are outside of it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture
def video(tmp_path: Path, settings) -> bytes:
    root = tmp_path / "media"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "files.storage.local.LocalStorage", "OPTIONS": {"location": str(root)}},
    }
    path = tmp_path / "clip.webm"
    source = ["-f", "lavfi", "-i", "testsrc2=s=64x36:r=10:d=1"]
    subprocess.run([str(ffmpeg_path()), "-v", "error", *source, "-c:v", "libvpx", str(path)], check=True, timeout=60)
    return path.read_bytes()


def test_videos_play_in_the_admin_and_by_their_link(live_server, video: bytes) -> None:
    root = make_user("root", is_staff=True, is_superuser=True)
    asset = make_asset(root, content=video, content_type="video/webm", name="clip.webm")
    link = signed_path(key=asset.storage_key, content_type="video/webm", filename="clip.webm").url
    with browser_page() as visit:
        log_in(visit, live_server.url)
        for path in (reverse("admin:assets_asset_change", args=[asset.pk]), link):
            visit.page.goto(live_server.url + path)
            player = visit.page.locator("video").first
            player.wait_for(state="attached")
            player.evaluate("video => { video.muted = true; }")
            assert player.evaluate(PLAYS) is True
    assert visit.errors == []


def test_the_reference_pages_load_nothing_forbidden(live_server) -> None:
    with browser_page() as visit:
        for path, shown in (("/api/docs/", ".opblock"), ("/api/redoc/", "h1"), ("/problems/not-found", "h1")):
            visit.page.goto(live_server.url + path)
            visit.page.wait_for_selector(shown)
        assert visit.page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") != "none"
    assert visit.errors == []


def test_an_inline_script_does_not_run(live_server) -> None:
    """The last line of defence, should unescaped text reach a page of the admin."""
    make_user("root", is_staff=True, is_superuser=True)
    with browser_page() as visit:
        log_in(visit, live_server.url)
        visit.page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "window.wasRun = true";
                document.body.append(script);
                document.body.insertAdjacentHTML("beforeend", '<img src="/x" onerror="window.wasRun = true">');
            }"""
        )
        visit.page.wait_for_timeout(200)
        assert visit.page.evaluate("window.wasRun") is None
    assert len([error for error in visit.errors if "script-src" in error]) == 2
