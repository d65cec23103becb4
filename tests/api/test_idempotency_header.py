"""Parsing of the Idempotency-Key header, and the fingerprint of a request."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import resolve
from rest_framework.exceptions import ParseError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from api.idempotency.requests import fingerprint, keyed_request, parse_key
from api.parsers import JsonParser
from core.exceptions import InvalidHeader


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (' "order 1881" ', "order 1881"),
        ("order 1881", "order 1881"),
        ('"a,b"', "a,b"),
        (r'"a\"b\\c"', r'a"b\c'),
        (r"a\b", r"a\b"),
        ("x" * 255, "x" * 255),
        (f'"{"x" * 255}"', "x" * 255),
    ],
)
def test_a_key_is_a_string_quoted_or_bare(text, key) -> None:
    assert parse_key(text) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        '""',
        '"',
        "x" * 256,
        f'"{"x" * 256}"',
        "caf\xe9",
        '"caf\xe9"',
        "a\x00b",
        "tab\tinside",
        'a"b',
        '"a"b',
        r'"a\b"',
        '"open',
        '"a\\"',
        # Two headers, as servers join them.
        "a,b",
        '"a", "b"',
        '"a","b"',
    ],
)
def test_anything_else_is_refused(text) -> None:
    with pytest.raises(InvalidHeader) as refusal:
        parse_key(text)
    assert refusal.value.code == "invalid_header"
    assert refusal.value.members["errors"][0]["header"] == "Idempotency-Key"


def make_request(body="{}", *, path="/api/v2/renders", content_type="application/json", version=2, data=None, **extra):
    factory = APIRequestFactory()
    if data is not None:
        raw = factory.post(path, data, format="multipart", **extra)
    else:
        raw = factory.generic("POST", path, body, content_type=content_type, **extra)
    raw.resolver_match = resolve(raw.path_info)
    request = Request(raw, parsers=[JsonParser(), MultiPartParser()])
    request.version = version
    return request


def test_json_is_compared_by_meaning() -> None:
    first = fingerprint(make_request('{"a": 1, "b": [{"x": "\\u00e9", "y": null}]}'))
    again = fingerprint(make_request('{ "b":[{"y":null,"x":"\u00e9"}],\n"a":1 }', content_type="application/json; v=1"))
    assert first == again
    assert len(first) == 64


@pytest.mark.parametrize(
    "other",
    [
        {"body": '{"a": 2}'},
        {"body": '{"a": "1"}'},
        {"body": '{"a": 1, "b": null}'},
        {"path": "/api/v2/projects"},
        {"path": "/api/v2/renders?dry=1"},
        {"version": 1},
        {"content_type": "application/vnd.other+json"},
    ],
)
def test_another_request_has_another_fingerprint(other) -> None:
    changed = {"body": '{"a": 1}', **other}
    if "content_type" in other:
        changed["body"] = ""
        assert fingerprint(make_request(**changed)) != fingerprint(make_request(""))
        return
    assert fingerprint(make_request(**changed)) != fingerprint(make_request('{"a": 1}'))


def test_the_order_of_the_query_does_not_matter() -> None:
    one, other = (fingerprint(make_request(path=f"/api/v2/renders?{query}")) for query in ("b=2&a=1", "a=1&b=2"))
    assert one == other


def test_the_version_counts_alike_in_path_and_header() -> None:
    by_path = fingerprint(make_request(path="/api/v2/renders", version=2))
    assert fingerprint(make_request(path="/api/v1/renders", version=2)) == by_path


def file_request(content=b"film" * 1000, *, name="a.mp4", kind="video/mp4", title="t"):
    return make_request(path="/api/v2/assets", data={"file": SimpleUploadedFile(name, content, kind), "name": title})


def test_a_form_is_compared_by_its_parts_not_its_boundary() -> None:
    def form(boundary: str, *, first: str) -> str:
        parts = {
            "file": 'filename="a.mp4"\r\nContent-Type: video/mp4\r\n\r\nfilm',
            "name": "\r\n\r\nt",
        }
        order = [first, *(name for name in parts if name != first)]
        text = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
            + ("; " if name == "file" else "")
            + f"{parts[name]}\r\n"
            for name in order
        )
        return text + f"--{boundary}--\r\n"

    prints = {
        fingerprint(
            make_request(
                form(boundary, first=first),
                path="/api/v2/assets",
                content_type=f"multipart/form-data; boundary={boundary}",
            )
        )
        for boundary, first in (("one", "file"), ("two", "file"), ("two", "name"))
    }
    assert len(prints) == 1


@pytest.mark.parametrize(
    "other", [{"content": b"other" * 1000}, {"name": "b.mp4"}, {"kind": "video/webm"}, {"title": "u"}]
)
def test_another_form_has_another_fingerprint(other) -> None:
    assert fingerprint(file_request(**other)) != fingerprint(file_request())


@pytest.mark.parametrize("size", [1000, 3_000_000])
def test_a_file_can_be_read_after_the_fingerprint(size) -> None:
    request = file_request(b"x" * size)
    fingerprint(request)
    with request.data["file"] as file:
        assert len(file.read()) == size


def test_a_body_too_deep_to_compare_is_refused() -> None:
    with pytest.raises(ParseError):
        fingerprint(make_request("[" * 500 + "]" * 500))


def test_the_scope_of_a_key_is_account_method_and_route(django_user_model) -> None:
    user = django_user_model(username="alice")
    request = make_request(path="/api/v1/renders/rnd_1/retry", headers={"Idempotency-Key": "k"}, body="")
    request.user = user
    use = keyed_request(request)
    assert use is not None
    assert (use.user_id, use.method, use.route, use.key) == (user.pk, "POST", "renders/<id>/retry", "k")


def test_a_request_without_the_header_has_no_key() -> None:
    assert keyed_request(make_request()) is None
