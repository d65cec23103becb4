"""The permission matrix: a helper that the tests of every endpoint use.

    from tests.permission_matrix import Access, check_access

    def test_permissions_of_projects(api):
        alice = make_user("alice")
        project = make_project(user=alice)
        check_access(
            Access("project-detail", {"GET": "renders:read", "PATCH": "renders:write", "DELETE": "renders:write"}),
            owner=alice,
            row=project,
        )
        check_access(Access("project-list", {"GET": "renders:read", "POST": "renders:write"}), owner=alice)

For each method, in every version that has the route:

- no credential, a junk key, a revoked key, an expired key: 401 with `WWW-Authenticate: Bearer`;
- a key with every public scope but the one needed: 403 `missing_scope` with `required_scope`, and the same 403 for
  an id that does not exist, as refusals of scope come before existence;
- on a detail route: another user's key with all scopes, and an id that does not exist: 404 with the same body (apart
  from `instance`); and the owner's row is unchanged, column by column;
- every method of the route is named, so that a new one cannot be missed;
- the owner's key gets past all of this, where the method is safe (GET).

Routes under `/internal/` are checked the same way; they are found by name. For those that are for staff (`staff=True`):

- a user with the scope who is not a member of staff: 403 `staff_only`;
- rows have no owner, so only an id that does not exist is a 404.

And for those that staff may read with the admin's session (`sessions=True`), instead of what `staff` checks: GET works
with the session of a member of staff, and is 401 with that of another user; other methods accept no session.

`bodies` gives the JSON of methods that would return 422 before they look up the row.

`PUBLIC_ROUTES` need no credential. An architecture test reads which routes the tests name as `Access("<route>", ...)`
and compares them with all the routes: write the name as a literal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.db.models import Model
from django.urls import NoReverseMatch
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import services
from accounts.models import User
from api.routing import api_path, internal_path
from core.ids import encode_id, uuid7
from core.scopes import PUBLIC_SCOPES, RESTRICTED_SCOPES
from tests.factories import make_minted_key, make_user

ANY = ""
PUBLIC_ROUTES = frozenset({"meta", "auth-token", "auth-token-refresh", "auth-token-revoke"})
# Used as the version of internal routes, which have none.
INTERNAL = None
JUNK_KEY = "ro_live_AAAAAAAA_" + "A" * 38


@dataclass(frozen=True)
class Access:
    """A route and its required scopes.

    route: its name, without version; methods: HTTP method -> scope, or ANY if any credential will do;
    bodies: method -> JSON body; kwargs: further parts of the path; staff: whether it is for staff only;
    sessions: whether staff may read it with the admin's session.
    """

    route: str
    methods: Mapping[str, str]
    bodies: Mapping[str, Any] = field(default_factory=dict)
    kwargs: Mapping[str, str] = field(default_factory=dict)
    staff: bool = False
    sessions: bool = False


def check_access(access: Access, *, owner: User | None = None, row: Model | None = None) -> None:
    """Assert the matrix. owner, row: a row of the owner's for routes with an id; the id is `row.public_id`."""
    granted = sorted(RESTRICTED_SCOPES.intersection(access.methods.values()))
    owner = owner or make_user(is_staff=access.staff, granted_scopes=granted)
    versions = [v for v in (*settings.RENDEROWL_API_VERSIONS, INTERNAL) if _path(access, v, row) is not None]
    assert versions, f"no version has the route {access.route}"
    other_user = make_user(granted_scopes=granted)
    before = _columns(row)
    for version in versions:
        path, missing = _path(access, version, row), _path(access, version, row, exists=False)
        assert path is not None
        assert missing is not None
        _check_every_method_is_named(access, path)
        for method in access.methods:
            call = _Call(method, access.bodies.get(method))
            _check_unauthenticated(call, path, owner)
            if access.methods[method] != ANY:
                _check_scope(call, path, missing, owner, access.methods[method])
            if access.staff:
                _check_staff_only(call, path, missing, other_user)
            if row is not None:
                cases = (
                    [(missing, owner)]
                    if access.staff
                    else [(path, other_user), (missing, other_user), (missing, owner)]
                )
                _check_missing(call, cases)
            if access.sessions:
                _check_sessions(call, path, other_user)
            if method == "GET":
                response = call.send(path, _whole_key(owner))
                assert response.status_code < 400, (path, response.content)
    assert _columns(row) == before, "a caller without permission changed the row"


