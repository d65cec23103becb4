"""What other apps have every worker do, beside its jobs."""

from __future__ import annotations

from functools import partial

import pytest

from jobs.registry import Ticker, tickers
from jobs.worker.upkeep import Upkeep

pytestmark = pytest.mark.django_db
TERMS = {"worker": "host:1:a", "hostname": "host", "queues": ["default"], "concurrency": 1}


@pytest.fixture
def ticks():
    """The calls of one ticker, which is then the only one; the second of them fails."""
    calls = []

    def tick(worker):
        calls.append(worker)
        if len(calls) == 2:
            raise ZeroDivisionError

    with tickers.override():
        tickers.clear()
        tickers.register(Ticker("test", tick, every_s=lambda: 0.0))
        yield calls


def test_every_worker_does_it_and_survives_its_failures(ticks, caplog):
    upkeep = Upkeep(**TERMS)
    for _ in range(3):
        upkeep.tick(busy=0)
    assert ticks == ["host:1:a"] * 3
    assert "ticker failed" in caplog.text


def test_a_worker_that_drains_leaves_it_to_others(ticks):
    Upkeep(**TERMS, ticks=False).tick(busy=0)
    assert ticks == []


def test_two_tickers_have_two_names(ticks):
    other = Ticker("test", partial(print), every_s=lambda: 1.0)
    with pytest.raises(ValueError, match="two tickers"):
        tickers.register(other)
    assert list(tickers) == ["test"]
