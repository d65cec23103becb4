"""Final transitions of a render: status, credits, holds and event change in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from assets.services import release_holds
from core.events import publish
from credits.services import refund, settle
from jobs.services import enqueue
from renders.events import RenderCancelled, RenderFailed, RenderSucceeded
from renders.job_types import DISCARD_JOB
from renders.models import Render
from renders.services.batch_counts import count_ended
from renders.services.transitions import change_status, event_fields
from renders.states import RenderStatus

TOP_UP_SUFFIX = ":more"


@dataclass(frozen=True, slots=True)
class RenderedFiles:
    """The stored files of an attempt. width, height, fps: None for audio."""

    format: str
    width: int | None
    height: int | None
    fps: float | None
    duration_s: float
    size_bytes: int
    sha256: str
    output_key: str
    poster_key: str
    thumbnail_key: str


def close_succeeded(*, render: Render, files: RenderedFiles, cost: int, timings: Mapping[str, float], log: str) -> bool:
    """Record the output, charge the cost and release the holds; return whether this call did it.

    cost: hundredths; capped at the reservation.
    Must run in the transaction that also finishes the job.
    """
    charged = min(cost, render.credits_reserved)
    done = change_status(
        render_id=render.pk,
        to=RenderStatus.SUCCEEDED,
        attempt=render.attempt,
        percent=100.0,
        frame=render.total_frames or 0,
        output_format=files.format,
        output_width=files.width,
        output_height=files.height,
        output_fps=files.fps,
        output_duration_s=files.duration_s,
        output_size_bytes=files.size_bytes,
        output_sha256=files.sha256,
        output_key=files.output_key,
        poster_key=files.poster_key,
        thumbnail_key=files.thumbnail_key,
        credits_charged=charged,
        error=None,
        warnings=render.warnings,
        timings=dict(timings),
        log=log,
    )
    if done:
        _settle(render, charged)
        release_holds(reference=render.reference)
        if render.attempt > 1:
            _discard_later(render)
        publish(
            RenderSucceeded(
                **event_fields(render),
                credits_charged=charged,
                duration_s=files.duration_s,
                size_bytes=files.size_bytes,
                took_s=_took_s(render, timings),
            )
        )
        count_ended(render=render, status=RenderStatus.SUCCEEDED, charged=charged)
    return done


def _took_s(render: Render, timings: Mapping[str, float]) -> float:
    """Return the sum of the steps; `render_...` are parts of the step `render`."""
    steps = sum(seconds for name, seconds in timings.items() if not name.startswith("render_"))
    if steps or render.started_at is None:
        return steps
    return max(0.0, (timezone.now() - render.started_at).total_seconds())


def close_failed(*, render_id: UUID, error: Mapping[str, Any], log: str | None = None) -> bool:
    """Fail an unfinished render, refund it and release its holds; return whether this call did it."""
    fields: dict[str, Any] = {"error": dict(error), "credits_charged": 0}
    if log is not None:
        fields["log"] = log
    with transaction.atomic():
        if not change_status(render_id=render_id, to=RenderStatus.FAILED, **fields):
            return False
        render = Render.objects.get(pk=render_id)
        _refund(render)
        code = str(error["code"])
        publish(RenderFailed(**event_fields(render), code=code, credits_refunded=render.credits_reserved))
        count_ended(render=render, status=RenderStatus.FAILED)
    return True


def close_cancelled(*, render_id: UUID, only_from: Iterable[RenderStatus] | None = None, **fields: Any) -> bool:
    """Cancel an unfinished render, refund it and release its holds; return whether this call did it."""
    with transaction.atomic():
        if not change_status(
            render_id=render_id, to=RenderStatus.CANCELLED, only_from=only_from, credits_charged=0, **fields
        ):
            return False
        render = Render.objects.get(pk=render_id)
        _refund(render)
        publish(RenderCancelled(**event_fields(render), credits_refunded=render.credits_reserved))
        count_ended(render=render, status=RenderStatus.CANCELLED)
    return True


def _refund(render: Render) -> None:
    refund(reference=render.reference)
    if render.credits_topped_up:
        refund(reference=render.reference + TOP_UP_SUFFIX)
    release_holds(reference=render.reference)
    if render.attempt:
        _discard_later(render)


def _discard_later(render: Render) -> None:
    """Enqueue the removal of the files of unsuccessful attempts."""
    enqueue(type=DISCARD_JOB, payload={"render": str(render.pk)}, user_id=render.owner_id)


def _settle(render: Render, charged: int) -> None:
    """Charge the reservation of the submit first, then that of the top-up."""
    first = min(charged, render.credits_reserved - render.credits_topped_up)
    settle(reference=render.reference, amount=first)
    if render.credits_topped_up:
        settle(reference=render.reference + TOP_UP_SUFFIX, amount=charged - first)
