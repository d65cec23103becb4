"""`POST /assets` with a URL, and the job that fetches it."""

from __future__ import annotations

import hashlib
from uuid import UUID

import pytest

from assets.events import AssetFailed, AssetReady
from assets.models import Asset
from assets.tasks import MAX_IMPORT_ATTEMPTS
from core import events
from core.ids import encode_id
from jobs.models import Job
from tests.factories import make_project, make_user
from tests.jobs.inline import run_pending
from tests.outbound.test_http_fetch import Site

pytestmark = pytest.mark.django_db


PROJECT = UUID("018f2d0c-7b5a-7c3e-9a41-5d6e7f809a1b")


@pytest.fixture
def site(settings):
    site = Site()
    settings.RENDEROWL_FETCH_ALLOW_HOSTS = [("127.0.0.1", site.port)]
    yield site
    site.close()


@pytest.fixture
def published():
    """The published events of assets."""
    seen = []
    with events.subscriptions.override():
        events.subscribe(AssetReady, AssetFailed)(seen.append)
        yield seen


def import_file(client, site, path="/file", **fields):
    return client.post("/api/v2/assets", {"url": site.url(path, "127.0.0.1"), **fields})


def run_all_attempts() -> None:
    """Run the job and its retries without delays."""
    while Job.objects.active().update(status="queued", scheduled_at="2026-01-01T00:00:00Z"):
        run_pending()


def test_an_import_is_accepted_and_pending(client, alice, site) -> None:
    response = import_file(client, site, "/films/my%20film.mp4?x=1")
    assert response.status_code == 202
    body, row = response.json(), Asset.objects.get()
    assert response["Location"] == f"/api/v2/assets/{row.public_id}"
    assert (body["status"], body["name"], body["url"]) == ("pending", "my film.mp4", None)
    assert (row.owner, row.source_url) == (alice, site.url("/films/my%20film.mp4?x=1", "127.0.0.1"))
    job = Job.objects.get()
    assert (job.type, job.payload, job.user) == ("assets.import", {"asset": str(row.pk)}, alice)
    assert site.requests == []


@pytest.mark.acceptance
def test_the_job_fetches_the_file(client, alice, site, samples, published) -> None:
    content = (samples / "clip.mp4").read_bytes()
    site.serve(body=content, Content_Type="text/html")
    body = import_file(client, site, name="Film", project=make_project(alice, id=PROJECT).public_id).json()
    assert run_pending() == 1
    done = client.get(f"/api/v2/assets/{body['id']}").json()
    assert (done["status"], done["kind"], done["content_type"]) == ("ready", "video", "video/mp4")
    assert (done["name"], done["project"]) == ("Film", encode_id("prj", PROJECT))
    assert done["sha256"] == hashlib.sha256(content).hexdigest()
    assert b"".join(client.get(done["url"]).streaming_content) == content
    assert b"".join(client.get(done["poster_url"]).streaming_content).startswith(b"\xff\xd8\xff")
    assert Job.objects.get().status == "succeeded"
    asset = Asset.objects.get()
    assert published == [AssetReady(asset.pk, alice.pk, asset.project_id, kind="video", size_bytes=len(content))]


@pytest.mark.acceptance
def test_a_file_that_is_not_media_fails_the_asset_but_not_the_job(client, site, published, stored_files) -> None:
    site.serve(body=b"#EXTM3U\n#EXTINF:10.0,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
    body = import_file(client, site).json()
    assert run_pending() == 1
    failed = client.get(f"/api/v2/assets/{body['id']}").json()
    assert failed["status"] == "failed"
    assert failed["error"].keys() == {"code", "detail"}
    assert failed["url"] is None
    assert Job.objects.get().status == "succeeded"
    assert [type(event) for event in published] == [AssetFailed]
    assert stored_files() == []


@pytest.mark.parametrize(("status", "code"), [(404, "http_404"), (403, "http_403")])
def test_a_refusal_by_the_server_is_final(client, site, published, status, code) -> None:
    site.serve(status=status, body=b"")
    import_file(client, site)
    run_pending()
    row = Asset.objects.get()
    assert (row.status, row.error["code"]) == ("failed", code)
    assert len(site.requests) == 1
    assert [event.code for event in published] == [code]


def test_a_temporary_failure_is_retried_and_then_final(client, site, published) -> None:
    site.serve(status=503, body=b"")
    import_file(client, site)
    run_pending()
    assert Asset.objects.get().status == "pending"
    assert published == []
    run_all_attempts()
    row = Asset.objects.get()
    assert (row.status, row.error["code"]) == ("failed", "http_503")
    assert len(site.requests) == MAX_IMPORT_ATTEMPTS
    assert len(published) == 1


def test_a_file_over_the_limit_fails(client, site, settings) -> None:
    settings.RENDEROWL_UPLOAD_LIMIT_BYTES = 1000
    site.serve()
    import_file(client, site)
    run_pending()
    assert Asset.objects.get().error["code"] == "too_large"


def test_an_asset_deleted_meanwhile_stays_deleted(client, site, published) -> None:
    site.serve()
    body = import_file(client, site).json()
    assert client.delete(f"/api/v2/assets/{body['id']}").status_code == 204
    run_pending()
    assert (Asset.objects.count(), site.requests, published) == (0, [], [])


def test_a_dead_job_fails_its_asset_without_a_reason(client, site, published, monkeypatch) -> None:
    def crash(*args, **kwargs):
        raise RuntimeError("secret of the house")

    monkeypatch.setattr("assets.tasks.fetch_to_file", crash)
    import_file(client, site)
    run_all_attempts()
    row = Asset.objects.get()
    assert row.status == "failed"
    assert row.error["code"] == "import_failed"
    assert "secret" not in row.error["detail"]
    assert Job.objects.get().status == "dead"
    assert len(published) == 1


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://files.example/a.mp4", "url_scheme"),
        ("ftp://files.example/a.mp4", "url_scheme"),
        ("https://user:secret@files.example/a.mp4", "url_credentials"),
        ("https://files.example:22/a.mp4", "url_port"),
        ("not a url", "url_invalid"),
        ("/local/path.mp4", "url_scheme"),
    ],
)
def test_an_invalid_url_is_refused_at_once(client, url, code) -> None:
    response = client.post("/api/v2/assets", {"url": url})
    assert response.status_code == 422
    error = response.json()["errors"][0]
    assert (error["pointer"], error["code"]) == ("/url", code)
    assert not Asset.objects.exists()
    assert not Job.objects.exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "2130706433"])
def test_a_private_address_fails_the_import_without_a_connection(client, host) -> None:
    assert client.post("/api/v2/assets", {"url": f"https://{host}/a.mp4"}).status_code == 202
    run_pending()
    row = Asset.objects.get()
    assert (row.status, row.error["code"]) == ("failed", "address_refused")
    assert "127.0.0.1" not in row.error["detail"].replace(host, "")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/url"), ({"url": ""}, "/url"), ({"url": None}, "/url"), ({"url": 5, "file": "x"}, "/file"),
     ({"url": "https://a.example/", "name": "\u0000"}, "/name"), ([], "")],
)  # fmt: skip
def test_invalid_bodies_are_refused(client, body, pointer) -> None:
    response = client.post("/api/v2/assets", body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer


def test_an_import_of_another_owner_is_not_found(client, site, api) -> None:
    Asset.objects.create(owner=make_user("bob"), name="x")
    assert client.get("/api/v2/assets").json()["data"] == []
