"""Downloads of files by URL. Needs no database and no settings; thread-safe."""

from __future__ import annotations

import hashlib
import http.client
import threading
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from outbound.exceptions import FetchFailed, FetchRefused
from outbound.http_client import CONNECT_TIMEOUT_S, Deadline, send_request
from outbound.targets import DEFAULT_PORTS, AllowHosts, Resolver, Target, check_url, system_resolver

MAX_REDIRECTS = 5
BLOCK_BYTES = 256 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# After these a retry may succeed.
_RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
# Uncompressed, so that the limit applies to the file itself, without decompression bombs.
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A downloaded file. sha256: hexadecimal; content_type: as the server claims; final_url: after redirects.

    etag, last_modified: the server's validators, empty if it sent none.
    """

    size_bytes: int
    sha256: str
    content_type: str
    final_url: str
    etag: str = ""
    last_modified: str = ""


class FetchNotModified(Exception):
    """The server answered 304: the copy with these validators is current."""


def fetch_to_file(
    url: str,
    target: Path,
    *,
    allow_hosts: AllowHosts,
    max_bytes: int,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    total_timeout_s: float = 120.0,
    ports: Collection[int] = DEFAULT_PORTS,
    stop: threading.Event | None = None,
    etag: str = "",
    last_modified: str = "",
    resolver: Resolver = system_resolver,
) -> FetchedFile:
    """Download a URL to a new file.

    allow_hosts: (host, port or None for any), exempt from the address check. stop: set it to cancel.
    etag, last_modified: validators of an existing copy; FetchNotModified means that it is current.
    Redirects are followed, each checked like the first URL. On any error no file is left at `target`.
    Raises FetchRefused if a retry will fail too, FetchFailed if it may succeed, FetchNotModified.
    """
    deadline = Deadline(total_timeout_s, stop)
    headers = _HEADERS | {
        name: value for name, value in (("If-None-Match", etag), ("If-Modified-Since", last_modified)) if value
    }
    source = check_url(url, allow_hosts=allow_hosts, ports=ports)
    for _ in range(MAX_REDIRECTS + 1):
        with send_request(
            source, deadline, headers=headers, connect_timeout_s=connect_timeout_s, resolver=resolver
        ) as response:
            if response.status not in _REDIRECTS:
                return _receive(response, source, target, max_bytes, deadline)
            location = response.headers.get("Location", "")
        if not location:
            raise FetchFailed("redirect_invalid", f"{source.host} redirects without a Location header.")
        source = check_url(_joined(source.url, location), allow_hosts=allow_hosts, ports=ports)
    raise FetchRefused("too_many_redirects", f"The URL redirects more than {MAX_REDIRECTS} times.")


def _joined(base: str, location: str) -> str:
    try:
        return urljoin(base, location)
    except ValueError:
        raise FetchRefused("url_invalid", "The URL redirects to something that is not a URL.") from None


def _receive(
    response: http.client.HTTPResponse, source: Target, target: Path, max_bytes: int, deadline: Deadline
) -> FetchedFile:
    _check_status(response, source)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"identity", ""}:
        raise FetchRefused("content_encoding", f"{source.host} sends the file compressed, which is not supported.")
    announced = response.length
    if announced is not None and announced > max_bytes:
        raise _too_large(max_bytes)
    try:
        size, digest = _write_body(response, target, max_bytes, deadline)
        if announced is not None and size != announced:
            raise FetchFailed("truncated", f"{source.host} ended the connection before the end of the file.")
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    header = response.headers.get
    content_type = header("Content-Type", "").split(";")[0].strip().lower()
    return FetchedFile(size, digest, content_type, source.url, header("ETag", ""), header("Last-Modified", ""))


def _check_status(response: http.client.HTTPResponse, source: Target) -> None:
    if response.status == http.HTTPStatus.OK:
        return
    if response.status == http.HTTPStatus.NOT_MODIFIED:
        raise FetchNotModified
    error = FetchFailed if response.status in _RETRYABLE else FetchRefused
    raise error(f"http_{response.status}", f"{source.host} answered with status {response.status}.")


def _write_body(
    response: http.client.HTTPResponse, target: Path, max_bytes: int, deadline: Deadline
) -> tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    with target.open("wb") as file:
        while block := response.read1(BLOCK_BYTES):
            size += len(block)
            if size > max_bytes:
                raise _too_large(max_bytes)
            if deadline.has_passed:
                raise deadline.failure()
            digest.update(block)
            file.write(block)
    if deadline.has_passed:
        # Without Content-Length the watchdog's shutdown looks like the end of the file.
        raise deadline.failure()
    return size, digest.hexdigest()


def _too_large(max_bytes: int) -> FetchRefused:
    return FetchRefused("too_large", f"The file is larger than {max_bytes} bytes.")
