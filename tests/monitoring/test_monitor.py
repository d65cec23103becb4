"""Sums reach their rows exactly once, whatever the database does meanwhile."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from typing import Any

import pytest
from django.db import DatabaseError

from monitoring.models import RouteMetric, ServerProcess, SlowRequest, StatementMetric
from monitoring.performance import aggregator as aggregator_module
from monitoring.performance import monitor as module
from monitoring.performance.aggregator import MAX_MINUTES, MAX_SERIES, Aggregator
from monitoring.performance.routes import OTHER
from monitoring.performance.sketch import decode
from tests.monitoring.helpers import Clock, make_monitor, seen

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module.time, "time", made)
    return made


def total(column: str = "count") -> int:
    return sum(RouteMetric.objects.values_list(column, flat=True))


def test_sums_of_a_minute_are_one_row_however_often_they_are_written(clock: Clock) -> None:
    mine = make_monitor(clock)
    for number in range(1, 6):
        mine.observe(seen(number * 1000, sql_ns=2_000_000, queries=3, request_id=f"request-{number}"), is_slow=False)
        assert mine.flush()
    (row,) = RouteMetric.objects.all()
    assert (row.count, row.total_us, row.sql_us, row.queries, row.size_bytes) == (5, 15_000, 10_000, 15, 50)
    assert row.max_us == 5000
    assert row.slowest == [[5000, "request-5"], [4000, "request-4"], [3000, "request-3"]]
    assert sum(decode(row.sketch).values()) == 5
    assert row.started_at.timestamp() == clock.now // 60 * 60


def test_nothing_new_writes_nothing(clock: Clock, django_assert_num_queries: Any) -> None:
    mine = make_monitor(clock)
    mine.observe(seen(5), is_slow=False)
    mine.flush()
    with django_assert_num_queries(0):
        mine.flush()


def test_places_are_kept_apart(clock: Clock) -> None:
    mine, other = make_monitor(clock), make_monitor(clock)
    for status, method, route in [(200, "GET", "/a"), (204, "GET", "/a"), (500, "GET", "/a"), (200, "POST", "/a")]:
        mine.observe(seen(5, status=status, method=method, route=route), is_slow=False)
    other.observe(seen(5, route="/a"), is_slow=False)
    clock.now += 60
    mine.observe(seen(5, route="/a"), is_slow=False)
    mine.flush()
    other.flush()
    rows = Counter(RouteMetric.objects.values_list("method", "status_class", "count"))
    assert rows == {("GET", 2, 2): 1, ("GET", 5, 1): 1, ("POST", 2, 1): 1, ("GET", 2, 1): 2}
    assert ServerProcess.objects.count() == 2


def test_cache_hits_are_counted_of_those_that_looked(clock: Clock) -> None:
    mine = make_monitor(clock)
    for cache in ("HIT", "MISS", "REVALIDATED", "BYPASS", ""):
        mine.observe(seen(5, cache=cache), is_slow=False)
    mine.flush()
    row = RouteMetric.objects.get()
    assert (row.cache_hits, row.cache_lookups, row.count) == (2, 3, 5)


def test_what_the_database_refused_is_written_later_and_once(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = make_monitor(clock)
    working = module.write_metrics
    outcomes = iter([DatabaseError("database is locked"), None, "after the commit", None])

    def unreliable(**arguments: Any) -> None:
        outcome = next(outcomes)
        if isinstance(outcome, DatabaseError):
            raise outcome
        working(**arguments)
        if outcome:
            # Written, but the answer of the server got lost.
            raise DatabaseError(outcome)

    monkeypatch.setattr(module, "write_metrics", unreliable)
    written = []
    for _ in range(4):
        mine.observe(seen(5, request_id="a"), is_slow=True)
        written.append(mine.flush())
    assert written == [False, True, False, True]
    assert (RouteMetric.objects.count(), total(), SlowRequest.objects.count()) == (1, 4, 4)


def test_a_minute_that_is_over_is_written_once_more_and_forgotten(clock: Clock) -> None:
    mine = make_monitor(clock)
    mine.observe(seen(5), is_slow=False)
    mine.flush()
    mine.observe(seen(5), is_slow=False)
    clock.now += 120
    mine.flush()
    assert total() == 2
    assert mine.snapshot().series == {}


def test_without_a_database_for_long_the_oldest_minutes_go_and_are_counted(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = make_monitor(clock)
    working = module.write_metrics

    def broken(**arguments: Any) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(module, "write_metrics", broken)
    for _ in range(MAX_MINUTES + 10):
        mine.observe(seen(5), is_slow=False)
        assert not mine.flush()
        clock.now += 60
    monkeypatch.setattr(module, "write_metrics", working)
    assert mine.flush()
    assert total() + mine.aggregator.lost == MAX_MINUTES + 10
    assert 8 <= mine.aggregator.lost <= 10
    mine._beat_at = 0
    mine.flush()
    assert ServerProcess.objects.get().lost == mine.aggregator.lost


def test_memory_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregator_module, "MAX_SERIES", 20)
    monkeypatch.setattr(aggregator_module, "MAX_STATEMENTS", 30)
    aggregator = Aggregator("p", clock=clock)
    for number in range(200):
        aggregator.observe(
            seen(5, route=f"/{number}", statements=[(f"SELECT column_a{number} FROM b", 5000)], request_id="a"),
            is_slow=True,
        )
    taken = aggregator.flush(with_statements=True)
    assert len(taken.series) <= 21
    assert len(taken.statements) <= 31
    assert sum(cell.count for cell in taken.series.values()) == 200
    assert sum(cell.count for cell in taken.statements.values()) == 200
    assert {key.route for key in taken.series} >= {OTHER}
    assert MAX_SERIES > 1000


def test_requests_add_up_without_anybody_who_asks(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregator_module, "BATCH_SIZE", 10)
    aggregator = Aggregator("p", clock=clock)
    for number in range(1, 96):
        aggregator.observe(
            seen(number, statements=[("SELECT 1", number * 1000)], request_id=str(number)), is_slow=False
        )
        assert len(aggregator._observations) < 10
    taken = aggregator.flush(with_statements=True)
    (cell,) = taken.series.values()
    (runs,) = taken.statements.values()
    assert (cell.count, cell.total_us, cell.max_us, sum(cell.buckets.values())) == (95, 95 * 48, 95, 95)
    assert (runs.count, runs.total_us, runs.max_us, sum(runs.buckets.values())) == (95, 95 * 48, 95, 95)
    assert cell.slowest == [(95, "95"), (94, "94"), (93, "93")]


def test_a_record_that_comes_late_does_not_replace_its_minute(clock: Clock) -> None:
    mine = make_monitor(clock)
    mine.observe(seen(5), is_slow=False)
    ended = clock.now
    clock.now += 60
    mine.flush()
    # As where a thread loses the processor between the reading of the clock and the record.
    mine.aggregator._observations.append((ended, seen(5), False))
    mine.flush()
    assert (RouteMetric.objects.count(), total()) == (1, 2)


def test_slow_requests_and_statements_have_rows(clock: Clock) -> None:
    mine = make_monitor(clock)
    statements = [("SELECT a FROM b WHERE c IN (%s, %s)", 3_000_000), ("SELECT a FROM b WHERE c IN (%s)", 1_000_000)]
    mine.observe(seen(2_000_000, status=503, statements=statements, queries=2, sql_ns=4_000_000), is_slow=True)
    mine.flush()
    slow = SlowRequest.objects.get()
    assert (slow.duration_ms, slow.sql_ms, slow.status, slow.queries, slow.request_id) == (
        2000,
        4,
        503,
        2,
        "request-id",
    )
    rows = {row.normalized_sql: row for row in StatementMetric.objects.all()}
    assert set(rows) == {"SELECT a FROM b WHERE c IN (...)", "SELECT a FROM b WHERE c IN (%s)"}
    assert rows["SELECT a FROM b WHERE c IN (...)"].max_us == 3000
    assert rows["SELECT a FROM b WHERE c IN (...)"].example == statements[0][0]


def test_the_end_of_a_process_writes_what_is_left(clock: Clock) -> None:
    mine = make_monitor(clock)
    mine.observe(seen(5), is_slow=False)
    mine.stop()
    assert total() == 1
    assert ServerProcess.objects.get().stopped_at is not None


def test_threads_lose_nothing(clock: Clock) -> None:
    mine = make_monitor(clock)

    def serve(number: int) -> None:
        dice = random.Random(number)
        for _ in range(500):
            mine.observe(seen(dice.randint(1, 10**6), route=f"/{dice.randint(1, 5)}"), is_slow=False)

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        mine.flush()
    for thread in threads:
        thread.join()
    mine.flush()
    assert total() == 2000
    assert sum(sum(decode(row.sketch).values()) for row in RouteMetric.objects.all()) == 2000


def test_a_forked_process_starts_with_nothing(clock: Clock) -> None:
    mine = make_monitor(clock)
    mine.observe(seen(5), is_slow=False)
    token = mine.token
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        clean = mine.snapshot().series == {} and mine.token != token
        os.write(writer, b"1" if clean else b"0")
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reader, 1) == b"1"
    assert len(mine.snapshot().series) == 1
    os.close(reader)
    os.close(writer)


def test_the_background_thread_outlives_a_failure(clock: Clock, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = make_monitor(clock)
    done = threading.Event()
    calls = []

    def fail_first(**arguments: Any) -> bool:
        calls.append(arguments)
        if len(calls) == 1:
            raise UnicodeError
        done.set()
        return True

    monkeypatch.setattr(mine, "flush", fail_first)
    thread = threading.Thread(target=mine._write_forever, args=(0.001,))
    thread.start()
    assert done.wait(10)
    mine._stop.set()
    thread.join()
