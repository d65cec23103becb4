"""Models of the API app."""

from api.idempotency.models import IdempotencyKey

__all__ = ["IdempotencyKey"]
