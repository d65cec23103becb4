"""Aggregates reach their rows exactly once, despite database failures."""

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
from tests.monitoring.helpers import Clock, make_monitor, observation

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(module.time, "time", fake)
    return fake


def total(column: str = "count") -> int:
    return sum(RouteMetric.objects.values_list(column, flat=True))


def test_repeated_writes_of_a_minute_update_one_row(clock: Clock) -> None:
    mine = make_monitor(clock)
    for number in range(1, 6):
        mine.observe(
            observation(number * 1000, sql_ns=2_000_000, queries=3, request_id=f"request-{number}"), is_slow=False
        )
        assert mine.flush()
    (row,) = RouteMetric.objects.all()
    assert (row.count, row.total_us, row.sql_us, row.queries, row.size_bytes) == (5, 15_000, 10_000, 15, 50)
    assert row.max_us == 5000
    assert row.slowest == [[5000, "request-5"], [4000, "request-4"], [3000, "request-3"]]
    assert sum(decode(row.sketch).values()) == 5
    assert row.started_at.timestamp() == clock.now // 60 * 60


def test_an_unchanged_monitor_writes_nothing(clock: Clock, django_assert_num_queries: Any) -> None:
    mine = make_monitor(clock)
    mine.observe(observation(5), is_slow=False)
    mine.flush()
    with django_assert_num_queries(0):
        mine.flush()


def test_series_and_processes_have_separate_rows(clock: Clock) -> None:
    mine, other = make_monitor(clock), make_monitor(clock)
    for status, method, route in [(200, "GET", "/a"), (204, "GET", "/a"), (500, "GET", "/a"), (200, "POST", "/a")]:
        mine.observe(observation(5, status=status, method=method, route=route), is_slow=False)
    other.observe(observation(5, route="/a"), is_slow=False)
    clock.now += 60
    mine.observe(observation(5, route="/a"), is_slow=False)
    mine.flush()
    other.flush()
    rows = Counter(RouteMetric.objects.values_list("method", "status_class", "count"))
    assert rows == {("GET", 2, 2): 1, ("GET", 5, 1): 1, ("POST", 2, 1): 1, ("GET", 2, 1): 2}
    assert ServerProcess.objects.count() == 2


def test_cache_lookups_exclude_bypassed_requests(clock: Clock) -> None:
    mine = make_monitor(clock)
    for cache in ("HIT", "MISS", "REVALIDATED", "BYPASS", ""):
        mine.observe(observation(5, cache=cache), is_slow=False)
    mine.flush()
    row = RouteMetric.objects.get()
    assert (row.cache_hits, row.cache_lookups, row.count) == (2, 3, 5)


