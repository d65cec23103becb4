"""Claim, complete and release idempotency keys.

A claim is a row with the owner's token and a lock that expires. The response is stored by a compare-and-set on the
token, in the transaction that does the work: both commit together or not at all. So a row still in progress when its
lock has expired proves that nothing was done, and the next request takes it over by changing the token; a late owner
then finds its token replaced and rolls back.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from api.idempotency.exceptions import IdempotencyInProgress, IdempotencyMismatch
from api.idempotency.models import IdempotencyKey, IdempotencyState
from core.ids import uuid7

# A claim loses its race at most to an insert, then to a release or a takeover; after that the client retries.
CLAIM_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request with a key. route: its URL pattern without the version; fingerprint: hex SHA-256."""

    user_id: UUID
    method: str
    route: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The response to the first request or, if `is_reference`, the id of what it created."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    is_reference: bool = False


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """The right to do the work of a key, until another request takes it over."""

    row_id: UUID
    token: UUID


def claim_key(*, use: KeyedRequest) -> IdempotencyClaim | StoredResponse:
    """Return a claim for the first request with a key, or the stored response for a repeat of it.

    Commits before it returns, so it raises RuntimeError inside a transaction.
    Raises IdempotencyMismatch if the key was used for another request, IdempotencyInProgress before the response.
    """
    for _ in range(CLAIM_ATTEMPTS):
        # Read before writing: a replay then needs no write lock, of which SQLite has only one.
        row = IdempotencyKey.objects.filter(
            user_id=use.user_id, method=use.method, route=use.route, key=use.key
        ).first()
        if row is None:
            claim = _insert(use)
        elif row.is_free(timezone.now()):
            claim = _take_over(row, use)
        else:
            return _stored_response(row, use)
        if claim is not None:
            return claim
    raise IdempotencyInProgress


def _insert(use: KeyedRequest) -> IdempotencyClaim | None:
    claim = IdempotencyClaim(uuid7(), uuid.uuid4())
    now = timezone.now()
    lock = timedelta(seconds=settings.RENDEROWL_IDEMPOTENCY_LOCK_S)
    try:
        with transaction.atomic(durable=True):
            IdempotencyKey.objects.create(
                id=claim.row_id,
                created_at=now,
                user_id=use.user_id,
                method=use.method,
                route=use.route,
                key=use.key,
                fingerprint=use.fingerprint,
                owner_token=claim.token,
                locked_until=now + lock,
                expires_at=now + lock + _retention(),
            )
    except IntegrityError:
        # A concurrent request was first.
        return None
    return claim


def _take_over(row: IdempotencyKey, use: KeyedRequest) -> IdempotencyClaim | None:
    claim = IdempotencyClaim(row.pk, uuid.uuid4())
    now = timezone.now()
    lock = timedelta(seconds=settings.RENDEROWL_IDEMPOTENCY_LOCK_S)
    unchanged = IdempotencyKey.objects.filter(pk=row.pk, owner_token=row.owner_token, state=row.state)
    with transaction.atomic(durable=True):
        updated = unchanged.update(
            created_at=now,
            fingerprint=use.fingerprint,
            state=IdempotencyState.IN_PROGRESS,
            owner_token=claim.token,
            locked_until=now + lock,
            completed_at=None,
            expires_at=now + lock + _retention(),
            status_code=None,
            headers={},
            body=None,
            is_reference=False,
        )
    return claim if updated else None


def _stored_response(row: IdempotencyKey, use: KeyedRequest) -> StoredResponse:
    if row.fingerprint != use.fingerprint:
        raise IdempotencyMismatch
    if row.state != IdempotencyState.COMPLETED:
        raise IdempotencyInProgress
    assert row.status_code is not None
    assert row.body is not None
    return StoredResponse(row.status_code, bytes(row.body), row.headers, row.is_reference)


def complete_key(*, claim: IdempotencyClaim, response: StoredResponse) -> None:
    """Store the response in the open transaction, which must be the one that does the work.

    Raises IdempotencyInProgress if another request has taken the key over, so that the transaction rolls back.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("complete_key was called outside a transaction")
    now = timezone.now()
    done = _owned(claim).update(
        state=IdempotencyState.COMPLETED,
        completed_at=now,
        expires_at=now + _retention(),
        status_code=response.status,
        headers=dict(response.headers),
        body=response.body,
        is_reference=response.is_reference,
    )
    if not done:
        raise IdempotencyInProgress


def release_key(*, claim: IdempotencyClaim) -> None:
    """Delete a claim whose work failed, so that the next request with the key counts as the first."""
    _owned(claim).delete()


def _owned(claim: IdempotencyClaim) -> models.QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(pk=claim.row_id, owner_token=claim.token, state=IdempotencyState.IN_PROGRESS)


def _retention() -> timedelta:
    return timedelta(seconds=settings.RENDEROWL_IDEMPOTENCY_RETENTION_S)
