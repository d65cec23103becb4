"""Submission of renders: row, holds, credits, job and event in one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.plans import limits_of
from assets.exceptions import AssetMissing
from assets.services import hold
from core.events import publish
from core.row_versions import refresh_version
from credits.services import reserve
from jobs.services import NewJob, enqueue_many
from jobs.states import JobPriority
from renders.events import RenderQueued, RenderSubmitted
from renders.exceptions import EditRefused, RenderNotRetryable
from renders.job_types import RENDER_JOB, limit_key_of
from renders.models import Render, RenderPriority
from renders.requests import PreparedRender, RenderRequest
from renders.services.prepare import prepare_render
from renders.services.transitions import event_fields
from renders.states import RenderStatus

RETRYABLE = frozenset({RenderStatus.FAILED, RenderStatus.CANCELLED})


def submit_render(*, owner: Any, request: RenderRequest) -> Render:
    """Validate and accept a render. Raises EditRefused, InsufficientCredits; nothing is written then."""
    return accept_render(owner=owner, prepared=prepare_render(owner=owner, request=request))


def retry_render(*, render: Render) -> Render:
    """Submit the edit of a failed or cancelled render as a new render.

    Raises RenderNotRetryable, and the exceptions of `submit_render`.
    """
    return accept_render(owner=render.owner, prepared=prepare_retry(render=render), retry_of=render)


def prepare_retry(*, render: Render) -> PreparedRender:
    """Validate the retry of a render, without changing anything. Raises RenderNotRetryable, EditRefused."""
    if render.status not in RETRYABLE:
        raise RenderNotRetryable
    request = RenderRequest(
        edit=render.edit,
        merge=render.merge,
        project_id=render.project_id,
        priority=RenderPriority(render.priority),
        webhook=render.webhook,
        metadata=render.metadata,
        strict=render.strict,
    )
    return prepare_render(owner=render.owner, request=request)


def accept_render(*, owner: Any, prepared: PreparedRender, retry_of: Render | None = None) -> Render:
    """Write a prepared render; quick enough to run inside a larger transaction.

    Raises EditRefused if an asset was deleted since, InsufficientCredits.
    """
    render = build_render(owner=owner, prepared=prepared, now=timezone.now(), retry_of=retry_of)
    with transaction.atomic():
        render.save(force_insert=True)
        try:
            hold(asset_ids=prepared.asset_ids, reference=render.reference, label=render.public_id)
        except AssetMissing as missing:
            # Deleted since the lookup.
            raise EditRefused([{"pointer": "/edit", "code": "asset_not_found", "detail": missing.detail}]) from missing
        reserve(user_id=owner.pk, amount=prepared.estimate.credits, reference=render.reference)
        (job,) = enqueue_many(jobs=[job_of(render)])
        render.job_id = job.pk
        render.save(update_fields=["job_id"])
        refresh_version(render)
        publish(RenderSubmitted(**event_fields(render)))
        if render.status == RenderStatus.QUEUED:
            publish(RenderQueued(**event_fields(render)))
    return render


def job_of(render: Render) -> NewJob:
    """Return the job of a new render. Its concurrency limit is that of the owner's plan."""
    return NewJob(
        type=RENDER_JOB,
        payload={"render": str(render.pk)},
        priority=JobPriority(render.priority),
        run_at=render.run_at,
        user_id=render.owner_id,
        reference=render.reference,
        limit_key=limit_key_of(render.owner_id),
        limit_running=limits_of(render.owner.plan).concurrent_renders,
    )


def build_render(*, owner: Any, prepared: PreparedRender, now: datetime, retry_of: Render | None = None) -> Render:
    """Return the unsaved row of a render. A `run_at` in the past is ignored."""
    request = prepared.request
    is_scheduled = request.run_at is not None and request.run_at > now
    template, version = prepared.template, prepared.template.version if prepared.template else None
    if retry_of is not None:
        template, version = retry_of.template, retry_of.template_version
    return Render(
        owner=owner,
        project_id=request.project_id,
        template=template,
        template_version=version,
        retry_of=retry_of,
        created_at=now,
        run_at=request.run_at if is_scheduled else None,
        status=RenderStatus.SCHEDULED if is_scheduled else RenderStatus.QUEUED,
        queued_at=None if is_scheduled else now,
        edit=prepared.edit,
        merge=prepared.merge,
        strict=request.strict,
        priority=request.priority,
        metadata=dict(request.metadata),
        webhook=prepared.webhook,
        warnings=prepared.warnings,
        total_frames=prepared.estimate.frames,
        credits_reserved=prepared.estimate.credits,
    )
