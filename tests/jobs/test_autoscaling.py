"""Autoscaling: the scaling policy, the queues' load, and workers that start and retire."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from jobs.autoscaling.policy import AutoscalerOptions, ScalingPolicy, count_needed
from jobs.models import Job, QueueState
from jobs.selectors import QueueLoad, queue_loads
from jobs.states import JobStatus
from tests.jobs.harness import WorkerHarness, wait_until

OPTIONS = AutoscalerOptions(min_workers=1, max_workers=4, concurrency=1, scale_out_after_s=2, scale_in_after_s=60)


@pytest.mark.parametrize(
    ("loads", "concurrency", "needed"),
    [
        ([], 1, 0),
        ([("a", 3, 2)], 1, 5),
        ([("a", 3, 2)], 2, 3),
        ([("a", 1, 0), ("b", 1, 0)], 1, 2),
        # One worker is enough for any number of I/O jobs.
        ([("io", 500, 20)], 1, 1),
        ([("io", 500, 20), ("a", 2, 0)], 1, 2),
    ],
)
def test_counts_needed_workers(loads, concurrency, needed):
    rows = [QueueLoad(queue, ready, running, 0.0) for queue, ready, running in loads]
    assert count_needed(rows, concurrency=concurrency, io={"io"}) == needed


def decide_all(policy, *samples):
    return [policy.decide(now=now, needed=needed, oldest_s=oldest_s) for now, needed, oldest_s in samples]


def test_scales_out_only_for_jobs_that_have_waited():
    assert decide_all(ScalingPolicy(OPTIONS), (0, 3, 0.1), (1, 3, 1.1), (2, 3, 2.1)) == [1, 1, 3]


def test_stays_within_minimum_and_maximum():
    assert decide_all(ScalingPolicy(OPTIONS), (0, 0, 0), (1, 99, 9), (500, 0, 0)) == [1, 4, 1]


def test_scales_in_only_after_the_need_stayed_low():
    samples = [(0, 4, 9)] + [(second, 1, 0) for second in range(1, 70)]
    targets = decide_all(ScalingPolicy(OPTIONS), *samples)
    assert targets[:60] == [4] * 60
    assert targets[61:] == [1] * 9


def test_a_load_peak_delays_scaling_in():
    samples = [(0, 4, 9), (59, 3, 0), (61, 0, 0), (100, 0, 0), (118, 0, 0), (120, 0, 0)]
    assert decide_all(ScalingPolicy(OPTIONS), *samples) == [4, 4, 3, 3, 3, 1]


def test_an_oscillating_load_keeps_the_target_constant():
    samples = [(second, 4 if second % 20 < 10 else 0, 3 if second % 20 < 10 else 0) for second in range(600)]
    assert set(decide_all(ScalingPolicy(OPTIONS), *samples)) == {4}


def test_without_workers_the_first_job_scales_out_immediately():
    options = AutoscalerOptions(min_workers=0, max_workers=2, concurrency=1, scale_out_after_s=10, scale_in_after_s=60)
    assert decide_all(ScalingPolicy(options), (0, 0, 0), (1, 1, 0.0)) == [0, 1]


@pytest.mark.django_db
def test_load_counts_only_claimable_jobs():
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
def test_refuses_invalid_options(arguments):
    with pytest.raises(CommandError):
        call_command("autoscale_workers", *arguments)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    harness = WorkerHarness(tmp_path_factory.mktemp("template"))
    yield harness
    harness.close()


@pytest.fixture
def harness(template, tmp_path):
    harness = WorkerHarness(tmp_path, template=template, LOG_LEVEL="WARNING", JOBS_GRACE_S="1")
    yield harness
    harness.close()


def count_started(harness):
    return harness.value("SELECT count(*) FROM effects WHERE word = 'began'")


@pytest.mark.acceptance
def test_scales_with_the_backlog_without_losing_a_job(harness):
    options = ("--queues", "default", "--min", "1", "--max", "3", "--scale-out-after", "0.5", "--scale-in-after", "2")
    scaler = harness.start("autoscale", *options)
    wait_until(lambda: len(harness.children(scaler.pid)) == 1)
    harness.enqueue("test.patient", 6, {"s": 1.0})
    wait_until(lambda: len(harness.children(scaler.pid)) == 3)
    wait_until(lambda: count_started(harness) >= 3)
    os.kill(min(harness.children(scaler.pid)), signal.SIGKILL)
    wait_until(lambda: harness.statuses() == {"succeeded": 6}, within_s=60)
    # Longer than the grace period: if the busy worker were retired, it would have to wait for the job.
    harness.enqueue("test.patient", 1, {"s": 6.0})
    wait_until(lambda: len(harness.children(scaler.pid)) == 1, within_s=40)
    wait_until(lambda: harness.statuses() == {"succeeded": 7}, within_s=40)
    # Retiring a worker released no job; only the killed worker lost one.
    assert "released" not in harness.outcomes()
    assert harness.value("SELECT sum(failures) FROM jobs_job WHERE type LIKE 'test.%'") == 0
    stopping = time.monotonic()
    scaler.send_signal(signal.SIGTERM)
    assert scaler.wait(20) == 0
    assert time.monotonic() - stopping < 15
    wait_until(lambda: not harness.marked_pids(), within_s=5)


@pytest.mark.acceptance
def test_a_retired_worker_finishes_its_job_and_can_still_be_stopped(harness):
    harness.enqueue("test.patient", 1, {"s": 3.0})
    harness.enqueue("test.effect", 1)
    worker = harness.start("work", "--queues", "default", "--concurrency", "1")
    wait_until(lambda: count_started(harness) == 1)
    worker.send_signal(signal.SIGUSR1)
    assert worker.wait(30) == 0
    assert harness.query("SELECT type, status FROM jobs_job WHERE type LIKE 'test.%' ORDER BY 1") == [
        ("test.effect", "queued"),
        ("test.patient", "succeeded"),
    ]
    harness.change("DELETE FROM effects")
    harness.change("UPDATE jobs_job SET status = 'succeeded'")
    harness.enqueue("test.patient", 1, {"s": 600})
    worker = harness.start("work", "--queues", "default", "--concurrency", "1")
    wait_until(lambda: count_started(harness) == 1)
    worker.send_signal(signal.SIGUSR1)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert harness.outcomes()["released"] == 1
