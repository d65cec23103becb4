"""The bodies of webhooks: what an event is about, as the API shows it in its newest version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from django.utils import timezone

from api.renderers import JsonRenderer
from assets.models import Asset
from assets.serializers import AssetSerializer
from core.ids import encode_id
from core.times import format_time
from credits.pricing import format_credits
from notifications.models.webhooks import WebhookEndpoint
from notifications.serializers.webhooks import WebhookEndpointSerializer
from renders.models import Batch, Render
from renders.selectors import batch_progress
from renders.serializers.batches import BatchSerializer
from renders.serializers.renders import RenderSerializer
from renders.states import RenderStatus

MAX_PAYLOAD_BYTES = 20_000
# Dropped, in this order, from data that would make a body too long; the API has them.
DROPPABLE_MEMBERS = ("warnings", "metadata", "probe", "error")
_EXCLUDED_RENDER_MEMBERS = ("progress", "links", "warnings")


def build_body(*, type: str, timestamp: datetime, data: Mapping[str, Any], sequence: int) -> str:  # noqa: A002
    """Return the JSON of an event, shorter than 20 KB.

    timestamp: of the event, which all attempts share. What was dropped is named in `data.truncated`.
    """
    sent = {**data, "sequence": sequence}
    dropped: list[str] = []
    for name in (*DROPPABLE_MEMBERS, None):
        body = _encode({"type": type, "timestamp": format_time(timestamp), "data": sent})
        if len(body) < MAX_PAYLOAD_BYTES or name is None:
            break
        if sent.get(name):
            dropped.append(name)
            sent = {**sent, name: None, "truncated": list(dropped)}
    if len(body) >= MAX_PAYLOAD_BYTES:
        kept = {member: sent[member] for member in ("id", "object", "status", "sequence") if member in sent}
        body = _encode({"type": type, "timestamp": format_time(timestamp), "data": {**kept, "truncated": ["*"]}})
    return body.decode()


def _encode(value: Any) -> bytes:
    return JsonRenderer().render(value)


def describe_render(render: Render) -> dict[str, Any]:
    """Return a render. Its links are good for as long as links of the API are; later ask for new ones."""
    shown = dict(RenderSerializer(render, context={}).data)
    for name in _EXCLUDED_RENDER_MEMBERS:
        shown.pop(name, None)
    return shown


def describe_batch(batch: Batch) -> dict[str, Any]:
    """Return a batch."""
    shown = dict(BatchSerializer(batch, context={"batch_progress": batch_progress([batch])}).data)
    del shown["links"]
    return shown


def describe_asset(asset: Asset) -> dict[str, Any]:
    """Return an asset."""
    return dict(AssetSerializer(asset, context={}).data)


def describe_endpoint(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Return an endpoint, without its secret."""
    shown = WebhookEndpointSerializer(endpoint).data
    shown_members = {name: shown[name] for name in ("id", "object", "url", "status")}
    return {**shown_members, "reason": shown["disabled_reason"], "disabled_at": shown["disabled_at"]}


def describe_balance(*, user_id: Any, balance: int, threshold: int) -> dict[str, Any]:
    """Return a balance that fell below the threshold; both in hundredths."""
    return {
        "object": "credit_balance",
        "user": encode_id("usr", user_id),
        "balance": format_credits(balance),
        "threshold": format_credits(threshold),
    }


def build_callback_body(render: Render) -> str:
    """Return what the `callback` of an edit is told when its render has ended.

    The members are those of the public format that edits have. A cancelled render is told of as failed, for which the
    format has no word of its own.
    """
    output = dict(RenderSerializer(render, context={}).data).get("output") or {}
    succeeded = render.status == RenderStatus.SUCCEEDED
    error = None if succeeded else str((render.error or {}).get("message") or "The render was cancelled.")[:2000]
    completed = (render.finished_at or timezone.now()).astimezone(UTC)
    body = {
        "type": "edit",
        "action": "render",
        "id": render.public_id,
        "owner": encode_id("usr", render.owner_id),
        "status": "done" if succeeded else "failed",
        "url": output.get("url"),
        "error": error,
        "completed": completed.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return orjson.dumps(body).decode()
