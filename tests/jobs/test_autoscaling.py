"""How many workers there should be, and that they come and go."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from jobs.autoscaling.policy import Policy, Terms, count_needed
from jobs.models import Job, QueueState
from jobs.selectors import QueueLoad, queue_loads
from jobs.states import JobStatus
from tests.jobs.station import Station, wait_until

TERMS = Terms(least=1, most=4, concurrency=1, out_after_s=2, in_after_s=60)


@pytest.mark.parametrize(
    ("loads", "concurrency", "needed"),
    [
        ([], 1, 0),
        ([("a", 3, 2)], 1, 5),
        ([("a", 3, 2)], 2, 3),
        ([("a", 1, 0), ("b", 1, 0)], 1, 2),
        # One worker does any number of those that wait for others.
        ([("io", 500, 20)], 1, 1),
        ([("io", 500, 20), ("a", 2, 0)], 1, 2),
    ],
)
def test_counts_the_workers_that_could_be_busy(loads, concurrency, needed):
    rows = [QueueLoad(queue, ready, running, 0.0) for queue, ready, running in loads]
    assert count_needed(rows, concurrency=concurrency, io={"io"}) == needed


def follow(policy, *looks):
    return [policy.decide(now=now, needed=needed, oldest_s=oldest_s) for now, needed, oldest_s in looks]


def test_more_workers_come_only_for_jobs_that_wait():
    assert follow(Policy(TERMS), (0, 3, 0.1), (1, 3, 1.1), (2, 3, 2.1)) == [1, 1, 3]


def test_the_bounds_hold():
    assert follow(Policy(TERMS), (0, 0, 0), (1, 99, 9), (500, 0, 0)) == [1, 4, 1]


def test_they_go_only_after_fewer_were_enough_for_long():
    looks = [(0, 4, 9)] + [(second, 1, 0) for second in range(1, 70)]
    answers = follow(Policy(TERMS), *looks)
    assert answers[:60] == [4] * 60
    assert answers[61:] == [1] * 9


def test_one_busy_moment_keeps_them_for_the_whole_time():
    looks = [(0, 4, 9), (59, 3, 0), (61, 0, 0), (100, 0, 0), (118, 0, 0), (120, 0, 0)]
    assert follow(Policy(TERMS), *looks) == [4, 4, 3, 3, 3, 1]


def test_a_load_that_swings_changes_nothing():
    looks = [(second, 4 if second % 20 < 10 else 0, 3 if second % 20 < 10 else 0) for second in range(600)]
    assert set(follow(Policy(TERMS), *looks)) == {4}


def test_where_nobody_works_the_first_job_does_not_wait():
    terms = Terms(least=0, most=2, concurrency=1, out_after_s=10, in_after_s=60)
    assert follow(Policy(terms), (0, 0, 0), (1, 1, 0.0)) == [0, 1]


@pytest.mark.django_db
def test_the_load_is_what_may_be_claimed_now():
    past = timezone.now() - timedelta(seconds=30)
    for queue in ("open", "paused", "limited", "full"):
        for _ in range(3):
            Job.objects.create(type="t", queue=queue, scheduled_at=past)
    for status in (JobStatus.SCHEDULED, JobStatus.BLOCKED, JobStatus.SUCCEEDED):
        Job.objects.create(type="t", queue="open", status=status, scheduled_at=past - timedelta(hours=1))
    Job.objects.create(type="t", queue="full", status=JobStatus.RUNNING)
    QueueState.objects.create(name="paused", paused=True)
    QueueState.objects.create(name="limited", max_running=2)
    QueueState.objects.create(name="full", max_running=1)
    loads = {load.queue: load for load in queue_loads()}
    assert {name: (load.claimable, load.running) for name, load in loads.items()} == {
        "open": (3, 0),
        "paused": (0, 0),
        "limited": (2, 0),
        "full": (0, 1),
    }
    assert loads["open"].oldest_s == pytest.approx(30, abs=5)
    assert loads["paused"].oldest_s == loads["full"].oldest_s == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--min", "2", "--max", "1"),
        ("--min", "0", "--max", "0"),
        ("--min", "-1", "--max", "1"),
        ("--min", "1", "--max", "1", "--concurrency", "0"),
        ("--min", "1", "--max", "1", "--scale-in-after", "nan"),
        ("--min", "1", "--max", "1", "--queues", "defualt"),
        ("--min", "1"),
    ],
)
def test_refuses_numbers_that_make_no_sense(arguments):
    with pytest.raises(CommandError):
        call_command("autoscale_workers", *arguments)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    made = Station(tmp_path_factory.mktemp("template"))
    yield made
    made.close()


@pytest.fixture
def station(template, tmp_path):
    made = Station(tmp_path, template=template, LOG_LEVEL="WARNING", JOBS_GRACE_S="1")
    yield made
    made.close()


def began(station):
    return station.value("SELECT count(*) FROM effects WHERE word = 'began'")


@pytest.mark.acceptance
def test_workers_come_with_the_backlog_and_go_without_losing_a_job(station):
    terms = ("--queues", "default", "--min", "1", "--max", "3", "--scale-out-after", "0.5", "--scale-in-after", "2")
    scaler = station.start("autoscale", *terms)
    wait_until(lambda: len(station.children(scaler.pid)) == 1)
    station.enqueue("test.patient", 6, {"s": 1.0})
    wait_until(lambda: len(station.children(scaler.pid)) == 3)
    wait_until(lambda: began(station) >= 3)
    os.kill(min(station.children(scaler.pid)), signal.SIGKILL)
    wait_until(lambda: station.statuses() == {"succeeded": 6}, within_s=60)
    # Longer than the grace of a stop: were the worker that has it the one to go, it would have to let it finish.
    station.enqueue("test.patient", 1, {"s": 6.0})
    wait_until(lambda: len(station.children(scaler.pid)) == 1, within_s=40)
    wait_until(lambda: station.statuses() == {"succeeded": 7}, within_s=40)
    # Nobody had to be told twice because a worker was one too many; only the killed one lost what it had.
    assert "handed_back" not in station.outcomes()
    assert station.value("SELECT sum(failures) FROM jobs_job WHERE type LIKE 'test.%'") == 0
    stopping = time.monotonic()
    scaler.send_signal(signal.SIGTERM)
    assert scaler.wait(20) == 0
    assert time.monotonic() - stopping < 15
    wait_until(lambda: not station.marked_pids(), within_s=5)


@pytest.mark.acceptance
def test_a_retired_worker_finishes_and_a_stop_after_that_still_stops_it(station):
    station.enqueue("test.patient", 1, {"s": 3.0})
    station.enqueue("test.effect", 1)
    worker = station.start("work", "--queues", "default", "--concurrency", "1")
    wait_until(lambda: began(station) == 1)
    worker.send_signal(signal.SIGUSR1)
    assert worker.wait(30) == 0
    assert station.query("SELECT type, status FROM jobs_job WHERE type LIKE 'test.%' ORDER BY 1") == [
        ("test.effect", "queued"),
        ("test.patient", "succeeded"),
    ]
    station.change("DELETE FROM effects")
    station.change("UPDATE jobs_job SET status = 'succeeded'")
    station.enqueue("test.patient", 1, {"s": 600})
    worker = station.start("work", "--queues", "default", "--concurrency", "1")
    wait_until(lambda: began(station) == 1)
    worker.send_signal(signal.SIGUSR1)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert station.outcomes()["handed_back"] == 1
