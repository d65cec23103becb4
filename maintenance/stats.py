"""Database statistics: tables, indexes, sizes, oldest rows, retention and files."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet
from django.db.utils import OperationalError

from core.database import effective_pragmas
from core.retention import retentions

_POSTGRESQL_TABLES = """
    SELECT c.relname, GREATEST(c.reltuples, 0)::bigint, pg_table_size(c.oid), pg_indexes_size(c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname = current_schema()
"""
_POSTGRESQL_INDEXES = """
    SELECT relname, indexrelname, pg_relation_size(indexrelid), idx_scan
    FROM pg_stat_user_indexes WHERE schemaname = current_schema() ORDER BY relname, indexrelname
"""
_SQLITE_INDEXES = "SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index' ORDER BY tbl_name, name"


def database_stats() -> dict[str, Any]:
    """Return the output of `db_stats --json`.

    PostgreSQL estimates row counts, as of the last ANALYZE. SQLite counts the rows, does not track the use of indexes,
    and knows the sizes of tables only if its library was built with `dbstat`.
    """
    tables = _postgresql_tables() if connection.vendor == "postgresql" else _sqlite_tables()
    oldest = _oldest_rows()
    for table in tables:
        table["oldest_at"] = oldest.get(table["table"])
    return {
        "database": {**describe_database(), **_free_space()},
        "tables": sorted(tables, key=lambda table: (-(table["bytes"] or 0), -table["rows"], table["table"])),
        "retention": [
            {"name": retention.name, "table": retention.table, "keep_days": retention.keep().total_seconds() / 86400}
            for retention in retentions.by_name()
        ],
        "cache_files": _cache_files(),
        "disk": _disk(),
    }


def describe_database() -> dict[str, Any]:
    """Return vendor, version, size and effective settings of the database. wal_bytes: None on PostgreSQL."""
    if connection.vendor != "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database()), current_setting('server_version')")
            size, version = cursor.fetchone()
        return {"vendor": connection.vendor, "version": version, "size_bytes": size, "wal_bytes": None, "pragmas": {}}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sqlite_version(), (SELECT page_count * page_size FROM pragma_page_count, pragma_page_size)"
        )
        version, size = cursor.fetchone()
    wal = Path(f"{connection.settings_dict['NAME']}-wal")
    return {
        "vendor": connection.vendor,
        "version": version,
        "size_bytes": size,
        "wal_bytes": wal.stat().st_size if wal.is_file() else 0,
        "pragmas": effective_pragmas(connection),
    }


def database_path(database: BaseDatabaseWrapper = connection) -> Path | None:
    """Return the path of the database file; None on PostgreSQL and in memory."""
    name = str(database.settings_dict["NAME"])
    if database.vendor != "sqlite" or ":memory:" in name or "mode=memory" in name:
        return None
    return Path(name)


def size_of(path: Path) -> int:
    """Return the size of a file, 0 if it does not exist."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _postgresql_tables() -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(_POSTGRESQL_INDEXES)
        indexes: dict[str, list[dict[str, Any]]] = {}
        for table, name, size, uses in cursor.fetchall():
            indexes.setdefault(table, []).append({"name": name, "bytes": size, "uses": uses})
        cursor.execute(_POSTGRESQL_TABLES)
        return [
            {
                "table": table,
                "rows": rows,
                "rows_estimated": True,
                "bytes": size,
                "index_bytes": index_size,
                "indexes": indexes.get(table, []),
            }
            for table, rows, size, index_size in cursor.fetchall()
        ]


def _sqlite_tables() -> list[dict[str, Any]]:
    sizes = _sqlite_sizes()
    found = []
    with connection.cursor() as cursor:
        cursor.execute(_SQLITE_INDEXES)
        indexes: dict[str, list[dict[str, Any]]] = {}
        for table, name in cursor.fetchall():
            indexes.setdefault(table, []).append({"name": name, "bytes": sizes.get(name), "uses": None})
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608 - names from the catalog
            table_indexes = indexes.get(table, [])
            found.append(
                {
                    "table": table,
                    "rows": cursor.fetchone()[0],
                    "rows_estimated": False,
                    "bytes": sizes.get(table),
                    "index_bytes": sum(index["bytes"] for index in table_indexes) if sizes else None,
                    "indexes": table_indexes,
                }
            )
    return found


def _sqlite_sizes() -> dict[str, int]:
    """Return the bytes of tables and indexes; empty if SQLite was built without `dbstat`."""
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT name, pgsize FROM dbstat WHERE aggregate = 1")
        except OperationalError:
            return {}
        return dict(cursor.fetchall())


def _free_space() -> dict[str, int | None]:
    """Return the bytes of unused pages in SQLite's file; None on other databases."""
    if connection.vendor != "sqlite":
        return {"free_bytes": None}
    with connection.cursor() as cursor:
        cursor.execute("SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size")
        return {"free_bytes": cursor.fetchone()[0]}


def _oldest_rows() -> dict[str, datetime]:
    """Return when the oldest row of each table was created: the row with the smallest id, as ids are time-ordered."""
    models: list[type[Model]] = [model for model in apps.get_models() if hasattr(model, "ID_PREFIX")]
    found = {
        model._meta.db_table: QuerySet(model).order_by("pk").values_list("created_at", flat=True).first()
        for model in models
    }
    return {table: moment for table, moment in found.items() if moment is not None}


def _cache_files() -> list[dict[str, Any]]:
    url: str = settings.RENDEROWL_CACHE_URL
    if not url.startswith("sqlite:///"):
        return []
    path = Path(settings.BASE_DIR) / url.removeprefix("sqlite:///")
    files = (path, path.with_name(f"{path.stem}-responses.sqlite3"))
    return [{"path": str(file), "bytes": size_of(file)} for file in files]


def _disk() -> dict[str, Any]:
    file = database_path()
    folder = file.parent if file else Path(settings.DATA_DIR)
    usage = shutil.disk_usage(folder)
    return {"path": str(folder), "total_bytes": usage.total, "free_bytes": usage.free}
