"""HTTP client: one request to a checked address, within a hard time limit."""

from __future__ import annotations

import contextlib
import functools
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import certifi
from opentelemetry.trace import Span, SpanKind

from core import tracing
from outbound.exceptions import FetchError, FetchFailed
from outbound.targets import Resolver, Target, choose_addresses, system_resolver

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 15.0
MAX_ADDRESSES = 3
_POLL_S = 0.2
USER_AGENT = "renderowl"


@dataclass(slots=True)
class Deadline:
    """Time limit of an exchange. stop: set by a caller that no longer wants the result."""

    total_s: float
    stop: threading.Event | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def left_s(self) -> float:
        """Return the seconds left, at least 0.001, as a timeout of zero would mean non-blocking."""
        return max(0.001, self.began + self.total_s - time.monotonic())

    @property
    def has_passed(self) -> bool:
        """Return whether the time is up or the caller has stopped the exchange."""
        return self.is_stopped or time.monotonic() >= self.began + self.total_s

    @property
    def is_stopped(self) -> bool:
        """Return whether the caller has stopped the exchange."""
        return self.stop is not None and self.stop.is_set()

    def failure(self) -> FetchFailed:
        """Return the error to raise once the deadline has passed."""
        if self.is_stopped:
            return FetchFailed("stopped", "The fetch was stopped.")
        return FetchFailed("timeout", f"The file did not arrive within {self.total_s:g} seconds.")


class _Watchdog:
    """Shuts the connection down at the deadline.

    A socket timeout limits each wait, not their sum: a server that sends a byte per second would never exceed it.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._done = threading.Event()
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._watch, name="fetch-watchdog", daemon=True)

    def __enter__(self) -> _Watchdog:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()
        self._thread.join()

    def guard(self, connection: socket.socket) -> None:
        self._connection = connection

    def _watch(self) -> None:
        while not self._done.wait(min(_POLL_S, self._deadline.left_s)):
            if self._deadline.has_passed and self._connection is not None:
                with contextlib.suppress(OSError):
                    # On the plain socket, also under TLS, as a close_notify could block.
                    socket.socket.shutdown(self._connection, socket.SHUT_RDWR)
                return


@contextlib.contextmanager
def send_request(
    target: Target,
    deadline: Deadline,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    resolver: Resolver = system_resolver,
    traceparent: str | None = None,
) -> Iterator[http.client.HTTPResponse]:
    """Send one request and yield its response; the caller follows redirects, after checking each.

    The host is resolved once, here, and every address checked; no name is looked up after that.
    traceparent: sent if this process records no spans, else replaced by that of the exchange; None sends none.
    Raises FetchRefused, FetchFailed; also while the caller reads the response.
    """
    with _client_span(target, method) as span:
        addresses = choose_addresses(target, resolver)
        trace = tracing.traceparent_of(span) if traceparent is not None and tracing.is_enabled() else traceparent
        sent = {"Host": target.host_header, "User-Agent": USER_AGENT, "Connection": "close", **(headers or {})}
        if trace:
            sent[tracing.HEADER] = trace
        with _exchange(target, addresses, deadline, method, sent, body, connect_timeout_s) as response:
            tracing.set_attributes(span, {"http.response.status_code": response.status})
            if response.status >= 400:
                tracing.set_error(span, str(response.status))
            yield response


def _client_span(target: Target, method: str) -> AbstractContextManager[Span]:
    """Return the span of an exchange, without path and query, as webhook URLs contain secrets."""
    known: tracing.Attributes = {
        "http.request.method": method,
        "server.address": target.host,
        "server.port": target.port,
        "url.scheme": target.scheme,
    }
    return tracing.span(method, kind=SpanKind.CLIENT, attributes=known)


@contextlib.contextmanager
def _exchange(
    target: Target,
    addresses: list[str],
    deadline: Deadline,
    method: str,
    headers: Mapping[str, str],
    body: bytes | None,
    connect_timeout_s: float,
) -> Iterator[http.client.HTTPResponse]:
    with _Watchdog(deadline) as watchdog, _network_errors(target, deadline):
        connection = http.client.HTTPConnection(target.host, target.port)
        try:
            # With its socket set, the connection never resolves the host.
            connection.sock = _connect(target, addresses, deadline, connect_timeout_s, watchdog)
            connection.request(method, target.path, body=body, headers=dict(headers))
            # The response keeps the socket open after the connection has released it.
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()


@contextlib.contextmanager
def _network_errors(target: Target, deadline: Deadline) -> Iterator[None]:
    try:
        yield
    except FetchError:
        raise
    except ssl.SSLCertVerificationError as error:
        detail = f"The certificate of {target.host} cannot be trusted."
        raise FetchFailed("certificate_invalid", detail) from error
    except (OSError, http.client.HTTPException) as error:
        if deadline.has_passed:
            raise deadline.failure() from error
        if isinstance(error, TimeoutError):
            raise FetchFailed("timeout", f"{target.host} did not answer in time.") from error
        raise FetchFailed("connection_failed", f"The connection to {target.host} failed.") from error


def _connect(
    target: Target, addresses: list[str], deadline: Deadline, connect_timeout_s: float, watchdog: _Watchdog
) -> socket.socket:
    failure: OSError = OSError("no address")
    for address in addresses[:MAX_ADDRESSES]:
        if deadline.has_passed:
            raise deadline.failure()
        try:
            bare = socket.create_connection((address, target.port), timeout=min(connect_timeout_s, deadline.left_s))
        except OSError as error:
            failure = error
            continue
        watchdog.guard(bare)
        bare.settimeout(min(READ_TIMEOUT_S, deadline.left_s))
        if target.scheme == "http":
            return bare
        try:
            secured = tls_context().wrap_socket(bare, server_hostname=target.host)
        except OSError:
            bare.close()
            raise
        watchdog.guard(secured)
        return secured
    raise failure


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the TLS context: certificates and names are verified, against certifi's roots if the system has none."""
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    has_roots = paths.cafile or (paths.capath and any(Path(paths.capath).iterdir()))
    if not has_roots:
        context.load_verify_locations(certifi.where())
    return context
