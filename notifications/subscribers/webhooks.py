"""Subscribers that create webhook deliveries for events of lower apps, in the event's transaction.

For an account without endpoints, which is the usual case, an event costs one query and writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef

from assets.events import AssetFailed, AssetReady
from assets.models import Asset
from core.events import subscribe
from core.ids import encode_id
from credits.events import CreditsLow
from notifications.models import WebhookEndpoint
from notifications.models.webhooks import BodyFormat, WebhookEndpointKind
from notifications.services.deliveries import ExtraDelivery, WebhookEvent, publish_event, publish_events
from notifications.services.endpoints import get_render_endpoint
from notifications.webhooks import event_types
from notifications.webhooks.payloads import (
    build_callback_body,
    describe_asset,
    describe_balance,
    describe_batch,
    describe_render,
)
from renders.events import (
    BatchCompleted,
    RenderCancelled,
    RenderEvent,
    RenderFailed,
    RenderQueued,
    RenderStarted,
    RenderSucceeded,
)
from renders.models import Batch, Render

_RENDER_TYPES: dict[type[RenderEvent], event_types.WebhookEventType] = {
    RenderQueued: event_types.RENDER_QUEUED,
    RenderStarted: event_types.RENDER_STARTED,
    RenderSucceeded: event_types.RENDER_SUCCEEDED,
    RenderFailed: event_types.RENDER_FAILED,
    RenderCancelled: event_types.RENDER_CANCELLED,
}
BATCH_SIZE = 500
_RENDER_ENDS = (RenderSucceeded, RenderFailed, RenderCancelled)


@subscribe(*_RENDER_TYPES, batched=True)
def publish_render_events(events: Sequence[RenderEvent]) -> None:
    """Deliver to the account's endpoints, the URL given with the render and, at its end, the callback of its edit."""
    requested = _requested_webhooks({event.render_id for event in events})
    relevant = [event for event in events if event.render_id in requested]
    if not relevant:
        return
    renders = Render.objects.without_large_columns().in_bulk({event.render_id for event in relevant})
    owners = {event.owner_id for event in relevant if requested[event.render_id]}
    channels = {owner_id: get_render_endpoint(owner_id=owner_id) for owner_id in owners}
    publish_events(
        [
            _webhook_event(event, renders[event.render_id], requested[event.render_id], channels.get(event.owner_id))
            for event in relevant
        ]
    )


def _requested_webhooks(render_ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the webhook settings of the renders that have any or whose account has enabled endpoints."""
    endpoints = WebhookEndpoint.objects.not_deleted().filter(
        owner_id=OuterRef("owner_id"), kind=WebhookEndpointKind.SUBSCRIPTION, is_enabled=True
    )
    ids, requested = list(render_ids), {}
    for start in range(0, len(ids), BATCH_SIZE):
        rows = Render.objects.filter(pk__in=ids[start : start + BATCH_SIZE]).annotate(has_endpoints=Exists(endpoints))
        for pk, own, has_endpoints in rows.order_by().values_list("pk", "webhook", "has_endpoints"):
            if own is not None or has_endpoints:
                requested[pk] = own or {}
    return requested


def _webhook_event(
    event: RenderEvent, render: Render, own: Mapping[str, Any], channel: WebhookEndpoint | None
) -> WebhookEvent:
    """Build the event. own: webhook settings of the render. channel: the endpoint that represents its URLs."""
    name = _RENDER_TYPES[type(event)].name
    extras = []
    # By default only the final events.
    wanted = own.get("events") or [_RENDER_TYPES[end].name for end in _RENDER_ENDS]
    if channel is not None and own.get("url") and name in wanted:
        extras.append(ExtraDelivery(channel, own["url"]))
    if channel is not None and own.get("callback") and isinstance(event, _RENDER_ENDS):
        extras.append(ExtraDelivery(channel, own["callback"], build_callback_body(render), BodyFormat.CALLBACK))
    return WebhookEvent(event.owner_id, name, render.public_id, lambda: describe_render(render), extras)


@subscribe(BatchCompleted)
def publish_batch_event(event: BatchCompleted) -> None:
    """Deliver `batch.completed` to the account's endpoints."""
    publish_event(
        owner_id=event.owner_id,
        event=event_types.BATCH_COMPLETED.name,
        resource=encode_id(Batch.ID_PREFIX, event.batch_id),
        describe=lambda: describe_batch(Batch.objects.get(pk=event.batch_id)),
    )


@subscribe(AssetReady, AssetFailed)
def publish_asset_event(event: AssetReady | AssetFailed) -> None:
    """Deliver `asset.ready` or `asset.failed` to the account's endpoints."""
    event_type = event_types.ASSET_READY if isinstance(event, AssetReady) else event_types.ASSET_FAILED
    publish_event(
        owner_id=event.owner_id,
        event=event_type.name,
        resource=encode_id(Asset.ID_PREFIX, event.asset_id),
        describe=lambda: describe_asset(Asset.objects.with_references().get(pk=event.asset_id)),
    )


@subscribe(CreditsLow)
def publish_credits_low_event(event: CreditsLow) -> None:
    """Deliver `credits.low` to the account's endpoints."""
    publish_event(
        owner_id=event.user_id,
        event=event_types.CREDITS_LOW.name,
        resource=encode_id("usr", event.user_id),
        describe=lambda: describe_balance(user_id=event.user_id, balance=event.balance, threshold=event.threshold),
    )
