"""A SQLite file of two years of events and their stats, made by SQL alone; for `bench/analytics.py`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

DAYS = 730
HOURLY_DAYS = 30
USERS = 200


def build(home: Path, events: int) -> None:
    """Fill the tables, unless an earlier run has."""
    from django.core.management import call_command
    from django.db import connection

    from analytics.models import AnalyticsEvent, StatRollup

    call_command("migrate", verbosity=0, skip_checks=True)
    if StatRollup.objects.exists():
        return
    from tests.factories import make_user

    users = [make_user(f"user{number:03}").pk.hex for number in range(USERS)]
    AnalyticsEvent.objects.all()._raw_delete("default")  # noqa: SLF001
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=OFF")
        cursor.execute("PRAGMA temp_store=MEMORY")
        indexes = _drop_indexes(cursor)
        began = time.perf_counter()
        _fill_log(cursor, users, events)
        print(f"{events:,} events in {time.perf_counter() - began:.0f} s", flush=True)
        began = time.perf_counter()
        for statement in _stat_statements():
            cursor.execute(statement)
        _fill_rollups(cursor)
        cursor.execute(_MONTHS)
        print(f"stats in {time.perf_counter() - began:.0f} s", flush=True)
        began = time.perf_counter()
        for sql in indexes:
            cursor.execute(sql)
        cursor.execute("CREATE INDEX bench_raw ON analytics_analyticsevent (user_id, created_at)")
        cursor.execute("ANALYZE")
        print(f"indexes in {time.perf_counter() - began:.0f} s")
        _show_sizes(cursor, events)
    print(f"database: {(home / 'analytics.sqlite3').stat().st_size / 1e9:.2f} GB", flush=True)


def _drop_indexes(cursor: Any) -> list[str]:
    """Drop the indexes of the app, as inserts are faster without; return the statements that restore them."""
    cursor.execute(
        "SELECT name, sql FROM sqlite_master WHERE tbl_name LIKE 'analytics_%%' AND type='index' AND sql<>''"
    )
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    return [sql for _, sql in indexes]


def _show_sizes(cursor: Any, events: int) -> None:
    for name in ("analyticsevent", "dailystat", "hourlystat", "statrollup", "monthlyusage"):
        cursor.execute(f"SELECT count(*) FROM analytics_{name}")
        print(f"analytics_{name}: {cursor.fetchone()[0]:,} rows")
    cursor.execute("SELECT sum(count) FROM analytics_dailystat")
    assert cursor.fetchone() == (events,)
    cursor.execute("SELECT sum(renders) FROM analytics_monthlyusage")
    renders = cursor.fetchone()
    cursor.execute("SELECT sum(count) FROM analytics_dailystat WHERE type = 'render.succeeded'")
    assert cursor.fetchone() == renders


def _fill_log(cursor: Any, users: list[str], events: int) -> None:
    """Write the events. A table of 10,000 lots, drawn at random, gives each account its share."""
    weights = [1 / number**1.1 for number in range(1, USERS + 1)]
    lots: list[tuple[int, str, int]] = []
    seen = 0.0
    for number, weight in enumerate(weights):
        seen += weight / sum(weights) * 10_000
        lots += [(lot, users[number], number) for lot in range(len(lots), round(seen))]
    cursor.execute("CREATE TEMP TABLE lot (n INTEGER PRIMARY KEY, user_id TEXT, number INTEGER)")
    cursor.executemany("INSERT INTO lot VALUES (%s, %s, %s)", lots)
    today = int(datetime.now(tz=UTC).timestamp()) // 86_400 * 86_400
    cursor.execute(_EVENTS, {"events": events, "lots": len(lots), "first": today - DAYS * 86_400, "days": DAYS})


# Values that look random, computed from the row number: random() would differ each time that it is read.
# Every account has its own number of projects, 1 to 10, and uses the first of them most.
_EVENTS = """
INSERT INTO analytics_analyticsevent (id, created_at, type, code, project_id, duration_ms, work_ms, waited_ms, credits,
                             size_bytes, resource_id, counted, user_id)
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %(events)s),
     a AS (SELECT i, (i * 2654435761 + 12345) %% 4294967296 AS x FROM n),
     b AS (SELECT i, x, (x * 1103515245 + 12345) %% 2147483648 AS y FROM a),
     h AS (SELECT i, (y * 69069 + x) %% 4294967296 AS h, (x / 65536 + y / 1024) %% 1000003 AS g FROM b),
     k AS (SELECT i, h, g, h / 7 %% 100 AS kind, h / 1009 %% 12 + g %% 12 + h / 57 %% 12 AS class,
                  i * %(days)s / %(events)s AS day, (h / 3 %% 43200) + (g * 7 %% 43200) AS second FROM h)
