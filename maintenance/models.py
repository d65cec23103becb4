"""The records of applied migrations."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from core.models import BaseModel


class MigrationChecksum(BaseModel):
    """The checksum of a migration file when the migration was applied to this database.

    is_baseline: it was applied before checksums were recorded. accepted_at: when an edit was last accepted.
    """

    ID_PREFIX: ClassVar[str] = "mgc"

    app = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    checksum = models.CharField(max_length=64)
    app_version = models.CharField(max_length=64)
    duration_ms = models.FloatField(null=True, blank=True)
    is_baseline = models.BooleanField(default=False)
    applied_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            # Looks up one migration, and orders the admin's list.
            models.UniqueConstraint(fields=["app", "name"], name="uniq_migration_checksums"),
        ]

    def __str__(self) -> str:
        return f"{self.app}.{self.name}"
