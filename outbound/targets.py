"""Checks of URLs, and the choice of the addresses to connect to."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from outbound.exceptions import FetchFailed, FetchRefused
from outbound.ip_addresses import is_public_address, parse_address

AllowHosts = Collection[tuple[str, int | None]]
Resolver = Callable[[str, int], list[str]]
DEFAULT_PORTS = frozenset({443})
MAX_URL_LENGTH = 4096
_SCHEME_PORTS = {"https": 443, "http": 80}
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f\\]")
_LABEL = re.compile(r"^(?!-)[a-z0-9_-]{1,63}(?<!-)$")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be fetched.

    host: lower case, in ASCII, without brackets. listed: exempted from the address check by the operator.
    path: with the query, as sent.
    """

    scheme: str
    host: str
    port: int
    path: str
    listed: bool

    @property
    def url(self) -> str:
        """Return the normalised URL."""
        return f"{self.scheme}://{self.host_header}{self.path}"

    @property
    def host_header(self) -> str:
        """Return the value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _SCHEME_PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(url: str, *, allow_hosts: AllowHosts = (), ports: Collection[int] = DEFAULT_PORTS) -> Target:
    """Return the target of a URL, checked by its text alone.

    allow_hosts: (host, port or None for any); these may be private, plain http, and on any listed port.
    Raises FetchRefused.
    """
    if len(url) > MAX_URL_LENGTH:
        raise FetchRefused("url_too_long", f"The URL is longer than {MAX_URL_LENGTH} characters.")
    if _UNPRINTABLE.search(url):
        # Parsers disagree about where such a URL ends, which attackers use to bypass filters.
        raise FetchRefused("url_invalid", "The URL has a space, a backslash or a control character.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise FetchRefused("url_invalid", "This is not a URL.") from None
    scheme = parts.scheme.lower()
    if scheme not in _SCHEME_PORTS:
        raise FetchRefused("url_scheme", "Only https URLs can be fetched.")
    if "@" in parts.netloc:
        raise FetchRefused("url_credentials", "The URL must not hold a user name or password.")
    host = _ascii_host(parts.hostname or "")
    port = _SCHEME_PORTS[scheme] if port is None else port
    listed = (host, None) in allow_hosts or (host, port) in allow_hosts
    if not listed and scheme != "https":
        raise FetchRefused("url_scheme", "Only https URLs can be fetched.")
    if not listed and port not in ports:
        raise FetchRefused("url_port", f"Port {port} is not allowed; allowed: {', '.join(map(str, sorted(ports)))}.")
    return Target(scheme, host, port, _path_of(parts), listed)


def _ascii_host(host: str) -> str:
    host = host.lower().removesuffix(".")
    if ":" in host:
        if parse_address(host) is None:
            raise FetchRefused("url_host", "The URL has no usable host.")
        return host
    try:
        ascii_host = host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError:
        raise FetchRefused("url_host", "The URL has no usable host.") from None
    labels = ascii_host.split(".")
    if len(ascii_host) > 253 or not all(_LABEL.match(label) for label in labels):
        raise FetchRefused("url_host", "The URL has no usable host.")
    return ascii_host


def _path_of(parts: SplitResult) -> str:
    text = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    # Escapes such as %41 stay; only characters that cannot be sent are escaped.
    return quote(text, safe="/?%:@!$&'()*+,;=[]~")


def system_resolver(host: str, port: int) -> list[str]:
    """Return every address of a host from the system's resolver. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


def choose_addresses(target: Target, resolver: Resolver = system_resolver) -> list[str]:
    """Resolve the host once and return the addresses to try; the connection must not resolve it again.

    Raises FetchRefused if ANY address is not public: a name that mixes both kinds is an attack or a mistake.
    Raises FetchFailed if there is no address.
    """
    try:
        answers = resolver(target.host, target.port)
    except (OSError, UnicodeError):
        raise FetchFailed("host_unknown", f"The host {target.host} cannot be found.") from None
    if not answers:
        raise FetchFailed("host_unknown", f"The host {target.host} cannot be found.")
    if not target.listed:
        for answer in answers:
            address = parse_address(answer)
            if address is None or not is_public_address(address):
                raise FetchRefused("address_refused", f"{target.host} is not on the public internet.")
    return answers
