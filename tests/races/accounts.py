"""Accounts: keys up to the limit, one refresh token."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.races.threads import at_once


def make_keys_up_to_the_limit() -> dict[str, Any]:
    """Create 50 keys on a plan that allows 5."""
    from accounts import services
    from accounts.models import ApiKey
    from tests.factories import make_user

    user = make_user(plan="starter")

    def work(index: int) -> str:
        services.create_api_key(user=user, scopes=["renders:read"], caller_scopes=user.scopes)
        return "made"

    return {"outcomes": dict(Counter(at_once(work))), "keys": ApiKey.objects.filter(user=user).count()}


def refresh_one_token() -> dict[str, Any]:
    """Use one refresh token 50 times."""
    from accounts import services
    from accounts.models import RevokedToken
    from tests.factories import make_user

    user = make_user()
    refresh = services.log_in(username=user.username, password="correct horse battery").refresh

    def work(index: int) -> str:
        services.refresh_session(refresh=refresh)
        return "refreshed"

    outcomes = dict(Counter(at_once(work)))
    return {"outcomes": outcomes, "revoked": RevokedToken.objects.filter(user=user).count()}
