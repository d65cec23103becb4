"""Enqueueing: the rows written, the caller's transaction, unique keys."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from core.context import request_id
from jobs import notify, services
from jobs.exceptions import UnknownJobType
from jobs.models import Job
from jobs.states import JobPriority
from tests.factories import make_job, make_user

pytestmark = pytest.mark.django_db


def test_writes_a_queued_job_with_its_handlers_defaults(handler):
    handler(queue="slow", max_attempts=3, timeout_s=77)
    alice = make_user("alice")
    job = services.enqueue(type="test.job", payload={"n": 1}, user_id=alice.pk, reference="render:7")
    row = Job.objects.get()
    assert row == job
    assert (row.status, row.queue, row.max_attempts, row.timeout_s) == ("queued", "slow", 3, 77)
    assert (row.payload, row.user, row.reference, row.priority) == ({"n": 1}, alice, "render:7", 2)
    assert (row.attempts, row.failures, row.lost) == (0, 0, 0)
    assert row.queued_at is not None


def test_the_callers_options_override_the_handlers(handler):
    handler(queue="slow", max_attempts=3, timeout_s=77)
    job = services.enqueue(type="test.job", queue="fast", max_attempts=1, timeout_s=5, priority=JobPriority.URGENT)
    assert (job.queue, job.max_attempts, job.timeout_s, job.priority) == ("fast", 1, 5, 0)


def test_refuses_a_type_without_a_handler():
    with pytest.raises(UnknownJobType):
        services.enqueue(type="test.unregistered")
    assert not Job.objects.exists()


def test_a_future_job_is_scheduled_and_a_past_one_queued(handler):
    handler()
    later = timezone.now() + timedelta(hours=1)
    future = services.enqueue(type="test.job", run_at=later)
    past = services.enqueue(type="test.job", run_at=timezone.now() - timedelta(hours=1))
    assert (future.status, future.scheduled_at, future.queued_at) == ("scheduled", later, None)
    assert past.status == "queued"


def test_is_rolled_back_with_the_callers_transaction(handler):
    handler()

    class Changed(Exception):
        pass

    with pytest.raises(Changed), transaction.atomic():
        services.enqueue(type="test.job")
        raise Changed
    assert not Job.objects.exists()


def test_returns_the_active_job_with_the_same_key(handler):
    handler()
    first = services.enqueue(type="test.job", payload={"n": 1}, unique_key="k")
    second = services.enqueue(type="test.job", payload={"n": 2}, unique_key="k")
    assert second.pk == first.pk
    assert [job.payload for job in Job.objects.all()] == [{"n": 1}]


@pytest.mark.parametrize("status", ["scheduled", "running"])
def test_a_key_is_in_use_while_its_job_is_active(handler, status):
    handler()
    holder = make_job(status=status, unique_key="k")
    assert services.enqueue(type="test.job", unique_key="k").pk == holder.pk


@pytest.mark.parametrize("status", ["succeeded", "dead", "cancelled"])
def test_a_key_is_free_once_its_job_has_finished(handler, status):
    handler()
    over = make_job(status=status, unique_key="k")
    assert services.enqueue(type="test.job", unique_key="k").pk != over.pk


def test_the_loser_of_a_race_for_a_key_gets_the_winners_job(handler, monkeypatch):
    handler()
    winner = make_job(unique_key="k")
    found = iter([None])
    real = Job.objects.active().__class__.first
    # The first query finds nothing, as if the winner had not committed; then the constraint decides.
    monkeypatch.setattr("jobs.models.JobQuerySet.first", lambda rows: next(found) if _has_next(found) else real(rows))
    assert services.enqueue(type="test.job", unique_key="k").pk == winner.pk
    assert Job.objects.count() == 1


def _has_next(found):
    return found.__length_hint__() > 0


def test_enqueues_many_jobs_or_none(handler):
    handler()
    jobs = services.enqueue_many(jobs=[services.NewJob(type="test.job", payload={"n": n}) for n in range(1200)])
    assert Job.objects.count() == 1200 == len({job.pk for job in jobs})
    with pytest.raises(UnknownJobType):
        services.enqueue_many(jobs=[services.NewJob(type="test.job"), services.NewJob(type="test.unregistered")])
    assert Job.objects.count() == 1200


def test_a_job_stores_the_id_of_its_request(handler):
    handler()
    token = request_id.set("req-12345678")
    try:
        job = services.enqueue(type="test.job", traceparent="00-aa-bb-01")
    finally:
        request_id.reset(token)
    row = Job.objects.get(pk=job.pk)
    assert (row.request_id, row.traceparent) == ("req-12345678", "00-aa-bb-01")
    assert services.enqueue(type="test.job").request_id == ""


def test_wakes_workers_once_per_transaction(handler, django_capture_on_commit_callbacks):
    handler()
    with django_capture_on_commit_callbacks() as callbacks, transaction.atomic():
        for _ in range(5):
            services.enqueue(type="test.job")
    expected = 1 if connection.vendor == "postgresql" else 0
    assert callbacks.count(notify._notify) == len(callbacks) == expected
