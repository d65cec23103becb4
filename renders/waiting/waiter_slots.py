"""Limit of waiting requests in this process: each occupies a server thread, and some must stay free."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from uuid import UUID

from django.conf import settings


class WaiterSlots:
    """Slots of waiting requests, limited in total and for each account."""

    def __init__(self, *, max_total: int, max_per_account: int) -> None:
        self._max_total = max_total
        self._max_per_account = max_per_account
        self._lock = threading.Lock()
        self._in_use: Counter[UUID] = Counter()

    def acquire(self, account_id: UUID) -> bool:
        """Acquire a slot without blocking; return False if none is free."""
        with self._lock:
            if self._in_use.total() >= self._max_total or self._in_use[account_id] >= self._max_per_account:
                return False
            self._in_use[account_id] += 1
            return True

    def release(self, account_id: UUID) -> None:
        """Release an acquired slot."""
        with self._lock:
            self._in_use[account_id] -= 1
            if not self._in_use[account_id]:
                del self._in_use[account_id]

    @contextmanager
    def hold(self, account_id: UUID) -> Iterator[bool]:
        """Hold a slot if one is free; yields whether it was."""
        has_slot = self.acquire(account_id)
        try:
            yield has_slot
        finally:
            if has_slot:
                self.release(account_id)

    @property
    def in_use(self) -> int:
        """Return the number of acquired slots."""
        with self._lock:
            return self._in_use.total()


@lru_cache(maxsize=1)
def waiter_slots() -> WaiterSlots:
    """Return the slots of this process."""
    return WaiterSlots(max_total=settings.RENDEROWL_WAITERS, max_per_account=settings.RENDEROWL_WAITERS_OF_ACCOUNT)
