"""Retention of idempotency keys."""

from __future__ import annotations

from datetime import timedelta

from api.idempotency.models import IdempotencyKey
from core.retention import Retention, retentions

# Each key has its own time of expiry.
retentions.register(
    Retention(
        "idempotency keys",
        timedelta,
        lambda moment: IdempotencyKey.objects.filter(expires_at__lte=moment).order_by("expires_at"),
        is_fixed=True,
    )
)
