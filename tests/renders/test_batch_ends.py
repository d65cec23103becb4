"""The end of a batch: counted as its renders end, published once."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from core.events import subscribe, subscriptions
from renders.events import BatchCompleted
from renders.models import Batch, Render
from renders.services.attempts import RenderProgress, begin_rendering, begin_saving, record_progress, start_attempt
from renders.services.outcomes import RenderedFiles, close_cancelled, close_failed, close_succeeded
from tests.factories import make_edit

BATCHES = "/api/v2/batches"
FILES = RenderedFiles("mp4", 64, 36, 10.0, 1.0, 1000, "0" * 64, "renders/x/1/output.mp4", "", "")


@pytest.fixture
def completions():
    """All published BatchCompleted events."""
    events: list[BatchCompleted] = []
    with subscriptions.override():
        subscribe(BatchCompleted)(events.append)
        yield events


@pytest.fixture
def batch(client):
    """A batch of three renders."""
    assert client.post(BATCHES, {"edit": make_edit(), "rows": [{}, {}, {}]}).status_code == 202
    return Batch.objects.get()


def succeed(render, cost=1):
    started = start_attempt(render_id=render.pk, attempt=1)
    assert begin_rendering(render=started, total_frames=10, cost=cost, warnings=[])
    assert record_progress(render=started, progress=RenderProgress(5, 10, 50.0, None, None))
    assert begin_saving(render=started)
    with transaction.atomic():
        return close_succeeded(render=started, files=FILES, cost=cost, timings={}, log="")


@pytest.mark.django_db
def test_the_last_render_to_end_completes_the_batch(batch, completions, client):
    first, second, third = Render.objects.order_by("pk")
    assert succeed(first)
    assert close_failed(render_id=second.pk, error={"code": "odd"})
    # Already ended, so neither is counted again.
    assert not close_failed(render_id=second.pk, error={"code": "odd"})
    assert not close_cancelled(render_id=first.pk)
    batch.refresh_from_db()
    assert (batch.pending, batch.status, batch.finished_at, completions) == (1, "processing", None, [])
    assert close_cancelled(render_id=third.pk)
    batch.refresh_from_db()
    assert (batch.pending, batch.succeeded, batch.failed, batch.cancelled) == (0, 1, 1, 1)
    assert (batch.status, batch.credits_charged) == ("completed", 1)
    (event,) = completions
    assert (event.batch_id, event.owner_id, event.total) == (batch.pk, batch.owner_id, 3)
    assert (event.succeeded, event.failed, event.cancelled, event.credits_charged) == (1, 1, 1, 1)
    answer = client.get(f"{BATCHES}/{batch.public_id}").json()
    assert (answer["status"], answer["percent"]) == ("completed", 100)
    assert answer["credits"] == {"reserved": "0.03", "charged": "0.01"}


@pytest.mark.django_db
def test_a_top_up_shows_in_the_batch(batch, client):
    assert succeed(Render.objects.order_by("pk").first(), cost=5)
    answer = client.get(f"{BATCHES}/{batch.public_id}").json()
    assert answer["credits"] == {"reserved": "0.07", "charged": "0.05"}


@pytest.mark.django_db
def test_an_end_that_is_rolled_back_is_not_counted(batch):
    render = Render.objects.first()
    with pytest.raises(RuntimeError), transaction.atomic():
        close_failed(render_id=render.pk, error={"code": "odd"})
        raise RuntimeError
    batch.refresh_from_db()
    assert (batch.pending, batch.failed) == (3, 0)


@pytest.mark.django_db
def test_a_render_without_batch_completes_nothing(client, completions):
    client.post("/api/v2/renders", {"edit": make_edit()})
    assert close_failed(render_id=Render.objects.get().pk, error={"code": "odd"})
    assert completions == []


@pytest.mark.django_db
def test_the_database_refuses_counts_that_do_not_add_up(batch):
    for wrong in ({"pending": 2}, {"succeeded": 1}, {"status": "completed"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Batch.objects.filter(pk=batch.pk).update(**wrong)
