"""Analytics answers from the stats compared with answers from the raw events, over ten million events of history.

    python bench/analytics.py [--events 10000000] [--keep FOLDER]

Makes a SQLite file of two years and 200 accounts by SQL alone: the biggest account has a fifth of all events, the
others fall off as 1/n^1.1; each has one to ten projects of unequal use; days have an afternoon and a night. Stats of
days go back two years, those of hours as far as the product keeps them (30 days), and events, which the product keeps
for 90 days, all the way, so that there is something to compare with. One day of stats is compared with the product's
own recount.

Then each query of the API and the charts is answered from the stats and from the raw events, by the same code except
for the source of the numbers, and both answers must be equal. The raw side has an index of its own on account and
time, which the log does not have. Times are CPU time of this process (others may be busy): the median of several
runs. The last column is a whole request, from the middleware to the bytes. The exit status is 1 where an answer
differs, where one takes 50 ms or more from the stats, or where one that sums up a tenth of the history or more is
not 100 times faster than from the events.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

ROOT = Path(__file__).resolve().parent.parent
REPEATS = 9
MAX_MS = 50
MIN_RATIO = 100


def main() -> int:
    """Build and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--keep", metavar="FOLDER", help="use this folder, and leave the database there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="renderowl-analytics-") as folder:
        home = Path(options.keep or folder)
        home.mkdir(parents=True, exist_ok=True)
        _set_up(home)
        from bench.analytics_history import build

        build(home, options.events)
        failures = _check_a_day() + _measure(options.events)
        _measure_counting()
    print("HOLDS" if not failures else "\n".join(["BROKEN", *failures]))
    return 1 if failures else 0


def _set_up(home: Path) -> None:
    # Not this script's own folder, where `analytics` is this script and not the app.
    sys.path[0] = str(ROOT)
    from core.sqlite import install_newer_sqlite

    install_newer_sqlite()
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "renderowl.settings",
        "DATABASE_URL": f"sqlite:///{home}/analytics.sqlite3",
        "DATA_DIR": str(home),
        "RATE_LIMITS": "0",
        "ALLOWED_HOSTS": "*",
    }
    import django

    django.setup()


def _check_a_day() -> list[str]:
    """Compare the stats of a day with the product's own recount of it."""
    from django.db.models import F
    from django.utils import timezone

    from analytics.codec import decode
    from analytics.models import DailyStat, HourlyStat, MonthlyUsage, StatRollup
    from analytics.services import rebuild_day
    from analytics.services.stats import start_of_day
    from analytics.time_ranges import start_of_month

    day = start_of_day(timezone.now() - timedelta(days=10))
    within = {"start__gte": day, "start__lt": day + timedelta(days=1)}

    def state() -> list[Any]:
        rows: list[Any] = []
        for rollup in StatRollup.objects.filter(**within).order_by("pk"):
            values = {**vars(rollup), "aggregates": decode(rollup.aggregates), "waits": decode(rollup.waits)}
            rows.append({name: value for name, value in values.items() if name not in ("_state", "created_at")})
        for model in (HourlyStat, DailyStat):
            columns = [field.attname for field in model._meta.concrete_fields[2:]]
            rows += sorted(model.objects.filter(**within).annotate(x=F("pk")).values_list(*columns), key=str)
        month = MonthlyUsage.objects.filter(start=start_of_month(day)).order_by("user_id")
        return [*rows, *month.values_list("user_id", "renders", "work_ms", "credits")]

    before = state()
    began = time.process_time()
    number = rebuild_day(day=day)
    took = time.process_time() - began
    same = state() == before
    print(
        f"a day of {number:,} events recounted in {took:.2f} s CPU; {len(before):,} rows the same: {same}", flush=True
    )
    return [] if same and before else ["the stats of the bench are not those of the product"]


