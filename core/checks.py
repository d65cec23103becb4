"""System checks that refuse an installation which would lose data or leak it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.urls import get_resolver

from core.api.features import features
from core.api.lifecycle import marks
from core.signing import PUBLISHED_SECRET, parse_secret
from core.sqlite import MINIMUM_VERSION

SHORTEST_RETENTION_S = 3600
LONGEST_RETENTION_S = 30 * 24 * 3600


@register(Tags.database)
def check_sqlite_version(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a SQLite that can corrupt a WAL database."""
    uses_sqlite = any("sqlite" in db["ENGINE"] for db in settings.DATABASES.values())
    if not uses_sqlite or sqlite3.sqlite_version_info >= MINIMUM_VERSION:
        return []
    return [
        Error(
            f"SQLite {sqlite3.sqlite_version} can corrupt a database in WAL mode.",
            hint="Install the pysqlite3 wheel, use a Python with SQLite "
            f"{'.'.join(map(str, MINIMUM_VERSION))} or newer, or set DATABASE_URL to PostgreSQL.",
            id="renderowl.E001",
        )
    ]


@register(Tags.caches)
def check_cache_url(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse an address of the shared state that nothing here can read."""
    if settings.RENDEROWL_CACHE_URL.startswith(("sqlite:///", "redis://", "rediss://")):
        return []
    return [
        Error(
            "CACHE_URL names no store of shared state.",
            hint="Use sqlite:///path/of/a/file, redis://host:6379/0 or rediss://host:6379/0.",
            id="renderowl.E005",
        )
    ]


@register(Tags.security)
def check_staff_totp(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a misspelled demand for second factors, which would demand nothing."""
    if settings.RENDEROWL_STAFF_TOTP in {"optional", "required"}:
        return []
    return [
        Error(
            f"STAFF_TOTP is {settings.RENDEROWL_STAFF_TOTP!r}.",
            hint="Choose optional or required.",
            id="renderowl.E014",
        )
    ]


@register(Tags.compatibility)
def check_jobs_engine(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse an unknown job engine at boot, not at the first job."""
    if settings.RENDEROWL_JOBS_ENGINE in settings.RENDEROWL_JOBS_ENGINES:
        return []
    return [
        Error(
            f"JOBS_ENGINE is {settings.RENDEROWL_JOBS_ENGINE!r}, which is not part of this version; choose database.",
            id="renderowl.E002",
        )
    ]


@register(Tags.compatibility)
def check_idempotency_retention(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a retention that would forget keys while clients still retry, or hoard them."""
    if SHORTEST_RETENTION_S <= settings.RENDEROWL_IDEMPOTENCY_RETENTION_S <= LONGEST_RETENTION_S:
        return []
    return [
        Error(
            f"IDEMPOTENCY_RETENTION_S is {settings.RENDEROWL_IDEMPOTENCY_RETENTION_S}.",
            hint=f"Choose {SHORTEST_RETENTION_S} (an hour) to {LONGEST_RETENTION_S} (30 days).",
            id="renderowl.E010",
        )
    ]


@register(Tags.urls)
def check_api_marks(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse deprecations that break the promise to clients, or that name what does not exist."""
    faults = [fault for mark in marks() if (fault := mark.fault())]
    for mark in marks():
        if mark.version not in settings.RENDEROWL_API_VERSIONS:
            faults.append(f"there is no version {mark.version}")
        elif mark.route and mark.route not in _route_names(mark.version):
            faults.append(f"version {mark.version} has no route named {mark.route}")
        elif not mark.route and mark.version == max(settings.RENDEROWL_API_VERSIONS):
            faults.append(f"version {mark.version} is the newest: there is nowhere to go")
    return [
        Error(
            f"API_DEPRECATIONS: {fault}.",
            hint="A sunset is never earlier than the deprecation and at least 180 days after it.",
            id="renderowl.E003",
        )
        for fault in faults
    ]


@register(Tags.compatibility)
def check_api_switches(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse switches of features that do not exist, and a default version that does not."""
    faults = []
    for version, name in settings.RENDEROWL_API_FEATURES:
        feature = features.get(name)
        if feature is None or version not in settings.RENDEROWL_API_VERSIONS or not feature.fits(version):
            faults.append(f"API_FEATURES: version {version} can have no feature {name}")
        elif feature.is_fixed:
            faults.append(f"API_FEATURES: {name} is a part of version {version} and cannot be switched")
    if settings.RENDEROWL_DEFAULT_API_VERSION not in settings.RENDEROWL_API_VERSIONS:
        faults.append(f"DEFAULT_API_VERSION: there is no version {settings.RENDEROWL_DEFAULT_API_VERSION}")
    return [
        Error(f"{fault}.", hint="GET /api/v2/meta lists versions and flags.", id="renderowl.E004") for fault in faults
    ]


def _route_names(version: int) -> set[str]:
    namespaces: dict[str, Any] = get_resolver().namespace_dict
    _, resolver = namespaces[f"v{version}"]
    return {name for name in resolver.reverse_dict if isinstance(name, str)}


@register(Tags.security, deploy=True)
def check_worker_secrets(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse, for production, the secret that the specification prints as its example: everybody knows it."""
    pools: dict[str, tuple[bytes, ...]] = settings.RENDEROWL_WORKER_SECRETS
    known = [pool for pool, secrets in pools.items() if parse_secret(PUBLISHED_SECRET) in secrets]
    return [
        Error(
            f"RENDER_WEBHOOK_SECRETS: the pool {pool} has a secret that is published.",
            hint="Make one with `manage.py run_external_worker --new-secret`.",
            id="renderowl.E012",
        )
        for pool in known
    ]
