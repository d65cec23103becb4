"""`/assets` and `/assets/{id}`: read, change, delete."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assets import services
from assets.models import Asset, AssetHold
from core.ids import encode_id, uuid7
from jobs.models import Job
from tests.assets.conftest import upload
from tests.factories import make_asset, make_hold, make_project, make_user
from tests.jobs.inline import run_pending
from tests.permission_matrix import Access, check_access

pytestmark = pytest.mark.django_db
SHAPE = {
    "id",
    "object",
    "status",
    "kind",
    "name",
    "project",
    "size_bytes",
    "sha256",
    "content_type",
    "probe",
    "url",
    "poster_url",
    "references",
    "error",
    "created_at",
}
PROJECT = UUID("018f2d0c-7b5a-7c3e-9a41-5d6e7f809a1b")  # fixed: it names a test


def ids(response) -> list[str]:
    return [row["id"] for row in response.json()["data"]]


def test_permissions_of_one_asset(alice) -> None:
    methods = {"GET": "assets:read", "PATCH": "assets:write", "DELETE": "assets:delete"}
    check_access(Access("asset-detail", methods, bodies={"PATCH": {"name": "x"}}), owner=alice, row=make_asset(alice))


def test_permissions_of_references(alice) -> None:
    check_access(Access("asset-references", {"GET": "assets:read"}), owner=alice, row=make_asset(alice))


@pytest.mark.parametrize("version", [1, 2])
def test_an_asset_has_the_members_of_the_contract(client, alice, version) -> None:
    asset = make_asset(alice, project_id=PROJECT)
    make_hold(asset)
    body = client.get(f"/api/v{version}/assets/{asset.public_id}").json()
    assert body.keys() == SHAPE
    assert (body["status"], body["kind"], body["references"]) == ("ready", "video", 1)
    assert body["project"] == encode_id("prj", PROJECT)
    assert body["created_at"].endswith("Z")
    assert body["url"].startswith("http://testserver/files/")


def test_a_pending_asset_has_no_media_properties(client, alice) -> None:
    asset = Asset.objects.create(owner=alice, name="x")
    body = client.get(f"/api/v2/assets/{asset.public_id}").json()
    assert body["status"] == "pending"
    unknown = ("kind", "size_bytes", "sha256", "content_type", "probe", "url", "poster_url", "error")
    assert {name: body[name] for name in unknown} == dict.fromkeys(unknown)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "dcba"),
        ("kind=video", "da"),
        ("kind=video,audio", "dca"),
        ("status=failed", "d"),
        ("status=ready&kind=image", "b"),
        (f"project={encode_id('prj', PROJECT)}", "ca"),
        ("ordering=created_at", "abcd"),
        ("kind=font", ""),
    ],
)
def test_lists_are_filtered(client, alice, query, expected) -> None:
    rows = {
        "a": make_asset(alice, project_id=PROJECT),
        "b": make_asset(alice, kind="image"),
        "c": make_asset(alice, kind="audio", project_id=PROJECT),
        "d": make_asset(alice, status="failed"),
    }
    make_asset(make_user("bob"), project_id=PROJECT)
    assert ids(client.get(f"/api/v2/assets?{query}")) == [rows[letter].public_id for letter in expected]


def test_lists_are_filtered_by_time(client, alice) -> None:
    first, second = make_asset(alice), make_asset(alice)
    moment = second.created_at.isoformat().replace("+", "%2B")
    assert ids(client.get(f"/api/v2/assets?created_at__gte={moment}")) == [second.public_id]
    assert ids(client.get(f"/api/v2/assets?created_at__lt={moment}")) == [first.public_id]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("kind=movie", "kind"),
        ("status=done", "status"),
        ("project=x", "project"),
        ("project=ast_" + "0" * 26, "project"),
        ("colour=red", "colour"),
        ("ordering=name", "ordering"),
        ("created_at__gte=yesterday", "created_at__gte"),
    ],
)
def test_unknown_parameters_are_refused(client, query, parameter) -> None:
    response = client.get(f"/api/v2/assets?{query}")
    assert response.status_code == 400
    assert response.json()["parameter"] == parameter


def test_version_1_has_numbered_pages(client, alice) -> None:
    for _ in range(3):
        make_asset(alice)
    body = client.get("/api/v1/assets?per_page=2&page=2").json()
    assert body["pagination"] == {"page": 2, "per_page": 2, "total": 3, "total_pages": 2}
    assert len(body["data"]) == 1


def test_a_long_list_takes_few_queries(client, alice) -> None:
    for _ in range(25):
        make_hold(make_asset(alice))
    client.get("/api/v2/assets")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = client.get("/api/v2/assets")
    assert len(response.json()["data"]) == 25
    assert {row["references"] for row in response.json()["data"]} == {1}
    assert len(queries) <= 3, [query["sql"] for query in queries]


def test_an_unchanged_list_has_the_same_body(client, alice) -> None:
    make_asset(alice)
    assert client.get("/api/v2/assets").content == client.get("/api/v2/assets").content


@pytest.mark.parametrize("whose", ["bob's", "missing"])
def test_a_project_of_another_user_is_refused_as_missing(client, alice, whose) -> None:
    project = make_project(make_user("bob")).public_id if whose == "bob's" else encode_id("prj", PROJECT)
    asset = make_asset(alice)
    answers = [
        client.patch(f"/api/v2/assets/{asset.public_id}", {"project": project}),
        client.post("/api/v2/assets", {"url": "https://example.com/a.mp4", "project": project}),
        upload(client, b"GIF89a", project=project),
    ]
    for answer in answers:
        assert answer.status_code == 422
        assert answer.json()["errors"] == [
            {"pointer": "/project", "code": "not_found", "detail": "There is no such project."}
        ]
    assert list(Asset.objects.values_list("pk", "project_id")) == [(asset.pk, None)]


def test_name_and_project_can_be_changed(client, alice) -> None:
    asset = make_asset(alice)
    make_project(alice, id=PROJECT)
    path = f"/api/v2/assets/{asset.public_id}"
    response = client.patch(path, {"name": "../new\u0007 name.mp4", "project": encode_id("prj", PROJECT)})
    assert response.status_code == 200
    assert response.json()["name"] == "new name.mp4"
    asset.refresh_from_db()
    assert (asset.name, asset.project_id) == ("new name.mp4", PROJECT)
    assert client.patch(path, {"project": None}).json()["project"] is None
    asset.refresh_from_db()
    assert (asset.name, asset.project_id) == ("new name.mp4", None)
    assert client.patch(path, {}).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "\u0007"}, "/name"),
        ({"name": "x" * 256}, "/name"),
        ({"project": "tpl_x"}, "/project"),
        ({"kind": "audio"}, "/kind"),
        ({"status": "ready"}, "/status"),
    ],
)
def test_invalid_changes_are_refused(client, alice, body, pointer) -> None:
    asset = make_asset(alice)
    response = client.patch(f"/api/v2/assets/{asset.public_id}", body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer
    asset.refresh_from_db()
    assert (asset.name, asset.kind) == ("clip.mp4", "video")


def test_deletion_removes_the_row_at_once_and_the_file_by_a_job(client, alice, stored_files) -> None:
    asset = make_asset(alice, content=b"film")
    assert stored_files() == [asset.storage_key]
    assert client.delete(f"/api/v2/assets/{asset.public_id}").status_code == 204
    assert not Asset.objects.exists()
    assert client.get(f"/api/v2/assets/{asset.public_id}").status_code == 404
    assert client.delete(f"/api/v2/assets/{asset.public_id}").status_code == 404
    assert run_pending() == 1
    assert stored_files() == []


def test_a_file_is_kept_while_a_duplicate_uses_it(client, alice, stored_files) -> None:
    first = make_asset(alice, content=b"film")
    second = make_asset(alice, storage_key=first.storage_key, sha256=first.sha256)
    client.delete(f"/api/v2/assets/{first.public_id}")
    run_pending()
    assert stored_files() == [second.storage_key]
    client.delete(f"/api/v2/assets/{second.public_id}")
    run_pending()
    assert stored_files() == []


def test_an_asset_in_use_is_not_deleted(client, alice, stored_files) -> None:
    asset = make_asset(alice, content=b"film")
    for number in range(25):
        make_hold(asset, label=f"rnd_{number:02}")
    response = client.delete(f"/api/v2/assets/{asset.public_id}")
    assert response.status_code == 409
    body = response.json()
    assert body["code"] == "asset_in_use"
    assert len(body["conflicts"]) == 20
    assert set(body["conflicts"]) <= {f"rnd_{number:02}" for number in range(25)}
    assert Asset.objects.filter(pk=asset.pk).exists()
    assert not Job.objects.exists()
    assert stored_files() == [asset.storage_key]


def test_references_list_the_holders(client, alice) -> None:
    asset = make_asset(alice)
    make_hold(asset, label="rnd_a")
    make_hold(asset, label="rnd_b")
    make_hold(make_asset(alice), label="rnd_c")
    body = client.get(f"/api/v2/assets/{asset.public_id}/references").json()
    assert body["object"] == "list"
    assert [(row["id"], row["object"]) for row in body["data"]] == [("rnd_b", "reference"), ("rnd_a", "reference")]
    assert client.get(f"/api/v1/assets/{asset.public_id}/references").json()["pagination"]["total"] == 2


def test_an_asset_can_be_deleted_after_its_release(client, alice) -> None:
    asset = make_asset(alice)
    services.hold(asset_ids=[asset.pk], reference="render:1", label="rnd_1")
    assert client.delete(f"/api/v2/assets/{asset.public_id}").status_code == 409
    assert services.release_holds(reference="render:1") == 1
    assert client.delete(f"/api/v2/assets/{asset.public_id}").status_code == 204


def test_holding_and_releasing_are_idempotent(alice) -> None:
    assets = [make_asset(alice).pk for _ in range(3)]
    for _ in range(2):
        services.hold(asset_ids=[*assets, assets[0]], reference="render:1", label="rnd_1")
    services.hold(asset_ids=assets[:1], reference="render:2", label="rnd_2")
    assert AssetHold.objects.filter(reference="render:1").count() == 3
    assert services.release_holds(reference="render:1") == 3
    assert services.release_holds(reference="render:1") == 0
    assert list(AssetHold.objects.values_list("reference", flat=True)) == ["render:2"]
    services.hold(asset_ids=[], reference="render:3", label="rnd_3")


def test_no_asset_is_held_if_one_is_missing(alice) -> None:
    from assets.exceptions import AssetMissing

    there, missing = make_asset(alice).pk, uuid7()
    with pytest.raises(AssetMissing) as caught:
        services.hold(asset_ids=[there, missing], reference="render:1", label="rnd_1")
    assert caught.value.asset_ids == frozenset({UUID(str(missing))})
    assert not AssetHold.objects.exists()


def test_constraints_back_the_checks_of_the_services(alice) -> None:
    from django.db import IntegrityError, transaction
    from django.db.models import ProtectedError

    asset = make_hold(make_asset(alice)).asset
    with pytest.raises(ProtectedError):
        asset.delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        AssetHold.objects.create(asset=asset, reference=AssetHold.objects.get().reference, label="x")
    with pytest.raises(IntegrityError), transaction.atomic():
        Asset.objects.create(owner=alice, name="x", status="ready")
