"""Paths under `/internal/` have problem documents, request ids, body limits and scopes too."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from accounts.services import suspend_user
from tests.api import internal_urls
from tests.api.test_problems import assert_problem
from tests.factories import make_api_key, make_user
from tests.permission_matrix import Access, check_access

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.internal_urls")]


@pytest.mark.urls("renderowl.urls")
@pytest.mark.parametrize("where", ["/internal", "/internal/", "/internal/nothing", "/webhooks/nothing"])
@pytest.mark.parametrize("method", ["get", "post", "put"])
def test_an_unknown_path_is_a_problem(api: APIClient, where: str, method: str) -> None:
    response = getattr(api, method)(where)
    assert_problem(response, 404, "not_found")
    assert response["API-Version"] == "2"


def test_the_request_cannot_choose_a_version(api: APIClient) -> None:
    key = make_api_key(make_user(is_staff=True), scopes=("admin:*",), pinned_version=1)
    api.credentials(HTTP_X_API_KEY=key, HTTP_API_VERSION="1", HTTP_ACCEPT="application/vnd.renderowl.v1+json")
    response = api.get("/internal/test/figures/")
    assert (response.status_code, response.json()["version"], response["API-Version"]) == (200, 2, "2")
    assert response["X-Request-Id"]


def test_an_error_reveals_nothing(api: APIClient) -> None:
    api.raise_request_exception = False
    response = api.get("/internal/test/failing", HTTP_X_API_KEY=make_api_key())
    assert_problem(response, 500, "internal_error")
    assert b"secret" not in response.content


def test_the_body_is_limited(api: APIClient) -> None:
    key = make_api_key(make_user(is_staff=True), scopes=("jobs:write",))
    response = api.post("/internal/test/staff", data={"x": "y" * 2**21}, HTTP_X_API_KEY=key)
    assert_problem(response, 413, "payload_too_large")


def test_staff_only_means_staff() -> None:
    check_access(Access("staff-list", {"GET": "jobs:read", "POST": "jobs:write"}, staff=True))


def test_staff_may_read_figures_with_key_token_or_session(api: APIClient) -> None:
    check_access(
        Access("figures", {"GET": "admin:*", "POST": "admin:*"}, sessions=True), owner=make_user(is_staff=True)
    )


def test_the_session_of_a_suspended_member_of_staff_reads_nothing(api: APIClient) -> None:
    user = make_user(is_staff=True)
    api.force_login(user)
    assert api.get("/internal/test/figures").json()["kind"] == "session"
    suspend_user(user=user)
    assert_problem(api.get("/internal/test/figures"), 403, "account_suspended")


def test_an_invalid_key_is_refused_despite_a_session(api: APIClient) -> None:
    api.force_login(make_user(is_staff=True))
    assert_problem(api.get("/internal/test/figures", HTTP_X_API_KEY="ro_live_x"), 401, "unauthenticated")


def test_the_matrix_notices_a_path_without_the_staff_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(internal_urls.StaffView, "permission_classes", (internal_urls.HasScope,))
    with pytest.raises(AssertionError):
        check_access(Access("staff-list", {"GET": "jobs:read", "POST": "jobs:write"}, staff=True))
