"""The base of every model, and the models of core itself."""

from core.bases import BaseModel, VersionedModel
from core.caching.models import CacheBump, CacheTag
from core.idempotency.models import IdempotencyKey

__all__ = ["BaseModel", "CacheBump", "CacheTag", "IdempotencyKey", "VersionedModel"]
