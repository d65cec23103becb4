"""Reads that more than one caller wants."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, Sum

from accounts.models import ApiKey, DeprecatedCall, RevokedToken, User
from accounts.tokens import Claims
from core.api.marks import Mark
from core.caching.generations import generations_sql
from core.database import fetch_row
from core.ids import decode_id
from core.rowreader import RowReader


def find_key_row(prefix: str) -> tuple[Any, ...] | None:
    """Return what the database has of a key: columns of the key, of its owner, and last the state of the tags."""
    return fetch_row(_key_query(connection.vendor)[0], (prefix,))


def key_of_row(row: Sequence[Any]) -> ApiKey:
    """Return the key of such a row, with its owner."""
    _, keys, users = _key_query(connection.vendor)
    key = keys.instance(row)
    key.user = users.instance(row[len(keys.names) :])
    key.tag_state = row[-1] or ""
    return key


@lru_cache(maxsize=2)
def _key_query(vendor: str) -> tuple[str, RowReader[ApiKey], RowReader[User]]:
    keys, users = RowReader(ApiKey, "k"), RowReader(User, "u")
    account = "u.id" if vendor == "sqlite" else "replace(u.id::text, '-', '')"
    text = (
        f"SELECT {keys.columns}, {users.columns}, ({generations_sql(vendor, account)}) "  # noqa: S608 - our own names
        f"FROM {ApiKey._meta.db_table} AS k JOIN {User._meta.db_table} AS u ON u.id = k.user_id "
        f"WHERE k.key_prefix = %s"
    )
    return text, keys, users


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
