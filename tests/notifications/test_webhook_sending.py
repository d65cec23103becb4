"""The HTTP request of an attempt: results, timeouts, and the addresses it refuses."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from notifications.webhooks import sending
from notifications.webhooks.sending import WebhookMessage, retry_after, send
from outbound.signing import parse_secret

SECRET = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def message(url, **fields):
    return WebhookMessage(url=url, message_id="dlv_1", body=b'{"test": 1}', secrets=(SECRET,), **fields)


def to(receiver, path="/hook", **fields):
    return message(receiver.url(path), allow_hosts=[("127.0.0.1", receiver.port)], **fields)


@pytest.mark.parametrize(("status", "error"), [(200, ""), (204, ""), (301, "http_301"), (400, "http_400")])
def test_only_2xx_is_success(receiver, status, error):
    receiver.answer = (status, {}, b"ok" if status != 204 else b"")
    reply = send(to(receiver))
    assert (reply.status_code, reply.error, reply.is_success) == (status, error, not error)


def test_stores_the_first_kilobyte_of_a_long_response(receiver):
    receiver.answer = (200, {}, b"\x00\xff" + b"x" * 1_000_000)
    reply = send(to(receiver))
    assert reply.is_success
    assert reply.response_body.startswith("��xx")
    assert len(reply.response_body) == 1024


def test_an_endless_body_does_not_change_the_result(receiver):
    stop = threading.Event()

    def answer(request):
        return 200, {"Content-Length": "100"}, b"ok"

    receiver.answer = answer
    began = time.monotonic()
    reply = send(to(receiver, total_timeout_s=0.5))
    stop.set()
    assert (reply.status_code, reply.response_body) == (200, "ok")
    assert time.monotonic() - began < 5


def test_a_silent_receiver_times_out():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        reply = send(message(f"http://127.0.0.1:{port}/", allow_hosts=[("127.0.0.1", port)], total_timeout_s=0.4))
        assert (reply.status_code, reply.error) == (None, "timeout")
        assert 0.3 < time.monotonic() - began < 5


def test_a_silent_name_server_times_out(monkeypatch):
    monkeypatch.setattr(sending, "RESOLVE_TIMEOUT_S", 0.1)
    never = threading.Event()

    def hang(host, port):
        never.wait(30)
        return ["127.0.0.1"]

    began = time.monotonic()
    reply = send(message("https://slow.test/", resolver=hang))
    never.set()
    assert reply.error == "host_unknown"
    assert time.monotonic() - began < 5


def test_a_refused_connection_is_a_failure():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    reply = send(message(f"http://127.0.0.1:{port}/", allow_hosts=[("127.0.0.1", None)]))
    assert (reply.status_code, reply.error) == (None, "connection_failed")


@pytest.fixture
def listener():
    """A loopback socket that must not receive a connection."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.05)
    yield server
    with pytest.raises(TimeoutError):
        server.accept()
    server.close()


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::ffff:127.0.0.1"]])
def test_never_connects_to_a_name_with_a_private_address(listener, answers):
    port = listener.getsockname()[1]
    reply = send(message(f"https://evil.test:{port}/", ports={port}, resolver=lambda host, port: answers))
    assert (reply.status_code, reply.error) == (None, "address_refused")
    assert "127" not in reply.detail


def test_connects_to_the_checked_address_despite_dns_rebinding(listener, monkeypatch):
    """The name is public at the check and loopback afterwards: the connection uses the checked address."""
    port = listener.getsockname()[1]
    asked, connected = [], []

    def flip(host, port):
        asked.append(host)
        return ["93.184.215.14"] if len(asked) == 1 else ["127.0.0.1"]

    def connect(address, timeout):
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    reply = send(message(f"https://flip.test:{port}/", ports={port}, resolver=flip))
    assert (reply.error, asked, connected) == ("connection_failed", ["flip.test"], [("93.184.215.14", port)])
    # The next attempt resolves and checks the name again.
    assert send(message(f"https://flip.test:{port}/", ports={port}, resolver=flip)).error == "address_refused"
    assert len(connected) == 1


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://receiver.test/", "url_scheme"),
        ("https://receiver.test:8443/", "url_port"),
        ("https://user:word@receiver.test/", "url_credentials"),
        ("https://169.254.169.254/latest", "address_refused"),
        ("https://[::1]/", "address_refused"),
    ],
)
def test_refuses_forbidden_urls_at_every_attempt(url, error):
    assert send(message(url)).error == error


def test_repr_of_a_message_omits_the_secret():
    assert "secrets" not in repr(message("https://receiver.test/"))


def test_sends_the_traceparent(receiver):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    send(to(receiver, traceparent=trace))
    send(to(receiver))
    assert [request.headers.get("traceparent") for request in receiver.received] == [trace, None]


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 0), ("120", 120), ("-5", 0), ("soon", 0), ("1" * 400, 86400), ("٣", 0), ("1.5", 0)]
)
def test_parses_retry_after(text, seconds):
    assert retry_after(text) == seconds


def test_parses_retry_after_dates():
    moment = datetime.now(UTC) + timedelta(minutes=10)
    assert 590 < retry_after(format_datetime(moment, usegmt=True)) <= 600
    assert retry_after("Mon, 23 Nov 2020 10:00:00 GMT") == 0
    assert retry_after("Fri, 31 Dec 9999 23:59:59 GMT") == 86400
