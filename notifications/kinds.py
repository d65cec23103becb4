"""The kinds of notice that this app sends by itself, on events of other apps and for staff."""

from __future__ import annotations

from core.notices import NoticeKind, notice_kinds

RENDER_SUCCEEDED = notice_kinds.register(NoticeKind("render.succeeded", "A render can be downloaded"))
RENDER_FAILED = notice_kinds.register(NoticeKind("render.failed", "A render failed"))
RENDER_CANCELLED = notice_kinds.register(NoticeKind("render.cancelled", "A render was cancelled", inbox=False))
BATCH_COMPLETED = notice_kinds.register(NoticeKind("batch.completed", "All renders of a batch have ended"))
ASSET_FAILED = notice_kinds.register(NoticeKind("asset.failed", "The import of an asset failed"))
ACCOUNT_PLAN = notice_kinds.register(NoticeKind("account.plan_changed", "The account is on another plan"))
# Owners get letters on deprecations from accounts already; a second one would only teach them to skip both.
API_DEPRECATED = notice_kinds.register(NoticeKind("api.deprecated", "Keys of yours call what will end"))
KEY_REVOKED = notice_kinds.register(NoticeKind("key.revoked", "An API key was revoked", email=True))
WEBHOOK_DISABLED = notice_kinds.register(
    NoticeKind("webhook.disabled", "Nothing is delivered to a webhook endpoint any more", email=True)
)
CREDITS_LOW = notice_kinds.register(NoticeKind("credits.low", "Few credits are left", email=True))
SERVICE = notice_kinds.register(
    NoticeKind("service.notice", "A word from the people who run this installation", email=True)
)
