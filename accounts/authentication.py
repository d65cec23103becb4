"""Who is calling: API keys and access tokens, for DRF.

Each class leaves a `Credential` in `request.auth`. Order of checks: form (no query), existence and digest, revoked,
expired, owner, network. Whoever does not hold the secret learns nothing of the rest. Views that staff may read from
the admin, without a key at hand, take `authentication_classes = STAFF_AUTHENTICATION`.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from accounts import selectors, services
from accounts.exceptions import AccountSuspended, CredentialExpired, CredentialRevoked, Unauthenticated
from accounts.key_format import PlaintextKey, parse_key
from accounts.models import ApiKey, User
from accounts.tokens import password_stamp, read_access_token
from api.authentication import OncePerRequestAuthentication
from core.cache_tags.versions import TagVersions, parse_tag_versions
from core.context import set_account

KEY_PREFIX = "ro_"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request proved. scopes: in force now, the credential's AND its owner's."""

    kind: Literal["key", "token", "session"]
    scopes: frozenset[str]
    key: ApiKey | None = None
    token_id: str = ""

    @property
    def pinned_version(self) -> int | None:
        """Return the API version that the key is pinned to."""
        return self.key.pinned_version if self.key else None

    @property
    def tag_versions(self) -> TagVersions | None:
        """Return the state of the account's tags as it was when the credential was read, None if it was not."""
        text = self.key.tag_versions if self.key else None
        return None if text is None else parse_tag_versions(text)


class ApiKeyAuthentication(OncePerRequestAuthentication):
    """`X-API-Key: ro_...` or `Authorization: Bearer ro_...`."""

    def read_credential(self, request: HttpRequest) -> tuple[User, Credential] | None:
        """Return the owner and the credential, and note the key's use; None where the request carries no API key.

        Raises Unauthenticated and its kinds, or AccountSuspended.
        """
        presented = presented_api_key(request.META)
        if presented is None:
            return None
        key = verify_key(selectors.find_key(presented.prefix), presented, request.META)
        services.record_key_use(key=key)
        set_account(key.user.pk)
        return key.user, Credential("key", key.granted_scopes & key.user.scopes, key=key)


def presented_api_key(meta: Mapping[str, Any]) -> PlaintextKey | None:
    """Return the API key that a request shows, None where it shows none. meta: its environment, as in CGI.

    Raises Unauthenticated for what is no key, and for two that differ.
    """
    header: str | None = meta.get("HTTP_X_API_KEY")
    bearer = bearer_text(meta)
    if header is None:
        if bearer is None or not bearer.startswith(KEY_PREFIX):
            return None
        header = bearer
    elif bearer is not None and bearer != header:
        raise Unauthenticated("The request carries two credentials that differ. Send one.")
    presented = parse_key(header.strip())
    if presented is None:
        raise Unauthenticated("This is not an API key.")
    return presented


def verify_key(key: ApiKey | None, presented: PlaintextKey, meta: Mapping[str, Any]) -> ApiKey:
    """Return the key whose prefix was presented, if it may be used now and from there.

    Raises Unauthenticated and its kinds, or AccountSuspended.
    """
    # A missing key is compared as well, so that the time tells nothing.
    stored, previous = (key.digest, key.previous_digest) if key else ("0" * 64, "")
    digest = presented.digest
    is_current = hmac.compare_digest(stored, digest)
    is_previous = hmac.compare_digest(previous, digest)
    if key is None or not (is_current or is_previous):
        raise Unauthenticated("There is no such API key.")
    now = timezone.now()
    replaced = not is_current and (key.previous_valid_until is None or key.previous_valid_until <= now)
    if key.is_revoked or replaced:
        raise CredentialRevoked
    if key.is_expired(now):
        raise CredentialExpired
    refuse_inactive_account(key.user)
    if key.allowed_networks and not _is_within(address_in(meta), key.allowed_networks):
        raise Unauthenticated("This API key may not be used from this address.")
    return key


class AccessTokenAuthentication(OncePerRequestAuthentication):
    """`Authorization: Bearer <access token>`."""

    def read_credential(self, request: HttpRequest) -> tuple[User, Credential] | None:
        """Return the owner and the credential; None where the request shows no token.

        Raises Unauthenticated and its kinds, or AccountSuspended.
        """
        bearer = bearer_text(request.META)
        if bearer is None:
            return None
        claims = read_access_token(bearer)
        user, revoked = selectors.find_token_owner(claims)
        if user is None:
            raise Unauthenticated
        if revoked or not hmac.compare_digest(claims.password_stamp, password_stamp(user)):
            raise CredentialRevoked
        refuse_inactive_account(user)
        set_account(user.pk)
        return user, Credential("token", user.scopes, token_id=claims.token_id)


class StaffSessionAuthentication(OncePerRequestAuthentication):
    """The session of the admin, for reading only: what changes something needs a key or a token.

    A browser sends its cookie also where another site made it ask; such a request can read nothing, but could write.
    """

    def read_credential(self, request: HttpRequest) -> tuple[User, Credential] | None:
        """Return the member of staff whose browser asks; None for anybody else, and for methods that write.

        Raises AccountSuspended.
        """
        if request.method not in SAFE_METHODS:
            return None
        user = get_user(request)
        if not isinstance(user, User) or not user.is_staff:
            return None
        refuse_inactive_account(user)
        set_account(user.pk)
        return user, Credential("session", user.scopes)


STAFF_AUTHENTICATION = (ApiKeyAuthentication, AccessTokenAuthentication, StaffSessionAuthentication)


def refuse_inactive_account(user: User) -> None:
    """Raise Unauthenticated for an account that was switched off, AccountSuspended for a suspended one."""
    if not user.is_active:
        raise Unauthenticated("The account is not active.")
    if user.is_suspended:
        raise AccountSuspended


def bearer_text(meta: Mapping[str, Any]) -> str | None:
    """Return the token of `Authorization: Bearer`, None without one."""
    scheme, _, text = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    return text.strip() or None if scheme.lower() == "bearer" else None


def client_address(request: Request | HttpRequest) -> str | None:
    """Return the address of the caller."""
    return address_in(request.META)


def address_in(meta: Mapping[str, Any]) -> str | None:
    """Return the address of the caller, None where it is none.

    Behind a TLS proxy it is the last entry of X-Forwarded-For, which the proxy wrote; the earlier ones are claims.
    """
    address = str(meta.get("REMOTE_ADDR", ""))
    if getattr(settings, "SECURE_PROXY_SSL_HEADER", None):
        address = meta.get("HTTP_X_FORWARDED_FOR", address).rpartition(",")[2].strip()
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)


def _is_within(address: str | None, networks: list[str]) -> bool:
    if address is None:
        return False
    parsed = ipaddress.ip_address(address)
    return any(parsed in ipaddress.ip_network(network) for network in networks)


class _ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": "X-API-Key"}


class _AccessTokenScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.AccessTokenAuthentication"
    name = "Bearer"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT or API key"}
