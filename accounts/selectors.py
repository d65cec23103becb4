"""Queries on accounts with more than one caller."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import DateTimeField, Exists, ForeignKey, JSONField, Model, Sum, UUIDField

from accounts.models import ApiKey, DeprecatedCall, RevokedToken, User
from accounts.tokens import TokenClaims
from api.deprecations import Deprecation
from core.cache_tags.versions import tag_versions_sql
from core.ids import decode_id

Row = TypeVar("Row", bound=Model)


def find_key(prefix: str) -> ApiKey | None:
    """Return an API key with its owner and, as `tag_versions`, the versions of the owner's cache tags; one query.

    Raw SQL, as every request runs it: the ORM would take 0.4 ms to build the query each time.
    """
    with connection.cursor() as cursor:
        cursor.execute(_key_sql(connection.vendor), [prefix])
        row = cursor.fetchone()
    if row is None:
        return None
    width = len(ApiKey._meta.concrete_fields)
    key = _instance(ApiKey, row[:width])
    key.user = _instance(User, row[width:-1])
    key.tag_versions = row[-1] or ""
    return key


@lru_cache(maxsize=2)
def _key_sql(vendor: str) -> str:
    columns = [f"k.{field.column}" for field in ApiKey._meta.concrete_fields]
    columns += [f"u.{field.column}" for field in User._meta.concrete_fields]
    account = "u.id" if vendor == "sqlite" else "replace(u.id::text, '-', '')"
    return (
        f"SELECT {', '.join(columns)}, ({tag_versions_sql(vendor, account)}) "  # noqa: S608 - our own names
        f"FROM {ApiKey._meta.db_table} AS k JOIN {User._meta.db_table} AS u ON u.id = k.user_id "
        "WHERE k.key_prefix = %s"
    )


def _instance(model: type[Row], values: Sequence[Any]) -> Row:
    fields = model._meta.concrete_fields
    converted = [
        _CONVERTERS[type(field)](value) if value is not None and type(field) in _CONVERTERS else value
        for field, value in zip(fields, values, strict=True)
    ]
    return model.from_db(connection.alias, [field.attname for field in fields], converted)


def _as_uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _as_utc(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


# Conversions of driver values: SQLite returns UUIDs as text and datetimes without a time zone.
_CONVERTERS: dict[type, Callable[[Any], Any]] = {
    UUIDField: _as_uuid,
    ForeignKey: _as_uuid,
    DateTimeField: _as_utc,
    JSONField: json.loads,
}


def find_user(text: str) -> User | None:
    """Return the user with this public id or username."""
    try:
        return User.objects.filter(pk=decode_id(User.ID_PREFIX, text)).first()
    except ValueError:
        return User.objects.filter(username=text).first()


def find_token_owner(claims: TokenClaims) -> tuple[User | None, bool]:
    """Return the owner of a token, and whether the token or its session was revoked, in one query."""
    revoked = RevokedToken.objects.filter(token_id__in=[claims.token_id, claims.session_id])
    user = User.objects.filter(pk=claims.user_id).annotate(token_revoked=Exists(revoked)).first()
    return (user, bool(user.token_revoked)) if user else (None, False)


def count_active_keys(user: User) -> int:
    """Return the number of a user's active keys."""
    return ApiKey.objects.for_owner(user).active().count()


def owners_of_deprecated_calls(deprecation: Deprecation) -> list[tuple[UUID, int]]:
    """Return (user id, number of calls) for active keys that called a version or route since its deprecation."""
    rows = DeprecatedCall.objects.filter(
        version=deprecation.version,
        last_called_at__gte=deprecation.deprecated_at,
        key__revoked_at=None,
        key__user__is_active=True,
    )
    if deprecation.route:
        rows = rows.filter(route=deprecation.route)
    return list(rows.values_list("key__user").annotate(total=Sum("calls")).order_by("key__user"))
