"""Status changes of renders, by compare-and-set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.utils import timezone

from renders.models import Render
from renders.states import ACTIVE, TERMINAL, RenderStatus, sources_of


def change_status(
    *,
    render_id: UUID,
    to: RenderStatus,
    only_from: Iterable[RenderStatus] | None = None,
    attempt: int | None = None,
    **fields: Any,
) -> bool:
    """Change the status of a render, with other fields; return whether this call did it.

    only_from: narrows the statuses that `TRANSITIONS` allows. attempt: the fence; does nothing for another attempt.
    False is a normal outcome: another process changed the render first.
    """
    allowed = sources_of(to)
    states = allowed if only_from is None else allowed & frozenset(only_from)
    rows = Render.objects.filter(pk=render_id, status__in=states)
    if attempt is not None:
        rows = rows.filter(attempt=attempt)
    if to in TERMINAL:
        fields.setdefault("finished_at", timezone.now())
        fields.setdefault("eta_s", None)
    return rows.update(status=to, **fields) == 1


def event_fields(render: Render) -> dict[str, Any]:
    """Return the fields that every RenderEvent has."""
    return {"render_id": render.pk, "owner_id": render.owner_id, "project_id": render.project_id}


def record_error(*, render: Render, error: dict[str, Any], log: str) -> None:
    """Store the error of an attempt, for the transaction that will fail the render."""
    Render.objects.filter(pk=render.pk, attempt=render.attempt, status__in=ACTIVE).update(error=error, log=log)
