"""Responses of `/ready`, `/health` and `/health/<check>`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.utils.dateparse import parse_datetime
from health_check.exceptions import ServiceUnavailable, ServiceWarning
from rest_framework.test import APIClient

from monitoring.health import runner, views
from monitoring.health.base import CheckObservation, HealthStatus
from monitoring.health.runner import CheckRunner
from tests.api.test_problems import assert_problem
from tests.factories import make_api_key, make_user
from tests.monitoring.test_health_runner import Fake, raising

SECRET = "/var/lib/secret password=hunter2 PostgreSQL 15.4"
Use = Callable[..., None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Return a function that replaces the checks."""

    def replace(*checks: Fake) -> None:
        monkeypatch.setattr(views, "runner", CheckRunner(checks))

    return replace


GOOD = Fake(lambda: [CheckObservation("depth", 3, "m")], name="good", critical=True)
BAD = Fake(raising(ServiceUnavailable(SECRET)), name="bad", critical=True)
DEGRADED = Fake(raising(ServiceWarning(SECRET)), name="degraded", critical=True)
EXTRA = Fake(raising(ServiceUnavailable(SECRET)), name="extra")


@pytest.mark.parametrize(
    ("checks", "code", "status"),
    [
        ([GOOD], 200, "pass"),
        ([GOOD, EXTRA], 200, "warn"),
        ([GOOD, DEGRADED], 200, "warn"),
        ([GOOD, DEGRADED, BAD], 503, "fail"),
    ],
)
def test_the_worst_check_decides_the_status(
    api: APIClient, use: Use, checks: list[Fake], code: int, status: str
) -> None:
    use(*checks)
    response = api.get("/health")
    assert (response.status_code, response.json()["status"]) == (code, status)
    assert response["Content-Type"] == "application/health+json"
    assert response["Cache-Control"] == "no-store"


def test_checks_have_the_members_of_the_format(api: APIClient, use: Use) -> None:
    use(GOOD, EXTRA)
    checks = api.get("/health").json()["checks"]
    assert set(checks) == {"good:responseTime", "good:depth", "extra:responseTime"}
    (depth,) = checks["good:depth"]
    assert parse_datetime(depth.pop("time")) is not None
    assert depth == {"status": "pass", "critical": True, "observedValue": 3, "observedUnit": "m"}
    (extra,) = checks["extra:responseTime"]
    assert (extra["status"], extra["critical"], extra["observedUnit"]) == ("fail", False, "ms")


def test_ready_runs_only_critical_checks(api: APIClient, use: Use) -> None:
    use(GOOD, EXTRA)
    response = api.get("/ready")
    assert (response.status_code, response.json()["status"]) == (200, "pass")
    assert not any(name.startswith("extra") for name in response.json()["checks"])
    use(GOOD, BAD)
    assert api.get("/ready").status_code == 503


def test_ready_accepts_any_host_and_plain_http(api: APIClient, use: Use, settings: Any) -> None:
    use(GOOD)
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["renderowl.example"], True
    assert api.get("/ready", HTTP_HOST="10.1.2.3:8000").status_code == 200


def test_a_hanging_check_does_not_block_the_response(api: APIClient, use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "CHECK_TIMEOUT_S", 0.05)
    runs: list[int] = []
    go_on = threading.Event()

    def hanging() -> list[CheckObservation]:
        runs.append(1)
        go_on.wait(10)
        return []

    use(GOOD, Fake(hanging, name="slow"))
    began = time.monotonic()
    for _ in range(5):
        response = api.get("/health")
        assert (response.status_code, response.json()["status"]) == (200, "warn")
        assert response.json()["checks"]["slow:responseTime"][0]["status"] == "fail"
    assert time.monotonic() - began < 3
    assert len(runs) == 1
    go_on.set()


def test_the_content_type_ignores_accept_and_format(api: APIClient, use: Use) -> None:
    use(GOOD)
    for query, accepted in (("?format=text", "*/*"), ("", "text/html"), ("", "application/openmetrics-text")):
        response = api.get(f"/health{query}", HTTP_ACCEPT=accepted)
        assert response["Content-Type"] == "application/health+json"
        assert "Accept" not in response.get("Vary", "")
        assert "Expires" not in response


def test_a_single_check_can_be_requested(api: APIClient, use: Use) -> None:
    use(GOOD, EXTRA)
    assert set(api.get("/health/good").json()["checks"]) == {"good:responseTime", "good:depth"}
    response = api.get("/health/extra/")
    assert (response.status_code, response.json()["status"]) == (200, "warn")
    assert_problem(api.get("/health/nothing"), 404, "not_found")


@pytest.mark.parametrize("path", ["/ready", "/health", "/health/good"])
def test_other_methods_are_refused(api: APIClient, use: Use, path: str) -> None:
    use(GOOD)
    response = api.post(path)
    assert_problem(response, 405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD"
    assert api.head(path).status_code == 200


@pytest.mark.django_db
def test_details_are_for_staff(api: APIClient, use: Use) -> None:
    use(GOOD, BAD, EXTRA)
    staff = make_user(is_staff=True)
    strangers: list[dict[str, str]] = [{}, {"HTTP_X_API_KEY": make_api_key()}, {"HTTP_X_API_KEY": "ro_live_x"}]
    for headers in strangers:
        for path in ("/health", "/health/bad", "/ready"):
            assert b"hunter2" not in api.get(path, **headers).content
    body = api.get("/health", HTTP_X_API_KEY=make_api_key(staff, scopes=("admin:*",))).json()
    assert body["checks"]["bad:responseTime"][0]["output"] == SECRET
    assert "output" not in body["checks"]["good:depth"][0]
    api.force_login(staff)
    assert b"hunter2" in api.get("/health").content
    api.force_login(make_user())
    assert b"hunter2" not in api.get("/health").content


def test_a_probe_with_a_key_is_answered_without_a_database(api: APIClient, use: Use) -> None:
    # Without the db mark every query fails.
    use(EXTRA)
    response = api.get("/health/extra", HTTP_X_API_KEY="junk")
    assert response.status_code == 200


@pytest.mark.django_db(transaction=True)
def test_all_real_checks_run(api: APIClient) -> None:
    # Alone, as an in-memory database has no WAL, and reads of other checks may block its write.
    alone = api.get("/health/database").json()["checks"]
    assert alone["database:responseTime"][0]["status"] == HealthStatus.PASS.label
    response = api.get("/health")
    checks = response.json()["checks"]
    assert {name.partition(":")[0] for name in checks} == set(views.runner.names)
    critical = {name.partition(":")[0] for name, (found,) in checks.items() if found["critical"]}
    assert critical == {"database", "migrations", "shutdown"}
    assert response.status_code == 200


def test_a_missing_database_file_is_503(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.middleware.is_gone", lambda path: True)
    response = api.get("/api/v2/meta")
    assert_problem(response, 503, "database_gone")
    assert response["Retry-After"] == "5"
    assert api.get("/live").status_code == 200
