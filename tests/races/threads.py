"""Threads that start together, for race scenarios."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

THREADS = 50


def at_once(work: Callable[[int], Any], count: int = THREADS) -> list[str]:
    """Call `work(0..count-1)` in threads that start together; return results, or names of DomainErrors.

    Any other error leaves an empty string, which no test expects.
    """
    from django.db import connections

    from core.exceptions import DomainError

    barrier = threading.Barrier(count)
    outcomes: list[str] = [""] * count

    def run_one(index: int) -> None:
        barrier.wait()
        try:
            outcomes[index] = str(work(index))
        except DomainError as error:
            outcomes[index] = type(error).__name__
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run_one, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads), "deadlock between the threads"
    return outcomes
