"""Signed messages of workers: who signed them, and that each is processed once."""

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
    """A message whose signature is good. pool: whose secret made it."""

    pool: str
    message_id: str
    body: bytes

    @property
    def body_sha256(self) -> str:
        """Return the digest by which a repeat is known."""
        return hashlib.sha256(self.body).hexdigest()


def verify_message(headers: Mapping[str, str], body: bytes) -> VerifiedMessage:
    """Return a message that a worker of ours signed.

    Raises SignatureRefused.
    """
    message = SignedMessage.from_headers(headers, body)
    pools: dict[str, tuple[bytes, ...]] = settings.RENDEROWL_WORKER_SECRETS
    known = [(pool, secret) for pool, secrets in pools.items() for secret in secrets]
    signer = signing.verify(message, secrets=[secret for _, secret in known], now=time.time())
    return VerifiedMessage(known[signer][0], message.message_id, body)


def record_message(message: VerifiedMessage) -> bool:
    """Keep, in the open transaction, that a message was processed; return whether it is new.

    Of two at one time the second waits for the first one's transaction, and is new only if that was undone.
    Raises MessageReused where its id came with another body.
    """
    row = WorkerMessage(pool=message.pool, message_id=message.message_id, body_sha256=message.body_sha256)
    WorkerMessage.objects.bulk_create([row], ignore_conflicts=True)
    kept = WorkerMessage.objects.get(pool=message.pool, message_id=message.message_id)
    if kept.pk == row.pk:
        return True
    if kept.body_sha256 != message.body_sha256:
        raise MessageReused
    return False
