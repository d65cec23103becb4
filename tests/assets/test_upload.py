"""`POST /assets` with a file: requests refused before the content is probed."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from assets.filenames import clean_filename
from assets.models import Asset
from tests.assets.conftest import upload
from tests.permission_matrix import Access, check_access

pytestmark = pytest.mark.django_db


def test_permissions() -> None:
    bodies = {"POST": {"url": "https://example.com/clip.mp4"}}
    check_access(Access("asset-list", {"GET": "assets:read", "POST": "assets:write"}, bodies=bodies))


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a\u202egpj.exe", "a gpj.exe"),
        ("...", "file"),
        ("x" * 400 + ".mp4", "x" * 251 + ".mp4"),
        ('quo"te;.png', 'quo"te;.png'),
    ],
)
def test_file_names_are_cleaned(given, cleaned) -> None:
    assert clean_filename(given) == cleaned


def test_an_empty_file_is_refused(client) -> None:
    response = upload(client, b"")
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/file"


def test_a_form_without_a_file_is_refused(client) -> None:
    response = client.post("/api/v2/assets", {"name": "x"}, format="multipart")
    assert response.status_code == 422
    assert {error["pointer"] for error in response.json()["errors"]} == {"/file"}


def test_a_content_length_over_the_limit_is_refused_unread(client, settings) -> None:
    settings.RENDEROWL_UPLOAD_LIMIT_BYTES = 1000
    response = client.generic(
        "POST", "/api/v2/assets", b"", content_type="multipart/form-data; boundary=x", CONTENT_LENGTH="99999999"
    )
    assert response.status_code == 413
    assert (response.json()["code"], response.json()["limit_bytes"]) == ("payload_too_large", 1000)


def test_other_content_types_are_refused(client) -> None:
    response = client.generic("POST", "/api/v2/assets", b"<a/>", content_type="text/xml")
    assert response.status_code == 415


def test_refuses_two_files_in_one_form(client) -> None:
    files = [SimpleUploadedFile(f"{name}.srt", b"1\n00:00:00,000 --> 00:00:01,000\nHi\n") for name in "ab"]
    response = client.post("/api/v2/assets", {"file": files}, format="multipart")
    assert response.status_code == 422
    assert [(e["pointer"], e["code"]) for e in response.json()["errors"]] == [("/file", "repeated_field")]
    assert not Asset.objects.exists()
