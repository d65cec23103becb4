"""Both response cache stores behave alike."""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from contextlib import closing

import pytest
import redis

from api.response_cache.redis_store import RedisCacheStore
from api.response_cache.sqlite_store import SqliteCacheStore
from api.response_cache.store import CacheEntry, CacheStoreUnavailable
from tests.api.test_ratelimit_stores import REDIS_URL, redis_answers
from tests.required_services import require

ENTRY = CacheEntry(
    "everything=1;renders=7", {"Content-Type": "application/json", "Link": '<x>; rel="next"'}, b'{"\n": 1}'
)


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["sqlite", "redis"])
def store(request, tmp_path):
    if request.param == "sqlite":
        yield SqliteCacheStore(tmp_path / "responses.sqlite3", limit_bytes=1 << 20)
        return
    require(redis_answers(), "Redis")
    prefix = f"renderowl-test-{secrets.token_hex(6)}:"
    store = RedisCacheStore(REDIS_URL, prefix=prefix)
    yield store
    store.clear()


def test_returns_the_entry_that_was_put(store):
    assert store.get("a") is None
    store.put("a", ENTRY, ttl_s=60)
    assert store.get("a") == ENTRY
    assert store.get("b") is None
    newer = CacheEntry("everything=1;renders=8", {}, b"\x00\xff")
    store.put("a", newer, ttl_s=60)
    assert store.get("a") == newer


def test_one_caller_acquires_a_key_until_it_puts_or_releases_it(store):
    assert store.acquire("a", lease_s=60)
    assert not store.acquire("a", lease_s=60)
    assert store.is_acquired("a")
    assert store.acquire("b", lease_s=60)
    store.put("a", ENTRY, ttl_s=60)
    assert not store.is_acquired("a")
    assert store.acquire("a", lease_s=60)
    store.release("a")
    assert not store.is_acquired("a")


def test_one_of_many_threads_acquires_a_key(store):
    outcomes: list[bool] = []
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        while True:
            try:
                outcomes.append(store.acquire("a", lease_s=60))
                return
            except CacheStoreUnavailable:
                # On a busy machine a request would go uncached; here the next attempt decides.
                time.sleep(0.01)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 7 + [True]


def test_clear_deletes_entries_and_locks(store):
    store.put("a", ENTRY, ttl_s=60)
    assert store.acquire("b", lease_s=60)
    store.clear()
    assert store.get("a") is None
    assert store.acquire("b", lease_s=60)


def test_entries_and_leases_expire(tmp_path):
    clock = Clock()
    store = SqliteCacheStore(tmp_path / "responses.sqlite3", limit_bytes=1 << 20, clock=clock)
    store.put("a", ENTRY, ttl_s=10)
    assert store.acquire("b", lease_s=5)
    clock.now += 5.1
    assert store.get("a") == ENTRY
    assert not store.is_acquired("b")
    assert store.acquire("b", lease_s=5)
    clock.now += 5
    assert store.get("a") is None


def test_another_store_reads_the_same_file(tmp_path):
    path = tmp_path / "responses.sqlite3"
    SqliteCacheStore(path, limit_bytes=1 << 20).put("a", ENTRY, ttl_s=60)
    assert SqliteCacheStore(path, limit_bytes=1 << 20).get("a") == ENTRY


def test_the_file_stays_within_its_limit(tmp_path):
    path, limit = tmp_path / "responses.sqlite3", 1 << 20
    store = SqliteCacheStore(path, limit_bytes=limit)
    for number in range(200):
        store.put(f"key {number}", CacheEntry("x", {}, secrets.token_bytes(20_000)), ttl_s=60 + number)
        assert path.stat().st_size <= limit
    assert store.get("key 199") is not None
    assert store.get("key 0") is None


