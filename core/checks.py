"""System checks that refuse an installation which would lose data or leak it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from core.sqlite import MINIMUM_VERSION


@register(Tags.database)
def check_sqlite_version(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a SQLite that can corrupt a WAL database."""
    uses_sqlite = any(db["ENGINE"] == "django.db.backends.sqlite3" for db in settings.DATABASES.values())
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
            id="renderowl.E003",
        )
    ]


@register(Tags.compatibility)
def check_jobs_engine(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse an unknown job engine at boot, not at the first job."""
    if settings.RENDEROWL_JOBS_ENGINE in settings.RENDEROWL_JOBS_ENGINES:
        return []
    return [
        Error(
            f"JOBS_ENGINE is {settings.RENDEROWL_JOBS_ENGINE!r}.",
            hint=f"Choose one of: {', '.join(settings.RENDEROWL_JOBS_ENGINES)}.",
            id="renderowl.E002",
        )
    ]
