"""Admin of assets."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from assets.admin import AssetAdmin
from assets.models import Asset
from tests.factories import make_asset, make_hold, make_user

pytestmark = pytest.mark.django_db
LIST = "admin:assets_asset_changelist"


@pytest.fixture
def staff():
    """A client logged in as a superuser."""
    client = Client()
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    return client


def detail(asset) -> str:
    return reverse("admin:assets_asset_change", args=[asset.pk])


def delete_all(client, *assets):
    form = {"action": "delete_unheld", "_selected_action": [str(asset.pk) for asset in assets]}
    return client.post(reverse(LIST), form, follow=True)


def test_the_list_shows_posters_and_searches(staff, alice) -> None:
    make_asset(alice, name="holiday.mp4", poster_key="assets/x/poster.jpg")
    make_asset(alice, name="logo.png", kind="image")
    make_asset(alice, name="broken", status="failed", kind="", probe=None)
    page = staff.get(reverse(LIST)).content.decode()
    assert 'src="/files/' in page
    for text in ("holiday.mp4", "logo.png", "broken", "Ready", "Failed"):
        assert text in page
    for query in ({"q": "holiday"}, {"q": "alice", "kind__exact": "video"}):
        found = staff.get(reverse(LIST), query).content.decode()
        assert "holiday.mp4" in found
        assert "logo.png" not in found
    assert "broken" in staff.get(reverse(LIST), {"status__exact": "failed"}).content.decode()


@pytest.mark.parametrize(("kind", "tag"), [("video", "<video"), ("audio", "<audio"), ("image", "<img")])
def test_a_page_plays_the_file(staff, alice, kind, tag) -> None:
    asset = make_asset(alice, content=b"film", kind=kind)
    page = staff.get(detail(asset)).content.decode()
    assert f"{tag} " in page
    link = page.split('src="/files/', 1)[1].split('"', 1)[0]
    response = Client().get(f"/files/{link}")
    assert b"".join(response.streaming_content) == b"film"


def test_pages_without_a_preview_work(staff, alice) -> None:
    font = make_asset(alice, kind="font")
    failed = make_asset(alice, status="failed", kind="", error={"code": "http_404", "detail": "Gone."})
    pending = Asset.objects.create(owner=alice, name="pending", source_url="https://example.com/x")
    for asset in (font, pending):
        assert staff.get(detail(asset)).status_code == 200
    assert "http_404" in staff.get(detail(failed)).content.decode()


def test_a_name_cannot_inject_a_script(staff, alice) -> None:
    asset = make_asset(alice, name="<script>alert(1)</script>", poster_key="a/poster.jpg")
    for path in (reverse(LIST), detail(asset)):
        assert "<script>alert(1)" not in staff.get(path).content.decode()


def test_the_action_deletes_unheld_assets_and_reports_the_others(staff, alice) -> None:
    free, held = make_asset(alice), make_asset(alice, name="held.mp4")
    make_hold(held, label="rnd_needs")
    page = delete_all(staff, free, held).content.decode()
    assert "Deleted 1 assets." in page
    assert "held.mp4: needed by rnd_needs" in page
    assert list(Asset.objects.all()) == [held]


def test_the_page_deletes_through_the_service(staff, alice, stored_files) -> None:
    from tests.jobs.inline import run_pending

    asset = make_asset(alice, content=b"film")
    url = reverse("admin:assets_asset_delete", args=[asset.pk])
    assert staff.get(url).status_code == 200
    staff.post(url, {"post": "yes"})
    assert not Asset.objects.exists()
    run_pending()
    assert stored_files() == []


def test_the_page_of_a_held_asset_has_no_delete_button(staff, alice) -> None:
    asset = make_asset(alice)
    make_hold(asset, label="rnd_needs")
    page = staff.get(detail(asset)).content.decode()
    assert "rnd_needs" in page
    url = reverse("admin:assets_asset_delete", args=[asset.pk])
    assert url not in page
    assert staff.post(url, {"post": "yes"}).status_code == 403
    assert Asset.objects.exists()


def test_a_hold_taken_after_the_confirmation_page_is_reported(staff, alice, monkeypatch) -> None:
    asset = make_asset(alice)
    real = AssetAdmin.delete_model

    def take_hold(self, request, obj):
        make_hold(asset, label="rnd_quick")
        real(self, request, obj)

    monkeypatch.setattr(AssetAdmin, "delete_model", take_hold)
    url = reverse("admin:assets_asset_delete", args=[asset.pk])
    response = staff.post(url, {"post": "yes"}, follow=True)
    assert "Needed by rnd_quick." in response.content.decode()
    assert Asset.objects.exists()


def test_assets_cannot_be_added_or_changed(staff, alice) -> None:
    asset = make_asset(alice)
    hold = make_hold(asset)
    assert staff.post(detail(asset), {"name": "changed"}).status_code == 403
    assert staff.get(reverse("admin:assets_asset_add")).status_code == 403
    assert staff.get(reverse("admin:assets_assethold_changelist"), {"q": hold.label}).status_code == 200
    assert staff.get(reverse("admin:assets_assethold_change", args=[hold.pk])).status_code == 200
    assert staff.post(reverse("admin:assets_assethold_delete", args=[hold.pk]), {"post": "yes"}).status_code == 403
    asset.refresh_from_db()
    assert asset.name == "clip.mp4"


def test_staff_need_permissions_to_view_and_delete(alice) -> None:
    asset = make_asset(alice)
    viewer, unprivileged = make_user("viewer", is_staff=True), make_user("other", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_asset"))
    client = Client()
    client.force_login(viewer)
    assert client.get(reverse(LIST)).status_code == 200
    delete_all(client, asset)
    assert Asset.objects.exists()
    client.force_login(unprivileged)
    for path in (reverse(LIST), detail(asset)):
        assert client.get(path).status_code == 403


def test_a_long_list_takes_few_queries(staff, alice, django_assert_max_num_queries) -> None:
    for _ in range(20):
        make_asset(alice)
    staff.get(reverse(LIST))
    with django_assert_max_num_queries(8):
        staff.get(reverse(LIST))


def test_lists_show_status_labels_and_shorten_long_names(staff, alice) -> None:
    asset = make_asset(alice, name="n" * 200)
    assert "n" * 61 not in staff.get(reverse(LIST)).content.decode().partition("<tbody")[2].partition("</tbody")[0]
    page = staff.get(detail(asset)).content.decode()
    assert "&#x27;ready&#x27;" not in page
    assert "Ready" in page
    assert "n" * 200 in page
