"""Periodic tasks, which every worker runs for other apps."""

from __future__ import annotations

from functools import partial

import pytest

from jobs.registry import PeriodicTask, periodic_tasks
from jobs.worker.housekeeping import Housekeeping

pytestmark = pytest.mark.django_db
WORKER = {"worker": "host:1:a", "hostname": "host", "queues": ["default"], "concurrency": 1}


@pytest.fixture
def calls():
    """Register one periodic task, whose second call fails, and yield the list of its calls."""
    workers = []

    def run(worker):
        workers.append(worker)
        if len(workers) == 2:
            raise ZeroDivisionError

    with periodic_tasks.override():
        periodic_tasks.clear()
        periodic_tasks.register(PeriodicTask("test", run, every_s=lambda: 0.0))
        yield workers


def test_every_worker_runs_it_and_survives_its_failures(calls, caplog):
    housekeeping = Housekeeping(**WORKER)
    for _ in range(3):
        housekeeping.tick(busy=0)
    assert calls == ["host:1:a"] * 3
    assert "periodic task failed" in caplog.text


def test_a_draining_worker_does_not_run_it(calls):
    Housekeeping(**WORKER, tasks=False).tick(busy=0)
    assert calls == []


def test_refuses_a_duplicate_name(calls):
    other = PeriodicTask("test", partial(print), every_s=lambda: 1.0)
    with pytest.raises(ValueError, match="two periodic tasks"):
        periodic_tasks.register(other)
    assert list(periodic_tasks) == ["test"]
