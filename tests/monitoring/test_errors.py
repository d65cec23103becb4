"""The error log: failures are grouped, counted, reopened after resolution, and free of secrets."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import AuditEntry
from monitoring import services
from monitoring.models import ErrorLog
from monitoring.performance.failures import FailureBuffer, redact_secrets
from monitoring.performance.monitor import Monitor
from tests.factories import make_api_key, make_user
from tests.permission_matrix import Access, check_access

pytestmark = pytest.mark.django_db
SECRET = "ro_live_AAAAAAAA_" + "B" * 38


@pytest.fixture
def monitor() -> Any:
    monitor = Monitor()
    logging.getLogger().addHandler(monitor.failures)
    yield monitor
    logging.getLogger().removeHandler(monitor.failures)


@pytest.fixture
def broken_api(monkeypatch: pytest.MonkeyPatch) -> APIClient:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError(f"with {SECRET}")

    monkeypatch.setattr("api.meta.MetaView.get", fail)
    return APIClient(raise_request_exception=False)


def make_error(**fields: Any) -> ErrorLog:
    columns = {"fingerprint": "f" * 64, "type": "ValueError", "place": "core/x.py:y", "count": 1, "route": "/api/x"}
    moment = fields.pop("at", None) or "2026-11-20T10:00:00Z"
    return ErrorLog.objects.create(**{**columns, "first_seen_at": moment, "last_seen_at": moment, **fields})


def test_failures_of_one_type_and_place_share_a_row(monitor: Monitor, broken_api: APIClient) -> None:
    for _ in range(3):
        last = broken_api.get("/api/v2/meta")
        monitor.flush()
    row = ErrorLog.objects.get()
    assert (row.type, row.count, row.route) == ("ZeroDivisionError", 3, "/api/v2/meta")
    assert row.request_id == last["X-Request-Id"]
    assert row.place.startswith("tests/monitoring/test_errors.py:")
    assert "ZeroDivisionError" in row.traceback
    assert SECRET not in row.message + row.traceback
    assert row.first_seen_at <= row.last_seen_at


def test_a_failure_after_its_resolution_opens_a_new_row(monitor: Monitor, broken_api: APIClient) -> None:
    broken_api.get("/api/v2/meta")
    monitor.flush()
    root = make_user(is_staff=True)
    first = ErrorLog.objects.get()
    assert services.resolve_error(error_id=first.pk, user=root)
    assert not services.resolve_error(error_id=first.pk, user=root)
    assert AuditEntry.objects.filter(action="error.resolved", subject=first.public_id).count() == 1
    broken_api.get("/api/v2/meta")
    monitor.flush()
    rows = list(ErrorLog.objects.order_by("first_seen_at").values_list("count", "resolved_by"))
    assert rows == [(1, root.pk), (1, None)]


def test_client_errors_are_not_failures(monitor: Monitor, api: APIClient) -> None:
    for path in ("/api/v2/nothing", "/api/v2/renders", "/admin/nothing/"):
        api.get(path)
    logging.getLogger("somewhere").error("without a traceback")
    assert monitor.failures.take() == []


def test_failures_outside_requests_are_recorded(monitor: Monitor) -> None:
    try:
        raise KeyError("postgres://app:hush@db/x")
    except KeyError:
        logging.getLogger("core.events").exception("subscriber failed")
    monitor.flush()
    row = ErrorLog.objects.get()
    assert (row.type, row.route) == ("KeyError", "")
    assert "hush" not in row.message + row.traceback


def test_the_buffer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.performance.failures.MAX_KINDS", 5)
    buffer = FailureBuffer()
    for number in range(9):
        kind = type(f"Kind{number}", (Exception,), {})
        try:
            raise kind
        except kind as error:
            info = (kind, error, error.__traceback__)
            buffer.handle(logging.LogRecord("x", logging.ERROR, "x", 1, "m", (), info))
    assert (len(buffer.take()), buffer.lost) == (5, 4)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"key {SECRET} refused", "key ro_live_... refused"),
        ("whsec_abc/DEF+1==", "whsec_..."),
        ("Bearer eyJhbGciOi.J9.x-y_z", "Bearer eyJ..."),
        ("GET /files/token123 failed", "GET /files/... failed"),
        ("redis://user:pass@host/0", "redis://user:...@host/0"),
        ("a\x00b", "ab"),
        ("half \ud800", "half ?"),
        ("nothing secret: 12:30", "nothing secret: 12:30"),
    ],
)
def test_secrets_are_redacted(text: str, clean: str) -> None:
    assert redact_secrets(text) == clean


def test_the_api_lists_shows_and_resolves(api: APIClient) -> None:
    root = make_user("root", is_staff=True)
    api.credentials(HTTP_X_API_KEY=make_api_key(root, scopes=("admin:*",)))
    old = make_error(at="2026-11-20T10:00:00Z", fingerprint="a" * 64, traceback="Traceback")
    new = make_error(at="2026-11-21T10:00:00Z", fingerprint="b" * 64, type="KeyError", request_id="abcdefgh")
    listed = api.get("/internal/errors").json()["data"]
    assert [row["id"] for row in listed] == [new.public_id, old.public_id]
    assert "traceback" not in listed[0]
    assert api.get(f"/internal/errors/{old.public_id}").json()["traceback"] == "Traceback"
    response = api.post(f"/internal/errors/{old.public_id}/resolve")
    assert (response.status_code, response.json()["resolved_by"]) == (200, "root")
    assert api.post(f"/internal/errors/{old.public_id}/resolve").json()["resolved_at"] == response.json()["resolved_at"]
    for query, expected in (
        ("resolved=false", [new]),
        ("resolved=true", [old]),
        ("type=KeyError", [new]),
        ("request_id=abcdefgh", [new]),
    ):
        rows = api.get(f"/internal/errors?{query}").json()["data"]
        assert [row["id"] for row in rows] == [row.public_id for row in expected], query
    assert api.get("/internal/errors?resolved=maybe").status_code == 400
    assert api.get("/internal/errors?limit=1").json()["has_more"] is True


def test_only_staff_may_view_and_resolve() -> None:
    root = make_user(is_staff=True)
    row = make_error()
    check_access(Access("internal-error-detail", {"GET": "admin:*"}, staff=True, sessions=True), owner=root, row=row)
    check_access(Access("internal-error-resolve", {"POST": "admin:*"}, staff=True), owner=root, row=row)


def test_staff_resolve_in_the_admin(client: Any) -> None:
    root = make_user("root", is_staff=True, is_superuser=True)
    client.force_login(root)
    row = make_error(message="<b>bad</b>")
    address = reverse("admin:monitoring_errorlog_changelist")
    assert row.place in client.get(address, {"state": "open"}).content.decode()
    data = {"action": "resolve_errors", "_selected_action": [str(row.pk)]}
    page = client.post(address, data, follow=True).content.decode()
    assert "1 resolved" in page
    row.refresh_from_db()
    assert row.resolved_by == root
    assert row.place not in client.get(address, {"state": "open"}).content.decode()
    detail = client.get(reverse("admin:monitoring_errorlog_change", args=[row.pk])).content.decode()
    assert "<b>bad</b>" not in detail


def test_staff_without_the_permission_cannot_resolve(client: Any) -> None:
    from django.contrib.auth.models import Permission

    helper = make_user(is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="view_errorlog"))
    client.force_login(helper)
    row = make_error()
    data = {"action": "resolve_errors", "_selected_action": [str(row.pk)]}
    client.post(reverse("admin:monitoring_errorlog_changelist"), data, follow=True)
    row.refresh_from_db()
    assert not row.is_resolved
