"""`Idempotency-Key` on new assets, by URL and by upload."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from api.idempotency.models import IdempotencyKey
from assets.models import Asset
from jobs.models import Job

pytestmark = pytest.mark.django_db
ASSETS = "/api/v2/assets"
KEY = {"Idempotency-Key": "upload-1"}


def upload(client, content, name="red.png", headers=KEY):
    file = SimpleUploadedFile(name, content, content_type="image/png")
    return client.post(ASSETS, {"file": file}, format="multipart", headers=headers)


def test_a_repeated_import_creates_one_asset_and_one_job(client):
    body = {"url": "https://example.com/clip.mp4"}
    first, again = (client.post(ASSETS, body, headers=KEY) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert (again.content, again["Location"]) == (first.content, first["Location"])
    assert again["Idempotent-Replayed"] == "true"
    assert Asset.objects.count() == Job.objects.count() == 1


def test_a_repeated_upload_creates_one_asset_and_one_file(client, samples, stored_files):
    content = (samples / "red.png").read_bytes()
    first = upload(client, content)
    assert first.status_code == 201, first.content
    files = stored_files()
    again = upload(client, content)
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (201, first.content, "true")
    assert Asset.objects.count() == 1
    assert stored_files() == files


def test_another_file_under_the_key_is_refused(client, samples):
    upload(client, (samples / "red.png").read_bytes())
    answer = upload(client, (samples / "clear.png").read_bytes())
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert Asset.objects.count() == 1


def test_a_large_upload_is_compared_from_disk(client, samples, settings):
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10
    content = (samples / "red.png").read_bytes()
    first, again = (upload(client, content) for _ in range(2))
    assert (first.status_code, again.content) == (201, first.content)
    assert first.json()["size_bytes"] == len(content)


def test_a_refused_upload_stores_no_key(client):
    assert upload(client, b"no picture").status_code == 422
    assert not IdempotencyKey.objects.exists()


def test_an_upload_that_lost_its_key_leaves_no_file(client, samples, stored_files, monkeypatch):
    from api.idempotency import views

    original = views.complete_key

    def complete_late(**members):
        IdempotencyKey.objects.update(owner_token="00000000-0000-0000-0000-000000000001")
        return original(**members)

    monkeypatch.setattr(views, "complete_key", complete_late)
    answer = upload(client, (samples / "red.png").read_bytes())
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
    assert not Asset.objects.exists()
    assert stored_files() == []
