"""Schedules, and the retention of jobs and workers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from core.retention import retentions
from jobs import services
from jobs.cron import next_run
from jobs.models import Job, JobAttempt, Schedule, Worker
from jobs.registry import RegisteredSchedule, schedules
from tests.factories import make_job
from tests.jobs.inline import run_pending

pytestmark = pytest.mark.django_db


@pytest.fixture
def nightly(handler):
    handler()
    with schedules.override(RegisteredSchedule("nightly", cron="30 2 * * *", type="test.job", payload={"n": 1})):
        services.sync_schedules()
        # Others could become due if a minute ends during the test.
        Schedule.objects.exclude(name="nightly").update(enabled=False)
        yield Schedule.objects.get(name="nightly")


def make_due(schedule, ago=timedelta(seconds=1)):
    Schedule.objects.filter(pk=schedule.pk).update(next_run_at=timezone.now() - ago)


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("30 2 * * *", datetime(2026, 3, 1, 2, 30, tzinfo=UTC), datetime(2026, 3, 2, 2, 30, tzinfo=UTC)),
        ("*/15 * * * *", datetime(2026, 3, 1, 2, 31, 7, tzinfo=UTC), datetime(2026, 3, 1, 2, 45, tzinfo=UTC)),
        ("0 0 29 2 *", datetime(2026, 3, 1, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC)),
    ],
)
def test_the_next_run_is_later_than_the_given_time(cron, after, expected):
    assert next_run(cron, after) == expected


def test_registration_refuses_invalid_cron_and_duplicate_names(nightly):
    with pytest.raises(ValueError, match="not a cron expression"):
        RegisteredSchedule("broken", cron="every day", type="test.job")
    with pytest.raises(ValueError, match="two schedules"):
        schedules.register(RegisteredSchedule("nightly", cron="0 0 * * *", type="test.job"))


def test_registered_schedules_are_written_to_the_database(nightly):
    assert (nightly.cron, nightly.type, nightly.payload, nightly.enabled) == ("30 2 * * *", "test.job", {"n": 1}, True)
    assert (nightly.next_run_at.hour, nightly.next_run_at.minute) == (2, 30)
    assert timezone.now() < nightly.next_run_at <= timezone.now() + timedelta(days=1)


def test_sync_keeps_settings_of_staff_and_updates_definitions(nightly):
    services.set_schedule_enabled(schedule_id=nightly.pk, enabled=False)
    before = Schedule.objects.get(pk=nightly.pk)
    services.sync_schedules()
    assert Schedule.objects.get(pk=nightly.pk).next_run_at == before.next_run_at
    with schedules.override(RegisteredSchedule("nightly", cron="0 5 * * *", type="test.job")):
        services.sync_schedules()
    after = Schedule.objects.get(pk=nightly.pk)
    assert (after.cron, after.payload, after.enabled, after.next_run_at.hour) == ("0 5 * * *", {}, False, 5)


def test_a_due_schedule_fires_once_and_advances(nightly):
    make_due(nightly)
    due_at = Schedule.objects.get(pk=nightly.pk).next_run_at
    assert services.fire_due_schedules() == 1
    assert services.fire_due_schedules() == 0
    assert Job.objects.get().payload == {"n": 1}
    after = Schedule.objects.get(pk=nightly.pk)
    assert (after.last_run_at, after.next_run_at > timezone.now()) == (due_at, True)


def test_two_workers_that_see_the_same_due_schedule_fire_it_once(nightly, monkeypatch):
    make_due(nightly)
    due = [Schedule.objects.get(pk=nightly.pk)]
    monkeypatch.setattr(Schedule.objects, "filter", _first_call_returns(due, Schedule.objects.filter))
    assert services.fire_due_schedules() == 1
    assert run_pending() == 1
    monkeypatch.setattr(Schedule.objects, "filter", _first_call_returns(due, Schedule.objects.filter))
    assert services.fire_due_schedules() == 0
    assert Job.objects.count() == 1


def _first_call_returns(rows, real):
    calls = iter([rows])
    return lambda *args, **kwargs: next(calls, None) or real(*args, **kwargs)


def test_missed_runs_are_replaced_by_one(nightly):
    make_due(nightly, ago=timedelta(days=9))
    assert services.fire_due_schedules() == 1
    assert services.fire_due_schedules() == 0


def test_a_schedule_with_an_active_job_enqueues_no_second_one(nightly):
    for _ in range(2):
        make_due(nightly)
        services.fire_due_schedules()
    assert Job.objects.count() == 1
    assert services.run_schedule_now(schedule_id=nightly.pk) == Job.objects.get()


def test_neither_disabled_nor_unknown_schedules_fire(nightly):
    services.set_schedule_enabled(schedule_id=nightly.pk, enabled=False)
    make_due(nightly)
    unknown = Schedule.objects.create(name="x", cron="* * * * *", type="not.here", next_run_at=timezone.now())
    make_due(unknown)
    assert services.fire_due_schedules() == 0
    services.set_schedule_enabled(schedule_id=nightly.pk, enabled=True)
    assert Schedule.objects.get(pk=nightly.pk).next_run_at > timezone.now()


def test_retention_deletes_only_old_finished_jobs_and_their_attempts(settings):
    settings.RENDEROWL_JOBS_RETENTION_DAYS = 7
    old = timezone.now() - timedelta(days=8)
    for status in ("succeeded", "dead", "cancelled"):
        job = make_job(status=status, finished_at=old)
        JobAttempt.objects.create(job=job, number=1, worker="w", outcome="failed", finished_at=old)
    remaining = {make_job(status="succeeded").pk, make_job(status="queued", created_at=old, scheduled_at=old).pk}
    remaining.add(make_job(status="scheduled", scheduled_at=timezone.now() + timedelta(days=1)).pk)
    cleanup = services.enqueue(type="core.delete_old_rows")
    run_pending(queues=["maintenance"])
    cleanup.refresh_from_db()
    assert (cleanup.status, cleanup.result["finished jobs"]) == ("succeeded", 3)
    assert set(Job.objects.values_list("pk", flat=True)) == remaining | {cleanup.pk}
    assert set(JobAttempt.objects.values_list("job_id", flat=True)) == {cleanup.pk}


def test_retention_deletes_in_batches():
    old = timezone.now() - timedelta(days=8)
    for _ in range(5):
        make_job(status="succeeded", finished_at=old)
    finished = retentions["finished jobs"]
    counts = [finished.delete_batch(timezone.now(), keep=timedelta(days=7), limit=2) for _ in range(4)]
    assert counts == [2, 2, 1, 0]


def test_workers_are_alive_while_they_send_heartbeats_and_deleted_after_a_day():
    fields = {"hostname": "h", "pid": 1, "queues": ["default"], "concurrency": 2}
    ids = {name: services.record_worker_started(name=name, **fields) for name in ("here", "left", "silent", "gone")}
    services.record_heartbeat(worker_id=ids["here"], busy=2)
    services.record_worker_stopped(worker_id=ids["left"])
    Worker.objects.filter(name="silent").update(last_seen_at=timezone.now() - timedelta(seconds=16))
    Worker.objects.filter(name="gone").update(last_seen_at=timezone.now() - timedelta(hours=25))
    assert {worker.name for worker in Worker.objects.all() if worker.is_alive} == {"here"}
    assert Worker.objects.get(name="here").busy == 2
    row = services.enqueue(type="core.delete_old_rows")
    run_pending(queues=["maintenance"])
    row.refresh_from_db()
    assert row.result["gone workers"] == 1
    assert set(Worker.objects.values_list("name", flat=True)) == {"here", "left", "silent"}
