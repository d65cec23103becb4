"""HTTP request of a delivery attempt. Uses neither the database nor settings, so it can run in any thread."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from notifications.models.webhooks import MAX_STORED_RESPONSE_BYTES
from outbound.exceptions import FetchError
from outbound.http_client import Deadline, send_request
from outbound.resolver import with_timeout
from outbound.signing import signed_headers
from outbound.targets import AllowHosts, Resolver, check_url, system_resolver

CONNECT_TIMEOUT_S = 5.0
TOTAL_TIMEOUT_S = 15.0
RESOLVE_TIMEOUT_S = 5.0
MAX_RESPONSE_BYTES = 4 * 1024
MAX_RETRY_AFTER_S = 24 * 3600
_GONE = 410


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """A message and its target. secrets: each adds a signature; `repr` omits them.

    allow_hosts: (host, port or None for any) that the operator exempts from the address check.
    """

    url: str
    message_id: str
    body: bytes
    secrets: tuple[bytes, ...] = field(repr=False)
    allow_hosts: AllowHosts = ()
    ports: Collection[int] = (443,)
    traceparent: str = ""
    total_timeout_s: float = TOTAL_TIMEOUT_S
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    resolver: Resolver = system_resolver


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of an attempt.

    status_code: None without a response. error: a code, empty for success. retry_after_s: requested by the receiver,
    at most a day. response_body: the first KB as text.
    """

    duration_s: float
    status_code: int | None = None
    error: str = ""
    detail: str = ""
    response_body: str = ""
    retry_after_s: float = 0.0

    @property
    def is_success(self) -> bool:
        """Return whether the receiver accepted the message."""
        return not self.error

    @property
    def is_gone(self) -> bool:
        """Return whether the receiver answered 410 Gone, which disables the endpoint."""
        return self.status_code == _GONE


def send(message: WebhookMessage) -> DeliveryResult:
    """Make one attempt; network and receiver errors are returned, never raised."""
    began = time.monotonic()
    try:
        status, retry_after_header, body = _post(message)
    except FetchError as error:
        return DeliveryResult(time.monotonic() - began, error=error.reason, detail=error.detail)
    took_s = time.monotonic() - began
    text = body[:MAX_STORED_RESPONSE_BYTES].decode("utf-8", "replace").replace("\x00", "�")
    if 200 <= status < 300:
        return DeliveryResult(took_s, status, response_body=text)
    detail = "Redirects are not followed." if 300 <= status < 400 else f"The receiver answered with status {status}."
    return DeliveryResult(took_s, status, f"http_{status}", detail, text, retry_after(retry_after_header))


def _post(message: WebhookMessage) -> tuple[int, str, bytes]:
    """Return the status, the Retry-After header and the beginning of the body.

    The address is checked at every attempt, because the name may resolve to another one each time.
    """
    deadline = Deadline(message.total_timeout_s)
    target = check_url(message.url, allow_hosts=message.allow_hosts, ports=message.ports)
    signed = signed_headers(
        secrets=message.secrets, message_id=message.message_id, timestamp=int(time.time()), body=message.body
    )
    headers = {
        **signed,
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "renderowl-webhooks",
    }
    with send_request(
        target,
        deadline,
        method="POST",
        headers=headers,
        body=message.body,
        connect_timeout_s=message.connect_timeout_s,
        resolver=with_timeout(RESOLVE_TIMEOUT_S, message.resolver),
        traceparent=message.traceparent,
    ) as response:
        return response.status, response.headers.get("Retry-After", ""), _read_beginning(response)


def _read_beginning(response: http.client.HTTPResponse) -> bytes:
    """Return the beginning of the body, ignoring read errors: the status alone decides the result."""
    body = b""
    with contextlib.suppress(OSError, http.client.HTTPException):
        while len(body) < MAX_RESPONSE_BYTES and (block := response.read1(MAX_RESPONSE_BYTES - len(body))):
            body += block
    return body


def retry_after(text: str) -> float:
    """Parse a Retry-After header to seconds between 0 and a day; 0 if it is invalid.

    Source: RFC 9110, section 10.2.3: seconds or an HTTP date.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), MAX_RETRY_AFTER_S))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), MAX_RETRY_AFTER_S)
