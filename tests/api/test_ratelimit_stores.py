"""Both rate limit stores take from all buckets or none, over threads, and requests pass if a store fails."""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections import Counter
from contextlib import closing

import pytest
import redis

from accounts import login_throttle
from api.ratelimit import sqlite_store
from api.ratelimit.buckets import SECOND_US, RateLimit, RateLimitPolicy, decide, take
from api.ratelimit.limiter import COOLDOWN_S, ERRORS, Limiter
from api.ratelimit.redis_store import RedisLimitStore
from api.ratelimit.sqlite_store import SWEEP_INTERVAL_S, SqliteLimitStore
from api.ratelimit.store import LimitStoreUnavailable
from core.counters import counts
from tests.required_services import require

REDIS_URL = "redis://127.0.0.1:6379/0"
START = 1_800_000_000 * SECOND_US


def redis_answers() -> bool:
    try:
        return bool(redis.Redis.from_url(REDIS_URL, socket_connect_timeout=0.5).ping())
    except redis.RedisError:
        return False


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture(params=["sqlite", "redis"])
def store(request, tmp_path, monkeypatch):
    if request.param == "sqlite":
        # On a busy machine a thread may be suspended while it has the lock; the timeout is tested separately below.
        monkeypatch.setattr(sqlite_store, "BUSY_TIMEOUT_S", 30.0)
        store = SqliteLimitStore(tmp_path / "cache.sqlite3")
        yield store
        store.close()
        return
    require(redis_answers(), "Redis")
    prefix = f"renderowl-test-{secrets.token_hex(6)}:"
    yield RedisLimitStore(REDIS_URL, prefix=prefix)
    client = redis.Redis.from_url(REDIS_URL)
    for name in client.scan_iter(f"{prefix}*"):
        client.delete(name)


def limit(name, quota, window_s=3600, burst=0):
    return RateLimit(RateLimitPolicy(name, quota, window_s, burst), f"{name}:someone")


def limit_statuses(limits, taken):
    decision = decide(taken.allowed, limits, taken.full_at_us, taken.now_us)
    return {item.policy.name: item.remaining for item in decision.limit_statuses}


def test_takes_units_until_the_bucket_is_empty(store):
    limits = [limit("small", 3)]
    assert [store.take(limits).allowed for _ in range(5)] == [True, True, True, False, False]


def test_a_refused_request_consumes_nothing(store):
    wide, narrow = limit("wide", 10), limit("narrow", 2)
    for _ in range(2):
        assert store.take([wide, narrow]).allowed
    for _ in range(4):
        refused = store.take([wide, narrow])
        assert not refused.allowed
        assert limit_statuses([wide, narrow], refused) == {"narrow": 0, "wide": 8}
    assert limit_statuses([wide], store.take([wide])) == {"wide": 7}


def test_peek_takes_nothing(store):
    limits = [limit("small", 3)]
    for _ in range(5):
        assert limit_statuses(limits, store.peek(limits)) == {"small": 3}
    store.take(limits)
    assert limit_statuses(limits, store.peek(limits)) == {"small": 2}


def test_partitions_are_separate(store):
    policy = RateLimitPolicy("key", 1, 3600)
    assert store.take([RateLimit(policy, "key:a")]).allowed
    assert not store.take([RateLimit(policy, "key:a")]).allowed
    assert store.take([RateLimit(policy, "key:b")]).allowed


def test_threads_share_one_count(store):
    limits = [limit("small", 40), limit("large", 1000)]
    outcomes: Counter[bool] = Counter()
    barrier = threading.Barrier(8)

    def work():
        barrier.wait()
        for _ in range(10):
            outcomes[store.take(limits).allowed] += 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {True: 40, False: 40}


def test_a_unit_is_free_after_the_reported_wait(store):
    limits = [limit("quick", 1000, window_s=1, burst=1)]
    assert store.take(limits).allowed
    waited = threading.Event()
    while not (found := store.take(limits)).allowed:
        assert decide(False, limits, found.full_at_us, found.now_us).limit_statuses[0].wait_s == 1
        waited.wait(0.001)


def test_failed_logins_are_counted_and_reset(store):
    assert [store.record_failure("login:a", login_throttle.record_failure) for _ in range(5)] == [0] * 5
    assert 58 * SECOND_US < store.record_failure("login:a", login_throttle.record_failure) <= 60 * SECOND_US
    assert store.record_failure("login:b", login_throttle.record_failure) == 0
    store.reset("login:a")
    assert store.record_failure("login:a", login_throttle.record_failure) == 0


