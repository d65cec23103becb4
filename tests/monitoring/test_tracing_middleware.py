"""Spans of requests, and continuation of the caller's trace."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from jobs.models import Job
from notifications.webhooks.sending import WebhookMessage, send
from tests.factories import make_api_key, make_edit, make_render, make_user
from tests.notifications.receiver import Receiver

pytestmark = pytest.mark.django_db
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{CALLER}-01"


def test_a_request_is_a_span_named_by_its_pattern(api: APIClient, traces: Any) -> None:
    alice = make_user()
    key = make_api_key(alice)
    api.credentials(HTTP_X_API_KEY=key)
    path = f"/api/v2/renders/{make_render(alice).public_id}"
    response = api.get(f"{path}?token=hush", headers={"traceparent": SAMPLED})
    (span,) = traces()
    assert (span.name, span.kind.name) == ("GET /api/v2/renders/{id}", "SERVER")
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, CALLER)
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "http.route": "/api/v2/renders/{id}",
        "http.response.status_code": response.status_code,
        "url.scheme": "http",
        "renderowl.request.id": response["X-Request-Id"],
        "renderowl.account.id": alice.public_id,
    }
    assert span.status.is_unset
    assert not {"hush", key, path} & set(span.to_json().split('"'))


@pytest.mark.parametrize("header", ["", "junk", f"00-{'0' * 32}-{CALLER}-01"])
def test_starts_a_trace_without_a_valid_parent(api: APIClient, traces: Any, header: str) -> None:
    api.get("/api/v2/meta", headers={"traceparent": header} if header else {})
    (span,) = traces()
    assert span.parent is None
    assert f"{span.context.trace_id:032x}" != TRACE


def test_clients_cannot_choose_the_names_of_spans(api: APIClient, traces: Any) -> None:
    assert api.get("/nothing/like/this").status_code == 404
    assert api.generic("PURGE", "/api/v2/nothing").status_code == 404
    assert [span.name for span in traces()] == ["GET", "OTHER"]
    assert [span.attributes["http.request.method"] for span in traces()] == ["GET", "_OTHER"]
    assert all(span.status.is_unset for span in traces())


def test_an_unhandled_failure_is_named_by_its_class(
    monkeypatch: pytest.MonkeyPatch, traces: Any, api: APIClient
) -> None:
    monkeypatch.setattr("api.meta.MetaView.get", lambda *args, **kwargs: 1 / 0)
    assert APIClient(raise_request_exception=False).get("/api/v2/meta").status_code == 500
    (span,) = traces()
    assert (span.status.status_code.name, span.attributes["error.type"]) == ("ERROR", "ZeroDivisionError")


@pytest.mark.parametrize("path", ["/live", "/static/api/icon.svg"])
def test_probes_and_files_have_no_span(api: APIClient, traces: Any, path: str) -> None:
    response = api.get(path, headers={"traceparent": SAMPLED})
    assert response.status_code == 200
    response.close()
    assert traces() == []


@pytest.mark.parametrize(("header", "stored"), [(SAMPLED, SAMPLED), ("junk", ""), ("", "")])
def test_without_tracing_the_callers_traceparent_is_stored_with_the_job(
    api: APIClient, header: str, stored: str
) -> None:
    api.credentials(HTTP_X_API_KEY=make_api_key(make_user()))
    response = api.post("/api/v2/renders", {"edit": make_edit()}, headers={"traceparent": header} if header else {})
    assert response.status_code == 202
    assert Job.objects.get(type="renders.render").traceparent == stored


def test_a_delivery_is_a_client_span_and_sends_its_traceparent(traces: Any) -> None:
    receiver = Receiver()
    receiver.answer = (503, {}, b"")
    options = {"message_id": "msg_1", "body": b"{}", "secrets": (b"hush" * 8,), "allow_hosts": (("127.0.0.1", None),)}
    url = receiver.url("/hush?token=hush")
    reply = send(WebhookMessage(url=url, ports=(receiver.port,), traceparent=SAMPLED, **options))
    receiver.close()
    refused = send(WebhookMessage(url="https://10.0.0.1/", traceparent=SAMPLED, **options))
    assert (reply.status_code, refused.error) == (503, "address_refused")
    answered, refused_span = traces()
    assert (answered.name, answered.kind.name) == ("POST", "CLIENT")
    assert dict(answered.attributes) == {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "server.port": receiver.port,
        "url.scheme": "http",
        "http.response.status_code": 503,
        "error.type": "503",
    }
    (request,) = receiver.received
    context = answered.context
    own = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
    assert request.headers["traceparent"] == own
    assert refused_span.status.status_code.name == "ERROR"
    assert "http.response.status_code" not in refused_span.attributes
