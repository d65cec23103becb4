"""Signed links to stored files."""

from __future__ import annotations

import base64
from urllib.parse import quote, unquote, urlsplit

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client, RequestFactory

from core.absolute_urls import base_url
from files import links
from files.links import LinkInvalid, SignedUrlBuilder, safe_filename, signed_path, verify_token

BODY = bytes(range(256)) * 10
NOW = 1_800_000_000


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(links, "time", clock)
    monkeypatch.setattr("api.downloads.time", clock)
    return clock


@pytest.fixture(autouse=True)
def stored(settings, tmp_path) -> str:
    """The key of a stored file."""
    local = {"BACKEND": "files.storage.local.LocalStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "default": local}
    return default_storage.save("a/b.bin", ContentFile(BODY))


@pytest.fixture
def link(clock, stored) -> str:
    return signed_path(key=stored, content_type="video/mp4", filename="clip.mp4", tag="abc", ttl_s=3600).url


def call(link, method="get", **headers):
    """Return the response, read to its end into `body`."""
    response = getattr(Client(enforce_csrf_checks=True), method)(link, headers=headers)
    response.body = b"".join(response.streaming_content) if response.streaming else response.content
    return response


def test_sends_the_file_with_its_headers(link) -> None:
    response = call(link)
    assert response.status_code == 200
    assert response.body == BODY
    assert response["Content-Type"] == "video/mp4"
    assert response["Content-Length"] == str(len(BODY))
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"] == "inline; filename=\"clip.mp4\"; filename*=UTF-8''clip.mp4"
    assert response["Accept-Ranges"] == "bytes"
    assert response["ETag"] == '"abc"'
    assert "Set-Cookie" not in response


def test_head_has_the_same_headers_without_the_file(link) -> None:
    full, head = call(link), call(link, "head")
    assert (head.status_code, head.body) == (200, b"")
    names = ("Content-Type", "Content-Length", "ETag", "Accept-Ranges", "Cache-Control", "Content-Disposition")
    assert {name: head[name] for name in names} == {name: full[name] for name in names}


@pytest.mark.parametrize(
    ("header", "status", "start", "end"),
    [
        ("bytes=0-0", 206, 0, 0),
        ("bytes=0-99", 206, 0, 99),
        ("bytes=100-199", 206, 100, 199),
        ("bytes=2500-", 206, 2500, 2559),
        ("bytes=2559-", 206, 2559, 2559),
        ("bytes=2500-99999", 206, 2500, 2559),
        ("bytes=-1", 206, 2559, 2559),
        ("bytes=-100", 206, 2460, 2559),
        ("bytes=-99999", 206, 0, 2559),
        ("BYTES=5-6", 206, 5, 6),
        ("bytes= 5-6 ", 206, 5, 6),
        ("bytes=2560-", 416, 0, 0),
        ("bytes=2560-3000", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        ("bytes=9-5", 200, 0, 2559),
        ("bytes=abc", 200, 0, 2559),
        ("bytes=-", 200, 0, 2559),
        ("bytes=--5", 200, 0, 2559),
        ("bytes=+1-5", 200, 0, 2559),
        ("bytes=1-2,5-6", 200, 0, 2559),
        ("bytes=²-³", 200, 0, 2559),
        ("bytes", 200, 0, 2559),
        ("items=0-5", 200, 0, 2559),
        ("bytes=" + "9" * 40 + "-", 200, 0, 2559),
        ("", 200, 0, 2559),
    ],
)
def test_ranges(link, header, status, start, end) -> None:
    response = call(link, Range=header)
    assert response.status_code == status
    if status == 416:
        assert response["Content-Range"] == "bytes */2560"
        assert response["Content-Type"].startswith("application/problem+json")
        assert response.json()["size_bytes"] == 2560
        return
    assert response.body == BODY[start : end + 1]
    assert response["Content-Length"] == str(end + 1 - start)
    assert response.get("Content-Range") == (f"bytes {start}-{end}/2560" if status == 206 else None)


@pytest.mark.parametrize(
    ("condition", "status"),
    [('"abc"', 206), ('"old"', 200), ('W/"abc"', 200), ("Mon, 23 Nov 2026 10:00:00 GMT", 200), ("", 200)],
)
def test_a_range_of_a_changed_file_returns_the_whole_file(link, condition, status) -> None:
    response = call(link, **{"Range": "bytes=0-9", "If-Range": condition})
    assert response.status_code == status
    assert response.body == (BODY[:10] if status == 206 else BODY)


def test_head_ignores_ranges(link) -> None:
    response = call(link, "head", Range="bytes=0-9")
    assert (response.status_code, response["Content-Length"]) == (200, "2560")


@pytest.mark.parametrize(
    ("condition", "status"), [('"abc"', 304), ('W/"abc"', 304), ('"x", "abc"', 304), ("*", 304), ('"x"', 200)]
)
def test_a_current_copy_is_not_sent_again(link, condition, status) -> None:
    response = call(link, **{"If-None-Match": condition})
    assert response.status_code == status
    assert response["ETag"] == '"abc"'
    assert response.body == (b"" if status == 304 else BODY)


def test_an_empty_file_can_be_sent(clock) -> None:
    key = default_storage.save("empty", ContentFile(b""))
    link = signed_path(key=key, content_type="text/vtt", filename="a.vtt").url
    response = call(link)
    assert (response.status_code, response.body, response["Content-Length"]) == (200, b"", "0")
    assert call(link, Range="bytes=0-").status_code == 416


def test_the_link_expires(link, clock) -> None:
    clock.now = NOW + 3599
    response = call(link)
    assert response.body == BODY
    clock.now = NOW + 3600
    response = call(link)
    assert response.status_code == 410
    assert response.json()["code"] == "link_expired"
    assert response["Content-Type"].startswith("application/problem+json")


def test_caching_ends_with_the_link(link, clock) -> None:
    assert call(link)["Cache-Control"] == "public, max-age=3600, immutable"
    clock.now += 1800
    assert call(link)["Cache-Control"] == "public, max-age=1800, immutable"


def test_caching_lasts_a_day_at_most(clock, stored) -> None:
    link = signed_path(key=stored, content_type="video/mp4", filename="x", ttl_s=10 * 86_400).url
    assert "max-age=86400," in call(link)["Cache-Control"]


def test_links_stay_equal_for_a_quarter_of_their_lifetime(clock, stored) -> None:
    def make():
        return signed_path(key=stored, content_type="video/mp4", filename="x", ttl_s=3600)

    first = make()
    clock.now += 1
    second = make()
    clock.now += 898
    assert make().url == second.url
    clock.now += 2
    assert make().url != second.url
    for link in (first, second):
        assert 3600 <= link.expires_at.timestamp() - NOW <= 3600 + 901


def test_every_flipped_bit_of_the_token_is_detected(link) -> None:
    _, _, token, name = link.split("/")
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for position in range(len(raw)):
        forged = bytearray(raw)
        forged[position] ^= 1
        with pytest.raises(LinkInvalid):
            verify_token(base64.urlsafe_b64encode(bytes(forged)).decode(), name)
    response = call(link.replace(token, token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")))
    assert (response.status_code, response.json()["code"]) == (403, "signature_invalid")


@pytest.mark.parametrize("token", ["x", "!!!!", "AAAA", "A" * 43, "A" * 500, "é", "%00", "a b"])
def test_a_malformed_token_is_refused(token) -> None:
    response = call(f"/files/{quote(token)}/clip.mp4")
    assert response.status_code == 403


def test_the_name_is_part_of_the_signature(link) -> None:
    assert call(link.replace("clip.mp4", "evil.html")).status_code == 403


def test_links_of_another_secret_are_refused(link, settings) -> None:
    settings.SECRET_KEY = "another secret"
    assert call(link).status_code == 403


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_links_only_read(link, method) -> None:
    response = call(link, method)
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


def test_a_file_that_was_deleted_is_not_found(link, stored) -> None:
    default_storage.delete(stored)
    for method in ("get", "head"):
        response = call(link, method)
        assert response.status_code == 404
        assert response["Content-Type"].startswith("application/problem+json")
    assert str(default_storage.location) not in call(link).body.decode()


def test_the_host_is_that_of_the_setting_or_else_of_the_request(clock, stored, settings) -> None:
    request = RequestFactory().get("/", headers={"Host": "127.0.0.1:8123"})
    options = {"key": stored, "content_type": "video/mp4", "filename": "x"}
    assert SignedUrlBuilder(base_url(request)).url(**options).startswith("http://127.0.0.1:8123/files/")
    settings.PUBLIC_URL = "https://render.example"
    assert SignedUrlBuilder(base_url(request)).url(**options).startswith("https://render.example/files/")
    assert urlsplit(SignedUrlBuilder(base_url(None)).url(**options)).netloc == "render.example"


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("clip.mp4", "clip.mp4"),
        ("my clip (1).mp4", "my clip (1).mp4"),
        ('a"b;c\r\nd.mp4', "a_b_c__d.mp4"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "file"),
        ("", "file"),
        ("видео.mp4", "видео.mp4"),
        ("a%2Fb?.mp4", "a_2Fb_.mp4"),
        ("x" * 300 + ".mp4", "x" * 96 + ".mp4"),
    ],
)
def test_names_are_safe_in_urls_and_headers(clock, stored, given, safe) -> None:
    assert safe_filename(given) == safe
    url = signed_path(key=stored, content_type="video/mp4", filename=given).url
    response = call(unquote(url))
    assert response.status_code == 200
    header = response["Content-Disposition"]
    assert header.isascii()
    assert header.endswith(f"filename*=UTF-8''{quote(safe, safe='')}")