def _raw_stats(time_range: Any, scope: Any, types: list[str], with_storage: bool) -> Any:
    """Return what `read_stats` does, from the events. One pass, summed up by the database."""
    from django.db import connection

    from analytics.codec import latest_pair
    from analytics.models import FAILURES, STORAGE
    from analytics.selectors import BucketedStats, EventAggregate

    stats = BucketedStats(time_range, {start: {} for start in time_range.starts()})
    where, values = "created_at < %s", [str(time_range.until)[:19]]
    if scope.user_id is not None:
        where, values = f"{where} AND user_id = %s", [*values, scope.user_id.hex]
    if scope.project_id is not None:
        where, values = f"{where} AND project_id = %s", [*values, scope.project_id.hex]
    length = 13 if time_range.interval == "hour" else 10
    marks = ", ".join(["%s"] * len(types))
    sql = (
        f"SELECT substr(created_at, 1, {length}) AS at, type, code, count(*), sum(duration_ms), sum(work_ms),"
        " sum(waited_ms), sum(credits), sum(size_bytes),"
        " max(CASE WHEN type LIKE '%%.failed' THEN created_at || resource_id END)"
        f" FROM analytics_analyticsevent WHERE {where} AND created_at >= %s AND type IN ({marks})"
        " GROUP BY at, type, code"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, str(time_range.since)[:19], *types])
        for at, event_type, code, *numbers, latest in cursor.fetchall():
            bucket = stats.buckets[datetime.fromisoformat(f"{at}:00" if length == 13 else at).replace(tzinfo=UTC)]
            aggregate = EventAggregate(*numbers)
            if event_type == "render.started":
                aggregate.waits, code = {code: numbers[0]}, ""
            if event_type in FAILURES:
                at = datetime.fromisoformat(latest[:19]).replace(tzinfo=UTC)
                aggregate.latest_at, aggregate.latest_id = latest_pair(at, UUID(latest[19:]))
            bucket.setdefault((event_type, code), EventAggregate()).add(aggregate)
        if with_storage:
            marks = ", ".join(["%s"] * len(STORAGE))
            sql = (
                f"SELECT sum(size_bytes) FROM analytics_analyticsevent WHERE {where} AND created_at < %s"
                f" AND type IN ({marks})"
            )
            cursor.execute(sql, [*values, str(time_range.since)[:19], *sorted(STORAGE)])
            stats.stored_bytes = cursor.fetchone()[0] or 0
    return stats


# Title, scope, question, interval, days.
_QUESTIONS = (
    ("biggest account, renders, hours of 1 week", "biggest", "renders", "hour", 7),
    ("biggest account, renders, hours of 4 weeks", "biggest", "renders", "hour", 28),
    ("biggest account, renders, days of 90 days", "biggest", "renders", "day", 90),
    ("biggest account, usage, days of 90 days", "biggest", "usage", "day", 90),
    ("biggest account, errors, days of 90 days", "biggest", "errors", "day", 90),
    ("biggest account, renders, days of 1 year", "biggest", "renders", "day", 365),
    ("biggest account, usage, days of 1 year", "biggest", "usage", "day", 365),
    ("biggest account, errors, days of 1 year", "biggest", "errors", "day", 365),
    ("biggest account, renders, days of 2 years", "biggest", "renders", "day", 729),
    ("one project of it, renders, days of 1 year", "project", "renders", "day", 365),
    ("middling account, renders, days of 1 year", "middling", "renders", "day", 365),
    ("all accounts, charts, hours of 1 day", "everyone", "charts", "hour", 1),
    ("all accounts, charts, hours of 1 week", "everyone", "charts", "hour", 7),
    ("all accounts, charts, days of 90 days", "everyone", "charts", "day", 90),
    ("all accounts, charts, days of 1 year", "everyone", "charts", "day", 365),
)


def _measure(events: int) -> list[str]:
    from django.utils import timezone
    from rest_framework.test import APIClient

    from analytics import charts
    from analytics.selectors import read_stats
    from analytics.time_ranges import covering_range
    from core.ids import encode_id
    from tests.factories import make_api_key

    scopes, owners = _scopes(events)
    clients = {owner.pk: APIClient(headers={"X-API-Key": make_api_key(owner)}) for owner in owners}
    kinds = _kinds()
    now = timezone.now()
    print(f"{'CPU time, ms':48} {'stats':>8} {'raw':>10} {'ratio':>7} {'events summed':>14} {'request':>8}")
    broken = []
    for title, whose, name, interval, days in _QUESTIONS:
        scope = scopes[whose]
        types, with_storage, shape = kinds[name]
        time_range = covering_range(interval, now - timedelta(days=days), now)
        if scope.user_id is None:
            request = partial(charts.product_panels, time_range)
        else:
            query = {"interval": interval, "since": time_range.since.isoformat(), "until": now.isoformat()}
            if scope.project_id is not None:
                query["project"] = encode_id("prj", scope.project_id)
            request = partial(_get, clients[scope.user_id], f"/api/v2/analytics/{name}", query)
        fast = partial(_answer, shape, read_stats, time_range, scope, types, with_storage=with_storage)
        slow = partial(_answer, shape, _raw_stats, time_range, scope, types, with_storage=with_storage)
        rows = _raw_rows(time_range, scope, types, with_storage)
        broken += [f"{title}: {what}" for what in _compare(title, fast, slow, request, rows, rows >= events / 10)]
    return broken


