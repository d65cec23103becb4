"""I/O jobs, which run concurrently in one process."""

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
from jobs.worker.slot import WorkerSlot
from jobs.worker.supervisor import plan_slots
from tests.jobs.harness import WorkerHarness, wait_until
from tests.jobs.inline import run_pending

acceptance = pytest.mark.acceptance


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    harness = WorkerHarness(tmp_path_factory.mktemp("template"))
    yield harness
    harness.close()


@pytest.fixture
def open_harness(template, tmp_path):
    harnesses = []

    def build(**environment):
        harnesses.append(WorkerHarness(tmp_path, template=template, LOG_LEVEL="WARNING", **environment))
        return harnesses[-1]

    yield build
    for harness in harnesses:
        harness.close()


@pytest.fixture
def io_job():
    """Register an I/O handler for one test."""

    def add(name="test.io", queue="io", **steps):
        parts = {"load": lambda context: context.job.payload, "perform": lambda work: work, "record": lambda *_: None}
        io_handler(name, IoSteps(**{**parts, **steps}), queue=queue, more_queues=(f"{queue}-slow",))

    with handlers.override():
        yield add


def done(harness):
    return Counter(job for (job,) in harness.query("SELECT job_id FROM effects WHERE word = 'done'"))


def test_io_and_other_jobs_cannot_share_a_queue(io_job, handler):
    io_job()
    assert {"io", "io-slow"} <= io_queues() & set(known_queues())
    with pytest.raises(ValueError, match="cannot share a queue"):
        handlers.register(Handler(name="test.other", run=lambda context: None, queue="io-slow"))


def test_io_queues_share_one_additional_slot(io_job):
    io_job()
    slots = plan_slots(["default", "io", "io-slow", "maintenance"], 2)
    assert [(slot.slot_class, slot.queues) for slot in slots] == [
        (WorkerSlot, ["default", "maintenance"]),
        (WorkerSlot, ["default", "maintenance"]),
        (IoSlot, ["io", "io-slow"]),
    ]
    assert [slot.index for slot in slots] == [0, 1, 2]
    assert [slot.slot_class for slot in plan_slots(["io"], 4)] == [IoSlot]
    assert [slot.slot_class for slot in plan_slots(["default"], 1)] == [WorkerSlot]


@pytest.mark.django_db
def test_the_steps_run_in_order_inline(io_job):
    seen = []
    io_job(
        load=lambda context: seen.append("load") or context.job.payload["n"],
        perform=lambda number: seen.append("perform") or number + 1,
        record=lambda context, number: seen.append("record") or {"n": number},
    )
    row = services.enqueue(type="test.io", payload={"n": 1})
    assert run_pending() == 1
    row.refresh_from_db()
    assert (row.queue, row.status, row.result, seen) == ("io", "succeeded", {"n": 2}, ["load", "perform", "record"])


@pytest.mark.django_db
def test_a_failure_can_commit_with_the_handlers_writes(io_job):
    def record(context, work):
        with transaction.atomic():
            error = JobError("no_answer", "The server did not answer.")
            assert services.fail_attempt(job=context.job, error=error, delay_s=3600) == "scheduled"
            context.mark_failed()

    io_job(record=record)
    row = services.enqueue(type="test.io")
    before = row.scheduled_at
    assert run_pending() == 1
    row.refresh_from_db()
    assert (row.status, row.failures, row.error["code"]) == ("scheduled", 1, "no_answer")
    assert 3500 < (row.scheduled_at - before).total_seconds() < 3700
    assert row.history.count() == 1


def block(harness, ids):
    """Block jobs that were just enqueued, until `unblock`."""
    harness.change(f"UPDATE jobs_job SET status = 'blocked' WHERE id IN ({id_list(harness, ids)})")


def unblock(harness, ids):
    harness.change(f"UPDATE jobs_job SET status = 'queued' WHERE id IN ({id_list(harness, ids)})")


def id_list(harness, ids):
    return ", ".join(f"'{job if harness.is_postgres else job.replace('-', '')}'" for job in ids)


@acceptance
def test_one_process_runs_many_jobs_and_renews_their_leases(open_harness):
    harness = open_harness(JOBS_LEASE_S="1", JOBS_IO_THREADS="30")
    slow = harness.enqueue("test.io", 31, {"s": 2.5}, queue="io-slow")
    quick = harness.enqueue("test.io", 1, {"s": 0.0})
    block(harness, quick)
    worker = harness.start("work", "--concurrency", "1")
    wait_until(lambda: harness.value("SELECT count(*) FROM effects WHERE word = 'began'") == 30)
    # The slow pool has no thread for its 31st job, but the other pool has.
    unblock(harness, quick)
    wait_until(lambda: done(harness))
    assert done(harness) == dict.fromkeys(quick, 1)
    if harness.is_postgres:
        # Main thread and heartbeat of two slots, the supervisor, and this query.
        connections = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        assert harness.value(connections) <= 7
    wait_until(lambda: harness.statuses() == {"succeeded": 32})
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert done(harness) == dict.fromkeys([*slow, *quick], 1)
    assert harness.query("SELECT max(attempts), max(lost) FROM jobs_job WHERE type LIKE 'test.%'") == [(1, 0)]


@acceptance
def test_a_kill_loses_no_job_and_a_stop_waits_for_running_ones(open_harness):
    harness = open_harness(JOBS_LEASE_S="600")
    ids = harness.enqueue("test.io", 20, {"s": 1.0})
    worker = harness.start("work", "--queues", "io,io-slow")
    wait_until(lambda: harness.value("SELECT count(*) FROM effects WHERE word = 'began'") == 20)
    (slot,) = harness.children(worker.pid)
    os.kill(slot, signal.SIGKILL)
    wait_until(lambda: harness.value("SELECT count(*) FROM effects WHERE word = 'began'") == 40)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert harness.statuses() == {"succeeded": 20}
    assert done(harness) == dict.fromkeys(ids, 1)
    assert harness.value("SELECT sum(lost) FROM jobs_job WHERE type = 'test.io'") == 20


@acceptance
def test_a_hung_job_is_killed_and_the_others_are_released(open_harness):
    harness = open_harness(JOBS_GRACE_S="1")
    others = harness.enqueue("test.io", 2, {"s": 600})
    block(harness, others)
    harness.enqueue("test.io", 1, {"s": 600}, timeout_s=1, max_attempts=1)
    worker = harness.start("work", "--queues", "io,io-slow")
    wait_until(lambda: harness.value("SELECT count(*) FROM effects WHERE word = 'began'") == 1)
    unblock(harness, others)
    wait_until(lambda: harness.value("SELECT count(*) FROM effects WHERE word = 'began'") == 5)
    assert harness.statuses() == {"dead": 1, "running": 2}
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert harness.outcomes() == {"released": 4, "timeout": 1}
    rows = harness.query("SELECT DISTINCT status, failures, lost FROM jobs_job WHERE type = 'test.io' ORDER BY status")
    assert rows == [("dead", 1, 0), ("queued", 0, 0)]
