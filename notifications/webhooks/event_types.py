"""Webhook event types that endpoints can subscribe to, and their wildcards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ALL_EVENTS = "*"


@dataclass(frozen=True, slots=True)
class WebhookEventType:
    """One event type. object: the API object type of its `data`."""

    name: str
    summary: str
    object: str


PING = WebhookEventType(
    "ping", "A test, sent on demand to one endpoint, whatever it subscribes to.", "webhook_endpoint"
)
WEBHOOK_DISABLED = WebhookEventType(
    "webhook.disabled", "Another endpoint of the account was disabled; `reason` says why.", "webhook_endpoint"
)
CREDITS_LOW = WebhookEventType("credits.low", "The balance fell below the installation's threshold.", "credit_balance")
BATCH_COMPLETED = WebhookEventType("batch.completed", "All renders of a batch have ended.", "batch")
RENDER_QUEUED = WebhookEventType("render.queued", "A render waits for a worker.", "render")
RENDER_STARTED = WebhookEventType("render.started", "A worker began an attempt at a render.", "render")
RENDER_SUCCEEDED = WebhookEventType("render.succeeded", "A render can be downloaded.", "render")
RENDER_FAILED = WebhookEventType("render.failed", "A render ended without an output and was refunded.", "render")
RENDER_CANCELLED = WebhookEventType("render.cancelled", "A render was stopped and refunded.", "render")
ASSET_READY = WebhookEventType("asset.ready", "An uploaded or imported file can be used in edits.", "asset")
ASSET_FAILED = WebhookEventType("asset.failed", "The import of a file failed.", "asset")

EVENT_TYPES = (
    RENDER_QUEUED,
    RENDER_STARTED,
    RENDER_SUCCEEDED,
    RENDER_FAILED,
    RENDER_CANCELLED,
    BATCH_COMPLETED,
    ASSET_READY,
    ASSET_FAILED,
    CREDITS_LOW,
    WEBHOOK_DISABLED,
    PING,
)
_NAMES = frozenset(event.name for event in EVENT_TYPES)
_WILDCARDS = frozenset(f"{name.partition('.')[0]}.*" for name in _NAMES if "." in name)
PATTERNS = frozenset({ALL_EVENTS}) | _NAMES | _WILDCARDS


def is_pattern(text: str) -> bool:
    """Return whether a text is an event type, a wildcard such as `render.*`, or `*`."""
    return text in PATTERNS


def matches(patterns: Iterable[str], event: str) -> bool:
    """Return whether any of the patterns matches an event type."""
    wildcard = f"{event.partition('.')[0]}.*"
    return any(pattern in (event, wildcard, ALL_EVENTS) for pattern in patterns)
