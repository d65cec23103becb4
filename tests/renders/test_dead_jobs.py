"""The error of a render whose job the queue has dead-lettered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from credits.models import CreditAccount
from credits.selectors import check_ledger
from jobs import sql
from jobs.models import Job, JobAttempt
from jobs.services import fail_attempt, fail_timed_out, promote_due, reap_expired, requeue_lost_jobs
from jobs.snapshot import JobError
from renders.services.attempts import start_attempt
from tests.renders.external_worker import submit

pytestmark = pytest.mark.django_db
SLOT = "w/0.1"


@pytest.fixture(autouse=True)
def retry_at_once(settings):
    """Retries are due immediately."""
    settings.RENDEROWL_JOBS_RETRY_BASE_S = 0.0


@pytest.fixture
def render(alice):
    return submit(alice)


def begin_attempt(render):
    job = sql.claim(queue="renders", worker=SLOT, lease_s=30)
    assert start_attempt(render_id=render.pk, attempt=job.attempt) is not None
    return job


def expire_lease():
    Job.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert reap_expired() == 1


def kill_slot():
    assert requeue_lost_jobs(slot=SLOT) == 1


def assert_failed(client, render, **expected):
    """Check the row, the answer of the API and the refund."""
    render.refresh_from_db()
    shown = client.get(f"/api/v2/renders/{render.public_id}").json()
    assert (render.status, shown["status"]) == ("failed", "failed")
    assert render.error == shown["error"]
    assert {name: shown["error"][name] for name in expected} == expected
    assert (shown["error"]["pointer"], shown["error"]["step"]) == (None, "fetching")
    assert Job.objects.get(pk=render.job_id).status == "dead"
    assert list(check_ledger()) == []
    assert CreditAccount.objects.get(user=render.owner).balance == 1000


@pytest.mark.parametrize("lose", [expire_lease, kill_slot])
def test_a_render_that_lost_twelve_workers_fails_with_worker_lost(client, render, lose):
    for number in range(1, 13):
        begin_attempt(render)
        lose()
        render.refresh_from_db()
        assert (render.status == "failed") is (number == 12)
    message = "Every worker that ran this render died."
    assert_failed(client, render, code="worker_lost", message=message, retryable=True, attempt=12)
    assert set(JobAttempt.objects.values_list("outcome", flat=True)) == {"lost"}


def test_a_render_whose_attempts_ran_out_of_time_fails_with_render_timeout(client, render):
    for _ in range(3):
        promote_due()
        begin_attempt(render)
        Job.objects.update(started_at=timezone.now() - timedelta(days=1))
        assert fail_timed_out(slot=SLOT) == 1
    assert_failed(client, render, code="render_timeout", retryable=False, attempt=3)


def test_other_failures_of_the_queue_are_internal_errors_without_their_text(client, render):
    fail_attempt(job=begin_attempt(render), error=JobError("crashed", "secret path"), permanent=True)
    message = "The render failed for a reason on our side."
    assert_failed(client, render, code="internal_error", message=message, retryable=True, attempt=1)
