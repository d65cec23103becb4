"""`POST /assets` with real media, and with files that pretend to be media."""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import time
import zlib

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from assets.models import Asset
from engine.run.binary import ffmpeg_path
from tests.assets.conftest import run_ffmpeg, upload
from tests.factories import make_api_key, make_project, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.acceptance]


@pytest.mark.parametrize("version", [1, 2])
def test_stores_and_describes_a_video(client, alice, samples, stored_files, version) -> None:
    content = (samples / "clip.mp4").read_bytes()
    response = upload(client, content, version=version)
    assert response.status_code == 201, response.content
    body = response.json()
    row = Asset.objects.get()
    assert response["Location"] == f"/api/v{version}/assets/{row.public_id}"
    assert (body["id"], body["object"], body["status"], body["kind"]) == (row.public_id, "asset", "ready", "video")
    assert (body["name"], body["size_bytes"], body["content_type"]) == ("clip.mp4", len(content), "video/mp4")
    assert body["sha256"] == hashlib.sha256(content).hexdigest()
    assert body["probe"]["duration_s"] == pytest.approx(2.0, abs=0.05)
    assert (body["probe"]["width"], body["probe"]["height"], body["probe"]["fps"]) == (320, 180, 25.0)
    assert (body["probe"]["video_codec"], body["probe"]["audio_codec"]) == ("h264", "aac")
    assert body["probe"]["has_alpha"] is False
    assert (body["references"], body["error"], body["project"]) == (0, None, None)
    assert row.owner == alice
    assert client.get(response["Location"]).json() == body
    assert len(stored_files()) == 2


def test_the_url_of_the_file_needs_no_key(api, client, samples) -> None:
    content = (samples / "clip.mp4").read_bytes()
    url = upload(client, content).json()["url"]
    assert url.startswith("http://testserver/files/")
    api.credentials()
    response = api.get(url)
    assert b"".join(response.streaming_content) == content
    assert response["Content-Type"] == "video/mp4"


def test_the_poster_shows_the_video(api, client, samples, tmp_path) -> None:
    body = upload(client, (samples / "clip.mp4").read_bytes()).json()
    response = api.get(body["poster_url"])
    picture = Image.open(io.BytesIO(b"".join(response.streaming_content)))
    assert (picture.format, picture.size) == ("JPEG", (320, 180))
    assert response["Content-Type"] == "image/jpeg"
    assert len(set(picture.convert("RGB").resize((16, 9)).get_flattened_data())) > 20


def test_the_poster_of_an_image_is_small_and_has_its_colour(api, client, samples) -> None:
    body = upload(client, (samples / "red.png").read_bytes(), "red.png").json()
    assert (body["kind"], body["content_type"], body["probe"]["duration_s"]) == ("image", "image/png", None)
    picture = Image.open(io.BytesIO(b"".join(api.get(body["poster_url"]).streaming_content)))
    assert picture.size == (640, 320)
    red, green, blue = picture.convert("RGB").getpixel((320, 160))
    assert red > 240
    assert max(green, blue) < 16


def test_the_poster_keeps_transparency(api, client, samples) -> None:
    body = upload(client, (samples / "clear.png").read_bytes(), "clear.png").json()
    assert body["probe"]["has_alpha"] is True
    picture = Image.open(io.BytesIO(b"".join(api.get(body["poster_url"]).streaming_content)))
    assert (picture.format, picture.size) == ("PNG", (40, 20))
    assert picture.convert("RGBA").getpixel((20, 10))[3] == pytest.approx(128, abs=2)


def test_audio_has_no_poster(client, samples) -> None:
    body = upload(client, (samples / "tone.mp3").read_bytes(), "tone.mp3").json()
    assert (body["kind"], body["content_type"], body["poster_url"]) == ("audio", "audio/mpeg", None)
    assert body["probe"]["audio_codec"] == "mp3"


def test_the_kind_does_not_depend_on_the_name(client, samples) -> None:
    body = upload(client, (samples / "red.png").read_bytes(), "movie.mp4").json()
    assert (body["kind"], body["content_type"], body["name"]) == ("image", "image/png", "movie.mp4")


def test_accepts_a_name_and_a_project(client, alice, samples) -> None:
    project = make_project(alice).public_id
    body = upload(client, (samples / "red.png").read_bytes(), name="x.png", project=project).json()
    assert body["project"] == project
    response = client.post(
        "/api/v2/assets",
        {"file": SimpleUploadedFile("x.png", (samples / "red.png").read_bytes()), "name": "Logo"},
        format="multipart",
    )
    assert response.json()["name"] == "Logo"


