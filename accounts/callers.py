"""Who calls, found out in a few microseconds: for `core.front`, under the rules of `accounts.authentication`."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError
from django.utils import timezone
from rest_framework.exceptions import NotAuthenticated

from accounts.authentication import ROW_READ, Credential, read_presented, verify_key
from accounts.exceptions import Unauthenticated
from accounts.models import ApiKey
from accounts.selectors import find_key_row, key_of_row
from accounts.services.keys import USE_IS_NOTED_EVERY
from core.exceptions import DomainError
from core.front.callers import Caller, Refused
from core.ratelimit.buckets import Limit
from core.ratelimit.registry import limits_of

_NOTHING_SHOWN = str(NotAuthenticated().detail)
# The same few rows are read over and over.
ROWS_REMEMBERED = 512


def read_caller(meta: dict[str, Any]) -> Caller | Refused | None:
    """Return whose API key a request shows, or why nobody's; None where it shows something else, or it is not clear.

    meta: the environment of the request; the row of the key is left there, for whoever goes on.
    """
    if "HTTP_X_API_KEY" not in meta and "HTTP_AUTHORIZATION" not in meta:
        return Refused(Unauthenticated.code, _NOTHING_SHOWN, _limits_of_address(meta))
    try:
        presented = read_presented(meta)
        if presented is None:
            return None
        row = find_key_row(presented.prefix)
        meta[ROW_READ] = (presented.prefix, row)
        known = None if row is None else _known(row[:-1])
        key = verify_key(known.key if known else None, presented, meta)
    except DatabaseError:
        return None
    except DomainError as error:
        if error.status != Unauthenticated.status:
            return None
        return Refused(error.code, error.detail, _limits_of_address(meta))
    assert known is not None
    assert row is not None
    # A use that is to be noted is so by the machinery of views.
    if key.last_used_at is None or timezone.now() - key.last_used_at >= USE_IS_NOTED_EVERY:
        return None
    return Caller(known.owner_id, known.scopes, known.limits, row[-1] or "", known.limits_of)


class _Known:
    """What follows from a row, for reading only: everybody whose row is the same gets this."""

    __slots__ = ("_shown", "key", "limits", "owner_id", "scopes")

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self.owner_id: UUID = key.user.pk
        self.scopes = key.granted_scopes & key.user.scopes
        self._shown = SimpleNamespace(user=key.user, auth=Credential("key", self.scopes, key=key))
        self.limits = self.limits_of("")

    def limits_of(self, operation: str) -> tuple[Limit, ...]:
        """Return the limits of an operation."""
        return tuple(limits_of(self._shown, operation))  # type: ignore[arg-type]  # all they ask for


@lru_cache(maxsize=ROWS_REMEMBERED)
def _known(row: tuple[Any, ...]) -> _Known:
    """Return what a row without the state of tags says. The row itself is read from the database each time."""
    return _Known(key_of_row((*row, None)))


def _limits_of_address(meta: dict[str, Any]) -> list[Limit]:
    return limits_of(SimpleNamespace(user=AnonymousUser(), auth=None, META=meta), "")  # type: ignore[arg-type]  # as above
