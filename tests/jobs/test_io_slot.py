"""Jobs that mostly wait: many at a time in one process."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest
from django.db import transaction

from jobs import services
from jobs.registry import Handler, IoSteps, handlers, io_handler, io_queues, known_queues
from jobs.snapshot import JobError
from jobs.worker.io_slot import IoSlot
from jobs.worker.slot import Slot
from jobs.worker.supervisor import plan_slots
from tests.jobs.inline import run_pending
from tests.jobs.station import Station, wait_until

acceptance = pytest.mark.acceptance


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    station = Station(tmp_path_factory.mktemp("template"))
    yield station
    station.close()


@pytest.fixture
def open_station(template, tmp_path):
    stations = []

    def build(**environment):
        stations.append(Station(tmp_path, template=template, LOG_LEVEL="WARNING", **environment))
        return stations[-1]

    yield build
    for station in stations:
        station.close()


@pytest.fixture
def io_job():
    """Register an I/O handler for one test."""

    def add(name="test.io", queue="io", **steps):
        parts = {"load": lambda context: context.job.payload, "perform": lambda work: work, "settle": lambda *_: None}
        io_handler(name, IoSteps(**{**parts, **steps}), queue=queue, more_queues=(f"{queue}-slow",))

    with handlers.override():
        yield add


def done(station):
    return Counter(job for (job,) in station.query("SELECT job_id FROM effects WHERE word = 'done'"))


def test_a_queue_is_for_one_kind_of_job(io_job, handler):
    io_job()
    assert {"io", "io-slow"} <= io_queues() & set(known_queues())
    with pytest.raises(ValueError, match="cannot share a queue"):
        handlers.register(Handler(name="test.other", run=lambda context: None, queue="io-slow"))


def test_io_queues_have_one_slot_beside_the_others(io_job):
    io_job()
    slots = plan_slots(["default", "io", "io-slow", "maintenance"], 2)
    assert [(slot.life, slot.queues) for slot in slots] == [
        (Slot, ["default", "maintenance"]),
        (Slot, ["default", "maintenance"]),
        (IoSlot, ["io", "io-slow"]),
    ]
    assert [slot.index for slot in slots] == [0, 1, 2]
    assert [slot.life for slot in plan_slots(["io"], 4)] == [IoSlot]
    assert [slot.life for slot in plan_slots(["default"], 1)] == [Slot]


@pytest.mark.django_db
def test_the_steps_run_in_order_where_jobs_run_inline(io_job):
    seen = []
    io_job(
        load=lambda context: seen.append("load") or context.job.payload["n"],
        perform=lambda number: seen.append("perform") or number + 1,
        settle=lambda context, number: seen.append("settle") or {"n": number},
    )
    row = services.enqueue(type="test.io", payload={"n": 1})
    assert run_pending() == 1
    row.refresh_from_db()
    assert (row.queue, row.status, row.result, seen) == ("io", "succeeded", {"n": 2}, ["load", "perform", "settle"])


@pytest.mark.django_db
def test_a_failure_can_commit_with_what_the_handler_writes(io_job):
    def settle(context, work):
        with transaction.atomic():
            error = JobError("no_answer", "Nobody answered.")
            assert services.fail_attempt(job=context.job, error=error, delay_s=3600) == "scheduled"
            context.note_ended()

    io_job(settle=settle)
    row = services.enqueue(type="test.io")
    before = row.scheduled_at
    assert run_pending() == 1
    row.refresh_from_db()
    assert (row.status, row.failures, row.error["code"]) == ("scheduled", 1, "no_answer")
    assert 3500 < (row.scheduled_at - before).total_seconds() < 3700
    assert row.history.count() == 1


def hold(station, ids):
    """Let jobs that were just enqueued wait until `let_go`."""
    station.change(f"UPDATE jobs_job SET status = 'blocked' WHERE id IN ({listed(station, ids)})")


def let_go(station, ids):
    station.change(f"UPDATE jobs_job SET status = 'queued' WHERE id IN ({listed(station, ids)})")


def listed(station, ids):
    return ", ".join(f"'{job if station.is_postgres else job.replace('-', '')}'" for job in ids)


@acceptance
def test_one_process_runs_many_and_keeps_their_leases(open_station):
    station = open_station(JOBS_LEASE_S="1", JOBS_IO_THREADS="30")
    slow = station.enqueue("test.io", 31, {"s": 2.5}, queue="io-slow")
    quick = station.enqueue("test.io", 1, {"s": 0.0})
    hold(station, quick)
    worker = station.start("work", "--concurrency", "1")
    wait_until(lambda: station.value("SELECT count(*) FROM effects WHERE word = 'began'") == 30)
    # The thirty-first has no thread in its lane; the other lane is open all the same.
    let_go(station, quick)
    wait_until(lambda: done(station))
    assert done(station) == dict.fromkeys(quick, 1)
    if station.is_postgres:
        # Main thread and heartbeat of two slots, the supervisor, and this question.
        connections = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        assert station.value(connections) <= 7
    wait_until(lambda: station.statuses() == {"succeeded": 32})
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert done(station) == dict.fromkeys([*slow, *quick], 1)
    assert station.query("SELECT max(attempts), max(lost) FROM jobs_job WHERE type LIKE 'test.%'") == [(1, 0)]


@acceptance
def test_a_kill_in_the_middle_loses_nothing_and_a_stop_waits_for_what_has_begun(open_station):
    station = open_station(JOBS_LEASE_S="600")
    ids = station.enqueue("test.io", 20, {"s": 1.0})
    worker = station.start("work", "--queues", "io,io-slow")
    wait_until(lambda: station.value("SELECT count(*) FROM effects WHERE word = 'began'") == 20)
    (slot,) = station.children(worker.pid)
    os.kill(slot, signal.SIGKILL)
    wait_until(lambda: station.value("SELECT count(*) FROM effects WHERE word = 'began'") == 40)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert station.statuses() == {"succeeded": 20}
    assert done(station) == dict.fromkeys(ids, 1)
    assert station.value("SELECT sum(lost) FROM jobs_job WHERE type = 'test.io'") == 20


@acceptance
def test_one_that_hangs_is_killed_and_the_others_go_back_uncounted(open_station):
    station = open_station(JOBS_GRACE_S="1")
    others = station.enqueue("test.io", 2, {"s": 600})
    hold(station, others)
    station.enqueue("test.io", 1, {"s": 600}, timeout_s=1, max_attempts=1)
    worker = station.start("work", "--queues", "io,io-slow")
    wait_until(lambda: station.value("SELECT count(*) FROM effects WHERE word = 'began'") == 1)
    let_go(station, others)
    wait_until(lambda: station.value("SELECT count(*) FROM effects WHERE word = 'began'") == 5)
    assert station.statuses() == {"dead": 1, "running": 2}
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert station.outcomes() == {"handed_back": 4, "timeout": 1}
    rows = station.query("SELECT DISTINCT status, failures, lost FROM jobs_job WHERE type = 'test.io' ORDER BY status")
    assert rows == [("dead", 1, 0), ("queued", 0, 0)]
