"""Reads that more than one caller wants."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, JSONField, Sum

from accounts.models import ApiKey, DeprecatedCall, RevokedToken, User
from accounts.tokens import Claims
from core.api.marks import Mark
from core.caching.generations import generations_sql
from core.ids import decode_id


def find_key(prefix: str) -> ApiKey | None:
    """Return an API key with its owner and, as `tag_state`, the versions of the owner's cache tags; one query.

    By SQL, as every request of the API asks for it: Django would take 0.4 ms to write the same query each time. Of the
    owner it has what requests are judged by; the rest is read where it is asked for.
    """
    key = next(iter(ApiKey.objects.raw(_key_sql(connection.vendor), [prefix])), None)
    if key is not None:
        values = [_owner_value(field, getattr(key, f"owner_{field.column}")) for field in _OWNER_FIELDS]
        key.user = User.from_db(connection.alias, _OWNER_NAMES, values)
    return key


_OWNER_NAMES = frozenset(
    {"id", "username", "plan", "is_active", "is_suspended", "is_staff", "is_superuser", "granted_scopes"}
)
_OWNER_FIELDS = [field for field in User._meta.concrete_fields if field.attname in _OWNER_NAMES]


def _owner_value(field: Any, value: Any) -> Any:
    """Return what a column means; of these fields only JSON has a conversion of its own."""
    return field.from_db_value(value, None, connection) if isinstance(field, JSONField) else field.to_python(value)


@lru_cache(maxsize=2)
def _key_sql(vendor: str) -> str:
    columns = [f"k.{field.column}" for field in ApiKey._meta.concrete_fields]
    columns += [f"u.{field.column} AS owner_{field.column}" for field in _OWNER_FIELDS]
    account = "u.id" if vendor == "sqlite" else "replace(u.id::text, '-', '')"
    return (
        f"SELECT {', '.join(columns)}, ({generations_sql(vendor, account)}) AS tag_state "  # noqa: S608 - our own names
        f"FROM {ApiKey._meta.db_table} AS k JOIN {User._meta.db_table} AS u ON u.id = k.user_id "
        "WHERE k.key_prefix = %s"
    )


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
