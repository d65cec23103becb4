"""Security headers on every response, and CORS for configured origins only."""

from __future__ import annotations

import pytest
from django.test import Client

from api.security_headers import content_policy
from tests.factories import make_api_key, make_user

pytestmark = pytest.mark.django_db
ORIGIN = "https://app.example.com"
ALWAYS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/live", 200),
        ("/api/v2/me", 401),
        ("/api/v2/schema", 200),
        ("/api/v2/nothing", 404),
        ("/api/v9/me", 404),
        ("/api/docs/", 200),
        ("/api/redoc/", 200),
        ("/problems/not-found", 200),
        ("/admin/login/", 200),
        ("/nowhere", 404),
        ("/files/forged/name.mp4", 403),
        ("/static/api/icon.svg", 200),
    ],
)
def test_every_response_has_security_headers(path: str, status: int) -> None:
    response = Client().get(path)
    response.close()
    assert response.status_code == status
    expected = ALWAYS | ({"Cross-Origin-Resource-Policy": "cross-origin"} if path.startswith("/files/") else {})
    assert {name: response.get(name) for name in expected} == expected
    assert "camera=()" in response["Permissions-Policy"]
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in response["Content-Security-Policy"]


def test_an_unhandled_error_has_security_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr("accounts.views.MeView.get", fail)
    client = Client(raise_request_exception=False, headers={"X-API-Key": make_api_key()})
    response = client.get("/api/v2/me")
    assert response.status_code == 500
    assert "secret" not in response.content.decode()
    assert response["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "path", ["/admin/", "/api/docs/", "/api/redoc/", "/problems/x", "/files/a/b", "/api/v2/me", "/"]
)
def test_no_policy_allows_inline_scripts(path: str) -> None:
    directives = dict(part.strip().split(" ", 1) for part in content_policy(path).split(";"))
    assert directives["default-src"] == "'none'"
    scripts = directives.get("script-src", "")
    assert "unsafe-inline" not in scripts
    assert "unsafe-eval" not in scripts or path == "/admin/"


def test_transport_security_over_tls(settings) -> None:
    settings.SECURE_HSTS_SECONDS = 31_536_000
    response = Client().get("/api/v2/me", secure=True)
    assert response["Strict-Transport-Security"].startswith("max-age=31536000")


def test_cookies_of_the_admin_are_hidden_from_scripts() -> None:
    make_user("root", is_staff=True, is_superuser=True)
    client = Client()
    client.get("/admin/login/")
    response = client.post("/admin/login/", {"username": "root", "password": "correct horse battery"})
    assert response.status_code == 302
    for name in ("sessionid", "csrftoken"):
        cookie = client.cookies[name]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert client.cookies["sessionid"]["max-age"] == 12 * 3600


@pytest.fixture
def _allowed_origin(settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:2],
        settings.CORS_MIDDLEWARE,
        *settings.MIDDLEWARE[2:],
    ]


def preflight(path: str, origin: str = ORIGIN):
    return Client().options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-api-key, idempotency-key, content-type",
        },
    )


def test_no_origin_is_allowed_by_default(rate_limits) -> None:
    for response in (preflight("/api/v2/renders"), Client().get("/api/v2/me", headers={"Origin": ORIGIN})):
        assert response.status_code == 401
        assert not [name for name in response.headers if name.lower().startswith("access-control")]


@pytest.mark.usefixtures("_allowed_origin")
def test_preflight_needs_no_key_and_is_not_charged(rate_limits) -> None:
    for _ in range(40):  # more than the limit of an address
        response = preflight("/api/v2/renders")
        assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in response
    assert {"x-api-key", "idempotency-key", "if-match"} <= set(response["Access-Control-Allow-Headers"].split(", "))
    assert "PATCH" in response["Access-Control-Allow-Methods"]
    assert "RateLimit" not in response


@pytest.mark.usefixtures("_allowed_origin")
def test_an_allowed_origin_reads_the_response_and_its_headers() -> None:
    response = Client().get("/api/v2/me", headers={"Origin": ORIGIN, "X-API-Key": make_api_key()})
    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == ORIGIN
    exposed = set(response["Access-Control-Expose-Headers"].split(", "))
    assert {"ETag", "Location", "RateLimit", "RateLimit-Policy", "X-Request-Id", "Retry-After", "Link"} <= exposed
    assert "origin" in response["Vary"].lower()
    refused = Client().get("/api/v2/nothing", headers={"Origin": ORIGIN})
    assert (refused.status_code, refused["Access-Control-Allow-Origin"]) == (404, ORIGIN)


@pytest.mark.usefixtures("_allowed_origin")
@pytest.mark.parametrize("origin", ["https://evil.example", "http://app.example.com", f"{ORIGIN}.evil.example", "null"])
def test_other_origins_are_not_allowed(origin: str) -> None:
    for response in (preflight("/api/v2/renders", origin), Client().get("/api/v2/me", headers={"Origin": origin})):
        assert "Access-Control-Allow-Origin" not in response


@pytest.mark.usefixtures("_allowed_origin")
def test_no_origin_may_use_the_admin() -> None:
    for path in ("/admin/login/", "/internal/jobs"):
        response = Client().get(path, headers={"Origin": ORIGIN})
        assert "Access-Control-Allow-Origin" not in response
