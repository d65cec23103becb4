"""Notifications to the owner of what an event is about, in the event's transaction."""

from __future__ import annotations

from email.utils import format_datetime
from typing import Any

from accounts.events import ApiKeyRevoked, DeprecatedCallSeen, PlanChanged, SunsetApproaching
from accounts.models import ApiKey
from assets.events import AssetFailed
from assets.models import Asset
from core.events import subscribe
from core.ids import encode_id
from core.notifications import NotificationKind, notify
from credits.events import CreditsLow
from credits.pricing import format_credits
from notifications import notification_kinds
from renders.events import BatchCompleted, RenderCancelled, RenderEvent, RenderFailed, RenderSucceeded
from renders.models import Batch, Render


@subscribe(RenderSucceeded)
def notify_render_succeeded(event: RenderSucceeded) -> None:
    """Say that the output is there. Renders of a batch are told of together, when all of them have ended."""
    if not _is_of_batch(event):
        _notify_render(event, notification_kinds.RENDER_SUCCEEDED, "Render succeeded", "The output can be downloaded.")


@subscribe(RenderFailed)
def notify_render_failed(event: RenderFailed) -> None:
    """Say why."""
    if not _is_of_batch(event):
        error: dict[str, Any] | None = Render.objects.values_list("error", flat=True).get(pk=event.render_id)
        message = str((error or {}).get("message", ""))
        _notify_render(event, notification_kinds.RENDER_FAILED, f"Render failed: {event.code}", message)


@subscribe(RenderCancelled)
def notify_render_cancelled(event: RenderCancelled) -> None:
    """Say that nothing comes of it."""
    if not _is_of_batch(event):
        _notify_render(event, notification_kinds.RENDER_CANCELLED, "Render cancelled", "Its credits were given back.")


def _is_of_batch(event: RenderEvent) -> bool:
    return Render.objects.filter(pk=event.render_id, batch__isnull=False).exists()


def _notify_render(event: RenderEvent, kind: NotificationKind, title: str, body: str) -> None:
    resource = encode_id(Render.ID_PREFIX, event.render_id)
    notify(user_id=event.owner_id, kind=kind.name, title=title, body=body, resource=resource)


@subscribe(BatchCompleted)
def notify_batch_completed(event: BatchCompleted) -> None:
    """Say how many of its renders came to what."""
    counts = [(event.succeeded, "succeeded"), (event.failed, "failed"), (event.cancelled, "were cancelled")]
    notify(
        user_id=event.owner_id,
        kind=notification_kinds.BATCH_COMPLETED.name,
        title=f"Batch of {event.total} completed",
        body=", ".join(f"{count} {what}" for count, what in counts if count),
        resource=encode_id(Batch.ID_PREFIX, event.batch_id),
    )


@subscribe(AssetFailed)
def notify_asset_failed(event: AssetFailed) -> None:
    """Say why."""
    notify(
        user_id=event.owner_id,
        kind=notification_kinds.ASSET_FAILED.name,
        title=f"Import failed: {event.code}",
        body=event.detail,
        resource=encode_id(Asset.ID_PREFIX, event.asset_id),
    )


@subscribe(CreditsLow)
def notify_credits_low(event: CreditsLow) -> None:
    """Say how many are left."""
    notify(
        user_id=event.user_id,
        kind=notification_kinds.CREDITS_LOW.name,
        title=f"{format_credits(event.balance)} credits are left",
        body=f"That is less than {format_credits(event.threshold)}.",
    )


@subscribe(PlanChanged)
def notify_plan_changed(event: PlanChanged) -> None:
    """Say which plan it is now."""
    notify(
        user_id=event.user_id,
        kind=notification_kinds.ACCOUNT_PLAN.name,
        title=f"Your plan is now {event.new_plan}",
        body=f"It was {event.old_plan}.",
    )


@subscribe(ApiKeyRevoked)
def notify_key_revoked(event: ApiKeyRevoked) -> None:
    """Say which key it was."""
    key = ApiKey.objects.get(pk=event.key_id)
    notify(
        user_id=event.user_id,
        kind=notification_kinds.KEY_REVOKED.name,
        title="An API key was revoked",
        body=f"{key.name} {key.masked}".strip(),
        resource=key.public_id,
    )


@subscribe(DeprecatedCallSeen)
def notify_deprecated(event: DeprecatedCallSeen) -> None:
    """Say what was called, and when it ends."""
    end = f"It ends on {format_datetime(event.sunset_at, usegmt=True)}." if event.sunset_at else "Its end is not set."
    notify(
        user_id=event.user_id,
        kind=notification_kinds.API_DEPRECATED.name,
        title=f"Your keys call {event.subject}, which is deprecated",
        body=f"{event.calls} calls were counted. {end}",
    )


@subscribe(SunsetApproaching)
def notify_sunset(event: SunsetApproaching) -> None:
    """Say how much time is left."""
    notify(
        user_id=event.user_id,
        kind=notification_kinds.API_DEPRECATED.name,
        title=f"{event.subject}, which your keys call, ends in {event.days_left} days",
        body=f"It ends on {format_datetime(event.sunset_at, usegmt=True)}.",
    )