def test_equal_files_of_one_owner_are_stored_once(client, samples, stored_files) -> None:
    content = (samples / "red.png").read_bytes()
    first, second = upload(client, content).json(), upload(client, content).json()
    assert first["id"] != second["id"]
    assert len(stored_files()) == 2
    keys = Asset.objects.values_list("storage_key", "poster_key").distinct()
    assert len(keys) == 1


def test_equal_files_of_two_owners_are_stored_separately(api, client, samples, stored_files) -> None:
    content = (samples / "red.png").read_bytes()
    upload(client, content)
    api.credentials(HTTP_X_API_KEY=make_api_key(make_user("bob")))
    upload(api, content)
    assert Asset.objects.values("storage_key").distinct().count() == 2
    assert len(stored_files()) == 4


def hostile_files(folder):
    """Files that pretend to be media, by name."""
    good = folder / "good.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", good)
    video = good.read_bytes()
    png = b"\x89PNG\r\n\x1a\n"
    return {
        "playlist.mp4": b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "concat.mp4": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        "text.mp4": b"just some words, not a video\n" * 50,
        "page.png": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
        "vector.png": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "truncated.mp4": video[: len(video) // 2],
        "header.png": png + b"\x00" * 40,
        "polyglot.gif": b"GIF89a/*" + b"<script>alert(1)</script>" * 4,
        "archive.mp4": b"PK\x03\x04" + b"\x00" * 60,
        "program.mp3": b"\x7fELF\x02\x01\x01" + b"\x00" * 200,
    }


def test_hostile_files_are_refused_and_not_stored(client, tmp_path, stored_files) -> None:
    for name, content in hostile_files(tmp_path).items():
        began = time.monotonic()
        response = upload(client, content, name)
        assert response.status_code == 422, (name, response.content)
        assert time.monotonic() - began < 10, name
        body = response.json()
        assert [error["pointer"] for error in body["errors"]] == ["/file"], (name, body)
        assert str(tmp_path) not in response.content.decode()
    assert Asset.objects.count() == 0
    assert stored_files() == []


def test_an_image_with_huge_dimensions_is_refused_at_once(client, stored_files) -> None:
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    body = zlib.compress(b"\x00" * 10_000_000, 9)
    content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    began = time.monotonic()
    response = upload(client, content, "bomb.png")
    assert response.status_code == 422
    assert time.monotonic() - began < 10
    assert stored_files() == []


def test_unknown_fields_are_refused(client, samples) -> None:
    response = upload(client, (samples / "red.png").read_bytes(), kind="video")
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/kind"


def test_an_invalid_project_is_refused(client, samples) -> None:
    response = upload(client, (samples / "red.png").read_bytes(), project="tpl_1")
    assert response.json()["errors"][0]["pointer"] == "/project"


def test_a_file_over_the_limit_is_refused(client, settings, samples, stored_files) -> None:
    settings.RENDEROWL_UPLOAD_LIMIT_BYTES = 1000
    response = upload(client, b"\x00" * 1001)
    assert response.status_code == 413
    assert stored_files() == []
    assert Asset.objects.count() == 0


def test_no_file_is_stored_if_the_row_cannot_be_written(client, samples, stored_files, monkeypatch) -> None:
    def fail(*args, **kwargs):
        raise RuntimeError("disk of the database is full")

    monkeypatch.setattr("assets.services.creation._insert", fail)
    client.raise_request_exception = False
    assert upload(client, (samples / "red.png").read_bytes()).status_code == 500
    assert stored_files() == []


def test_temporary_files_are_deleted(client, samples, settings) -> None:
    upload(client, (samples / "red.png").read_bytes())
    assert list((settings.DATA_DIR / "tmp").iterdir()) == []


def test_ffmpeg_can_decode_what_is_stored(client, samples, media_root) -> None:
    upload(client, (samples / "clip.mp4").read_bytes())
    path = media_root / Asset.objects.get().storage_key
    done = subprocess.run([str(ffmpeg_path()), "-v", "error", "-i", path, "-f", "null", "-"], check=False, timeout=30)
    assert done.returncode == 0


def test_a_large_upload_is_linked_into_the_storage(client, samples, settings, tmp_path, media_root) -> None:
    """Large means over FILE_UPLOAD_MAX_MEMORY_SIZE, so that Django writes the upload to disk."""
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "arriving"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    content = (samples / "clip.mp4").read_bytes()
    body = upload(client, content).json()
    assert body["sha256"] == hashlib.sha256(content).hexdigest()
    assert (media_root / Asset.objects.get().storage_key).read_bytes() == content
    assert list(settings.FILE_UPLOAD_TEMP_DIR.iterdir()) == []
    settings.RENDEROWL_UPLOAD_LIMIT_BYTES = 1000
    assert upload(client, content).status_code == 413
