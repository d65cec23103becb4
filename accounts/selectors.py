"""Reads that more than one caller wants."""

from __future__ import annotations

from django.db.models import Exists

from accounts.models import ApiKey, RevokedToken, User
from accounts.tokens import Claims


def find_key(prefix: str) -> ApiKey | None:
    """Return the key that a prefix names, its owner with it, in one query."""
    return ApiKey.objects.select_related("user").filter(key_prefix=prefix).first()


def find_token_owner(claims: Claims) -> tuple[User | None, bool]:
    """Return the owner of a token, and whether the token or its session was revoked, in one query."""
    revoked = RevokedToken.objects.filter(token_id__in=[claims.token_id, claims.session_id])
    user = User.objects.filter(pk=claims.user_id).annotate(token_revoked=Exists(revoked)).first()
    return (user, bool(user.token_revoked)) if user else (None, False)


def count_active_keys(user: User) -> int:
    """Return how many of a user's keys work now."""
    return ApiKey.objects.for_owner(user).active().count()
