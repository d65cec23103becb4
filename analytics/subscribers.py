"""Subscribers that record events of lower apps as analytics events, in their transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from analytics.models import AnalyticsEvent, AnalyticsEventType
from analytics.services.events import new_event, write_events
from analytics.wait_histogram import bucket_of
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


def _submitted(event: RenderSubmitted) -> AnalyticsEvent:
    return _of_render(AnalyticsEventType.RENDER_SUBMITTED, event)


def _started(event: RenderStarted) -> AnalyticsEvent | None:
    """Return a row for the first attempt of a render, None for later ones."""
    if event.waited_s is None:
        return None
    waited_ms = _ms(event.waited_s)
    return _of_render(AnalyticsEventType.RENDER_STARTED, event, code=bucket_of(waited_ms), waited_ms=waited_ms)


def _succeeded(event: RenderSucceeded) -> AnalyticsEvent:
    return _of_render(
        AnalyticsEventType.RENDER_SUCCEEDED,
        event,
        duration_ms=_ms(event.duration_s),
        work_ms=_ms(event.took_s),
        credits=event.credits_charged,
        size_bytes=event.size_bytes,
    )


def _failed(event: RenderFailed) -> AnalyticsEvent:
    return _of_render(AnalyticsEventType.RENDER_FAILED, event, code=event.code, credits=event.credits_refunded)


def _cancelled(event: RenderCancelled) -> AnalyticsEvent:
    return _of_render(AnalyticsEventType.RENDER_CANCELLED, event, credits=event.credits_refunded)


def _output_deleted(event: RenderOutputDeleted) -> AnalyticsEvent:
    return _of_render(AnalyticsEventType.OUTPUT_DELETED, event, size_bytes=-event.size_bytes)


def _asset_ready(event: AssetReady) -> AnalyticsEvent:
    return new_event(
        type=AnalyticsEventType.ASSET_READY,
        user_id=event.owner_id,
        project_id=event.project_id,
        resource_id=event.asset_id,
        code=event.kind,
        size_bytes=event.size_bytes,
    )


def _asset_failed(event: AssetFailed) -> AnalyticsEvent:
    return new_event(
        type=AnalyticsEventType.ASSET_FAILED, user_id=event.owner_id, resource_id=event.asset_id, code=event.code
    )


def _asset_deleted(event: AssetDeleted) -> AnalyticsEvent | None:
    """Return a row for a deleted file, None for an import that never stored one."""
    if not event.kind:
        return None
    return new_event(
        type=AnalyticsEventType.ASSET_DELETED,
        user_id=event.owner_id,
        project_id=event.project_id,
        resource_id=event.asset_id,
        code=event.kind,
        size_bytes=-event.size_bytes,
    )


def _credits_moved(event: CreditsMoved) -> AnalyticsEvent:
    return new_event(
        type=AnalyticsEventType.CREDITS_MOVED,
        user_id=event.user_id,
        resource_id=event.entry_id,
        code=event.kind,
        credits=event.amount,
    )


def _of_render(event_type: AnalyticsEventType, event: RenderEvent, *, code: str = "", **numbers: Any) -> AnalyticsEvent:
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


_ROW_BUILDERS: dict[type, Callable[[Any], AnalyticsEvent | None]] = {
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


@subscribe(*_ROW_BUILDERS, batched=True)
def note_events(events: Sequence[object]) -> None:
    """Insert the rows of a batch of events together."""
    rows = (_ROW_BUILDERS[type(event)](event) for event in events)
    write_events([row for row in rows if row is not None])
