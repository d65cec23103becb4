"""The models of the API's plumbing."""

from api.idempotency.models import IdempotencyKey

__all__ = ["IdempotencyKey"]
