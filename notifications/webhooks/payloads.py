"""Payloads of webhooks: objects serialized as in the latest version of the API."""

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
# Dropped in this order from a body that is too large; receivers can read them from the API.
DROPPABLE_MEMBERS = ("warnings", "metadata", "probe", "error")
_EXCLUDED_RENDER_MEMBERS = ("progress", "links", "warnings", "notes")


def build_body(*, type: str, timestamp: datetime, data: Mapping[str, Any], sequence: int) -> str:  # noqa: A002
    """Return the JSON body of an event, below 20 KB.

    timestamp: time of the event, the same for all attempts. `data.truncated` names the dropped members.
    """
    members = {**data, "sequence": sequence}
    dropped: list[str] = []
    for name in (*DROPPABLE_MEMBERS, None):
        body = _encode({"type": type, "timestamp": format_time(timestamp), "data": members})
        if len(body) < MAX_PAYLOAD_BYTES or name is None:
            break
        if members.get(name):
            dropped.append(name)
            members = {**members, name: None, "truncated": list(dropped)}
    if len(body) >= MAX_PAYLOAD_BYTES:
        required = {name: members[name] for name in ("id", "object", "status", "sequence") if name in members}
        body = _encode({"type": type, "timestamp": format_time(timestamp), "data": {**required, "truncated": ["*"]}})
    return body.decode()


def _encode(value: Any) -> bytes:
    return JsonRenderer().render(value)


def describe_render(render: Render) -> dict[str, Any]:
    """Serialize a render. Its links expire like those of the API."""
    data = RenderSerializer(render, context={}).data
    return {name: value for name, value in data.items() if name not in _EXCLUDED_RENDER_MEMBERS}


def describe_batch(batch: Batch) -> dict[str, Any]:
    """Serialize a batch with its progress, without links."""
    data = dict(BatchSerializer(batch, context={"batch_progress": batch_progress([batch])}).data)
    del data["links"]
    return data


def describe_asset(asset: Asset) -> dict[str, Any]:
    """Serialize an asset."""
    return dict(AssetSerializer(asset, context={}).data)


def describe_endpoint(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Serialize the state of an endpoint, without its secret."""
    data = WebhookEndpointSerializer(endpoint).data
    members = {name: data[name] for name in ("id", "object", "url", "status")}
    return {**members, "reason": data["disabled_reason"], "disabled_at": data["disabled_at"]}


def describe_balance(*, user_id: Any, balance: int, threshold: int) -> dict[str, Any]:
    """Serialize a balance that fell below the threshold; both in hundredths."""
    return {
        "object": "credit_balance",
        "user": encode_id("usr", user_id),
        "balance": format_credits(balance),
        "threshold": format_credits(threshold),
    }


def build_callback_body(render: Render) -> str:
    """Return the JSON body for the `callback` of an edit, after its render has ended.

    The members follow the public format of edits, in which a cancelled render has the status `failed`.
    """
    output = dict(RenderSerializer(render, context={}).data).get("output") or {}
    succeeded = render.status == RenderStatus.SUCCEEDED
    error = None if succeeded else str((render.error or {}).get("message") or "The render was cancelled.")[:2000]
    completed_at = (render.finished_at or timezone.now()).astimezone(UTC)
    body = {
        "type": "edit",
        "action": "render",
        "id": render.public_id,
        "owner": encode_id("usr", render.owner_id),
        "status": "done" if succeeded else "failed",
        "url": output.get("url"),
        "error": error,
        "completed": completed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return orjson.dumps(body).decode()
