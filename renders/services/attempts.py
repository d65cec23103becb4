"""Steps of an attempt, each fenced by its number, so that a worker presumed dead changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from core.events import publish
from credits.services import reserve
from renders.events import RenderQueued, RenderStarted
from renders.models import Render
from renders.services.batch_counts import count_top_up
from renders.services.outcomes import TOP_UP_SUFFIX
from renders.services.transitions import change_status, event_fields
from renders.states import RUNNING, WAITING, RenderStatus

_RESET = {"percent": 0.0, "frame": 0, "speed_fps": None, "eta_s": None}


@dataclass(frozen=True, slots=True)
class RenderProgress:
    """Progress of an attempt. percent: 0 to 100. fps: the rendering speed, in frames a second."""

    frame: int
    total_frames: int
    percent: float
    fps: float | None
    eta_s: float | None


def start_attempt(*, render_id: UUID, attempt: int) -> Render | None:
    """Assign a render to an attempt of its job, also if an earlier attempt left it running.

    Returns None if it has ended, is being cancelled, or belongs to a later attempt.
    """
    now = timezone.now()
    with transaction.atomic():
        became_due = change_status(
            render_id=render_id, to=RenderStatus.QUEUED, only_from={RenderStatus.SCHEDULED}, queued_at=now
        )
        rows = Render.objects.filter(pk=render_id, status__in=[*WAITING, *RUNNING], attempt__lt=attempt)
        started = rows.update(status=RenderStatus.FETCHING, attempt=attempt, error=None, progress_at=now, **_RESET)
        if not started:
            return None
        is_first = Render.objects.filter(pk=render_id, started_at__isnull=True).update(started_at=now)
        render: Render = Render.objects.select_related("owner").get(pk=render_id)
        if became_due:
            publish(RenderQueued(**event_fields(render)))
        waited_s = _waited_s(render) if is_first else None
        publish(RenderStarted(**event_fields(render), attempt=attempt, waited_s=waited_s))
    return render


def _waited_s(render: Render) -> float:
    since = render.queued_at or render.created_at
    assert render.started_at is not None
    return max(0.0, (render.started_at - since).total_seconds())


def promote_due() -> int:
    """Mark due scheduled renders as queued; return how many."""
    promoted = 0
    due = Render.objects.filter(status=RenderStatus.SCHEDULED, run_at__lte=timezone.now())
    for render in due.without_large_columns()[:1000]:
        with transaction.atomic():
            moved = change_status(
                render_id=render.pk,
                to=RenderStatus.QUEUED,
                only_from={RenderStatus.SCHEDULED},
                queued_at=timezone.now(),
            )
            if moved:
                publish(RenderQueued(**event_fields(render)))
                promoted += 1
    return promoted


def begin_rendering(
    *,
    render: Render,
    total_frames: int,
    cost: int,
    warnings: list[dict[str, str]],
    notes: Sequence[dict[str, str]] = (),
) -> bool:
    """Move an attempt on to rendering; reserve the difference if the output is longer than estimated.

    Returns whether the attempt still has the render.
    Raises InsufficientCredits, without changing anything.
    """
    # At most one top-up: if a source grows between attempts, the owner still pays the first price.
    more = 0 if render.credits_topped_up else max(0, cost - render.credits_reserved)
    with transaction.atomic():
        moved = change_status(
            render_id=render.pk,
            to=RenderStatus.RENDERING,
            attempt=render.attempt,
            total_frames=total_frames,
            warnings=warnings,
            notes=list(notes),
            credits_reserved=render.credits_reserved + more,
            credits_topped_up=render.credits_topped_up + more,
            progress_at=timezone.now(),
        )
        if moved and more:
            reserve(user_id=render.owner_id, amount=more, reference=render.reference + TOP_UP_SUFFIX)
            count_top_up(batch_id=render.batch_id, more=more)
    if moved:
        render.total_frames = total_frames
        render.warnings = warnings
        render.notes = list(notes)
        render.credits_reserved += more
        render.credits_topped_up += more
    return moved


def top_up(*, render: Render, cost: int) -> bool:
    """Reserve the difference between cost and reservation, once; return whether the attempt still has the render.

    Raises InsufficientCredits, without changing anything.
    """
    more = 0 if render.credits_topped_up else max(0, cost - render.credits_reserved)
    if not more:
        return is_current_attempt(render=render)
    with transaction.atomic():
        rows = Render.objects.filter(pk=render.pk, attempt=render.attempt, status__in=RUNNING)
        changed = rows.update(
            credits_reserved=F("credits_reserved") + more, credits_topped_up=F("credits_topped_up") + more
        )
        if changed:
            reserve(user_id=render.owner_id, amount=more, reference=render.reference + TOP_UP_SUFFIX)
            render.credits_reserved += more
            render.credits_topped_up += more
    return bool(changed)


def begin_saving(*, render: Render) -> bool:
    """Move an attempt on to saving; return whether it still has the render."""
    return change_status(
        render_id=render.pk, to=RenderStatus.SAVING, attempt=render.attempt, eta_s=None, progress_at=timezone.now()
    )


def record_progress(*, render: Render, progress: RenderProgress) -> bool:
    """Record progress, which never decreases; return whether the attempt still has the render."""
    rows = Render.objects.filter(pk=render.pk, attempt=render.attempt, status=RenderStatus.RENDERING)
    changed = rows.update(
        percent=Greatest(F("percent"), Value(round(progress.percent, 1))),
        frame=Greatest(F("frame"), Value(progress.frame)),
        speed_fps=progress.fps,
        eta_s=progress.eta_s,
        progress_at=timezone.now(),
    )
    return changed == 1


def is_current_attempt(*, render: Render) -> bool:
    """Return whether the attempt still has the render, which was neither cancelled nor taken over."""
    return Render.objects.filter(pk=render.pk, attempt=render.attempt, status__in=RUNNING).exists()


def requeue_render(*, render: Render, error: dict[str, Any] | None, log: str = "") -> bool:
    """Queue a render for the next attempt of its job; return whether this attempt still had it.

    error: of this attempt, as the API shows it if no attempt follows.
    """
    return change_status(
        render_id=render.pk,
        to=RenderStatus.QUEUED,
        only_from=RUNNING,
        attempt=render.attempt,
        error=error,
        log=log,
        **_RESET,
    )
