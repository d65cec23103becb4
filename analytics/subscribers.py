"""Write down what the apps below report, in their transactions: one small row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from analytics.models import Event, EventType
from analytics.services.recording import new_event, write_events
from analytics.waits import class_of
from assets.events import AssetDeleted, AssetFailed, AssetReady
from core.events import subscribe
from credits.events import CreditsMoved
from renders.events import (
    RenderCancelled,
    RenderEvent,
    RenderFailed,
    RenderOutputDeleted,
    RenderStarted,
    RenderSubmitted,
    RenderSucceeded,
)


def _submitted(event: RenderSubmitted) -> Event:
    return _of_render(EventType.RENDER_SUBMITTED, event)


def _started(event: RenderStarted) -> Event | None:
    """Return a row for a render that left the queue for the first time; later attempts are not counted."""
    if event.waited_s is None:
        return None
    waited_ms = _ms(event.waited_s)
    return _of_render(EventType.RENDER_STARTED, event, code=class_of(waited_ms), waited_ms=waited_ms)


def _succeeded(event: RenderSucceeded) -> Event:
    return _of_render(
        EventType.RENDER_SUCCEEDED,
        event,
        duration_ms=_ms(event.duration_s),
        work_ms=_ms(event.took_s),
        credits=event.credits_charged,
        size_bytes=event.size_bytes,
    )


def _failed(event: RenderFailed) -> Event:
    return _of_render(EventType.RENDER_FAILED, event, code=event.code, credits=event.credits_refunded)


def _cancelled(event: RenderCancelled) -> Event:
    return _of_render(EventType.RENDER_CANCELLED, event, credits=event.credits_refunded)


def _output_deleted(event: RenderOutputDeleted) -> Event:
    return _of_render(EventType.OUTPUT_DELETED, event, size_bytes=-event.size_bytes)


def _asset_ready(event: AssetReady) -> Event:
    return new_event(
        type=EventType.ASSET_READY,
        user_id=event.owner_id,
        project_id=event.project_id,
        resource_id=event.asset_id,
        code=event.kind,
        size_bytes=event.size_bytes,
    )


def _asset_failed(event: AssetFailed) -> Event:
    return new_event(type=EventType.ASSET_FAILED, user_id=event.owner_id, resource_id=event.asset_id, code=event.code)


def _asset_deleted(event: AssetDeleted) -> Event | None:
    """Return a row for a file that left the storage; an import that never brought one changes nothing."""
    if not event.kind:
        return None
    return new_event(
        type=EventType.ASSET_DELETED,
        user_id=event.owner_id,
        project_id=event.project_id,
        resource_id=event.asset_id,
        code=event.kind,
        size_bytes=-event.size_bytes,
    )


def _credits_moved(event: CreditsMoved) -> Event:
    return new_event(
        type=EventType.CREDITS_MOVED,
        user_id=event.user_id,
        resource_id=event.entry_id,
        code=event.kind,
        credits=event.amount,
    )


def _of_render(event_type: EventType, event: RenderEvent, *, code: str = "", **numbers: Any) -> Event:
    return new_event(
        type=event_type,
        user_id=event.owner_id,
        project_id=event.project_id,
        resource_id=event.render_id,
        code=code,
        **numbers,
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


_ROW_OF: dict[type, Callable[[Any], Event | None]] = {
    RenderSubmitted: _submitted,
    RenderStarted: _started,
    RenderSucceeded: _succeeded,
    RenderFailed: _failed,
    RenderCancelled: _cancelled,
    RenderOutputDeleted: _output_deleted,
    AssetReady: _asset_ready,
    AssetFailed: _asset_failed,
    AssetDeleted: _asset_deleted,
    CreditsMoved: _credits_moved,
}


@subscribe(*_ROW_OF, takes_many=True)
def note_events(events: Sequence[object]) -> None:
    """Write one row for each event that counts: a thousand renders of one batch take a few statements."""
    rows = (_ROW_OF[type(event)](event) for event in events)
    write_events([row for row in rows if row is not None])
