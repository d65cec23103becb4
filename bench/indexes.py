"""The product's queries with and without their indexes and sums, at a million rows.

    python bench/indexes.py [--rows N]

SQLite, in a database of its own. Each index is dropped in a transaction that is rolled back, so that both figures come
from the same rows and statistics. Prints processor time and ratios, and exits with 1 where one is below its limit.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from job_queue import own_database

ROOT = Path(__file__).resolve().parent.parent
QUICK_S = 0.05
REPEATS = 50
USERS = 1000
HOURS = 7 * 24
NOW = datetime(2026, 11, 23, tzinfo=UTC)
Query = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A query and the indexes that are dropped for comparison; at_least: the required ratio."""

    name: str
    at_least: float
    query: Query
    without: tuple[str, ...]


def execute(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def multiply(model: Any, rows: int, **columns: str) -> None:
    """Multiply the single row of a table. columns: SQL of the columns that differ; `n` counts from 1."""
    table = model._meta.db_table
    names = [field.column for field in model._meta.concrete_fields]
    indexes = execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = %s AND sql > ''", [table]
    )
    triggers = execute("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = %s", [table])
    for kind, found in (("INDEX", [name for name, _ in indexes]), ("TRIGGER", [name for (name,) in triggers])):
        for name in found:
            execute(f'DROP {kind} "{name}"')
    columns = {"id": "printf('%%032x', n)", **columns}
    values = ", ".join(columns.get(name, f't."{name}"') for name in names)
    execute(
        f"WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < {rows}) "
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM seq, (SELECT * FROM {table} LIMIT 1) AS t",
        # With parameters, even none, doubled percent signs are read as one.
        [],
    )
    for _, sql in indexes:
        execute(sql)


def moments(rows: int) -> str:
    """Return SQL of times spread evenly over the week before now, as Django writes them."""
    start = (NOW - timedelta(hours=HOURS)).strftime("%Y-%m-%d %H:%M:%S")
    return f"strftime('%%Y-%%m-%%d %%H:%%M:%%f', '{start}', '+' || (n * {HOURS * 3600 / rows}) || ' seconds')"


def fill(rows: int) -> Any:
    """Make the rows; return one of their owners."""
    from accounts.models import User
    from analytics.models import AnalyticsEvent, HourlyStat
    from jobs.models import Job
    from notifications.models import Notification

    users = User.objects.bulk_create(User(username=f"user{number}") for number in range(USERS))
    user = users[7]
    execute("CREATE TEMP TABLE owners AS SELECT CAST(substr(username, 5) AS INTEGER) AS number, id FROM accounts_user")
    execute("CREATE INDEX temp.owners_number ON owners (number)")
    owner = f"(SELECT id FROM owners WHERE number = n %% {USERS})"
    at = moments(rows)
    # One in a hundred waits, one is dead, the others are done.
    status = "CASE WHEN n %% 100 = 0 THEN 'queued' WHEN n %% 100 = 1 THEN 'dead' ELSE 'succeeded' END"
    Job.objects.create(type="bench", user=user, queue="default")
    multiply(Job, rows, created_at=at, scheduled_at=at, finished_at=at, user_id=owner, status=status)
    Notification.objects.create(user=user, kind="render.succeeded", title="t")
    read_at = f"CASE WHEN (n / {USERS}) %% 50 = 0 THEN NULL ELSE {at} END"
    multiply(Notification, rows, created_at=at, user_id=owner, read_at=read_at)
    AnalyticsEvent.objects.create(user=user, type="render.succeeded", duration_ms=1000, work_ms=500, credits=10)
    kind = "CASE n %% 4 WHEN 0 THEN 'render.submitted' WHEN 1 THEN 'render.started' ELSE 'render.succeeded' END"
    multiply(AnalyticsEvent, rows, created_at=at, type=kind, counted="1")
    pattern = HourlyStat.objects.create(user=user, type="render.succeeded", start=NOW + timedelta(days=1))
    names = ", ".join(field.column for field in HourlyStat._meta.concrete_fields)
    sums = {
        "id": "printf('%%032x', row_number() OVER ())",
        "created_at": "min(e.created_at)",
        "type": "e.type",
        "start": "strftime('%%Y-%%m-%%d %%H:00:00', e.created_at)",
        "count": "count(*)",
        **{name: f"sum(e.{name})" for name in ("duration_ms", "work_ms", "waited_ms", "credits", "size_bytes")},
    }
    values = ", ".join(sums.get(field.column, f"h.{field.column}") for field in HourlyStat._meta.concrete_fields)
    execute(
        f"INSERT INTO analytics_hourlystat ({names}) SELECT {values} FROM analytics_analyticsevent AS e, "
        "(SELECT * FROM analytics_hourlystat LIMIT 1) AS h GROUP BY strftime('%%Y-%%m-%%d %%H', e.created_at), e.type",
        [],
    )
    execute("DELETE FROM analytics_hourlystat WHERE id = %s", [pattern.pk.hex])
    execute("ANALYZE")
    return user