@dataclass(frozen=True)
class _Call:
    method: str
    body: Any

    def send(self, path: str, key: str | None = None) -> Any:
        headers = {} if key is None else {"X-API-Key": key}
        return APIClient().generic(
            self.method,
            path,
            data=json.dumps(self.body) if self.body is not None else "",
            content_type="application/json",
            headers=headers,
        )


def _path(access: Access, version: int | None, row: Model | None, *, exists: bool = True) -> str | None:
    kwargs = dict(access.kwargs)
    if row is not None:
        kwargs["id"] = row.public_id if exists else encode_id(row.ID_PREFIX, uuid7())
    try:
        if version is INTERNAL:
            return internal_path(access.route, **kwargs)
        return api_path(access.route, version, **kwargs)
    except NoReverseMatch:
        return None


def _columns(row: Model | None) -> dict[str, Any]:
    return {} if row is None else type(row)._base_manager.filter(pk=row.pk).values().get()


def _check_every_method_is_named(access: Access, path: str) -> None:
    response = APIClient().options(path, headers={"X-API-Key": make_minted_key().plaintext})
    allowed = {method.strip() for method in response["Allow"].split(",")} - {"OPTIONS", "HEAD"}
    assert allowed == set(access.methods), f"{path} has the methods {sorted(allowed)}"


def _check_unauthenticated(call: _Call, path: str, owner: User) -> None:
    revoked = make_minted_key(owner)
    services.revoke_api_key(key=revoked.key)
    expired = make_minted_key(owner, expires_at=timezone.now() - timedelta(seconds=1))
    cases = {
        None: "unauthenticated",
        JUNK_KEY: "unauthenticated",
        revoked.plaintext: "token_revoked",
        expired.plaintext: "token_expired",
    }
    for key, code in cases.items():
        response = call.send(path, key)
        assert response.status_code == 401, (call.method, path, code, response.content)
        assert response.json()["code"] == code
        assert response["WWW-Authenticate"].startswith("Bearer")


def _check_scope(call: _Call, path: str, missing: str, owner: User, scope: str) -> None:
    others = sorted(PUBLIC_SCOPES - {scope})
    key = make_minted_key(owner, scopes=tuple(others)).plaintext
    for target in (path, missing):
        response = call.send(target, key)
        assert response.status_code == 403, (call.method, target, response.content)
        assert response["Content-Type"].startswith("application/problem+json")
        body = response.json()
        assert (body["code"], body["required_scope"]) == ("missing_scope", scope)


def _check_staff_only(call: _Call, path: str, missing: str, other_user: User) -> None:
    for target in (path, missing):
        response = call.send(target, _whole_key(other_user))
        assert response.status_code == 403, (call.method, target, response.content)
        assert response.json()["code"] == "staff_only"


def _check_missing(call: _Call, cases: list[tuple[str, User]]) -> None:
    answers = []
    for target, user in cases:
        response = call.send(target, _whole_key(user))
        assert response.status_code == 404, (call.method, target, response.content)
        body = response.json()
        body.pop("instance")
        answers.append(body)
    assert all(answer == answers[0] for answer in answers)


def _check_sessions(call: _Call, path: str, other_user: User) -> None:
    for user, may_read in ((make_user(is_staff=True), True), (other_user, False)):
        client = APIClient()
        client.force_login(user)
        assert BACKEND_SESSION_KEY in client.session
        response = client.generic(call.method, path, data=json.dumps(call.body), content_type="application/json")
        if may_read and call.method == "GET":
            assert response.status_code < 400, (path, response.content)
        else:
            assert response.status_code == 401, (call.method, path, response.content)


def _whole_key(user: User) -> str:
    """The text of a key with every scope that its owner has."""
    return make_minted_key(user, scopes=("*", *sorted(user.scopes - PUBLIC_SCOPES))).plaintext
