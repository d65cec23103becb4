"""Checks of webhook URLs against the settings of this installation."""

from __future__ import annotations

from django.conf import settings

from outbound.exceptions import FetchFailed
from outbound.ip_addresses import parse_address
from outbound.resolver import with_timeout
from outbound.targets import Resolver, Target, check_url, choose_addresses, system_resolver

# The request waits for the resolver. A name that takes longer is checked at the first delivery.
RESOLVE_TIMEOUT_S = 2.0


def check_webhook_url(url: str) -> Target:
    """Return the target of a URL, checked without a DNS lookup. Raises FetchRefused."""
    target = check_url(url, allow_hosts=settings.RENDEROWL_WEBHOOK_ALLOW_HOSTS, ports=settings.RENDEROWL_WEBHOOK_PORTS)
    if parse_address(target.host) is not None:
        choose_addresses(target, lambda host, port: [host])
    return target


def resolve_webhook_url(url: str, *, resolver: Resolver = system_resolver) -> None:
    """Raise FetchRefused if a URL, or an address of its host, is not allowed.

    A host that does not resolve is accepted: it may do so later, and each delivery checks it again.
    """
    target = check_webhook_url(url)
    try:
        choose_addresses(target, with_timeout(RESOLVE_TIMEOUT_S, resolver))
    except FetchFailed:
        return
