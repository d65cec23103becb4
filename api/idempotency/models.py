"""Idempotency keys and the responses stored under them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models

from core.indexes import NamedIndex
from core.models import BaseModel


class IdempotencyState(models.TextChoices):
    """Progress of the first request with a key."""

    IN_PROGRESS = "in_progress", "in progress"
    COMPLETED = "completed", "completed"


class IdempotencyKey(BaseModel):
    """The first request with a key, and its response.

    route: the URL pattern without the version. owner_token: of the request that holds the key until `locked_until`;
    a row still in progress after that proves that nothing was done. A row past `expires_at` counts as absent.
    body: None while in progress; is_reference: it names the resource instead of repeating the response.
    """

    ID_PREFIX = "idk"

    # No index of its own: the unique constraint begins with it.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="idempotency_keys", db_index=False
    )
    method = models.CharField(max_length=8)
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)

    state = models.CharField(max_length=16, choices=IdempotencyState.choices, default=IdempotencyState.IN_PROGRESS)
    owner_token = models.UUIDField(default=uuid.uuid4)
    locked_until = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    headers = models.JSONField(default=dict, blank=True)
    body = models.BinaryField(null=True, blank=True)
    is_reference = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            # Of concurrent first requests only one inserts. Also serves the look-up of every request with a key.
            models.UniqueConstraint(fields=["user", "method", "route", "key"], name="api_idempotency_key_unique"),
            models.CheckConstraint(
                name="api_idempotency_completed_has_response",
                condition=models.Q(
                    state=IdempotencyState.COMPLETED,
                    completed_at__isnull=False,
                    status_code__isnull=False,
                    body__isnull=False,
                )
                | models.Q(state=IdempotencyState.IN_PROGRESS, status_code__isnull=True, body__isnull=True),
            ),
        ]
        indexes: ClassVar = [
            # The cleanup of keys past their retention.
            NamedIndex(fields=["expires_at"], name="idx_idempotency_expires"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.key}"

    def is_free(self, now: datetime) -> bool:
        """Return whether the next request with the key counts as the first."""
        ends = self.expires_at if self.state == IdempotencyState.COMPLETED else self.locked_until
        return ends <= now
