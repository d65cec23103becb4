"""The kinds of notice that this app sends by itself, on events of other apps and for staff."""

from __future__ import annotations

from core.notices import NoticeKind

RENDER_SUCCEEDED = NoticeKind("render.succeeded", "A render can be downloaded")
RENDER_FAILED = NoticeKind("render.failed", "A render failed")
RENDER_CANCELLED = NoticeKind("render.cancelled", "A render was cancelled", inbox=False)
BATCH_COMPLETED = NoticeKind("batch.completed", "All renders of a batch have ended")
ASSET_FAILED = NoticeKind("asset.failed", "The import of an asset failed")
ACCOUNT_PLAN = NoticeKind("account.plan_changed", "The account is on another plan")
# Owners get letters on deprecations from accounts already; a second one would only teach them to skip both.
API_DEPRECATED = NoticeKind("api.deprecated", "Keys of yours call what will end")
KEY_REVOKED = NoticeKind("key.revoked", "An API key was revoked", email=True)
WEBHOOK_DISABLED = NoticeKind("webhook.disabled", "Nothing is delivered to a webhook endpoint any more", email=True)
CREDITS_LOW = NoticeKind("credits.low", "Few credits are left", email=True)
SERVICE = NoticeKind("service.notice", "A word from the people who run this installation", email=True)

KINDS = (
    RENDER_SUCCEEDED,
    RENDER_FAILED,
    RENDER_CANCELLED,
    BATCH_COMPLETED,
    ASSET_FAILED,
    ACCOUNT_PLAN,
    API_DEPRECATED,
    KEY_REVOKED,
    WEBHOOK_DISABLED,
    CREDITS_LOW,
    SERVICE,
)