def cases(user: Any) -> list[Case]:
    """Return the product's queries, each with its index and those that the planner would use instead."""
    from jobs import sql
    from jobs.models import Job
    from notifications.models import Notification

    inbox = Notification.objects.for_owner(user)
    newest = Job.objects.order_by("-created_at", "-pk")
    claim = "idx_jobs_queue_status_priority_scheduled"
    return [
        # SQLite would skip-scan the index of types instead, in time proportional to the waiting jobs.
        Case(
            "queue: is anything ready",
            100,
            lambda: sql.is_ready("default"),
            (claim, "idx_jobs_active", "idx_jobs_type_status"),
        ),
        Case("jobs: newest page of the admin", 10, lambda: list(newest.values("pk")[:50]), ("idx_jobs_created_at",)),
        Case(
            "jobs: newest of one account",
            10,
            lambda: list(newest.filter(user=user).values("pk")[:26]),
            ("idx_jobs_user_created",),
        ),
        Case(
            "jobs: newest dead letters",
            10,
            lambda: list(Job.objects.filter(status="dead").order_by("-finished_at", "-pk").values("pk")[:26]),
            ("idx_jobs_dlq", "idx_jobs_old_completed"),
        ),
        Case(
            "notifications: count of the unread",
            10,
            lambda: inbox.unread().count(),
            ("idx_notifications_unread", "idx_notifications_user_read_created", "idx_notifications_user_type"),
        ),
    ]


def seconds(query: Query) -> float:
    """Return the processor time of a query, the minimum of several runs if it is fast."""
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        query()
        times.append(time.process_time() - began)
        if times[-1] > QUICK_S and len(times) == 2:
            break
    return min(times)


def compare(case: Case) -> tuple[float, float]:
    """Return the seconds with and without the indexes."""
    from django.db import transaction

    with_them = seconds(case.query)
    with transaction.atomic():
        for name in case.without:
            execute(f'DROP INDEX "{name}"')
        without = seconds(case.query)
        transaction.set_rollback(True)
    return with_them, without


def compare_sums(user: Any) -> tuple[float, float]:
    """Return the seconds of a week by the hour and type from the sums, and from a million events of the account."""
    since = (NOW - timedelta(hours=HOURS)).strftime("%Y-%m-%d %H:%M:%S")
    columns = "sum(duration_ms), sum(work_ms), sum(credits)"
    sums = (
        f"SELECT start || '', type, sum(count), {columns} FROM analytics_hourlystat "
        "WHERE user_id = %s AND start >= %s GROUP BY 1, 2"
    )
    raw = (
        f"SELECT strftime('%%Y-%%m-%%d %%H:00:00', created_at), type, count(*), {columns} "
        "FROM analytics_analyticsevent "
        "WHERE user_id = %s AND created_at >= %s GROUP BY 1, 2"
    )
    parameters = [user.pk.hex, since]
    if execute(sums, parameters) != execute(raw, parameters):
        sys.exit("the sums are not those of the events")
    return seconds(lambda: execute(sums, parameters)), seconds(lambda: execute(raw, parameters))


def main() -> int:
    """Fill, compare, print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    chosen = parser.parse_args()
    os.environ.pop("DATABASE_URL", None)
    os.environ["DJANGO_SETTINGS_MODULE"] = "renderowl.settings"
    sys.path.insert(0, str(ROOT))
    with own_database():
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        user = fill(chosen.rows)
        missed = False
        print(f"{chosen.rows:,} rows each\n{'query':<34} {'with':>10} {'without':>10} {'ratio':>9} {'demanded':>9}")
        found = [(case.name, case.at_least, compare(case)) for case in cases(user)]
        for name, at_least, (quick, slow) in [*found, ("analytics: sums, not events", 100.0, compare_sums(user))]:
            ratio = slow / max(quick, 1e-6)
            missed |= ratio < at_least
            print(f"{name:<34} {quick * 1e3:>7.3f} ms {slow * 1e3:>7.1f} ms {ratio:>8,.0f}x {at_least:>8,.0f}x")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
