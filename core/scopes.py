"""API scopes and grants.

The `AppConfig` of an app declares the scopes that it owns: `public_scopes` of every account, `staff_scopes` of members
of staff, and `restricted_scopes`, which are granted individually.
A scope is `family:verb`. A grant is a scope, a family (`renders:*`) or `*`, which stands for the public scopes known
when the key was created, never for restricted ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.apps import apps


def _declared(name: str) -> frozenset[str]:
    return frozenset(scope for config in apps.get_app_configs() for scope in getattr(config, name, ()))


PUBLIC_SCOPES = _declared("public_scopes")
STAFF_SCOPES = _declared("staff_scopes")
# Granted in the admin or by command only: they reach beyond one account.
RESTRICTED_SCOPES = STAFF_SCOPES | _declared("restricted_scopes")
ALL_SCOPES = PUBLIC_SCOPES | RESTRICTED_SCOPES


def expand(grants: Iterable[str]) -> frozenset[str]:
    """Return the scopes that grants cover; raise ValueError with the first grant that is unknown."""
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
