"""Base models, and the models of core itself."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from core.cache_tags.models import CacheTag, TagIncrement
from core.ids import encode_id, uuid7

__all__ = ["BaseModel", "CacheTag", "TagIncrement", "VersionedModel"]


class BaseModel(models.Model):
    """A row with a time-ordered UUID, shown to clients as `<ID_PREFIX>_<base32>`."""

    ID_PREFIX: ClassVar[str] = ""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True

    @property
    def public_id(self) -> str:
        """Return the id as clients see it."""
        return encode_id(self.ID_PREFIX, self.id)


class VersionedModel(BaseModel):
    """A row with a strong entity tag.

    row_version: incremented by a database trigger on every change, also by `update`, raw SQL, the admin or another
    process; see `core.triggers`. Never set it. An instance has the value that was read, or inserted.
    """

    row_version = models.PositiveBigIntegerField(default=1, editable=False)

    class Meta:
        abstract = True
