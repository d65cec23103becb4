"""Permissions of every operation in the OpenAPI documents: it needs its scope, and a refusal reveals nothing.

`tests/permission_matrix.py` checks more cases of each route; this test cannot miss a route.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from django.db.models import Model
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import services
from accounts.models import User
from core.scopes import PUBLIC_SCOPES
from tests.factories import make_api_key, make_minted_key, make_user
from tests.openapi.documents import current_document
from tests.sample_rows import collection_of, fill, make_rows

pytestmark = pytest.mark.django_db
PUBLIC = {"meta", "auth"}
# Headers that differ between any two responses.
OWN_HEADERS = {"X-Request-Id", "Server-Timing"}


class World:
    """Alice, who owns a row in every collection; Bob, who owns nothing; and useless keys."""

    def __init__(self, paths: list[str]) -> None:
        self.alice, self.bob = make_user("alice"), make_user("bob")
        self.rows = make_rows(self.alice, paths)
        self.before = self.columns()
        revoked = make_minted_key(self.alice)
        services.revoke_api_key(key=revoked.key)
        expired = make_minted_key(self.alice, expires_at=timezone.now() - timedelta(seconds=1))
        self.useless = {
            None: "unauthenticated",
            "ro_live_AAAAAAAA_" + "A" * 38: "unauthenticated",
            revoked.plaintext: "token_revoked",
            expired.plaintext: "token_expired",
        }
        self.bobs_key = make_api_key(self.bob)

    @cache  # noqa: B019 - lives as long as the test
    def narrow_key(self, without: str) -> str:
        """A key of Alice with every public scope but one."""
        return make_api_key(self.alice, scopes=tuple(sorted(PUBLIC_SCOPES - {without})))

    def columns(self) -> dict[str, Any]:
        """The column values of all rows."""
        return {name: _columns(row) for name, row in self.rows.items()}


def _columns(row: Model) -> dict[str, Any]:
    values: dict[str, Any] = type(row)._base_manager.filter(pk=row.pk).values().get()
    values.pop("last_used_at", None)
    return values


def send(method: str, path: str, key: str | None) -> Any:
    client = APIClient(headers={} if key is None else {"X-API-Key": key})
    body = {} if method == "get" else {"data": "{}", "content_type": "application/json"}
    return client.generic(method.upper(), path, **body)


def problem(response: Any) -> dict[str, Any]:
    """Return the body of a refusal without its `instance`."""
    assert response["Content-Type"] == "application/problem+json", response.content
    body: dict[str, Any] = response.json()
    assert body["status"] == response.status_code
    body.pop("instance")
    return body


def operations(version: int) -> list[tuple[str, str, str | None]]:
    document = current_document(version)
    return [
        (method, path, operation.get("x-required-scope"))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if collection_of(path) not in PUBLIC
    ]


@pytest.mark.parametrize("version", [1, 2])
def test_every_operation_requires_its_scope_and_reveals_nothing(version: int) -> None:
    found = operations(version)
    assert len(found) > 40
    world = World([path for _, path, _ in found])
    for method, path, scope in found:
        row = world.rows.get(collection_of(path))
        targets = [fill(path, row)] + ([fill(path, row, exists=False)] if "{id}" in path else [])
        check_credentials(world, method, targets[0])
        for target in targets:
            if scope is not None:
                refusal = problem(send(method, target, world.narrow_key(scope)))
                assert (refusal["code"], refusal["required_scope"]) == ("missing_scope", scope), (method, target)
        if "{id}" in path:
            check_foreign(world, method, *targets)
        elif method == "get":
            check_list(world, targets[0])
    assert world.columns() == world.before


def check_credentials(world: World, method: str, target: str) -> None:
    for key, code in world.useless.items():
        response = send(method, target, key)
        assert (response.status_code, problem(response)["code"]) == (401, code), (method, target)
        assert response["WWW-Authenticate"].startswith("Bearer")


def check_foreign(world: World, method: str, target: str, missing: str) -> None:
    answers = [send(method, each, world.bobs_key) for each in (target, missing)]
    bodies = [problem(answer) for answer in answers]
    assert bodies[0]["code"] == "not_found", (method, target, bodies[0])
    assert bodies[0] == bodies[1], (method, target)
    headers = [{name for name in answer.headers if name not in OWN_HEADERS} for answer in answers]
    assert headers[0] == headers[1], (method, target)


def check_list(world: World, target: str) -> None:
    response = send("get", target, world.bobs_key)
    assert response.status_code == 200, (target, response.content)
    for row in world.rows.values():
        assert row.public_id not in response.content.decode(), target
        assert str(row.pk) not in response.content.decode(), target


def test_public_operations_are_documented_as_public() -> None:
    for version in (1, 2):
        for path, methods in current_document(version)["paths"].items():
            for method, operation in methods.items():
                is_open = {} in operation.get("security", []) or not operation.get("security")
                assert is_open == (collection_of(path) in PUBLIC), (method, path)


def test_an_owner_is_not_refused() -> None:
    """Control: an API that refuses all requests would pass the test above."""
    found = [(method, path) for method, path, _ in operations(2) if method == "get"]
    user: User = make_user("alice")
    rows = make_rows(user, [path for _, path in found])
    key = make_api_key(user)
    for method, path in found:
        response = send(method, fill(path, rows.get(collection_of(path))), key)
        assert response.status_code == 200, (path, response.content)
