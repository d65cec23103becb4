"""Renders: completion of a batch, claims and reports of external workers."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.races.ledger import ledger_state
from tests.races.threads import at_once


def end_all_renders_of_a_batch() -> dict[str, Any]:
    """Finish 50 renders of one batch concurrently, some of them twice."""
    from core.events import subscribe, subscriptions
    from credits.services import grant
    from jobs.models import Job
    from renders.batch_requests import BatchItem, BatchRequest
    from renders.events import BatchCompleted
    from renders.models import Batch, Render
    from renders.requests import RenderRequest
    from renders.services.batch_cancel import cancel_batch
    from renders.services.batches import accept_batch, prepare_batch
    from renders.services.outcomes import close_cancelled, close_failed
    from tests.factories import make_edit, make_user

    user = make_user()
    grant(user_id=user.pk, amount=1000, reference=f"race:{user.pk}")
    item = BatchItem(RenderRequest(edit=make_edit()), frozenset())
    request = BatchRequest("rows", [item] * (50 - 10))
    batch = accept_batch(owner=user, prepared=prepare_batch(owner=user, request=request))
    ids = list(Render.objects.filter(batch=batch).order_by("pk").values_list("pk", flat=True))
    published: list[BatchCompleted] = []

    def work(index: int) -> str:
        render_id = ids[index % len(ids)]
        if index in {7, 27}:
            cancel_batch(batch=batch)
            return "batch cancelled"
        if index % 2:
            return str(close_failed(render_id=render_id, error={"code": "race"}))
        return str(close_cancelled(render_id=render_id))

    with subscriptions.override():
        subscribe(BatchCompleted)(published.append)
        outcomes = Counter(at_once(work))
        cancel_batch(batch=batch)
    batch = Batch.objects.get(pk=batch.pk)
    statuses = Counter(Render.objects.filter(batch=batch).values_list("status", flat=True))
    event = published[0] if published else None
    return {
        "failures": outcomes[""],
        "told": len(published),
        "status": batch.status,
        # Counters, so that missing keys equal zero, as when the cancellation was first.
        "counted": Counter(failed=batch.failed, cancelled=batch.cancelled) == statuses,
        "event": event is not None and (event.failed, event.cancelled) == (batch.failed, batch.cancelled),
        "ended": sum(statuses.values()),
        "jobs_left": Job.objects.filter(user=user, type="renders.render", status="running").count(),
        **{name: value for name, value in ledger_state(user).items() if name != "kinds"},
    }


def _waiting_renders(count: int) -> list[Any]:
    from renders.requests import RenderRequest
    from renders.services.submit import submit_render
    from tests.factories import make_edit, make_user

    return [submit_render(owner=make_user(), request=RenderRequest(edit=make_edit())) for _ in range(count)]


def claim_external() -> dict[str, Any]:
    """Claim one of 10 renders in 50 external workers."""
    from jobs.models import Job
    from renders.external.claiming import WorkerIdentity, claim_render
    from renders.models import ExternalLease

    Job.objects.filter(queue="renders", status="queued").delete()
    renders = _waiting_renders(10)

    def work(index: int) -> str:
        claim = claim_render(worker=WorkerIdentity(f"race-{index}", "default"))
        return "nothing" if claim is None else str(claim.render.pk)

    outcomes = Counter(at_once(work))
    return {
        "nothing": outcomes.pop("nothing", 0),
        "all_given": set(outcomes) == {str(render.pk) for render in renders},
        "most_to_one_render": max(outcomes.values()),
        "leases": ExternalLease.objects.filter(render__in=renders).count(),
        "running": Job.objects.filter(pk__in=[render.job_id for render in renders], status="running").count(),
    }


def report_external_success() -> dict[str, Any]:
    """Send one success message 25 times, with 25 progress and failure messages of the same attempt."""
    from jobs.models import Job
    from renders.external.claiming import WorkerIdentity, claim_render
    from renders.external.messages import VerifiedMessage
    from renders.external.reports import ReportStatus, WorkerReport, process_report
    from renders.models import ExternalLease, Render, WorkerMessage
    from tests.renders.test_external_reports import FACTS

    Job.objects.filter(queue="renders", status="queued").delete()
    (render,) = _waiting_renders(1)
    claim = claim_render(worker=WorkerIdentity("race", "default"))
    assert claim is not None
    ExternalLease.objects.filter(pk=claim.lease.pk).update(output=FACTS)

    def work(index: int) -> str:
        status = ReportStatus.SUCCEEDED if index % 2 else ReportStatus.RENDERING
        message_id = "end" if index % 2 else f"step-{index}"
        message = VerifiedMessage("default", f"{message_id}-{render.pk.hex}", status.encode())
        answer = process_report(
            message=message, report=WorkerReport(render.pk, claim.token, status, percent=float(index))
        )
        return "duplicate" if answer.duplicate else f"{status}{' ignored' if answer.ignored else ''}"

    outcomes = Counter(at_once(work))
    render.refresh_from_db()
    return {
        "successes": outcomes["succeeded"] + outcomes["succeeded ignored"],
        "ended_by": outcomes["succeeded"],
        "duplicates": outcomes["duplicate"],
        "progress": outcomes["rendering"] + outcomes["rendering ignored"],
        "status": Render.objects.get(pk=render.pk).status,
        "job": Job.objects.get(pk=render.job_id).status,
        "messages": WorkerMessage.objects.filter(message_id__endswith=render.pk.hex).count(),
        "settled": ledger_state(render.owner)["kinds"],
    }
