"""Whether a URL can be a receiver of webhooks, by the settings of this installation."""

from __future__ import annotations

from django.conf import settings

from outbound.exceptions import FetchFailed
from outbound.ip_addresses import parse_address
from outbound.resolver import with_timeout
from outbound.targets import Resolver, Target, check_url, choose_addresses, system_resolver

# A request waits for it. What cannot be told so soon is told at the first delivery.
RESOLVE_TIMEOUT_S = 2.0


def check_webhook_url(url: str) -> Target:
    """Return the target of a URL, judged by its text alone: nothing is looked up.

    Raises FetchRefused.
    """
    target = check_url(url, allow_hosts=settings.RENDEROWL_WEBHOOK_ALLOW_HOSTS, ports=settings.RENDEROWL_WEBHOOK_PORTS)
    if parse_address(target.host) is not None:
        choose_addresses(target, lambda host, port: [host])
    return target


def resolve_webhook_url(url: str, *, resolver: Resolver = system_resolver) -> None:
    """Refuse a URL also if its name leads to where nothing is delivered.

    A name that is not known now may be known tomorrow; and every name is judged again at every delivery.
    Raises FetchRefused.
    """
    target = check_webhook_url(url)
    try:
        choose_addresses(target, with_timeout(RESOLVE_TIMEOUT_S, resolver))
    except FetchFailed:
        return
