"""API keys: create, change, rotate, revoke."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.events import ApiKeyRevoked
from accounts.exceptions import KeyLimitReached, KeyNotActive, ScopeNotGrantable
from accounts.key_format import compose_key
from accounts.models import ApiKey, KeyType, User
from accounts.plans import limits_of
from accounts.selectors import count_active_keys
from accounts.services.audit import record_audit
from core import events
from core.database import busy_timeout
from core.exceptions import Unprocessable
from core.scopes import RESTRICTED_SCOPES, expand

USE_RECORD_INTERVAL = timedelta(minutes=1)
CHANGEABLE = frozenset({"name", "scopes", "expires_at", "allowed_networks", "pinned_version"})


@dataclass(frozen=True, slots=True)
class MintedKey:
    """A key with its plain text, which is not stored."""

    key: ApiKey
    plaintext: str

    def __repr__(self) -> str:
        return f"MintedKey({self.key})"


@transaction.atomic
def create_api_key(
    *,
    user: User,
    scopes: Iterable[str],
    type: str = KeyType.LIVE,  # noqa: A002 - its name in the API
    name: str = "",
    expires_at: datetime | None = None,
    allowed_networks: Sequence[str] = (),
    pinned_version: int | None = None,
    caller_scopes: frozenset[str] | None = None,
    actor: User | None = None,
    address: str | None = None,
) -> MintedKey:
    """Create a key. Scopes such as `renders:*` and `*` are expanded now, so that scopes added later are not included.

    caller_scopes: of the credential of the API request; None for staff, who may exceed the plan's number of keys and
    may grant restricted scopes.
    Raises Unprocessable for an unknown scope, ScopeNotGrantable, KeyLimitReached.
    """
    granted = _expanded(scopes)
    if caller_scopes is not None:
        _refuse_escalation(granted, caller_scopes)
        _refuse_over_limit(user)
    head = ApiKey(type=type).head
    text = compose_key(head)
    key = ApiKey.objects.create(
        user=user,
        key_prefix=text.prefix,
        digest=text.digest,
        type=type,
        name=name,
        scopes=sorted(granted),
        expires_at=expires_at,
        allowed_networks=list(allowed_networks),
        pinned_version=pinned_version,
    )
    details = {"scopes": key.scopes, "type": type, "owner": user.public_id}
    record_audit(action="key.created", subject=key.public_id, actor=actor, details=details, address=address)
    return MintedKey(key, text.text)


@transaction.atomic
def update_api_key(
    *,
    key: ApiKey,
    changes: Mapping[str, Any],
    caller_scopes: frozenset[str],
    actor: User | None = None,
    address: str | None = None,
) -> ApiKey:
    """Change a key's settings or remove scopes. changes: keys are of CHANGEABLE.

    Raises ScopeNotGrantable for a scope that the key does not have, or if the caller lacks a scope of the key;
    KeyNotActive for a revoked or expired key.
    """
    assert changes.keys() <= CHANGEABLE
    _refuse_escalation(key.granted_scopes, caller_scopes, restricted_too=False)
    if not key.is_active:
        raise KeyNotActive
    values = dict(changes)
    if "scopes" in values:
        wanted = _expanded(values["scopes"])
        _refuse_escalation(wanted, key.granted_scopes, restricted_too=False)
        values["scopes"] = sorted(wanted)
    if values:
        # Compare-and-set: do not undo a revocation or a change of scopes made since the key was read.
        unchanged = ApiKey.objects.filter(pk=key.pk, revoked_at=None, scopes=key.scopes)
        if not unchanged.update(**values):
            raise KeyNotActive
        details = {"fields": sorted(values)}
        record_audit(action="key.changed", subject=key.public_id, actor=actor, details=details, address=address)
        key.refresh_from_db(fields=list(values))
    return key


@transaction.atomic
def rotate_api_key(
    *,
    key: ApiKey,
    overlap_s: int = 0,
    caller_scopes: frozenset[str] | None = None,
    actor: User | None = None,
    address: str | None = None,
) -> MintedKey:
    """Replace the secret of a key. The old one stays valid for overlap_s seconds.

    caller_scopes: as for `create_api_key`; must include all scopes of the key, as the caller receives the new secret.
    Raises ScopeNotGrantable or KeyNotActive.
    """
    if caller_scopes is not None:
        _refuse_escalation(key.granted_scopes, caller_scopes, restricted_too=False)
    now = timezone.now()
    text = compose_key(key.head, key.key_prefix)
    # Of two concurrent rotations one is refused, or its caller would receive a secret that does not work.
    rotated = (
        ApiKey.objects.active()
        .filter(pk=key.pk, digest=key.digest)
        .update(digest=text.digest, previous_digest=key.digest, previous_valid_until=now + timedelta(seconds=overlap_s))
    )
    if not rotated:
        raise KeyNotActive
    details = {"overlap_s": overlap_s}
    record_audit(action="key.rotated", subject=key.public_id, actor=actor, details=details, address=address)
    key.refresh_from_db(fields=["digest", "previous_digest", "previous_valid_until"])
    return MintedKey(key, text.text)


@transaction.atomic
def revoke_api_key(*, key: ApiKey, actor: User | None = None, address: str | None = None) -> bool:
    """Revoke a key permanently; return False if it was already revoked."""
    now = timezone.now()
    changed = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
    if changed:
        key.revoked_at = now
        record_audit(action="key.revoked", subject=key.public_id, actor=actor, address=address)
        events.publish(ApiKeyRevoked(key.pk, key.user_id))
    return bool(changed)


def record_key_use(*, key: ApiKey) -> bool:
    """Update `last_used_at`, at most once a minute; return whether this call did.

    Never delays the request: if the database is locked by another writer, a later request updates it.
    """
    now = timezone.now()
    if key.last_used_at is not None and now - key.last_used_at < USE_RECORD_INTERVAL:
        return False
    due = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_RECORD_INTERVAL)
    with busy_timeout(0):
        try:
            changed = ApiKey.objects.filter(due, pk=key.pk).update(last_used_at=now)
        except OperationalError:
            return False
    if changed:
        key.last_used_at = now
    return bool(changed)


def _expanded(grants: Iterable[str]) -> frozenset[str]:
    try:
        return expand(grants)
    except ValueError as error:
        detail = f"{error} is not a scope."
        raise Unprocessable([{"pointer": "/scopes", "code": "unknown_scope", "detail": detail}]) from error


def _refuse_escalation(scopes: frozenset[str], caller: frozenset[str], *, restricted_too: bool = True) -> None:
    beyond = scopes - caller
    if restricted_too:
        beyond |= scopes & RESTRICTED_SCOPES
    if beyond:
        raise ScopeNotGrantable(required_scope=min(beyond))


def _refuse_over_limit(user: User) -> None:
    # Concurrent requests must not exceed the limit together: PostgreSQL locks the owner's row, SQLite has one writer.
    plan = User.objects.select_for_update().values_list("plan", flat=True).get(pk=user.pk)
    limit = limits_of(plan).active_keys
    if count_active_keys(user) >= limit:
        raise KeyLimitReached(f"The plan {plan} allows {limit} active keys; revoke one first.", limit=limit)
