"""System checks of core."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from core.sqlite import MINIMUM_VERSION


@register(Tags.database)
def check_sqlite_version(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Reject a SQLite version that can corrupt a WAL database."""
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
