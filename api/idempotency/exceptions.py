"""Errors of requests with an idempotency key.

DomainError
├── IdempotencyKeyRequired 400  the endpoint requires a key
├── IdempotencyMismatch    422  the key was used for another request
└── IdempotencyInProgress  409  the first request with the key is still in progress
"""

from __future__ import annotations

from core.exceptions import DomainError, InvalidHeader


class IdempotencyKeyRequired(InvalidHeader):
    """The endpoint requires an Idempotency-Key."""

    code = "idempotency_key_required"

    def __init__(self) -> None:
        super().__init__("Idempotency-Key", "Send an Idempotency-Key, so that a retry has no second effect.")


class IdempotencyMismatch(DomainError):
    """The Idempotency-Key was already used for another request. Send a new key with a new request."""

    code = "idempotency_mismatch"
    status = 422


class IdempotencyInProgress(DomainError):
    """The first request with this Idempotency-Key is still in progress. Retry in a moment."""

    code = "idempotency_in_progress"
    status = 409
    retry_after_s = 1