SELECT printf('%%032x', i), strftime('%%Y-%%m-%%d %%H:%%M:%%S', %(first)s + day * 86400 + second, 'unixepoch'),
       CASE WHEN kind < 32 THEN 'render.submitted' WHEN kind < 64 THEN 'render.started'
            WHEN kind < 93 THEN 'render.succeeded' WHEN kind < 95 THEN 'render.failed'
            WHEN kind < 96 THEN 'render.cancelled' WHEN kind < 98 THEN 'asset.ready'
            WHEN kind < 99 THEN 'asset.deleted' ELSE 'credits.moved' END,
       CASE WHEN kind < 32 THEN '' WHEN kind < 64 THEN printf('w%%03d', 10 + class) WHEN kind < 93 THEN ''
            WHEN kind < 95 THEN 'error_' || (class %% 8) WHEN kind < 96 THEN '' WHEN kind < 99 THEN 'video'
            ELSE 'grant' END,
       CASE WHEN kind = 99 THEN '00000000000000000000000000000000'
            ELSE printf('%%032x', 1 + lot.number * 10 + min(g / 11 %% (1 + lot.number * 7 %% 10), h / 13 %% 10)) END,
       CASE WHEN kind BETWEEN 64 AND 92 THEN 1000 + h %% 60000 ELSE 0 END,
       CASE WHEN kind BETWEEN 64 AND 92 THEN 500 + h %% 20000 ELSE 0 END,
       CASE WHEN kind BETWEEN 32 AND 63 THEN h %% 10000 ELSE 0 END,
       CASE WHEN kind BETWEEN 64 AND 95 OR kind = 99 THEN h %% 500 ELSE 0 END,
       CASE WHEN kind BETWEEN 64 AND 92 OR kind BETWEEN 96 AND 97 THEN h %% 100000000
            WHEN kind = 98 THEN -(h %% 100000000) ELSE 0 END,
       printf('%%032x', i), 1, lot.user_id
