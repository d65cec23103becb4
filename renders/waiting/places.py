"""How many may wait in this process: each takes a thread of the server, and some must be left for the others."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from uuid import UUID

from django.conf import settings


class Places:
    """Places for those who wait, of all accounts and of each one."""

    def __init__(self, *, most: int, most_of_account: int) -> None:
        self._most = most
        self._most_of_account = most_of_account
        self._lock = threading.Lock()
        self._taken: Counter[UUID] = Counter()

    def take(self, account_id: UUID) -> bool:
        """Take a place, to be given back with `give_back`; return False where none is left."""
        with self._lock:
            if self._taken.total() >= self._most or self._taken[account_id] >= self._most_of_account:
                return False
            self._taken[account_id] += 1
            return True

    def give_back(self, account_id: UUID) -> None:
        """Give a place back."""
        with self._lock:
            self._taken[account_id] -= 1
            if not self._taken[account_id]:
                del self._taken[account_id]

    @contextmanager
    def place(self, account_id: UUID) -> Iterator[bool]:
        """Hold a place, and say whether there was one."""
        has_place = self.take(account_id)
        try:
            yield has_place
        finally:
            if has_place:
                self.give_back(account_id)

    @property
    def taken(self) -> int:
        """Return how many wait."""
        with self._lock:
            return self._taken.total()


@lru_cache(maxsize=1)
def places() -> Places:
    """Return the places of this process."""
    return Places(most=settings.RENDEROWL_WAITERS, most_of_account=settings.RENDEROWL_WAITERS_OF_ACCOUNT)
