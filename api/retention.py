"""How long idempotency keys stay."""

from __future__ import annotations

from datetime import timedelta

from api.idempotency.models import IdempotencyKey
from core.retention import Retention, retentions

# A key says itself when its time is over.
retentions.register(
    Retention(
        "idempotency keys",
        timedelta,
        lambda moment: IdempotencyKey.objects.filter(expires_at__lte=moment).order_by("expires_at"),
        is_fixed=True,
    )
)