def test_only_five_of_many_simultaneous_logins_proceed(store):
    outcomes: list[int] = []
    barrier = threading.Barrier(12)

    def work():
        barrier.wait()
        outcomes.append(store.record_failure("login:rush", login_throttle.record_failure))

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 12
    assert outcomes.count(0) == 5


def test_the_sql_statement_agrees_with_the_function(tmp_path):
    clock = Clock()
    store = SqliteLimitStore(tmp_path / "cache.sqlite3", clock_us=clock)
    limits = [limit("key", 100, 60, 5), limit("account", 100, 60)]
    expected: list[int | None] = [None, None]
    for number in range(400):
        clock.now += (number * 7919 % 11) * SECOND_US // 10
        moved = [take(item.policy, moment, clock.now) for item, moment in zip(limits, expected, strict=True)]
        if None not in moved:
            expected = moved
        found = store.take(limits)
        assert found.allowed == (None not in moved)
        assert list(found.full_at_us) == expected
    store.close()


def test_the_state_survives_the_process(tmp_path):
    limits = [limit("small", 2)]
    for allowed in (True, True, False):
        store = SqliteLimitStore(tmp_path / "cache.sqlite3")
        assert store.take(limits).allowed is allowed
        store.close()


def test_full_buckets_and_expired_throttles_are_swept(tmp_path, monkeypatch):
    clock = Clock()
    path = tmp_path / "cache.sqlite3"
    store = SqliteLimitStore(path, clock_us=clock)
    for number in range(20):
        store.take([RateLimit(RateLimitPolicy("address", 30, 60, 10), f"address:{number}")])
        store.record_failure(f"login:{number}", login_throttle.record_failure)
    clock.now += 3600 * SECOND_US
    monkeypatch.setattr("api.ratelimit.sqlite_store.time.monotonic", lambda: 10**9 + SWEEP_INTERVAL_S)
    store.take([limit("small", 2)])
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT id FROM bucket").fetchall() == [("small:someone",)]
        assert connection.execute("SELECT count(*) FROM login_throttle").fetchone() == (0,)


def test_a_file_that_is_no_database_is_unavailable(tmp_path):
    path = tmp_path / "cache.sqlite3"
    path.write_bytes(b"not a database, only as long as one" * 200)
    with pytest.raises(LimitStoreUnavailable):
        SqliteLimitStore(path).take([limit("small", 2)])


def test_an_unreachable_redis_is_unavailable():
    store = RedisLimitStore("redis://127.0.0.1:1/0")
    for call in (
        lambda: store.take([limit("small", 2)]),
        lambda: store.record_failure("a", login_throttle.record_failure),
        lambda: store.reset("a"),
    ):
        with pytest.raises(LimitStoreUnavailable):
            call()


class Broken:
    """A store that fails, and counts its calls."""

    def __init__(self):
        self.calls = 0

    def take(self, limits):
        self.calls += 1
        raise LimitStoreUnavailable("gone")

    peek = record_failure = reset = take


def test_a_broken_store_lets_everything_pass_and_is_counted(caplog, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("api.ratelimit.limiter.time.monotonic", lambda: now[0])
    before = counts().get(ERRORS, 0)
    broken = Broken()
    limiter = Limiter(broken)
    assert limiter.take([limit("small", 1)]) is None
    assert limiter.record_failure("login:a", login_throttle.record_failure) == 0
    limiter.reset("login:a")
    assert counts()[ERRORS] == before + 3
    assert broken.calls == 1, "the circuit stays open after a failure"
    now[0] += COOLDOWN_S
    assert limiter.peek([limit("small", 1)]) is None
    assert broken.calls == 2
    assert sum("store failed" in record.message for record in caplog.records) == 2


def test_a_busy_store_lets_one_request_pass(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("api.ratelimit.sqlite_store.BUSY_TIMEOUT_S", 0.02)
    limiter = Limiter(SqliteLimitStore(tmp_path / "cache.sqlite3"))
    limits = [limit("small", 2)]
    assert limiter.take(limits).limit_statuses[0].remaining == 1
    with closing(sqlite3.connect(tmp_path / "cache.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert limiter.take(limits) is None
        other.execute("COMMIT")
    assert limiter.take(limits).limit_statuses[0].remaining == 0
    assert any("store failed" in record.message for record in caplog.records)
