"""Hostile values in every body member, parameter and header are refused and never cause a 500.

Run it on both databases: SQLite stores values that PostgreSQL refuses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from tests.factories import make_api_key, make_edit, make_user
from tests.openapi.documents import current_document
from tests.sample_rows import collection_of, fill, make_rows

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db]
VERSION = 2
TEXTS = [
    "\x00",
    "a\x00b",
    "\u202egpj.exe",
    "\U0001f989" * 300,
    "x" * 20_000,
    "\r\nSet-Cookie: a=b",
    "9" * 400,
]
VALUES = [*TEXTS, None, -1, 2**63, 10**30, 1e308, [], {}, [None], {"a": "\x00"}, {"\x00": 1}]
# SQLite accepts nearly everything, so there a sample of the values is enough to test the code.
VALUES = VALUES if connection.vendor == "postgresql" else VALUES[:: len(VALUES) // 5]
RAW = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"x"',
    "a number": b"1",
    "half an object": b'{"a":',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "half a character": b'{"name": "\\ud800"}',
    "NaN": b'{"name": NaN}',
    "too large a number": b'{"name": 1e400}',
    "two members of one name": b'{"name": "a", "name": "b"}',
    "deep lists": b'{"name": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deep enough to be read": b'{"name": ' + b"[" * 900 + b"]" * 900 + b"}",
    "deep objects": b'{"name": ' + b'{"a":' * 400 + b"1" + b"}" * 401,
    "a byte order mark": b"\xef\xbb\xbf{}",
    "NUL": b"\x00",
    "many members": json.dumps({f"m{number}": 1 for number in range(5000)}).encode(),
}
# Members that a body needs besides the member under test.
BASES: dict[str, dict[str, Any]] = {
    "renders": {"edit": make_edit()},
    "credits": {"edit": make_edit()},
    "templates": {"name": "t", "edit": make_edit()},
    "projects": {"name": "p"},
    "keys": {"scopes": ["renders:read"]},
    "assets": {"url": "https://example.com/a.mp4"},
    "auth": {"username": "root", "password": "x"},
}


class Attacker:
    """A client with a key of root, and a row in every collection."""

    def __init__(self, document: dict[str, Any]) -> None:
        owner = make_user("root", is_staff=True)
        self.rows = make_rows(owner, list(document["paths"]))
        self.client = Client(raise_request_exception=False, headers={"X-API-Key": make_api_key(owner)})
        self.broken: list[str] = []
        self.sent = 0

    def send(self, method: str, path: str, query: dict[str, Any] | None = None, **options: Any) -> Any:
        """Send a request, record a 500, and roll back."""
        target = fill(path, self.rows.get(collection_of(path)))
        before = transaction.savepoint()
        response = self.client.generic(method.upper(), target, query_params=query, **options)
        if getattr(response, "streaming", False):
            response.close()
        transaction.savepoint_rollback(before)
        self.sent += 1
        if response.status_code >= 500:
            self.broken.append(f"{method} {path} {query} {str(options)[:300]} -> {response.status_code}")
        return response


@pytest.fixture
def document() -> dict[str, Any]:
    return current_document(VERSION)


@pytest.fixture
def attacker(document: dict[str, Any]) -> Attacker:
    return Attacker(document)


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Operations with a JSON body, and the members of the body."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                name = content["application/json"]["schema"].get("$ref", "").rpartition("/")[2]
                yield method, path, document["components"]["schemas"].get(name, {}).get("properties", {})


def test_hostile_members_are_refused(document: dict[str, Any], attacker: Attacker) -> None:
    for method, path, members in bodies(document):
        base = BASES.get(collection_of(path), {})
        for name in members:
            for value in VALUES:
                body = json.dumps({**base, name: value}).encode()
                response = attacker.send(
                    method, path, data=body, content_type="application/json", headers={"If-Match": "*"}
                )
                if value == "\x00" and 200 <= response.status_code < 300 and b"\x00" in response.content:
                    attacker.broken.append(f"{method} {path} stores NUL in {name}")
    assert attacker.broken == []
    assert attacker.sent > 60 * len(VALUES) // 2


def test_hostile_bodies_are_refused(document: dict[str, Any], attacker: Attacker) -> None:
    for method, path, _ in bodies(document):
        for name, raw in RAW.items():
            headers = {"If-Match": "*", "Idempotency-Key": "one-and-the-same"}
            response = attacker.send(method, path, data=raw, content_type="application/json", headers=headers)
            if not 400 <= response.status_code < 500 and name not in {"nothing"}:
                attacker.broken.append(f"{method} {path} accepts {name}: {response.status_code}")
    assert attacker.broken == []


def test_hostile_parameters_are_refused(document: dict[str, Any], attacker: Attacker) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", []):
                if parameter["in"] != "query":
                    continue
                for value in TEXTS:
                    attacker.send(method, path, {parameter["name"]: value})
    for name in ("metadata[a\x00]", "metadata[]", "metadata[[]", "\x00", "x" * 5000):
        attacker.send("get", "/api/v2/renders", {name: "\x00"})
    assert attacker.broken == []


def test_hostile_ids_are_refused(document: dict[str, Any], attacker: Attacker) -> None:
    for path, methods in document["paths"].items():
        if "{id}" not in path:
            continue
        for method in methods:
            for text in ("%00", "a%00b", "..%2f..", "%ff", "0" * 500, "rnd_" + "z" * 26, "%F0%9F%A6%89", "null"):
                response = attacker.send(method, path.replace("{id}", text), content_type="application/json")
                if not 400 <= response.status_code < 500:
                    attacker.broken.append(f"{method} {path} {text} -> {response.status_code}")
    assert attacker.broken == []


def test_hostile_headers_are_refused(attacker: Attacker) -> None:
    for name in ("Accept", "API-Version", "If-None-Match", "If-Match", "If-Modified-Since", "Idempotency-Key", "Range"):
        for value in ("", "\x00", "x" * 9000, '"', ",,,,", "W/", "\xff\xfe", "bytes=-", "0" * 400, '"\\'):
            for method, path in (("get", "/api/v2/renders/{id}"), ("post", "/api/v2/projects")):
                data = {} if method == "get" else {"data": b'{"name": "x"}', "content_type": "application/json"}
                attacker.send(method, path, headers={name: value}, **data)
    assert attacker.broken == []


@pytest.mark.parametrize(
    ("disposition", "kept"),
    [
        ('filename="../../etc/passwd"', "passwd"),
        ('filename="a\x00b.png"', None),
        ('filename="' + "x" * 3000 + '.png"', None),
        ("filename*=UTF-8''%E2%80%AEgnp.exe", None),
        ('filename="C:\\\\temp\\\\x.png"', "x.png"),
    ],
)
def test_hostile_file_names_are_refused(
    attacker: Attacker, tmp_path, settings, disposition: str, kept: str | None
) -> None:
    settings.DATA_DIR = tmp_path
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; '
        + disposition.encode()
        + b"\r\nContent-Type: image/png\r\n\r\nno picture\r\n--b--\r\n"
    )
    response = attacker.send("post", "/api/v2/assets", data=body, content_type="multipart/form-data; boundary=b")
    assert response.status_code in {400, 422}
    assert attacker.broken == []