def test_sweep_deletes_expired_entries_and_frees_the_space(tmp_path):
    clock, path = Clock(), tmp_path / "responses.sqlite3"
    store = SqliteCacheStore(path, limit_bytes=1 << 20, clock=clock)
    for number in range(20):
        store.put(f"key {number}", CacheEntry("x", {}, bytes(20_000)), ttl_s=60 if number else 600)
    before = store.size_bytes()
    clock.now += 61
    store.sweep()
    assert store.size_bytes() < before / 4
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT key FROM entry").fetchall() == [("key 0",)]
        assert connection.execute("PRAGMA freelist_count").fetchone()[0] == 0


@pytest.mark.parametrize("kind", ["garbage", "folder", "no redis"])
def test_a_broken_store_is_unavailable(tmp_path, kind):
    path = tmp_path / "responses.sqlite3"
    if kind == "garbage":
        path.write_bytes(b"this is no database in spite of its name" * 200)
    elif kind == "folder":
        path.mkdir()
    store = SqliteCacheStore(path, limit_bytes=1 << 20)
    if kind == "no redis":
        store = RedisCacheStore("redis://127.0.0.1:1/0")
    for action in (
        lambda: store.get("a"),
        lambda: store.put("a", ENTRY, ttl_s=1),
        lambda: store.acquire("a", lease_s=1),
        lambda: store.is_acquired("a"),
        lambda: store.release("a"),
        store.clear,
    ):
        with pytest.raises(CacheStoreUnavailable):
            action()


def test_foreign_data_in_redis_makes_the_store_unavailable():
    require(redis_answers(), "Redis")
    prefix = f"renderowl-test-{secrets.token_hex(6)}:"
    client = redis.Redis.from_url(REDIS_URL)
    client.set(f"{prefix}response:a", b"not ours", px=60_000)
    with pytest.raises(CacheStoreUnavailable):
        RedisCacheStore(REDIS_URL, prefix=prefix).get("a")


def test_a_process_caches_entries_until_they_are_stale_or_expired(tmp_path, monkeypatch):
    clock = Clock()
    store = SqliteCacheStore(tmp_path / "responses.sqlite3", limit_bytes=1 << 20, clock=clock)
    other = SqliteCacheStore(tmp_path / "responses.sqlite3", limit_bytes=1 << 20, clock=clock)
    other.put("a", ENTRY, ttl_s=60)
    assert store.get_local("a", ENTRY.tag_versions) is None
    store.get("a")
    assert store.get_local("a", ENTRY.tag_versions) == ENTRY
    assert store.get_local("a", "everything=1;renders=8") is None
    newer = CacheEntry("everything=1;renders=8", {}, b"newer")
    other.put("a", newer, ttl_s=60)
    assert store.get_local("a", newer.tag_versions) is None
    assert store.get("a") == newer
    assert store.get_local("a", newer.tag_versions) == newer
    clock.now += 60
    assert store.get_local("a", newer.tag_versions) is None
    clock.now -= 60
    store.clear()
    assert store.get_local("a", newer.tag_versions) is None


def test_a_process_evicts_its_oldest_entries(tmp_path, monkeypatch):
    monkeypatch.setattr("api.response_cache.sqlite_store.MAX_LOCAL_BYTES", 1000)
    store = SqliteCacheStore(tmp_path / "responses.sqlite3", limit_bytes=1 << 20)
    for name in ("a", "b", "a", "c"):
        store.put(name, CacheEntry("x=1", {}, name.encode() * 400), ttl_s=60)
        store.get(name)
    assert [store.get_local(name, "x=1") is not None for name in "abc"] == [True, False, True]
    store.put("d", CacheEntry("x=1", {}, b"d" * 2000), ttl_s=60)
    store.get("d")
    assert [store.get_local(name, "x=1") for name in "abcd"] == [None] * 4
    store.put("a", CacheEntry("x=1", {}, b"a"), ttl_s=60)
    store.get("a")
    assert store.get_local("a", "x=1") == CacheEntry("x=1", {}, b"a")