def test_failed_writes_are_repeated_without_double_counting(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = make_monitor(clock)
    working = module.write_metrics
    outcomes = iter([DatabaseError("database is locked"), None, "after the commit", None])

    def unreliable(**arguments: Any) -> None:
        outcome = next(outcomes)
        if isinstance(outcome, DatabaseError):
            raise outcome
        working(**arguments)
        if outcome:
            # Committed, but the response of the server was lost.
            raise DatabaseError(outcome)

    monkeypatch.setattr(module, "write_metrics", unreliable)
    written = []
    for _ in range(4):
        mine.observe(observation(5, request_id="a"), is_slow=True)
        written.append(mine.flush())
    assert written == [False, True, False, True]
    assert (RouteMetric.objects.count(), total(), SlowRequest.objects.count()) == (1, 4, 4)


def test_a_finished_minute_is_written_once_more_and_dropped(clock: Clock) -> None:
    mine = make_monitor(clock)
    mine.observe(observation(5), is_slow=False)
    mine.flush()
    mine.observe(observation(5), is_slow=False)
    clock.now += 120
    mine.flush()
    assert total() == 2
    assert mine.snapshot().series == {}


def test_a_long_outage_drops_the_oldest_minutes_and_counts_them(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = make_monitor(clock)
    working = module.write_metrics

    def broken(**arguments: Any) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(module, "write_metrics", broken)
    for _ in range(MAX_MINUTES + 10):
        mine.observe(observation(5), is_slow=False)
        assert not mine.flush()
        clock.now += 60
    monkeypatch.setattr(module, "write_metrics", working)
    assert mine.flush()
    assert total() + mine.aggregator.lost == MAX_MINUTES + 10
    assert 8 <= mine.aggregator.lost <= 10
    mine._heartbeat_at = 0
    mine.flush()
    assert ServerProcess.objects.get().lost == mine.aggregator.lost


def test_memory_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregator_module, "MAX_SERIES", 20)
    monkeypatch.setattr(aggregator_module, "MAX_STATEMENTS", 30)
    aggregator = Aggregator("p", clock=clock)
    for number in range(200):
        aggregator.observe(
            observation(5, route=f"/{number}", statements=[(f"SELECT column_a{number} FROM b", 5000)], request_id="a"),
            is_slow=True,
        )
    flushed = aggregator.flush(with_statements=True)
    assert len(flushed.series) <= 21
    assert len(flushed.statements) <= 31
    assert sum(aggregate.count for aggregate in flushed.series.values()) == 200
    assert sum(aggregate.count for aggregate in flushed.statements.values()) == 200
    assert {key.route for key in flushed.series} >= {OTHER}
    assert MAX_SERIES > 1000


def test_requests_aggregate_full_batches(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregator_module, "BATCH_SIZE", 10)
    aggregator = Aggregator("p", clock=clock)
    for number in range(1, 96):
        aggregator.observe(
            observation(number, statements=[("SELECT 1", number * 1000)], request_id=str(number)), is_slow=False
        )
        assert len(aggregator._observations) < 10
    flushed = aggregator.flush(with_statements=True)
    (aggregate,) = flushed.series.values()
    (runs,) = flushed.statements.values()
    assert (aggregate.count, aggregate.total_us, aggregate.max_us, sum(aggregate.buckets.values())) == (
        95,
        95 * 48,
        95,
        95,
    )
    assert (runs.count, runs.total_us, runs.max_us, sum(runs.buckets.values())) == (95, 95 * 48, 95, 95)
    assert aggregate.slowest == [(95, "95"), (94, "94"), (93, "93")]


def test_a_late_observation_does_not_replace_its_minute(clock: Clock) -> None:
    mine = make_monitor(clock)
    mine.observe(observation(5), is_slow=False)
    ended = clock.now
    clock.now += 60
    mine.flush()
    # As when a thread is preempted between reading the clock and appending.
    mine.aggregator._observations.append((ended, observation(5), False))
    mine.flush()
    assert (RouteMetric.objects.count(), total()) == (1, 2)


def test_slow_requests_and_statements_are_written(clock: Clock) -> None:
    mine = make_monitor(clock)
    statements = [("SELECT a FROM b WHERE c IN (%s, %s)", 3_000_000), ("SELECT a FROM b WHERE c IN (%s)", 1_000_000)]
    mine.observe(observation(2_000_000, status=503, statements=statements, queries=2, sql_ns=4_000_000), is_slow=True)
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


def test_stopping_writes_the_remaining_aggregates(clock: Clock) -> None:
    mine = make_monitor(clock)
    mine.observe(observation(5), is_slow=False)
    mine.stop()
    assert total() == 1
    assert ServerProcess.objects.get().stopped_at is not None


def test_concurrent_threads_lose_no_request(clock: Clock) -> None:
    mine = make_monitor(clock)

    def serve(number: int) -> None:
        rng = random.Random(number)
        for _ in range(500):
            mine.observe(observation(rng.randint(1, 10**6), route=f"/{rng.randint(1, 5)}"), is_slow=False)

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


def test_a_forked_process_starts_empty(clock: Clock) -> None:
    mine = make_monitor(clock)
    mine.observe(observation(5), is_slow=False)
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


def test_the_background_thread_survives_an_exception(
    clock: Clock, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    thread = threading.Thread(target=mine._flush_forever, args=(0.001,))
    thread.start()
    assert done.wait(10)
    mine._stop.set()
    thread.join()
