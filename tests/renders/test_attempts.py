"""Services of an attempt: fences, progress and prices."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from credits.exceptions import InsufficientCredits
from credits.models import CreditAccount
from credits.selectors import check_ledger
from credits.services import reserve
from jobs.models import Job
from renders.models import Render
from renders.services.attempts import (
    RenderProgress,
    begin_rendering,
    begin_saving,
    is_current_attempt,
    promote_due,
    record_progress,
    requeue_render,
    start_attempt,
)
from renders.services.outcomes import RenderedFiles, close_cancelled, close_failed, close_succeeded
from tests.factories import make_render

pytestmark = pytest.mark.django_db
FILES = RenderedFiles("mp4", 64, 36, 10.0, 1.0, 1000, "0" * 64, "renders/a/1/output.mp4", "", "")
ERROR = {"code": "x", "message": "y", "retryable": False, "pointer": None, "step": "rendering", "attempt": 1}


def paid_render(alice, **fields):
    render = make_render(alice, **{"status": "saving", "credits_reserved": 100, **fields})
    reserve(user_id=alice.pk, amount=100, reference=render.reference)
    return render


def balance(alice):
    assert list(check_ledger()) == []
    return CreditAccount.objects.get(user=alice).balance


def advance(frame, percent):
    return RenderProgress(frame, 100, percent, 25.0, 3.0)


@pytest.mark.parametrize("status", ["queued", "scheduled", "fetching", "rendering", "saving"])
def test_an_attempt_starts_from_any_unfinished_status(status):
    render = make_render(status=status, attempt=1, percent=40.0, frame=10)
    started = start_attempt(render_id=render.pk, attempt=2)
    assert (started.status, started.attempt, started.percent, started.frame) == ("fetching", 2, 0.0, 0)
    assert started.started_at is not None


@pytest.mark.parametrize("status", ["cancelling", "cancelled", "succeeded", "failed"])
def test_an_attempt_does_not_start_on_an_ended_render(status):
    render = make_render(status=status)
    assert start_attempt(render_id=render.pk, attempt=5) is None
    assert Render.objects.get().status == status


def test_an_earlier_attempt_does_not_replace_a_later_one():
    render = make_render(status="rendering", attempt=3)
    assert start_attempt(render_id=render.pk, attempt=3) is None
    assert start_attempt(render_id=render.pk, attempt=2) is None


def test_a_later_attempt_does_not_change_started_at():
    render = make_render(status="queued")
    first = start_attempt(render_id=render.pk, attempt=1).started_at
    assert start_attempt(render_id=render.pk, attempt=2).started_at == first


def test_progress_never_falls_and_is_fenced():
    render = make_render(status="rendering", attempt=2)
    assert record_progress(render=render, progress=advance(50, 50.0))
    assert record_progress(render=render, progress=advance(40, 40.0))
    found = Render.objects.get()
    assert (found.frame, found.percent) == (50, 50.0)
    render.attempt = 1
    assert not record_progress(render=render, progress=advance(90, 90.0))
    assert not begin_saving(render=render)
    assert not is_current_attempt(render=render)
    assert not requeue_render(render=render, error=None)
    assert not close_succeeded(render=render, files=FILES, cost=1, timings={}, log="")
    assert Render.objects.get().percent == 50.0


def test_success_charges_the_actual_cost(alice):
    render = paid_render(alice)
    assert close_succeeded(render=render, files=FILES, cost=30, timings={"a": 1.0}, log="l")
    assert balance(alice) == 1000 - 30
    found = Render.objects.get()
    assert (found.status, found.credits_charged, found.percent) == ("succeeded", 30, 100.0)
    assert not close_succeeded(render=render, files=FILES, cost=30, timings={}, log="")
    assert balance(alice) == 1000 - 30


@pytest.mark.parametrize(("attempt", "jobs"), [(1, 0), (2, 1)])
def test_files_of_earlier_attempts_are_removed_by_a_job(alice, attempt, jobs):
    close_succeeded(render=paid_render(alice, attempt=attempt), files=FILES, cost=30, timings={}, log="")
    assert Job.objects.filter(type="renders.discard_files").count() == jobs


def test_success_never_charges_more_than_was_reserved(alice):
    close_succeeded(render=paid_render(alice), files=FILES, cost=500, timings={}, log="")
    assert balance(alice) == 900


@pytest.mark.parametrize("close", [close_cancelled, lambda render_id: close_failed(render_id=render_id, error=ERROR)])
def test_any_other_end_refunds_everything_once(alice, close):
    render = paid_render(alice)
    assert close(render_id=render.pk)
    assert not close(render_id=render.pk)
    assert balance(alice) == 1000
    assert Render.objects.get().credits_charged == 0
    assert Job.objects.filter(type="renders.discard_files").count() == 1


def test_a_longer_output_than_estimated_is_reserved_before_rendering(alice):
    render = paid_render(alice, status="fetching")
    assert begin_rendering(render=render, total_frames=10, cost=250, warnings=[])
    assert balance(alice) == 750
    begin_saving(render=render)
    assert close_succeeded(render=render, files=FILES, cost=250, timings={}, log="")
    assert balance(alice) == 750
    assert Render.objects.get().credits_charged == 250


def test_a_later_attempt_does_not_reserve_again(alice):
    render = paid_render(alice, status="fetching")
    begin_rendering(render=render, total_frames=10, cost=250, warnings=[])
    again = start_attempt(render_id=render.pk, attempt=2)
    assert begin_rendering(render=again, total_frames=10, cost=250, warnings=[])
    assert balance(alice) == 750
    close_cancelled(render_id=render.pk)
    assert balance(alice) == 1000


def test_too_few_credits_for_the_actual_length_change_nothing(alice):
    render = paid_render(alice, status="fetching")
    with pytest.raises(InsufficientCredits):
        begin_rendering(render=render, total_frames=10, cost=5000, warnings=[])
    found = Render.objects.get()
    assert (found.status, found.credits_reserved) == ("fetching", 100)
    assert balance(alice) == 900


def test_due_renders_are_queued(alice):
    due = make_render(alice, status="scheduled", queued_at=None, run_at=timezone.now() - timedelta(seconds=1))
    later = make_render(alice, status="scheduled", queued_at=None, run_at=timezone.now() + timedelta(hours=1))
    assert promote_due() == 1
    due.refresh_from_db()
    later.refresh_from_db()
    assert (due.status, later.status) == ("queued", "scheduled")
    assert due.queued_at is not None
