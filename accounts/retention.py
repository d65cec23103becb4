"""Retention of revoked tokens and admin sessions."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.sessions.models import Session

from accounts.models import RevokedToken
from core.retention import Retention, retentions

# Rows carry their own expiry: a token that has expired is refused without a row.
retentions.register(
    Retention(
        "revoked tokens",
        timedelta,
        lambda moment: RevokedToken.objects.filter(expires_at__lt=moment).order_by("expires_at"),
        is_fixed=True,
    )
)
retentions.register(
    Retention(
        "ended sessions",
        timedelta,
        lambda moment: Session.objects.filter(expire_date__lt=moment).order_by("expire_date"),
        is_fixed=True,
    )
)
