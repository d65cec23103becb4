"""Limits by key: jobs over the limit are blocked, and do not delay jobs of other keys."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from jobs import services, sql
from jobs.exceptions import LeaseLost
from jobs.models import Job
from jobs.selectors import queue_depths
from jobs.services.outcomes import JobError
from jobs.snapshot import JobSnapshot
from jobs.sql import limits
from jobs.states import JobPriority
from tests.factories import make_job
from tests.jobs.inline import run_pending

pytestmark = pytest.mark.django_db

PAST = timezone.now() - timedelta(hours=1)
ERROR = JobError("boom", "boom")


@pytest.fixture(autouse=True)
def _handler(handler):
    handler()


def enqueue(key="alice", limit=2, **options):
    return services.enqueue(type="test.job", limit_key=key, limit_running=limit, **options)


def claim():
    return sql.claim(queue="default", worker="w/0.1", lease_s=30)


def statuses(key="alice"):
    return list(Job.objects.filter(limit_key=key).order_by("created_at", "id").values_list("status", flat=True))


def test_queues_up_to_the_limit_and_blocks_the_rest():
    jobs = [enqueue() for _ in range(4)]
    assert [job.status for job in jobs] == statuses() == ["queued", "queued", "blocked", "blocked"]
    assert [job.queued_at is not None for job in jobs] == [True, True, False, False]


def test_runs_up_to_the_limit_and_admits_the_next_when_one_ends():
    jobs = [enqueue() for _ in range(4)]
    first, second = claim(), claim()
    assert claim() is None
    services.finish(job=first)
    assert claim().id == jobs[2].pk
    assert claim() is None
    services.finish(job=second)
    assert claim().id == jobs[3].pk


def test_a_key_at_its_limit_does_not_delay_others():
    for _ in range(20):
        enqueue("alice", 1)
    bob = enqueue("bob", 1)
    free = make_job()
    claimed = [claim() for _ in range(4)]
    assert {job.id for job in claimed[1:3]} == {bob.pk, free.pk}
    assert claimed[3] is None


def test_jobs_enqueued_together_are_admitted_in_order():
    new = [
        services.NewJob(type="test.job", limit_key=key, limit_running=2, priority=priority)
        for key, priority in [("a", 2), ("a", 1), ("b", 2), ("a", 0), ("b", 2), ("b", 2)]
    ]
    rows = services.enqueue_many(jobs=new)
    assert [job.status for job in rows] == ["blocked", "queued", "queued", "queued", "queued", "blocked"]


def test_a_more_urgent_job_overtakes_queued_ones():
    normal = [enqueue() for _ in range(2)]
    running = claim()
    urgent = enqueue(priority=JobPriority.URGENT)
    assert running.id == normal[0].pk
    assert statuses() == ["running", "blocked", "queued"]
    assert claim().id == urgent.pk


@pytest.mark.parametrize("end", ["finish", "fail", "dead-letter", "cancel", "retry later", "postpone", "reap", "die"])
def test_every_ended_attempt_admits_the_next_job(end):
    enqueue(limit=1, max_attempts=1 if end == "dead-letter" else 5)
    waiting = enqueue(limit=1)
    job = claim()
    if end == "reap":
        Job.objects.filter(pk=job.id).update(lease_expires_at=PAST)
    if end == "die":
        Job.objects.filter(pk=job.id).update(lost=11, lease_expires_at=PAST)
    {
        "finish": lambda: services.finish(job=job),
        "fail": lambda: services.fail_attempt(job=job, error=ERROR),
        "dead-letter": lambda: services.fail_attempt(job=job, error=ERROR, permanent=True),
        "cancel": lambda: services.cancel_attempt(job=job),
        "retry later": lambda: services.fail_attempt(job=job, error=ERROR),
        "postpone": lambda: services.postpone(job=job, delay_s=60),
        "reap": services.reap_expired,
        "die": services.reap_expired,
    }[end]()
    waiting.refresh_from_db()
    # A requeued job still counts against the limit.
    assert waiting.status == ("blocked" if end == "reap" else "queued")


def test_a_fenced_off_attempt_admits_no_job():
    enqueue(limit=1)
    enqueue(limit=1)
    job = claim()
    Job.objects.filter(pk=job.id).update(attempts=7)
    with pytest.raises(LeaseLost):
        services.finish(job=job)
    assert statuses() == ["running", "blocked"]


def test_cancelling_a_queued_job_admits_the_next():
    jobs = [enqueue(limit=1) for _ in range(3)]
    services.cancel_job(job_id=jobs[0].pk)
    assert statuses() == ["cancelled", "queued", "blocked"]
    services.cancel_job(job_id=jobs[2].pk)
    assert statuses() == ["cancelled", "queued", "cancelled"]


def test_due_and_retried_jobs_obey_the_limit():
    enqueue(limit=1)
    due = timezone.now() - timedelta(seconds=1)
    later = make_job(status="scheduled", scheduled_at=due, limit_key="alice", limit_running=1)
    dead = make_job(status="dead", limit_key="alice", limit_running=1)
    services.promote_due()
    assert services.retry_job(job_id=dead.pk).status == "blocked"
    later.refresh_from_db()
    assert later.status == "blocked"
    assert run_pending() == 3
    assert set(statuses()) == {"succeeded"}


def test_housekeeping_admits_missed_jobs():
    for key in ("a", "b", "c"):
        make_job(status="blocked", limit_key=key, limit_running=1)
        make_job(status="blocked", limit_key=key, limit_running=1)
    make_job(status="running", limit_key="b", limit_running=1)
    assert sql.list_admissible() == ["a", "c"]
    assert services.admit_blocked() == 2
    assert (statuses("a"), statuses("b")) == (["queued", "blocked"], ["blocked", "blocked", "running"])
    assert services.admit_blocked() == 0


def test_a_changed_limit_applies_to_waiting_jobs():
    for _ in range(5):
        enqueue(limit=1)
    assert services.change_limit(limit_key="alice", limit_running=3) == 4
    assert statuses() == ["queued"] * 3 + ["blocked"] * 2
    services.change_limit(limit_key="alice", limit_running=1)
    services.finish(job=claim())
    assert statuses() == ["succeeded", "queued", "queued", "blocked", "blocked"]


def test_a_blocked_job_keeps_its_unique_key():
    enqueue(limit=1)
    first = enqueue(limit=1, unique_key="only")
    assert (first.status, enqueue(limit=1, unique_key="only").pk) == ("blocked", first.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_job(unique_key="only")


def test_a_blocked_job_is_not_ready():
    for _ in range(3):
        enqueue(limit=1)
    (depth,) = queue_depths()
    assert (depth.ready, depth.blocked) == (1, 2)


def test_a_limit_needs_a_key_and_is_not_zero():
    for fields in ({"limit_key": "a"}, {"limit_running": 1}, {"limit_key": "a", "limit_running": 0}):
        with pytest.raises(IntegrityError), transaction.atomic():
            make_job(**fields)


def test_random_operations_respect_and_use_up_the_limits():
    rng = random.Random(11)
    limits = {"a": 1, "b": 2, "c": 3}
    held = []
    for _ in range(400):
        step = rng.choice(["enqueue", "enqueue", "claim", "claim", "finish", "fail", "back", "cancel"])
        if step == "enqueue":
            key = rng.choice("abc")
            enqueue(key, limits[key], priority=rng.randrange(4))
        elif step == "claim":
            held += [job for job in [claim()] if job]
        elif step == "cancel":
            waiting = Job.objects.filter(status__in=["queued", "blocked"]).first()
            if waiting:
                services.cancel_job(job_id=waiting.pk)
        elif held:
            job = held.pop(rng.randrange(len(held)))
            ends = {"finish": services.finish, "back": services.release_job}
            ends[step](job=job) if step in ends else services.fail_attempt(job=job, error=ERROR, permanent=True)
        for key, limit in limits.items():
            found = statuses(key)
            used = found.count("queued") + found.count("running")
            assert used <= limit
            assert used == limit or "blocked" not in found


def explain(text, **values):
    prefix = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
    with connection.cursor() as cursor:
        cursor.execute(prefix + text, values)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


@pytest.fixture
def many_jobs():
    """Insert many blocked jobs of few keys among many finished ones."""
    now = timezone.now()
    rows = []
    for number in range(3000):
        status = ["blocked", "succeeded", "succeeded", "queued" if number % 40 < 4 else "succeeded"][number % 4]
        row = Job(type="test.job", status=status, scheduled_at=now, limit_key=f"key-{number % 20}", limit_running=9)
        rows.append(row)
    Job.objects.bulk_create(rows, batch_size=500)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_job")


def test_each_index_serves_its_query(many_jobs):
    usage = explain(limits.KEY_USAGE, key="key-4")
    assert "idx_jobs_blocked" in usage
    assert "idx_jobs_limit_key" in usage
    admit = explain(limits.ADMIT, key="key-4", count=2)
    assert "idx_jobs_blocked" in admit
    assert "TEMP B-TREE FOR ORDER" not in admit
    assert "idx_jobs_limit_key" in explain(limits.DEMOTE, key="key-4", priority=1)
    admissible = explain(limits.LIST_ADMISSIBLE)
    assert "idx_jobs_blocked" in admissible
    assert "SCAN jobs_job\n" not in admissible
    assert "Seq Scan on jobs_job" not in admissible


def test_snapshots_include_the_limit_key():
    row = enqueue()
    assert claim().limit_key == JobSnapshot.of(row).limit_key == "alice"


def test_a_key_limit_overrides_those_of_jobs_until_cleared():
    for _ in range(6):
        enqueue(limit=4)
    services.set_key_limit(limit_key="alice", limit_running=1)
    for _ in range(3):
        services.finish(job=claim())
        assert statuses().count("queued") == 4 - statuses().count("succeeded")
    services.finish(job=claim())
    assert statuses().count("queued") == 1
    assert statuses().count("blocked") == 1
    assert sql.list_admissible() == []
    services.set_key_limit(limit_key="alice", limit_running=2)
    assert statuses().count("queued") == 2
    enqueue(limit=4)
    assert statuses().count("blocked") == 1
    services.clear_key_limit(limit_key="alice")
    assert statuses().count("queued") == 3
    with pytest.raises(IntegrityError), transaction.atomic():
        services.set_key_limit(limit_key="alice", limit_running=0)


def test_waiting_jobs_of_a_key_move_to_another_queue():
    for _ in range(4):
        enqueue(limit=2)
    other = enqueue("bob", 2)
    running = claim()
    assert services.move_waiting(limit_key="alice", queue="slow") == 3
    queues = dict(Job.objects.values_list("pk", "queue"))
    assert queues.pop(running.id) == queues.pop(other.pk) == "default"
    assert set(queues.values()) == {"slow"}
    assert services.move_waiting(limit_key="alice", queue="slow") == 0
