"""The base of every model, and the models of core itself."""

from core.bases import BaseModel
from core.idempotency.models import IdempotencyKey

__all__ = ["BaseModel", "IdempotencyKey"]
