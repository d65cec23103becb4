"""Reads that more than one caller wants."""

from __future__ import annotations

from uuid import UUID

from django.db import connection
from django.db.models import Exists, Sum, TextField
from django.db.models.expressions import RawSQL

from accounts.models import ApiKey, DeprecatedCall, RevokedToken, User
from accounts.tokens import Claims
from core.api.marks import Mark
from core.caching.generations import generations_sql
from core.ids import decode_id


def find_key(prefix: str) -> ApiKey | None:
    """Return an API key with its owner and, as `tag_state`, the versions of the owner's cache tags; one query."""
    account = "accounts_user.id" if connection.vendor == "sqlite" else "replace(accounts_user.id::text, '-', '')"
    tag_state = RawSQL(f"({generations_sql(connection.vendor, account)})", (), output_field=TextField())  # noqa: S611 - our own SQL
    return ApiKey.objects.select_related("user").annotate(tag_state=tag_state).filter(key_prefix=prefix).first()


def find_user(text: str) -> User | None:
    """Return the user whom a public id or a name means."""
    try:
        return User.objects.filter(pk=decode_id(User.ID_PREFIX, text)).first()
    except ValueError:
        return User.objects.filter(username=text).first()


def find_token_owner(claims: Claims) -> tuple[User | None, bool]:
    """Return the owner of a token, and whether the token or its session was revoked, in one query."""
    revoked = RevokedToken.objects.filter(token_id__in=[claims.token_id, claims.session_id])
    user = User.objects.filter(pk=claims.user_id).annotate(token_revoked=Exists(revoked)).first()
    return (user, bool(user.token_revoked)) if user else (None, False)


def count_active_keys(user: User) -> int:
    """Return how many of a user's keys work now."""
    return ApiKey.objects.for_owner(user).active().count()


def owners_calling(mark: Mark) -> list[tuple[UUID, int]]:
    """Return who called, since it is deprecated, what a mark is on, with keys that still work, and how often."""
    rows = DeprecatedCall.objects.filter(
        version=mark.version,
        last_called_at__gte=mark.deprecated_at,
        key__revoked_at=None,
        key__user__is_active=True,
    )
    if mark.route:
        rows = rows.filter(route=mark.route)
    return list(rows.values_list("key__user").annotate(total=Sum("calls")).order_by("key__user"))
