"""Real worker processes: drain, stop, kill, timeout, crash, cancel."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from functools import partial

import pytest

from tests.jobs.harness import WorkerHarness, wait_until

pytestmark = pytest.mark.acceptance


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


def effects(harness, word="done"):
    return Counter(job for (job,) in harness.query(f"SELECT job_id FROM effects WHERE word = '{word}'"))


def test_random_kills_lose_no_job_and_finish_none_twice(open_harness):
    harness = open_harness(JOBS_LEASE_S="1")
    ids = harness.enqueue("test.effect", 300, {"s": 0.03})
    worker = harness.start("work", "--concurrency", "2")
    rng = random.Random()
    kills = Counter()
    while kills["slot"] < 9 or kills["supervisor"] < 3:
        slots = wait_until(partial(harness.children, worker.pid))
        time.sleep(rng.uniform(0.0, 0.3))
        if kills["slot"] < 9 and (kills["supervisor"] >= 3 or rng.random() < 0.75):
            victim, kind = rng.choice(sorted(slots)), "slot"
        else:
            victim, kind = worker.pid, "supervisor"
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
        kills[kind] += 1
        if kind == "supervisor":
            worker.wait(10)
            worker = harness.start("work", "--concurrency", "2")
    assert harness.statuses()["succeeded"] < 300, "all jobs finished before the kills"
    wait_until(lambda: harness.statuses() == {"succeeded": 300}, within_s=60)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert effects(harness) == dict.fromkeys(ids, 1)
    assert harness.outcomes()["succeeded"] == 300
    assert harness.value("SELECT sum(failures) FROM jobs_job") == 0
    wait_until(lambda: not harness.marked_pids(), within_s=5)


def test_concurrent_claimers_claim_each_job_once(open_harness):
    harness = open_harness()
    ids = harness.enqueue("test.effect", 200)
    claimers = [harness.start("claim") for _ in range(3)]
    assert [claimer.wait(60) for claimer in claimers] == [0, 0, 0]
    claimed = Counter(job for (job,) in harness.query("SELECT job_id FROM effects"))
    assert claimed == dict.fromkeys(ids, 1)
    assert harness.value("SELECT max(attempts) FROM jobs_job WHERE type = 'test.effect'") == 1


def test_drain_leaves_future_jobs_alone(open_harness):
    harness = open_harness()
    harness.enqueue("test.effect", 20)
    harness.change("UPDATE jobs_job SET status = 'scheduled', scheduled_at = '2099-01-01' WHERE id = "
                   "(SELECT id FROM jobs_job LIMIT 1)")  # fmt: skip
    worker = harness.start("work", "--drain", "--concurrency", "2")
    assert worker.wait(60) == 0
    assert harness.statuses() == {"succeeded": 19, "scheduled": 1}
    assert harness.value("SELECT count(*) FROM jobs_worker WHERE stopped_at IS NOT NULL") == 1


def test_an_idle_worker_starts_jobs_and_stops_immediately(open_harness):
    harness = open_harness()
    worker = harness.start("work", "--concurrency", "1")
    wait_until(lambda: harness.children(worker.pid))
    time.sleep(1.0)
    for count in range(1, 4):
        harness.enqueue("test.effect", 1, {"s": 0})
        wait_until(lambda count=count: harness.statuses() == {"succeeded": count})
    if harness.is_postgres:
        waits = "SELECT max(extract(epoch FROM started_at - queued_at)) FROM jobs_job WHERE type = 'test.effect'"
    else:
        waits = ("SELECT max(unixepoch(started_at, 'subsec') - unixepoch(queued_at, 'subsec')) FROM jobs_job "
                 "WHERE type = 'test.effect'")  # fmt: skip
    assert float(harness.value(waits)) < 0.5
    started_at = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    # Far below the grace period of 25 s, with a margin for a busy machine.
    assert time.monotonic() - started_at < 8


def test_a_stop_releases_running_jobs_after_the_grace_period_even_stuck_ones(open_harness):
    harness = open_harness(JOBS_GRACE_S="1")
    harness.enqueue("test.patient", 1, {"s": 600})
    harness.enqueue("test.stuck")
    harness.enqueue("test.effect", 1, {"s": 0})
    worker = harness.start("work", "--concurrency", "2")
    wait_until(lambda: len(effects(harness, "began")) == 2)
    worker.send_signal(signal.SIGINT)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    rows = harness.query(
        "SELECT type, status, failures, lost, worker FROM jobs_job WHERE type LIKE 'test.%' ORDER BY 1"
    )
    assert rows == [
        ("test.effect", "queued", 0, 0, ""),
        ("test.patient", "queued", 0, 0, ""),
        ("test.stuck", "queued", 0, 0, ""),
    ]
    assert harness.outcomes() == {"released": 2}
    assert not harness.marked_pids()


def test_a_job_may_finish_in_the_grace_period(open_harness):
    harness = open_harness(JOBS_GRACE_S="30")
    harness.enqueue("test.patient", 1, {"s": 1.5})
    worker = harness.start("work", "--concurrency", "1")
    wait_until(lambda: effects(harness, "began"))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert harness.statuses() == {"succeeded": 1}


def test_a_timed_out_attempt_is_killed_with_its_children(open_harness):
    harness = open_harness()
    harness.enqueue("test.stuck", timeout_s=1, max_attempts=1)
    worker = harness.start("work", "--concurrency", "1")
    wait_until(lambda: effects(harness, "began"))
    # Supervisor, slot, I/O slot, and the child of the job.
    assert len(harness.marked_pids()) == 4
    wait_until(lambda: harness.statuses() == {"dead": 1})
    assert harness.outcomes() == {"timeout": 1}
    wait_until(lambda: len(harness.marked_pids()) == 3, within_s=5)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0


def test_slots_and_their_children_die_with_the_supervisor(open_harness):
    harness = open_harness()
    harness.enqueue("test.stuck", 2)
    worker = harness.start("work", "--concurrency", "2")
    wait_until(lambda: len(effects(harness, "began")) == 2)
    # Supervisor, two slots with a child each, and the I/O slot.
    assert len(harness.marked_pids()) == 6
    worker.kill()
    worker.wait(10)
    wait_until(lambda: not harness.marked_pids(), within_s=3)


def test_a_job_that_kills_its_slot_runs_again_immediately(open_harness):
    harness = open_harness(JOBS_LEASE_S="600")
    harness.enqueue("test.crash_once")
    worker = harness.start("work", "--drain", "--concurrency", "1")
    assert worker.wait(30) == 0
    assert harness.query("SELECT status, attempts, lost, failures FROM jobs_job WHERE type LIKE 'test.%'") == [
        ("succeeded", 2, 1, 0)
    ]


def test_a_long_job_keeps_its_lease_and_can_be_cancelled(open_harness):
    harness = open_harness(JOBS_LEASE_S="1")
    (job,) = harness.enqueue("test.patient", 1, {"s": 600})
    workers = [harness.start("work", "--concurrency", "1") for _ in range(2)]
    wait_until(lambda: effects(harness, "began"))
    time.sleep(3)
    assert harness.query("SELECT status, attempts FROM jobs_job WHERE type LIKE 'test.%'") == [("running", 1)]
    harness.call("cancel", job)
    # Without the call above, which has to start an interpreter.
    started_at = time.monotonic()
    wait_until(lambda: harness.statuses() == {"cancelled": 1}, within_s=10)
    assert time.monotonic() - started_at < 6
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    assert [worker.wait(20) for worker in workers] == [0, 0]
    assert effects(harness, "began") == {job: 1}


def test_two_workers_fire_a_schedule_once(open_harness):
    harness = open_harness()
    workers = [harness.start("work", "--concurrency", "1") for _ in range(2)]
    wait_until(lambda: harness.value("SELECT count(*) FROM jobs_worker") == 2)
    for number in range(1, 4):
        harness.change("UPDATE jobs_schedule SET next_run_at = '2026-01-01 00:00:00' WHERE name = 'test.yearly'")
        wait_until(lambda number=number: harness.statuses().get("succeeded", 0) >= number)
    time.sleep(1.5)
    jobs = harness.value("SELECT count(*) FROM jobs_job WHERE type = 'test.effect'")
    assert jobs == sum(effects(harness).values()) == 3
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    assert [worker.wait(20) for worker in workers] == [0, 0]
