"""Webhooks on the events of lower apps, written in the event's transaction.

Most accounts have no endpoint: then an event costs one query and writes nothing.
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
from notifications.models.webhooks import BodyFormat, EndpointKind
from notifications.services.deliveries import Extra, News, publish_event, publish_news
from notifications.services.endpoints import endpoint_of_renders
from notifications.webhooks import catalogue
from notifications.webhooks.payloads import (
    describe_asset,
    describe_balance,
    describe_batch,
    describe_render,
    write_callback,
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

_RENDER_TYPES: dict[type[RenderEvent], catalogue.EventType] = {
    RenderQueued: catalogue.RENDER_QUEUED,
    RenderStarted: catalogue.RENDER_STARTED,
    RenderSucceeded: catalogue.RENDER_SUCCEEDED,
    RenderFailed: catalogue.RENDER_FAILED,
    RenderCancelled: catalogue.RENDER_CANCELLED,
}
BATCH = 500
_RENDER_ENDS = (RenderSucceeded, RenderFailed, RenderCancelled)


@subscribe(*_RENDER_TYPES, takes_many=True)
def tell_of_renders(events: Sequence[RenderEvent]) -> None:
    """Tell the account's endpoints, the URL that a render itself names, and at its end its edit's callback."""
    asked = _asked_for({event.render_id for event in events})
    heard = [event for event in events if event.render_id in asked]
    if not heard:
        return
    renders = Render.objects.without_documents().in_bulk({event.render_id for event in heard})
    owners = {event.owner_id for event in heard if asked[event.render_id]}
    channels = {owner_id: endpoint_of_renders(owner_id=owner_id) for owner_id in owners}
    publish_news(
        [
            _news_of(event, renders[event.render_id], asked[event.render_id], channels.get(event.owner_id))
            for event in heard
        ]
    )


def _asked_for(render_ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the renders of which anybody wants to hear, with what they themselves ask for."""
    endpoints = WebhookEndpoint.objects.living().filter(
        owner_id=OuterRef("owner_id"), kind=EndpointKind.SUBSCRIPTION, is_enabled=True
    )
    ids, asked = list(render_ids), {}
    for start in range(0, len(ids), BATCH):
        rows = Render.objects.filter(pk__in=ids[start : start + BATCH]).annotate(has_listeners=Exists(endpoints))
        for pk, own, has_listeners in rows.order_by().values_list("pk", "webhook", "has_listeners"):
            if own is not None or has_listeners:
                asked[pk] = own or {}
    return asked


def _news_of(event: RenderEvent, render: Render, own: Mapping[str, Any], channel: WebhookEndpoint | None) -> News:
    """Return what is told of an event. own: what the render itself asks for; channel: what its own URLs go through."""
    name = _RENDER_TYPES[type(event)].name
    extras = []
    # Without a choice of events, of how it ended.
    wanted = own.get("events") or [_RENDER_TYPES[end].name for end in _RENDER_ENDS]
    if channel is not None and own.get("url") and name in wanted:
        extras.append(Extra(channel, own["url"]))
    if channel is not None and own.get("callback") and isinstance(event, _RENDER_ENDS):
        extras.append(Extra(channel, own["callback"], write_callback(render), BodyFormat.CALLBACK))
    return News(event.owner_id, name, render.public_id, lambda: describe_render(render), extras)


@subscribe(BatchCompleted)
def tell_of_batch(event: BatchCompleted) -> None:
    """Tell the account's endpoints that the last render of a batch has ended."""
    publish_event(
        owner_id=event.owner_id,
        event=catalogue.BATCH_COMPLETED.name,
        resource=encode_id(Batch.ID_PREFIX, event.batch_id),
        describe=lambda: describe_batch(Batch.objects.get(pk=event.batch_id)),
    )


@subscribe(AssetReady, AssetFailed)
def tell_of_asset(event: AssetReady | AssetFailed) -> None:
    """Tell the account's endpoints that a file can be used, or that its import failed."""
    event_type = catalogue.ASSET_READY if isinstance(event, AssetReady) else catalogue.ASSET_FAILED
    publish_event(
        owner_id=event.owner_id,
        event=event_type.name,
        resource=encode_id(Asset.ID_PREFIX, event.asset_id),
        describe=lambda: describe_asset(Asset.objects.with_references().get(pk=event.asset_id)),
    )


@subscribe(CreditsLow)
def tell_of_low_credits(event: CreditsLow) -> None:
    """Tell the account's endpoints that the balance is low."""
    publish_event(
        owner_id=event.user_id,
        event=catalogue.CREDITS_LOW.name,
        resource=encode_id("usr", event.user_id),
        describe=lambda: describe_balance(user_id=event.user_id, balance=event.balance, threshold=event.threshold),
    )
