"""Change the state of a render: always by compare-and-set, never twice."""

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
    """Move a render to `to` and set `fields` with it; return whether this call did it.

    only_from: narrows the states that the table allows. attempt: the fence; a later attempt makes this do nothing.
    False is a normal outcome: somebody else moved the render first.
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
    """Return the members that every event of a render has."""
    return {"render_id": render.pk, "owner_id": render.owner_id, "project_id": render.project_id}


def record_error(*, render: Render, error: dict[str, Any], log: str) -> None:
    """Keep why an attempt fails, for the transaction that will end the render."""
    Render.objects.filter(pk=render.pk, attempt=render.attempt, status__in=ACTIVE).update(error=error, log=log)
