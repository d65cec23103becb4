"""DRF authentication by API key, access token or admin session.

Each class puts a `Credential` into `request.auth`. Order of checks: format (no query), existence and digest, revoked,
expired, owner, network. A caller without the secret learns nothing about the later checks. Views that staff read with
the session of the admin use `authentication_classes = STAFF_AUTHENTICATION`.
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
    """The credential of a request. scopes: those that both the credential and its owner have now."""

    kind: Literal["key", "token", "session"]
    scopes: frozenset[str]
    key: ApiKey | None = None
    token_id: str = ""

    @property
    def pinned_version(self) -> int | None:
        """Return the API version that the key is pinned to, None if it is not pinned."""
        return self.key.pinned_version if self.key else None

    @property
    def tag_versions(self) -> TagVersions | None:
        """Return the versions of the account's cache tags, read with the credential; None if they were not."""
        text = self.key.tag_versions if self.key else None
        return None if text is None else parse_tag_versions(text)


class ApiKeyAuthentication(OncePerRequestAuthentication):
    """`X-API-Key: ro_...` or `Authorization: Bearer ro_...`."""

    def read_credential(self, request: HttpRequest) -> tuple[User, Credential] | None:
        """Return the owner and the credential, and record the key's use; None for a request without an API key.

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
    """Return the API key of a request, None if there is none. meta: as `request.META`.

    Raises Unauthenticated for a malformed key, and for two different credentials.
    """
    header: str | None = meta.get("HTTP_X_API_KEY")
    bearer = bearer_text(meta)
    if header is None:
        if bearer is None or not bearer.startswith(KEY_PREFIX):
            return None
        header = bearer
    elif bearer is not None and bearer != header:
        raise Unauthenticated("The request carries two different credentials. Send only one.")
    presented = parse_key(header.strip())
    if presented is None:
        raise Unauthenticated("The API key is malformed.")
    return presented


def verify_key(key: ApiKey | None, presented: PlaintextKey, meta: Mapping[str, Any]) -> ApiKey:
    """Return the key if the secret is right and the key may be used now and from this address.

    Raises Unauthenticated and its kinds, or AccountSuspended.
    """
    # Compare even if there is no such key, so that timing reveals nothing.
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
        """Return the owner and the credential; None for a request without a bearer token.

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
    """The session of the admin, for safe methods only: writing with a cookie would allow cross-site request forgery."""

    def read_credential(self, request: HttpRequest) -> tuple[User, Credential] | None:
        """Return the member of staff and the credential; None for other users and for unsafe methods.

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
    """Raise Unauthenticated for a deactivated account, AccountSuspended for a suspended one."""
    if not user.is_active:
        raise Unauthenticated("The account has been deactivated.")
    if user.is_suspended:
        raise AccountSuspended


def bearer_text(meta: Mapping[str, Any]) -> str | None:
    """Return the token of `Authorization: Bearer`, None without one."""
    scheme, _, text = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    return text.strip() or None if scheme.lower() == "bearer" else None


def client_address(request: Request | HttpRequest) -> str | None:
    """Return the IP address of the client; see `address_in`."""
    return address_in(request.META)


def address_in(meta: Mapping[str, Any]) -> str | None:
    """Return the IP address of the client, None if it cannot be parsed.

    Behind a TLS proxy that is the last entry of X-Forwarded-For: the proxy wrote it, the client may forge the others.
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
