"""Kinds of notification that this app sends, on events of lower apps and for staff."""

from __future__ import annotations

from core.notifications import NotificationKind, notification_kinds

RENDER_SUCCEEDED = notification_kinds.register(NotificationKind("render.succeeded", "A render can be downloaded"))
RENDER_FAILED = notification_kinds.register(NotificationKind("render.failed", "A render failed"))
RENDER_CANCELLED = notification_kinds.register(
    NotificationKind("render.cancelled", "A render was cancelled", inbox=False)
)
BATCH_COMPLETED = notification_kinds.register(NotificationKind("batch.completed", "All renders of a batch have ended"))
ASSET_FAILED = notification_kinds.register(NotificationKind("asset.failed", "The import of an asset failed"))
ACCOUNT_PLAN = notification_kinds.register(NotificationKind("account.plan_changed", "The plan was changed"))
# No email: accounts already sends its own about deprecations.
API_DEPRECATED = notification_kinds.register(NotificationKind("api.deprecated", "Your keys use a deprecated API"))
KEY_REVOKED = notification_kinds.register(NotificationKind("key.revoked", "An API key was revoked", email=True))
WEBHOOK_DISABLED = notification_kinds.register(
    NotificationKind("webhook.disabled", "A webhook endpoint was disabled", email=True)
)
CREDITS_LOW = notification_kinds.register(NotificationKind("credits.low", "The credit balance is low", email=True))
SERVICE = notification_kinds.register(
    NotificationKind("service.notice", "A message from the operators of this installation", email=True)
)
