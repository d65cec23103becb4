"""Rate limits of requests: by API key, by account, or by client address."""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest
from rest_framework.request import Request

from accounts.authentication import Credential, client_address
from accounts.models import KeyType, User
from accounts.plans import ANONYMOUS, INTERNAL, limits_of
from api.ratelimit.buckets import RateLimit

CREATE_RENDER = "create_render"
# Calls between services, under `/internal/`: limited by key, not by the plan of the key's owner.
INTERNAL_CALL = "internal_call"
# An internet provider assigns each customer at least a /64, so limits by single address would be ineffective.
IPV6_PREFIX = 64


def limits_of_request(request: Request, operation: str, units: int) -> list[RateLimit]:
    """Return the limits of a request. Keys of workers do not count against their owner's account.

    units: how many renders the request submits.
    """
    credential, user = request.auth, request.user
    if not isinstance(credential, Credential) or not isinstance(user, User):
        return [RateLimit(ANONYMOUS, f"address:{address_block(request)}")]
    key = credential.key
    if key is not None and key.type == KeyType.WORKER:
        return [RateLimit(INTERNAL, f"key:{key.pk.hex}")]
    if key is not None and operation == INTERNAL_CALL:
        return [RateLimit(INTERNAL, f"internal:{key.pk.hex}")]
    plan = limits_of(user.plan)
    limits = [] if key is None else [RateLimit(plan.by_key, f"key:{key.pk.hex}")]
    limits.append(RateLimit(plan.by_account, f"account:{user.pk.hex}"))
    if operation == CREATE_RENDER and (of_renders := render_limit(user, units)) is not None:
        limits.append(of_renders)
    return limits


def render_limit(user: User, units: int = 1) -> RateLimit | None:
    """Return the hourly render limit of an account, also for renders submitted without a request; None if unlimited."""
    policy = limits_of(user.plan).by_renders
    return None if policy is None else RateLimit(policy, f"renders:{user.pk.hex}", units)


def address_block(request: Request | HttpRequest) -> str:
    """Return the IPv4 address or the IPv6 /64 network of the client; "" if it is unknown."""
    address = client_address(request)
    if address is None:
        return ""
    parsed = ipaddress.ip_address(address)
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False).network_address)
