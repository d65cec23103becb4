"""Many requests for one answer at one time: one makes it, the others wait for it or make it themselves."""

from __future__ import annotations

import threading
import time

from api.response_cache.answers import AnswerCache
from api.response_cache.sqlite_store import SqliteAnswerStore
from api.response_cache.store import Entry


def make_cache(tmp_path):
    return AnswerCache(SqliteAnswerStore(tmp_path / "answers.sqlite3", limit_bytes=1 << 20))


def test_others_wait_for_the_answer_that_is_being_made(tmp_path):
    cache, entry = make_cache(tmp_path), Entry("state 2", {}, b"body")
    assert cache.begin("a")
    assert not cache.begin("a")
    timer = threading.Timer(0.05, lambda: cache.keep("a", entry, ttl_s=60))
    timer.start()
    # A change came in between: the state is read again once the answer is there.
    assert cache.wait("a", lambda: "state 2") == (entry, "state 2")
    timer.join()


def test_others_make_it_themselves_after_200_ms_or_when_there_will_be_none(tmp_path):
    cache = make_cache(tmp_path)
    assert cache.begin("a")
    began = time.monotonic()
    assert cache.wait("a", lambda: "state") is None
    assert 0.15 < time.monotonic() - began < 1.0
    cache.drop("a")
    assert cache.wait("a", lambda: "state") is None
    cache.keep("a", Entry("old state", {}, b""), ttl_s=60)
    assert cache.wait("a", lambda: "state") is None


def test_answers_too_large_are_not_kept(tmp_path):
    cache = make_cache(tmp_path)
    assert cache.begin("a")
    cache.keep("a", Entry("state", {}, bytes(2_000_000)), ttl_s=60)
    assert cache.find("a", "state") is None
    assert cache.begin("a")
