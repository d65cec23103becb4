"""Claims: the order of jobs, the claimed row, paused and limited queues."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import services, sql
from jobs.models import Job
from jobs.worker.claimer import Claimer
from tests.factories import make_job, make_user

pytestmark = pytest.mark.django_db


def claim(queue="default", worker="w/0.1", lease_s=30):
    return sql.claim(queue=queue, worker=worker, lease_s=lease_s)


def test_claims_by_priority_then_time_then_id():
    now = timezone.now()
    jobs = {
        "low": make_job(priority=3, scheduled_at=now - timedelta(hours=9)),
        "late": make_job(priority=1, scheduled_at=now),
        "first": make_job(priority=1, scheduled_at=now - timedelta(hours=1)),
        "second": make_job(priority=1, scheduled_at=now - timedelta(hours=1)),
        "urgent": make_job(priority=0, scheduled_at=now + timedelta(hours=9)),
    }
    order = [claim().id for _ in jobs]
    assert order == [jobs[name].pk for name in ("urgent", "first", "second", "late", "low")]
    assert claim() is None


def test_sets_the_lease_by_the_databases_clock_and_counts_the_attempt():
    alice = make_user("alice")
    row = make_job(payload={"deep": {"ü": [1, None]}}, user=alice, reference="r:1", failures=1, lost=2, attempts=3)
    job = claim(worker="w/3.7", lease_s=12.5)
    row.refresh_from_db()
    assert (row.status, row.worker, row.attempts) == ("running", "w/3.7", 4)
    assert abs((timezone.now() - row.started_at).total_seconds()) < 5
    assert row.lease_expires_at - row.started_at == timedelta(seconds=12.5)
    assert (job.id, job.attempt, job.worker, job.failures, job.lost) == (row.pk, 4, "w/3.7", 1, 2)
    assert (job.payload, job.user_id, job.reference) == ({"deep": {"ü": [1, None]}}, alice.pk, "r:1")


@pytest.mark.parametrize("status", ["scheduled", "running", "succeeded", "dead", "cancelled"])
def test_claims_only_queued_jobs(status):
    make_job(status=status)
    assert claim() is None


def test_claims_only_from_its_queue():
    make_job(queue="other")
    assert claim() is None
    assert claim(queue="other") is not None


def test_claims_nothing_from_a_paused_queue_until_it_is_resumed():
    make_job()
    services.pause_queue(name="default")
    assert claim() is None
    services.resume_queue(name="default")
    assert claim() is not None


def test_a_limited_queue_runs_no_more_than_its_limit():
    services.set_queue_limit(name="default", max_running=2)
    for _ in range(3):
        make_job()
    claimer = Claimer(slot="w/0.1", queues=["default"], lease_s=30)
    first, second = claimer.claim(), claimer.claim()
    assert None not in (first, second)
    assert claimer.claim() is None
    services.finish(job=first)
    assert claimer.claim() is not None
    services.set_queue_limit(name="default", max_running=None)
    make_job()
    assert claim() is not None


def test_a_long_queue_does_not_starve_others():
    for _ in range(3):
        make_job(queue="long")
    make_job(queue="short")
    claimer = Claimer(slot="w/0.1", queues=["long", "short"], lease_s=30)
    assert [claimer.claim().queue for _ in range(4)] == ["long", "short", "long", "long"]
    assert claimer.claim() is None


def test_promotes_only_due_jobs():
    now = timezone.now()
    due = make_job(status="scheduled", scheduled_at=now - timedelta(seconds=1), queued_at=None)
    make_job(status="scheduled", scheduled_at=now + timedelta(seconds=30))
    assert services.promote_due() == 1
    assert Job.objects.get(status="queued").pk == due.pk
    assert Job.objects.get(pk=due.pk).queued_at is not None
    assert services.promote_due() == 0


def test_promotes_the_earliest_first_within_its_limit():
    now = timezone.now()
    jobs = [make_job(status="scheduled", scheduled_at=now - timedelta(seconds=age)) for age in (1, 3, 2)]
    assert services.promote_due(limit=2) == 2
    assert Job.objects.get(status="scheduled").pk == jobs[0].pk
