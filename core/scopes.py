"""API scopes: which exist, what a grant covers.

A scope is `family:verb`. A grant is a scope, a family (`renders:*`) or `*`, which stands for the public
scopes known when the key was made and never for the restricted ones.
"""

from __future__ import annotations

from collections.abc import Iterable

PUBLIC_SCOPES = frozenset(
    {
        "renders:read",
        "renders:write",
        "renders:cancel",
        "templates:read",
        "templates:write",
        "assets:read",
        "assets:write",
        "assets:delete",
        "webhooks:read",
        "webhooks:write",
        "automations:read",
        "automations:write",
        "notifications:read",
        "notifications:write",
        "analytics:read",
        "credits:read",
        "keys:read",
        "keys:write",
    }
)
# Given in the admin or by command only: they reach beyond one account.
RESTRICTED_SCOPES = frozenset({"jobs:read", "jobs:write", "workers:report", "internal:credits", "admin:*"})
STAFF_SCOPES = frozenset({"jobs:read", "jobs:write", "admin:*"})
ALL_SCOPES = PUBLIC_SCOPES | RESTRICTED_SCOPES


def expand(grants: Iterable[str]) -> frozenset[str]:
    """Return the scopes that a list of grants covers.

    Raises ValueError naming the first grant that is neither a scope, a known family nor `*`.
    """
    scopes: set[str] = set()
    for grant in grants:
        if grant == "*":
            scopes |= PUBLIC_SCOPES
        elif grant in ALL_SCOPES:
            scopes.add(grant)
        elif grant.endswith(":*") and (family := _family(grant)):
            scopes |= family
        else:
            raise ValueError(grant)
    return frozenset(scopes)


def _family(grant: str) -> frozenset[str]:
    prefix = grant[:-1]
    return frozenset(scope for scope in ALL_SCOPES if scope.startswith(prefix))
