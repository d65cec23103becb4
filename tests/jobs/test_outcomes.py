"""Outcomes of attempts: success, failure, timeout, cancellation, loss; and the fence."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from jobs import services, sql
from jobs.context import JobContext
from jobs.exceptions import LeaseLost
from jobs.models import Job, JobAttempt
from jobs.retry import retry_delay_s
from jobs.services.outcomes import MAX_LOST
from jobs.snapshot import JobError
from jobs.states import TRANSITIONS, JobPriority, JobStatus
from tests.factories import make_job

pytestmark = pytest.mark.django_db
ERROR = JobError("broken", "It broke.")


def claim(worker="w/0.1"):
    return sql.claim(queue="default", worker=worker, lease_s=30)


def expire_lease(job):
    Job.objects.filter(pk=job.id).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_success_stores_the_result_and_the_attempt():
    row = make_job()
    services.finish(job=claim(), result={"a": [1]})
    row.refresh_from_db()
    assert (row.status, row.result, row.error, row.lease_expires_at) == ("succeeded", {"a": [1]}, None, None)
    assert row.started_at <= row.finished_at
    attempt = JobAttempt.objects.get()
    assert (attempt.job_id, attempt.number, attempt.worker, attempt.outcome) == (row.pk, 1, "w/0.1", "succeeded")
    assert attempt.started_at == row.started_at
    assert abs(attempt.finished_at - row.finished_at) < timedelta(seconds=1)


def test_failures_are_retried_with_backoff_and_end_as_a_dead_letter(handler):
    dead = []
    handler(max_attempts=3, on_dead=dead.append)
    row = services.enqueue(type="test.job", payload={"n": 5}, reference="render:9")
    waits = []
    for _ in range(2):
        assert services.fail_attempt(job=claim(), error=ERROR) == "scheduled"
        row.refresh_from_db()
        waits.append((row.scheduled_at - timezone.now()).total_seconds())
        assert (row.worker, row.lease_expires_at, row.error["code"]) == ("", None, "broken")
        Job.objects.filter(pk=row.pk).update(status="queued")
    assert 4 * 0.9 < waits[0] < 6.1 < 12 * 0.9 < waits[1] < 18.1
    assert not dead
    assert services.fail_attempt(job=claim(), error=ERROR) == "dead"
    row.refresh_from_db()
    assert (row.status, row.failures, row.attempts, row.lost) == ("dead", 3, 3, 0)
    assert [(d.job.id, d.payload, d.job.reference, d.error) for d in dead] == [(row.pk, {"n": 5}, "render:9", ERROR)]
    assert list(row.history.order_by("number").values_list("number", "outcome")) == [
        (1, "failed"), (2, "failed"), (3, "failed"),
    ]  # fmt: skip


def test_a_permanent_failure_is_not_retried():
    row = make_job(max_attempts=5)
    assert services.fail_attempt(job=claim(), error=ERROR, permanent=True) == "dead"
    row.refresh_from_db()
    assert (row.status, row.failures) == ("dead", 1)


@pytest.mark.parametrize(("failures", "expected"), [(1, 5), (2, 15), (3, 45), (4, 135), (5, 405), (6, 600), (400, 600)])
def test_backoff_grows_threefold_up_to_ten_minutes(failures, expected):
    waits = [retry_delay_s("test.job", failures) for _ in range(50)]
    assert expected * 0.8 <= min(waits) < max(waits) <= expected * 1.2


def test_a_handler_may_set_its_own_delays(handler):
    handler(retry_delays_s=(1, 100))
    assert 0.8 <= retry_delay_s("test.job", 1) <= 1.2
    assert 80 <= retry_delay_s("test.job", 2) <= 120
    assert 80 <= retry_delay_s("test.job", 9) <= 120


def test_postponing_counts_no_failure():
    row = make_job()
    assert services.postpone(job=claim(), delay_s=60) == "scheduled"
    row.refresh_from_db()
    assert (row.failures, row.lost) == (0, 0)
    assert 55 < (row.scheduled_at - timezone.now()).total_seconds() < 61
    assert row.history.get().outcome == "postponed"


def test_release_counts_nothing_and_keeps_the_place_in_the_queue():
    row = make_job(scheduled_at=timezone.now() - timedelta(hours=1))
    assert services.release_job(job=claim()) == "queued"
    again = Job.objects.get(pk=row.pk)
    assert (again.status, again.failures, again.lost, again.worker) == ("queued", 0, 0, "")
    assert again.scheduled_at == row.scheduled_at
    assert claim().attempt == 2


def test_the_reaper_requeues_an_expired_job_and_fences_off_the_old_attempt(handler):
    handler()
    row = make_job()
    late = claim("slow/0.1")
    assert services.reap_expired() == 0
    expire_lease(late)
    assert services.reap_expired() == 1
    row.refresh_from_db()
    assert (row.status, row.lost, row.failures, row.worker) == ("queued", 1, 0, "")
    assert row.history.get().outcome == "lost"
    second = claim("quick/0.1")
    before = Job.objects.filter(pk=row.pk).values().get()
    for write in (
        lambda: services.finish(job=late, result={"late": True}),
        lambda: services.fail_attempt(job=late, error=ERROR),
        lambda: services.fail_attempt(job=late, error=ERROR, permanent=True),
        lambda: services.postpone(job=late, delay_s=1),
        lambda: services.cancel_attempt(job=late),
        lambda: services.release_job(job=late),
        lambda: complete_in_transaction(late),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert sql.renew(late, lease_s=30) is None
    assert Job.objects.filter(pk=row.pk).values().get() == before
    assert row.history.count() == 1
    services.finish(job=second)
    assert Job.objects.get(pk=row.pk).status == "succeeded"


def complete_in_transaction(job):
    with transaction.atomic():
        JobContext(job).complete()


def test_the_same_worker_is_fenced_off_by_the_attempt_number():
    make_job()
    first = claim()
    expire_lease(first)
    services.reap_expired()
    second = claim()
    assert first.worker == second.worker
    with pytest.raises(LeaseLost):
        services.finish(job=first)
    services.finish(job=second)


def test_a_job_renewed_after_the_reapers_query_is_not_reaped(monkeypatch):
    row = make_job()
    job = claim()
    expire_lease(job)
    expired = sql.list_expired(limit=10)
    sql.renew(job, lease_s=30)
    monkeypatch.setattr(sql, "list_expired", lambda limit: expired)
    assert services.reap_expired() == 0
    row.refresh_from_db()
    assert (row.status, row.lost) == ("running", 0)
    assert not row.history.exists()


def test_a_job_that_loses_twelve_workers_is_dead(handler):
    dead = []
    handler(on_dead=dead.append, max_attempts=1)
    row = services.enqueue(type="test.job")
    for number in range(1, MAX_LOST + 1):
        expire_lease(claim())
        services.reap_expired()
        row.refresh_from_db()
        assert row.status == ("dead" if number == 12 else "queued")
    assert (row.lost, row.failures, row.error["code"]) == (12, 0, "lost_too_often")
    assert [d.error.code for d in dead] == ["lost_too_often"]


def test_an_error_in_on_dead_is_rolled_back_and_the_job_is_dead_all_the_same(handler, caplog):
    def write_and_fail(dead):
        make_job(reference="written by the hook")
        raise ValueError("mistake")

    handler(on_dead=write_and_fail)
    row = services.enqueue(type="test.job")
    services.fail_attempt(job=claim(), error=ERROR, permanent=True)
    assert Job.objects.get(pk=row.pk).status == "dead"
    assert not Job.objects.filter(reference="written by the hook").exists()
    assert "hook of a job failed" in caplog.text


def test_jobs_of_a_dead_slot_are_requeued_immediately():
    row = make_job()
    job = claim("dead/0.1")
    other = make_job()
    assert services.requeue_lost_jobs(slot="dead/0.2") == 0
    assert services.requeue_lost_jobs(slot="dead/0.1") == 1
    row.refresh_from_db()
    assert (row.status, row.lost) == ("queued", 1)
    assert Job.objects.get(pk=other.pk).lost == 0
    with pytest.raises(LeaseLost):
        services.finish(job=job)


def test_only_a_timed_out_attempt_fails_when_its_slot_is_killed():
    row = make_job(timeout_s=10)
    claim("killed/0.1")
    Job.objects.filter(pk=row.pk).update(started_at=timezone.now() - timedelta(seconds=11))
    assert services.fail_timed_out(slot="killed/0.1") == 1
    row.refresh_from_db()
    assert (row.status, row.failures, row.error["code"]) == ("scheduled", 1, "timeout")
    assert row.history.get().outcome == "timeout"
    fresh = make_job(timeout_s=10)
    claim("killed/0.2")
    assert services.fail_timed_out(slot="killed/0.2") == 0
    fresh.refresh_from_db()
    assert (fresh.status, fresh.failures) == ("queued", 0)


def test_completion_commits_and_rolls_back_with_its_transaction(handler):
    row = make_job()
    context = JobContext(claim())

    class Changed(Exception):
        pass

    with pytest.raises(Changed), transaction.atomic():
        context.complete({"a": 1})
        raise Changed
    row.refresh_from_db()
    assert (row.status, row.result) == ("running", None)
    with transaction.atomic():
        context.complete({"a": 2})
    row.refresh_from_db()
    assert (row.status, row.result) == ("succeeded", {"a": 2})


@pytest.mark.django_db(transaction=True)
def test_completing_outside_a_transaction_is_refused():
    row = make_job()
    with pytest.raises(RuntimeError):
        JobContext(claim()).complete()
    row.refresh_from_db()
    assert row.status == "running"
    assert not connection.in_atomic_block


# The status after each step from each status; where missing, the row is unchanged.
STEPS = {
    "promote": {"scheduled": "queued"},
    "claim": {"queued": "running"},
    "finish": {"running": "succeeded"},
    "fail": {"running": "scheduled"},
    "dead-letter": {"running": "dead"},
    "release": {"running": "queued"},
    "reap": {"running": "queued"},
    "stop": {"running": "cancelled"},
    "cancel": {"scheduled": "cancelled", "queued": "cancelled", "blocked": "cancelled"},
    "retry": {"dead": "queued"},
    "admit": {"blocked": "queued"},
    "promote over the limit": {"scheduled": "blocked"},
    "retry over the limit": {"dead": "blocked"},
    "overtake": {"queued": "blocked"},
}


def take_step(step, job):
    snapshot = services.outcomes.JobSnapshot.of(job)
    actions = {
        "promote": services.promote_due,
        "claim": claim,
        "finish": lambda: services.finish(job=snapshot),
        "fail": lambda: services.fail_attempt(job=snapshot, error=ERROR),
        "dead-letter": lambda: services.fail_attempt(job=snapshot, error=ERROR, permanent=True),
        "release": lambda: services.release_job(job=snapshot),
        "reap": services.reap_expired,
        "stop": lambda: services.cancel_attempt(job=snapshot),
        "cancel": lambda: services.cancel_job(job_id=job.pk),
        "retry": lambda: services.retry_job(job_id=job.pk),
        "admit": services.admit_blocked,
        "promote over the limit": services.promote_due,
        "retry over the limit": lambda: services.retry_job(job_id=job.pk),
        "overtake": lambda: sql.demote("key", JobPriority.URGENT),
    }
    actions[step]()


@pytest.mark.parametrize("status", list(JobStatus))
@pytest.mark.parametrize("step", list(STEPS))
def test_every_step_from_every_status(step, status):
    past = timezone.now() - timedelta(minutes=1)
    lease = {"lease_expires_at": past} if status == "running" else {}
    limit = {"limit_key": "key", "limit_running": 1} if "limit" in step or step in ("admit", "overtake") else {}
    if "limit" in step:
        make_job(status="running", **limit)
    job = make_job(status=status, scheduled_at=past, attempts=1, worker="test:1/0.1", **lease, **limit)
    expected = STEPS[step].get(status.value)
    refusals = (LeaseLost, services.control.InvalidState)
    if expected is None and step in (
        "finish",
        "fail",
        "dead-letter",
        "release",
        "stop",
        "retry",
        "retry over the limit",
    ):
        with pytest.raises(refusals):
            take_step(step, job)
    else:
        take_step(step, job)
    job.refresh_from_db()
    assert job.status == (expected or status)


def test_the_table_of_transitions_matches_the_steps():
    transitions = {}
    for changes in STEPS.values():
        for before, after in changes.items():
            transitions.setdefault(before, set()).add(after)
    assert {status.value: set(after) for status, after in TRANSITIONS.items() if after} == transitions