def _scopes(events: int) -> tuple[dict[str, Any], list[Any]]:
    """Return the scopes by their names in `_QUESTIONS`, and the accounts that send the requests."""
    from django.contrib.auth import get_user_model
    from django.db.models import Sum

    from analytics.models import DailyStat
    from analytics.selectors import StatScope

    user = get_user_model().objects.get(username="user000")
    small = get_user_model().objects.get(username="user050")
    share = DailyStat.objects.filter(user=user).aggregate(n=Sum("count"))["n"] / events
    print(f"the biggest account has {share:.1%} of the events\n", flush=True)
    scopes = {
        "biggest": StatScope(user.pk),
        "project": StatScope(user.pk, UUID(int=1)),
        "middling": StatScope(small.pk),
        "everyone": StatScope(),
    }
    return scopes, [user, small]


def _kinds() -> dict[str, tuple[list[str], bool, Callable[[Any], Any]]]:
    """Return for each question the event types, whether storage is needed, and the function that makes its rows."""
    from analytics import report_rows, views
    from analytics.models import AnalyticsEventType

    def renders(stats: Any) -> Any:
        return list(report_rows.render_rows(stats)), _total(stats, report_rows.render_row)

    def usage(stats: Any) -> Any:
        return list(report_rows.usage_rows(stats))

    def errors(stats: Any) -> Any:
        return list(report_rows.error_rows(stats)), _total(stats, report_rows.errors_by_code)

    def all_of_it(stats: Any) -> Any:
        rows = list(report_rows.render_rows(stats)), list(report_rows.usage_rows(stats))
        return *rows, _total(stats, report_rows.errors_by_code)

    return {
        "renders": (views.RENDER_TYPES, False, renders),
        "usage": (views.USAGE_TYPES, True, usage),
        "errors": (views.ERROR_TYPES, False, errors),
        "charts": ([*AnalyticsEventType.values], True, all_of_it),
    }


def _answer(shape: Callable[[Any], Any], read: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return shape(read(*args, **options))


def _compare(
    title: str,
    fast: Callable[[], Any],
    slow: Callable[[], Any],
    request: Callable[[], Any],
    rows: int,
    is_much: bool,
) -> Iterator[str]:
    """Print one line; yield its faults."""
    fast_s, found = _cost(fast, REPEATS)
    slow_s, truth = _cost(slow, 1)
    request_s, _ = _cost(request, REPEATS)
    ratio = slow_s / fast_s
    print(
        f"{title:48} {fast_s * 1e3:8.1f} {slow_s * 1e3:10.1f} {ratio:6.0f}x {rows:14,} {request_s * 1e3:8.1f}",
        flush=True,
    )
    if found != truth:
        yield "the answers differ"
    if max(fast_s, request_s) * 1e3 >= MAX_MS:
        yield f"{max(fast_s, request_s) * 1e3:.1f} ms"
    if is_much and ratio < MIN_RATIO:
        yield f"only {ratio:.0f} times faster"


def _total(stats: Any, shape: Callable[[Any], Any]) -> Any:
    from analytics.report_rows import merge

    return shape(merge(stats.buckets.values()))


def _raw_rows(time_range: Any, scope: Any, types: list[str], with_storage: bool) -> int:
    """Return how many events an answer is made of."""
    from django.db.models import Q

    from analytics.models import STORAGE, AnalyticsEvent

    wanted = Q(type__in=types, created_at__gte=time_range.since)
    if with_storage:
        wanted |= Q(type__in=STORAGE)
    rows = AnalyticsEvent.objects.filter(wanted, created_at__lt=time_range.until)
    if scope.user_id is not None:
        rows = rows.filter(user_id=scope.user_id)
    if scope.project_id is not None:
        rows = rows.filter(project_id=scope.project_id)
    return rows.count()


def _measure_counting() -> None:
    """Count some events. They are undone, so that a kept database can be measured again."""
    import random

    from django.contrib.auth import get_user_model
    from django.db import transaction

    from analytics.models import AnalyticsEvent
    from analytics.services import aggregate_events
    from core.ids import uuid7
    from tests.analytics.helpers import random_event

    rng = random.Random(1)
    users = list(get_user_model().objects.values_list("pk", flat=True)[:5])
    projects = [uuid7() for _ in range(3)]
    events = [random_event(rng, users, projects) for _ in range(20_000)]
    with transaction.atomic():
        AnalyticsEvent.objects.bulk_create(events, batch_size=500)
        began = time.process_time()
        while aggregate_events():
            pass
        print(f"\ncounting an event: {(time.process_time() - began) / 20_000 * 1e6:.0f} us CPU")
        transaction.set_rollback(True)


def _get(client: Any, path: str, query: dict[str, str]) -> None:
    response = client.get(path, query)
    assert response.status_code == 200, response.content
    assert b'"data":[{' in response.content


def _cost(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Return the median CPU seconds of this process, and the last result."""
    costs = []
    result = None
    for _ in range(repeats):
        began = time.process_time()
        result = work()
        costs.append(time.process_time() - began)
    return statistics.median(costs), result


if __name__ == "__main__":
    sys.exit(main())
