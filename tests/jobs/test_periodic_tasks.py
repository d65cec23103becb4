"""What other apps have every worker do, beside its jobs."""

from __future__ import annotations

from functools import partial

import pytest

from jobs.registry import PeriodicTask, periodic_tasks
from jobs.worker.housekeeping import Housekeeping

pytestmark = pytest.mark.django_db
TERMS = {"worker": "host:1:a", "hostname": "host", "queues": ["default"], "concurrency": 1}


@pytest.fixture
def ticks():
    """The calls of one periodic task, which is then the only one; the second of them fails."""
    calls = []

    def tick(worker):
        calls.append(worker)
        if len(calls) == 2:
            raise ZeroDivisionError

    with periodic_tasks.override():
        periodic_tasks.clear()
        periodic_tasks.register(PeriodicTask("test", tick, every_s=lambda: 0.0))
        yield calls


def test_every_worker_does_it_and_survives_its_failures(ticks, caplog):
    housekeeping = Housekeeping(**TERMS)
    for _ in range(3):
        housekeeping.tick(busy=0)
    assert ticks == ["host:1:a"] * 3
    assert "periodic task failed" in caplog.text


def test_a_worker_that_drains_leaves_it_to_others(ticks):
    Housekeeping(**TERMS, ticks=False).tick(busy=0)
    assert ticks == []


def test_two_tickers_have_two_names(ticks):
    other = PeriodicTask("test", partial(print), every_s=lambda: 1.0)
    with pytest.raises(ValueError, match="two periodic tasks"):
        periodic_tasks.register(other)
    assert list(periodic_tasks) == ["test"]
