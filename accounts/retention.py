"""How long what logins leave behind is kept."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.sessions.models import Session

from accounts.models import RevokedToken
from core.retention import Retention, retentions

# Both say themselves when their time is over: a token that has run out by itself need not be refused by name.
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
