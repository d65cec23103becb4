"""Validation and acceptance of batches: all renders, with holds, credits and jobs, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone

from assets.exceptions import AssetMissing
from assets.services import hold_for_many
from core.events import publish_many
from core.exceptions import Unprocessable
from credits.services import reserve_many
from jobs.services import enqueue_many
from renders.batch_requests import BatchEstimate, BatchRequest, BatchValidationResult, MergePointerMapper, PreparedBatch
from renders.events import RenderQueued, RenderSubmitted
from renders.exceptions import BatchTooHeavy, EditRefused
from renders.models import Batch, Render
from renders.requests import PreparedRender
from renders.services.lookups import Lookups
from renders.services.pointers import PointerMapper
from renders.services.prepare import prepare_render
from renders.services.submit import build_render, job_of
from renders.services.transitions import event_fields
from renders.states import RenderStatus

# Each render stores its own copy of the edit: this limits what one request can write.
MAX_EDIT_BYTES = 16_000_000
# Validation takes about a second per megabyte: this limits how long one request can occupy a thread.
MAX_CHECKING_S = 20.0


def prepare_batch(*, owner: Any, request: BatchRequest, clock: Callable[[], float] = time.thread_time) -> PreparedBatch:
    """Validate every render of a batch, without changing anything.

    clock: returns the CPU time of this thread, in seconds.
    Raises BatchTooHeavy, and EditRefused with pointers into the body; an error that renders share is listed once.
    """
    lookups = Lookups(owner)
    mapper: type[PointerMapper] = MergePointerMapper if request.member == "rows" else PointerMapper
    prepared: list[PreparedRender] = []
    errors: dict[tuple[str, str, str], Mapping[str, str]] = {}
    budget = _SizeBudget(request)
    started_at = clock()
    for number, item in enumerate(request.items):
        try:
            one = prepare_render(owner=owner, request=item.request, lookups=lookups, pointer_mapper=mapper)
            budget.add(one.edit)
            prepared.append(one)
        except EditRefused as refusal:
            for error in refusal.members["errors"]:
                moved = {**error, "pointer": request.pointer(number, error["pointer"])}
                errors[moved["pointer"], moved["code"], moved["detail"]] = moved
        if len(errors) > Unprocessable.MAX_ERRORS:
            break
        if clock() - started_at > MAX_CHECKING_S:
            raise budget.refusal()
    if errors:
        raise EditRefused(list(errors.values()))
    return PreparedBatch(request, prepared)


def check_batch(*, owner: Any, request: BatchRequest) -> BatchValidationResult:
    """Return the errors, warnings and cost of a batch, without changing anything."""
    try:
        prepared = prepare_batch(owner=owner, request=request)
    except (EditRefused, BatchTooHeavy) as refusal:
        return BatchValidationResult(False, list(refusal.members["errors"]), [], None)
    warnings: dict[tuple[str, str, str], dict[str, str]] = {}
    for number, render in enumerate(prepared.renders):
        for warning in render.warnings:
            moved = {**warning, "pointer": request.pointer(number, warning["pointer"])}
            warnings[moved["pointer"], moved["code"], moved["detail"]] = moved
    estimates = [render.estimate for render in prepared.renders]
    estimate = BatchEstimate(
        renders=len(estimates),
        duration_s=round(sum(one.duration_s for one in estimates), 6),
        frames=sum(one.frames for one in estimates),
        credits=prepared.credits,
        exact=all(one.exact for one in estimates),
    )
    return BatchValidationResult(True, [], list(warnings.values())[: Unprocessable.MAX_ERRORS], estimate)


def accept_batch(*, owner: Any, prepared: PreparedBatch) -> Batch:
    """Write a prepared batch with its renders, holds, reservations and jobs in one transaction.

    Raises EditRefused if an asset was deleted since, InsufficientCredits if the sum is not covered.
    """
    now = timezone.now()
    request = prepared.request
    batch = Batch(
        owner=owner,
        project_id=request.project_id,
        template=request.template,
        metadata=dict(request.metadata),
        created_at=now,
        total=len(prepared.renders),
        pending=len(prepared.renders),
        credits_reserved=prepared.credits,
    )
    renders = [build_render(owner=owner, prepared=one, now=now) for one in prepared.renders]
    with transaction.atomic():
        batch.save(force_insert=True)
        _hold(prepared, renders)
        amounts = {render.reference: render.credits_reserved for render in renders}
        reserve_many(user_id=owner.pk, amounts=amounts)
        jobs = enqueue_many(jobs=[job_of(render) for render in renders])
        for render, job in zip(renders, jobs, strict=True):
            render.batch, render.job_id = batch, job.pk
        Render.objects.bulk_create(renders)
        publish_many([RenderSubmitted(**event_fields(render)) for render in renders])
        queued = [render for render in renders if render.status == RenderStatus.QUEUED]
        publish_many([RenderQueued(**event_fields(render)) for render in queued])
    return batch


def _hold(prepared: PreparedBatch, renders: list[Render]) -> None:
    holders = {
        (render.reference, render.public_id): one.asset_ids
        for render, one in zip(renders, prepared.renders, strict=True)
        if one.asset_ids
    }
    try:
        hold_for_many(asset_ids_by_holder=holders)
    except AssetMissing as missing:
        # Deleted since the lookup.
        errors = [
            {"pointer": f"/{prepared.request.member}/{number}", "code": "asset_not_found", "detail": missing.detail}
            for number, one in enumerate(prepared.renders)
            if missing.asset_ids & one.asset_ids
        ]
        raise EditRefused(errors) from missing


class _SizeBudget:
    """The total size of the edits of a batch."""

    def __init__(self, request: BatchRequest) -> None:
        self._member = request.member
        self._sizes: dict[int, int] = {}
        self._total = 0

    def add(self, edit: Mapping[str, Any]) -> None:
        """Add the edit of one render. Raises BatchTooHeavy above the limit."""
        # Rows of one template share the edit object, which is measured once.
        if id(edit) not in self._sizes:
            self._sizes[id(edit)] = len(orjson.dumps(edit))
        self._total += self._sizes[id(edit)]
        if self._total > MAX_EDIT_BYTES:
            raise self.refusal()

    def refusal(self) -> BatchTooHeavy:
        """Return the error of a batch over a limit."""
        detail = "The edits of all renders together are too large for one batch; split it."
        return BatchTooHeavy([{"pointer": f"/{self._member}", "code": "too_large", "detail": detail}])
