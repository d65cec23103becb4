"""Signed messages of external workers: verification and replay protection."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

from outbound import signing
from outbound.signing import SignedMessage
from renders.exceptions import MessageReused
from renders.models import WorkerMessage


@dataclass(frozen=True, slots=True)
class VerifiedMessage:
    """A message with a valid signature. pool: the one whose secret signed it."""

    pool: str
    message_id: str
    body: bytes

    @property
    def body_sha256(self) -> str:
        """Return the SHA-256 of the body, hexadecimal."""
        return hashlib.sha256(self.body).hexdigest()


def verify_message(headers: Mapping[str, str], body: bytes) -> VerifiedMessage:
    """Check the signature against the secrets of all pools. Raises SignatureRefused."""
    message = SignedMessage.from_headers(headers, body)
    pools: dict[str, tuple[bytes, ...]] = settings.RENDEROWL_WORKER_SECRETS
    known = [(pool, secret) for pool, secrets in pools.items() for secret in secrets]
    signer = signing.verify(message, secrets=[secret for _, secret in known], now=time.time())
    return VerifiedMessage(known[signer][0], message.message_id, body)


def record_message(message: VerifiedMessage) -> bool:
    """Record a message as processed, in the caller's transaction; return whether it is new.

    A concurrent duplicate waits for the first transaction, and is new only if that was rolled back.
    Raises MessageReused if the id was used with another body.
    """
    row = WorkerMessage(pool=message.pool, message_id=message.message_id, body_sha256=message.body_sha256)
    WorkerMessage.objects.bulk_create([row], ignore_conflicts=True)
    stored = WorkerMessage.objects.get(pool=message.pool, message_id=message.message_id)
    if stored.pk == row.pk:
        return True
    if stored.body_sha256 != message.body_sha256:
        raise MessageReused
    return False
