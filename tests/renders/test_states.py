"""The state machine of renders, against an independent table."""

from __future__ import annotations

import itertools

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from renders.models import Render
from renders.services.transitions import change_status
from renders.states import RenderStatus
from tests.factories import make_render

# Deliberately a copy: the transitions that the contract allows.
ALLOWED = {
    "scheduled": "queued cancelled failed",
    "queued": "fetching cancelled failed",
    "fetching": "fetching rendering queued cancelling cancelled failed",
    "rendering": "fetching saving queued cancelling cancelled failed",
    "saving": "fetching succeeded queued cancelling cancelled failed",
    "cancelling": "cancelled failed",
    "succeeded": "",
    "failed": "",
    "cancelled": "",
}


@pytest.mark.django_db
@pytest.mark.parametrize(("start", "target"), list(itertools.product(ALLOWED, ALLOWED)))
def test_allows_only_the_transitions_of_the_table(start, target):
    render = make_render(status=start)
    expected = target in ALLOWED[start].split()
    assert change_status(render_id=render.pk, to=RenderStatus(target)) is expected
    render.refresh_from_db()
    assert render.status == (target if expected else start)


@pytest.mark.django_db
def test_a_superseded_attempt_changes_nothing():
    render = make_render(status="rendering", attempt=3)
    assert not change_status(render_id=render.pk, to=RenderStatus.SAVING, attempt=2)
    assert change_status(render_id=render.pk, to=RenderStatus.SAVING, attempt=3)


@pytest.mark.django_db
def test_only_one_of_two_callers_wins():
    render = make_render(status="queued")
    won = [change_status(render_id=render.pk, to=RenderStatus.CANCELLED) for _ in range(2)]
    assert won == [True, False]


@pytest.mark.django_db
def test_a_final_status_sets_finished_at():
    render = make_render(status="saving")
    before = timezone.now()
    change_status(render_id=render.pk, to=RenderStatus.SUCCEEDED)
    render.refresh_from_db()
    assert before <= render.finished_at <= timezone.now()


@pytest.mark.django_db
def test_the_database_refuses_a_final_status_without_finished_at():
    render = make_render(status="saving")
    with pytest.raises(IntegrityError), transaction.atomic():
        Render.objects.filter(pk=render.pk).update(status="succeeded")
