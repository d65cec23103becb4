"""Subscribers that notify the owner of the object of an event, in the event's transaction."""

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
    """Notify that the output is ready. Renders of a batch are notified together, by `notify_batch_completed`."""
    if not _is_in_batch(event):
        _notify_render(event, notification_kinds.RENDER_SUCCEEDED, "Render succeeded", "The output can be downloaded.")


@subscribe(RenderFailed)
def notify_render_failed(event: RenderFailed) -> None:
    """Notify with the error code and message of the render."""
    if not _is_in_batch(event):
        error: dict[str, Any] | None = Render.objects.values_list("error", flat=True).get(pk=event.render_id)
        message = str((error or {}).get("message", ""))
        _notify_render(event, notification_kinds.RENDER_FAILED, f"Render failed: {event.code}", message)


@subscribe(RenderCancelled)
def notify_render_cancelled(event: RenderCancelled) -> None:
    """Notify that the render was cancelled and refunded."""
    if not _is_in_batch(event):
        _notify_render(event, notification_kinds.RENDER_CANCELLED, "Render cancelled", "Its credits were refunded.")


def _is_in_batch(event: RenderEvent) -> bool:
    return Render.objects.filter(pk=event.render_id, batch__isnull=False).exists()


def _notify_render(event: RenderEvent, kind: NotificationKind, title: str, body: str) -> None:
    resource = encode_id(Render.ID_PREFIX, event.render_id)
    notify(user_id=event.owner_id, kind=kind.name, title=title, body=body, resource=resource)


@subscribe(BatchCompleted)
def notify_batch_completed(event: BatchCompleted) -> None:
    """Notify with the number of succeeded, failed and cancelled renders."""
    counts = [(event.succeeded, "succeeded"), (event.failed, "failed"), (event.cancelled, "were cancelled")]
    notify(
        user_id=event.owner_id,
        kind=notification_kinds.BATCH_COMPLETED.name,
        title=f"Batch of {event.total} completed",
        body=", ".join(f"{count} {outcome}" for count, outcome in counts if count),
        resource=encode_id(Batch.ID_PREFIX, event.batch_id),
    )


@subscribe(AssetFailed)
def notify_asset_failed(event: AssetFailed) -> None:
    """Notify with the error code and detail of the import."""
    notify(
        user_id=event.owner_id,
        kind=notification_kinds.ASSET_FAILED.name,
        title=f"Import failed: {event.code}",
        body=event.detail,
        resource=encode_id(Asset.ID_PREFIX, event.asset_id),
    )


@subscribe(CreditsLow)
def notify_credits_low(event: CreditsLow) -> None:
    """Notify with the balance and the threshold."""
    notify(
        user_id=event.user_id,
        kind=notification_kinds.CREDITS_LOW.name,
        title=f"{format_credits(event.balance)} credits are left",
        body=f"That is less than {format_credits(event.threshold)}.",
    )


@subscribe(PlanChanged)
def notify_plan_changed(event: PlanChanged) -> None:
    """Notify with the new and the old plan."""
    notify(
        user_id=event.user_id,
        kind=notification_kinds.ACCOUNT_PLAN.name,
        title=f"Your plan is now {event.new_plan}",
        body=f"It was {event.old_plan}.",
    )


@subscribe(ApiKeyRevoked)
def notify_key_revoked(event: ApiKeyRevoked) -> None:
    """Notify with the name and the masked key."""
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
    """Notify with the deprecated API, the number of calls and the sunset date."""
    end = f"It ends on {format_datetime(event.sunset_at, usegmt=True)}." if event.sunset_at else "No end date is set."
    notify(
        user_id=event.user_id,
        kind=notification_kinds.API_DEPRECATED.name,
        title=f"Your keys call {event.subject}, which is deprecated",
        body=f"{event.calls} calls were counted. {end}",
    )


@subscribe(SunsetApproaching)
def notify_sunset(event: SunsetApproaching) -> None:
    """Notify with the days left until the sunset."""
    notify(
        user_id=event.user_id,
        kind=notification_kinds.API_DEPRECATED.name,
        title=f"{event.subject}, which your keys call, ends in {event.days_left} days",
        body=f"It ends on {format_datetime(event.sunset_at, usegmt=True)}.",
    )
