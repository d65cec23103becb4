"""Control of jobs and queues: cancel, retry, pause."""

from __future__ import annotations

import uuid

import pytest
from django.core.management import CommandError, call_command

from core.exceptions import InvalidState
from jobs import services, sql
from jobs.context import JobContext
from jobs.exceptions import JobCancelled, JobNotFound
from jobs.models import Job, QueueState
from jobs.selectors import has_work, queue_depths
from jobs.services.outcomes import LOST
from tests.factories import make_job
from tests.jobs.inline import run_pending

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("status", ["scheduled", "queued"])
def test_a_waiting_job_is_cancelled_immediately_and_calls_its_hook(handler, status):
    cancelled = []
    handler(on_cancelled=cancelled.append)
    row = make_job(status=status, reference="render:1")
    job = services.cancel_job(job_id=row.pk)
    assert (job.status, job.finished_at is not None) == ("cancelled", True)
    assert [(seen.id, seen.reference) for seen in cancelled] == [(row.pk, "render:1")]
    assert run_pending() == 0


def test_a_running_job_is_asked_to_stop_and_cancelled_by_its_worker(handler):
    cancelled = []

    def run(context):
        services.cancel_job(job_id=context.job.id)
        context._checked_at -= 10
        context.check()

    handler(run, on_cancelled=cancelled.append)
    row = services.enqueue(type="test.job")
    assert run_pending() == 1
    row.refresh_from_db()
    assert (row.status, row.history.get().outcome) == ("cancelled", "cancelled")
    assert [seen.id for seen in cancelled] == [row.pk]


def test_the_heartbeat_sees_a_cancellation_request():
    row = make_job()
    job = sql.claim(queue="default", worker="w", lease_s=30)
    context = JobContext(job, watched=True)
    context.apply_heartbeat(sql.renew(job, lease_s=30))
    context.check()
    assert services.request_cancel(job_id=row.pk) is True
    assert services.request_cancel(job_id=row.pk) is False
    context.apply_heartbeat(sql.renew(job, lease_s=30))
    with pytest.raises(JobCancelled):
        context.check()


def test_a_job_that_fails_or_is_lost_after_a_cancellation_request_is_cancelled(handler):
    cancelled = []
    handler(on_cancelled=cancelled.append)
    failing, lost = make_job(), make_job()
    for row in (failing, lost):
        job = sql.claim(queue="default", worker=f"w/{row.pk}", lease_s=30)
        services.cancel_job(job_id=job.id)
        if row is failing:
            services.fail_attempt(job=job, error=LOST)
        else:
            services.requeue_lost_jobs(slot=job.worker)
    assert set(Job.objects.values_list("status", flat=True)) == {"cancelled"}
    assert {seen.id for seen in cancelled} == {failing.pk, lost.pk}


@pytest.mark.parametrize("status", ["succeeded", "dead", "cancelled"])
def test_cancelling_a_finished_job_changes_nothing(status):
    row = make_job(status=status)
    before = Job.objects.filter(pk=row.pk).values().get()
    assert services.cancel_job(job_id=row.pk).status == status
    assert Job.objects.filter(pk=row.pk).values().get() == before


def test_a_retried_dead_job_gets_all_its_attempts_again(handler):
    handler(max_attempts=2)
    row = make_job(status="dead", max_attempts=2, failures=2, lost=3, attempts=5, error={"code": "x", "message": "y"})
    services.retry_job(job_id=row.pk)
    row.refresh_from_db()
    assert (row.status, row.failures, row.lost, row.attempts, row.error) == ("queued", 0, 0, 5, None)
    assert run_pending() == 1
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("succeeded", 6)


def test_only_dead_jobs_can_be_retried():
    with pytest.raises(InvalidState, match="succeeded"):
        services.retry_job(job_id=make_job(status="succeeded").pk)
    with pytest.raises(JobNotFound):
        services.retry_job(job_id=uuid.uuid4())


def test_a_dead_job_cannot_be_retried_while_its_unique_key_is_active():
    row = make_job(status="dead", unique_key="k")
    make_job(unique_key="k")
    with pytest.raises(InvalidState, match="unique key"):
        services.retry_job(job_id=row.pk)
    row.refresh_from_db()
    assert row.status == "dead"


def test_pausing_twice_keeps_the_first_timestamp():
    services.pause_queue(name="renders")
    first = QueueState.objects.get().paused_at
    services.pause_queue(name="renders")
    assert QueueState.objects.get().paused_at == first
    services.resume_queue(name="renders")
    state = QueueState.objects.get()
    assert (state.paused, state.paused_at) == (False, None)


def test_depths_count_each_queue():
    for status in ("queued", "queued", "running", "scheduled", "succeeded"):
        make_job(queue="a", status=status)
    make_job(queue="b", status="dead")
    oldest = Job.objects.filter(status="queued").order_by("scheduled_at").first()
    (depth,) = queue_depths()
    assert (depth.queue, depth.ready, depth.running, depth.scheduled) == ("a", 2, 1, 1)
    assert depth.oldest_ready_at == oldest.scheduled_at


@pytest.mark.parametrize(
    ("status", "queue", "expected"),
    [
        ("queued", "a", True),
        ("running", "a", True),
        ("scheduled", "a", False),
        ("dead", "a", False),
        ("queued", "elsewhere", False),
        ("queued", "paused", False),
        ("running", "paused", True),
    ],
)
def test_has_work_counts_ready_and_running_jobs(status, queue, expected, django_assert_num_queries):
    services.pause_queue(name="paused")
    make_job(status=status, queue=queue)
    # One query for jobs: with two, a job claimed in between would be missed, and a drain would end too soon.
    with django_assert_num_queries(2):
        assert has_work(["a", "paused"]) is expected


def test_a_worker_for_an_unknown_queue_is_refused():
    with pytest.raises(CommandError, match=r"Unknown queue: bogus, wrong. Known queues: .*default.*renders"):
        call_command("run_worker", queues="default,bogus,wrong")
