"""`/internal/jobs`: list, detail, retry and cancel, for staff."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from jobs.models import Job, JobAttempt
from tests.api.test_problems import assert_problem
from tests.factories import make_job, make_minted_key, make_user
from tests.permission_matrix import Access, check_access

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff_user():
    return make_user("staff", is_staff=True)


@pytest.fixture
def staff(api, staff_user):
    api.credentials(HTTP_X_API_KEY=make_minted_key(staff_user, scopes=("jobs:read", "jobs:write")).plaintext)
    return api


def ids(response):
    assert response.status_code == 200, response.content
    return {row["id"] for row in response.json()["data"]}


def test_permissions():
    check_access(Access("internal-job-list", {"GET": "jobs:read"}, staff=True))
    check_access(Access("internal-job-detail", {"GET": "jobs:read"}, staff=True), row=make_job())
    check_access(Access("internal-job-retry", {"POST": "jobs:write"}, staff=True), row=make_job(status="dead"))
    check_access(Access("internal-job-cancel", {"POST": "jobs:write"}, staff=True), row=make_job())


def test_list_is_newest_first_with_cursors_of_version_2(staff):
    old = make_job(created_at=timezone.now() - timedelta(hours=1))
    new = make_job()
    body = staff.get("/internal/jobs?limit=1").json()
    assert [row["id"] for row in body["data"]] == [new.public_id]
    assert body["has_more"] is True
    body = staff.get(f"/internal/jobs?limit=1&cursor={body['next_cursor']}").json()
    assert [row["id"] for row in body["data"]] == [old.public_id]
    assert "payload" not in body["data"][0]


def test_filters(staff):
    now = timezone.now()
    jobs = {
        "dead": make_job(status="dead", type="a.one", queue="renders", reference="render:1"),
        "queued": make_job(type="a.one"),
        "running": make_job(status="running", type="a.two"),
        "old": make_job(status="succeeded", type="a.two", created_at=now - timedelta(days=2)),
    }
    expected = {
        "status=dead": {"dead"},
        "status=queued,running": {"queued", "running"},
        "status=dead,queued": {"dead", "queued"},
        "type=a.two": {"running", "old"},
        "queue=renders": {"dead"},
        "reference=render:1": {"dead"},
        "type=a.two&status=running": {"running"},
        f"created_at__lt={(now - timedelta(days=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}": {"old"},
        f"created_at__gte={(now - timedelta(days=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}": {"dead", "queued", "running"},
    }
    for query, names in expected.items():
        assert ids(staff.get(f"/internal/jobs?{query}")) == {jobs[name].public_id for name in names}, query


@pytest.mark.parametrize("query", ["status=lost", "state=dead", "limit=0", "cursor=x", "status="])
def test_refuses_unknown_parameters(staff, query):
    assert_problem(staff.get(f"/internal/jobs?{query}"), 400, "invalid_parameter")


def test_detail_has_payload_and_attempts(staff):
    user = make_user("alice")
    error = {"code": "boom", "message": "RuntimeError: boom"}
    job = make_job(status="dead", user=user, payload={"render": "1"}, error=error, attempts=2, failures=1, lost=1)
    started_at = timezone.now() - timedelta(seconds=10)
    for number, outcome in ((2, "failed"), (1, "lost")):
        JobAttempt.objects.create(
            job=job, number=number, worker="w/0.1", outcome=outcome, error=error, started_at=started_at,
            finished_at=started_at + timedelta(seconds=4),
        )  # fmt: skip
    body = staff.get(f"/internal/jobs/{job.public_id}").json()
    assert body["object"] == "job"
    assert (body["user"], body["payload"], body["error"]) == (user.public_id, {"render": "1"}, error)
    assert (body["attempts"], body["failures"], body["lost"], body["priority"]) == (2, 1, 1, "normal")
    assert [(row["number"], row["outcome"], row["duration_s"]) for row in body["history"]] == [
        (1, "lost", 4.0),
        (2, "failed", 4.0),
    ]
    assert body["created_at"].endswith("Z")


def test_retry_requeues_a_dead_job_once_per_idempotency_key(staff, staff_user):
    job = make_job(status="dead", failures=3, attempts=3)
    answers = [
        staff.post(f"/internal/jobs/{job.public_id}/retry", headers={"Idempotency-Key": '"again"'}) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert answers[0].json()["status"] == "queued"
    job.refresh_from_db()
    assert (job.status, job.failures, job.attempts) == ("queued", 0, 3)
    entry = AuditEntry.objects.get(subject=job.public_id)
    assert (entry.action, entry.actor) == ("job.retried", staff_user)


@pytest.mark.parametrize("status", ["queued", "running", "succeeded", "cancelled"])
def test_only_dead_jobs_are_retried(staff, status):
    job = make_job(status=status)
    assert_problem(staff.post(f"/internal/jobs/{job.public_id}/retry"), 409, "invalid_state")
    assert Job.objects.get(pk=job.pk).status == status
    assert not AuditEntry.objects.filter(subject=job.public_id).exists()


def test_cancel_cancels_a_waiting_job(staff, staff_user):
    job = make_job()
    for _ in range(2):
        response = staff.post(f"/internal/jobs/{job.public_id}/cancel")
        assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    entry = AuditEntry.objects.get(subject=job.public_id)
    assert (entry.action, entry.actor) == ("job.cancelled", staff_user)


def test_cancel_asks_a_running_job_to_stop(staff):
    job = make_job(status="running")
    response = staff.post(f"/internal/jobs/{job.public_id}/cancel")
    assert (response.status_code, response.json()["status"]) == (200, "running")
    assert response.json()["cancel_requested_at"]
    job.refresh_from_db()
    assert job.cancel_requested_at is not None


@pytest.mark.parametrize("status", ["succeeded", "dead"])
def test_finished_jobs_cannot_be_cancelled(staff, status):
    job = make_job(status=status)
    assert_problem(staff.post(f"/internal/jobs/{job.public_id}/cancel"), 409, "invalid_state")
    assert not AuditEntry.objects.filter(subject=job.public_id).exists()


def test_list_takes_few_queries(staff, django_assert_max_num_queries):
    for _ in range(20):
        make_job(user=make_user())
    staff.get("/internal/jobs")
    with django_assert_max_num_queries(2):
        staff.get("/internal/jobs")