FROM k CROSS JOIN lot ON lot.n = h / 17 %% %(lots)s
"""
_COLUMNS = """(id, created_at, start, user_id, type, code, project_id, count, duration_ms, work_ms, waited_ms, credits,
               size_bytes, latest_at, latest_id, waits)"""
_TABLES = {"hour": "analytics_hourlystat", "day": "analytics_dailystat"}
_CUT = {"hour": "substr({}, 1, 13) || ':00:00'", "day": "substr({}, 1, 10) || ' 00:00:00'"}


def _stat_statements() -> Iterator[str]:
    """Yield the SQL statements that compute the same stats as the product."""
    sums = "sum(duration_ms), sum(work_ms), sum(waited_ms), sum(credits), sum(size_bytes)"
    for interval, table in _TABLES.items():
        start = _CUT[interval].format("created_at")
        when = f"created_at >= datetime('now', 'start of day', '-{HOURLY_DAYS} days')" if interval == "hour" else "1"
        # Of two failures at one moment the greater id is the newer.
        newest = "max(CASE WHEN type LIKE '%%.failed' THEN created_at || resource_id END)"
        yield f"DROP TABLE IF EXISTS temp.s_{interval}"
        yield (
            f"CREATE TEMP TABLE s_{interval} AS SELECT {start} AS start, user_id, type, code, project_id,"
            f" count(*) AS n, {', '.join(f'sum({name}) AS {name}' for name in _NUMBERS)}, {newest} AS newest"
            f" FROM analytics_analyticsevent WHERE {when} GROUP BY 1, 2, 3, 4, 5"
        )
        yield (
            f"INSERT INTO {table} {_COLUMNS} SELECT lower(hex(randomblob(16))), start, start, user_id, type,"
            f" CASE WHEN type = 'render.started' THEN '' ELSE code END, project_id, sum(n), {sums},"
            " substr(max(newest), 1, 19), substr(max(newest), 20),"
            " CASE WHEN type = 'render.started' THEN group_concat(code || '=' || n, ' ' ORDER BY code) ELSE '' END"
            f" FROM temp.s_{interval} GROUP BY start, user_id, type, 6, project_id"
        )


_NUMBERS = ("duration_ms", "work_ms", "waited_ms", "credits", "size_bytes")


def _fill_rollups(cursor: Any) -> None:
    """Make the rollups of the stats: of projects, of accounts, of all."""
    from django.db import connection

    from analytics.services.rollups import RollupKey, rollup_id

    def make_id(interval: str, start: str, user_id: str | None, project_id: str) -> str:
        at = datetime.fromisoformat(start).replace(tzinfo=UTC)
        return rollup_id(interval, RollupKey(at, UUID(user_id) if user_id else None, UUID(project_id))).hex

    connection.connection.create_function("make_id", 4, make_id, deterministic=True)
    sums = ", ".join(f"sum({name}) AS {name}" for name in _NUMBERS)
    scopes = (("user_id", "project_id"), ("user_id", f"'{'f' * 32}'"), ("NULL", f"'{'f' * 32}'"))
    for interval in _TABLES:
        for user, project in scopes:
            cursor.execute(_ROLLUPS.format(interval=interval, user=user, project=project, sums=sums))


_ROLLUPS = """
INSERT INTO analytics_statrollup (id, created_at, interval, start, user_id, project_id, stored_bytes, renders, work_ms,
                              credits, waits, aggregates)
WITH c AS (SELECT start, {user} AS u, {project} AS p, type, code, sum(n) AS n, {sums}, max(newest) AS newest
           FROM temp.s_{interval} GROUP BY 1, 2, 3, 4, 5),
     t AS (SELECT start, u, p, type, CASE WHEN type = 'render.started' THEN '' ELSE code END AS code, sum(n) AS n,
                  {sums}, max(newest) AS newest,
                  CASE WHEN type = 'render.started' THEN json_group_object(code, n) END AS waits
           FROM c GROUP BY 1, 2, 3, 4, 5)
SELECT make_id('{interval}', start, u, p), start, '{interval}', start, u, p,
       sum(CASE WHEN type IN ('render.succeeded', 'asset.ready', 'asset.deleted') THEN size_bytes ELSE 0 END),
       sum(CASE WHEN type = 'render.succeeded' THEN n ELSE 0 END),
       sum(CASE WHEN type = 'render.succeeded' THEN work_ms ELSE 0 END),
       sum(CASE WHEN type = 'render.succeeded' THEN credits ELSE 0 END),
       coalesce(max(waits), '{{}}'),
       json_group_object(type || ' ' || code, json(CASE WHEN newest IS NULL
           THEN json_array(n, duration_ms, work_ms, waited_ms, credits, size_bytes)
           ELSE json_array(n, duration_ms, work_ms, waited_ms, credits, size_bytes,
                           replace(substr(newest, 1, 19), ' ', 'T') || '.000000+00:00', substr(newest, 20)) END))
FROM t GROUP BY start, u, p
"""


_MONTHS = f"""
INSERT INTO analytics_monthlyusage (id, created_at, start, user_id, renders, work_ms, credits)
SELECT lower(hex(randomblob(16))), min(start), substr(start, 1, 7) || '-01 00:00:00', user_id, sum(renders),
       sum(work_ms), sum(credits)
FROM analytics_statrollup
WHERE interval = 'day' AND project_id = '{"f" * 32}' AND user_id IS NOT NULL AND renders > 0
GROUP BY substr(start, 1, 7), user_id
"""
