"""The cache that views call: it finds, keeps and coordinates, and never stands in the way when its store fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from django.conf import settings

from api.response_cache.sqlite_store import SqliteAnswerStore
from api.response_cache.store import AnswerStore, Entry, Rule, StoreUnavailable
from core.counters import count
from core.request_timings import spending_on_cache

logger = logging.getLogger(__name__)
ERRORS = "renderowl_answer_cache_errors_total"
# After a failure the store is left alone for so long: a dead one must not cost every request its time limit.
REST_S = 1.0
# How long others wait for whoever makes an answer; what takes longer they make themselves.
WAIT_S = 0.2
POLL_S = 0.005
LEASE_S = 5.0
MAX_BODY_BYTES = 1024 * 1024
Result = TypeVar("Result")


def rule_of(route_name: str) -> Rule | None:
    """Return the rule of a route, None for one whose answers are made anew each time."""
    rules: dict[str, Rule] = settings.RENDEROWL_ANSWER_RULES
    return rules.get(route_name)


class AnswerCache:
    """Finds and keeps answers; where the store fails it finds nothing, and that is logged and counted."""

    def __init__(self, store: AnswerStore) -> None:
        self._store = store
        self._rest_until = float("-inf")

    @property
    def is_resting(self) -> bool:
        """Return whether the store failed a moment ago."""
        return time.monotonic() < self._rest_until

    def find(self, key: str, state: str) -> Entry | None:
        """Return the answer under a key if it was made of what is still so."""
        entry = self._ask(lambda: self._store.recall(key, state) or self._store.get(key), None)
        return entry if entry is not None and entry.made_under == state else None

    def begin(self, key: str) -> bool:
        """Return whether the caller is to make the answer; nobody else is then asked to until it is kept or dropped."""
        return self._ask(lambda: self._store.begin(key, lease_s=LEASE_S), default=True)

    def wait(self, key: str, read_state: Callable[[], str | None]) -> tuple[Entry, str] | None:
        """Return the answer that somebody else is making, with its state; None if it takes too long or fails."""
        give_up_at = time.monotonic() + WAIT_S
        while time.monotonic() < give_up_at:
            with spending_on_cache():
                time.sleep(POLL_S)
            is_begun = self._ask(lambda: self._store.is_begun(key), default=False)
            if is_begun:
                continue
            # Read anew: the answer may tell of changes that came after the first reading.
            state = read_state()
            entry = None if state is None else self.find(key, state)
            return None if entry is None or state is None else (entry, state)
        return None

    def keep(self, key: str, entry: Entry, *, ttl_s: float) -> None:
        """Keep an answer, unless it is too large to be worth it."""
        if len(entry.body) > MAX_BODY_BYTES:
            self.drop(key)
        else:
            self._ask(lambda: self._store.put(key, entry, ttl_s=ttl_s), None)

    def drop(self, key: str) -> None:
        """Say that there will be no answer."""
        self._ask(lambda: self._store.end(key), None)

    def clear(self) -> None:
        """Forget all answers.

        Raises StoreUnavailable.
        """
        self._store.clear()

    def _ask(self, action: Callable[[], Result], default: Result) -> Result:
        if self.is_resting:
            count(ERRORS)
            return default
        try:
            with spending_on_cache():
                return action()
        except StoreUnavailable:
            self._rest_until = time.monotonic() + REST_S
            count(ERRORS)
            logger.exception("the store of answers failed; each is made anew")
            return default


def answer_cache() -> AnswerCache | None:
    """Return the cache of this process, None where answers are not kept."""
    if not settings.RENDEROWL_ANSWER_CACHE:
        return None
    return _cache_of(settings.RENDEROWL_CACHE_URL, settings.RENDEROWL_ANSWER_CACHE_BYTES)


@lru_cache(maxsize=4)
def _cache_of(url: str, limit_bytes: int) -> AnswerCache:
    if url.startswith("sqlite:///"):
        # Beside the file of the rate limits, not in it: a large answer must not hold up the counting of a request.
        path = Path(settings.BASE_DIR) / url.removeprefix("sqlite:///")
        return AnswerCache(SqliteAnswerStore(path.with_name(f"{path.stem}-answers.sqlite3"), limit_bytes=limit_bytes))
    # Redis' library takes a tenth of a process' start, for those that have a Redis.
    from api.response_cache.redis_store import RedisAnswerStore

    return AnswerCache(RedisAnswerStore(url))
