"""Webhook endpoints: create, update, rotate secrets, enable, disable, delete."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from accounts.plans import limits_of
from core.exceptions import InvalidState, NotFound
from core.notifications import notify
from jobs import services as jobs
from notifications import notification_kinds
from notifications.encryption import decrypt, encrypt
from notifications.exceptions import WebhookEndpointLimitReached
from notifications.models import WebhookEndpoint, WebhookEndpointHealth
from notifications.models.webhooks import MAX_IN_FLIGHT, DisabledReason, WebhookEndpointKind
from notifications.services.deliveries import publish_event
from notifications.webhooks import event_types
from notifications.webhooks.payloads import describe_endpoint
from outbound.signing import new_secret, parse_secret

logger = logging.getLogger(__name__)

PREVIOUS_SECRET_TTL = timedelta(hours=24)
_REASONS = {
    DisabledReason.GONE: "It answered 410 Gone.",
    DisabledReason.FAILING: "No delivery to it has succeeded for days.",
    DisabledReason.STAFF: "Staff of this installation disabled it.",
}


@dataclass(frozen=True, slots=True)
class EndpointWithSecret:
    """An endpoint and its plain secret, which is shown to the owner only once."""

    endpoint: WebhookEndpoint
    secret: str


def create_endpoint(*, owner: User, url: str, events: Sequence[str], description: str = "") -> EndpointWithSecret:
    """Create an endpoint. The caller has checked the URL, which may take a DNS lookup.

    Raises WebhookEndpointLimitReached.
    """
    secret = new_secret()
    with transaction.atomic():
        # Locks the row of the account, so that concurrent requests cannot exceed the limit.
        plan = User.objects.select_for_update().values_list("plan", flat=True).get(pk=owner.pk)
        limit = limits_of(plan).webhook_endpoints
        existing = WebhookEndpoint.objects.for_owner(owner).filter(kind=WebhookEndpointKind.SUBSCRIPTION)
        if existing.count() >= limit:
            detail = f"The plan {plan} allows {limit} webhook endpoints: delete one first."
            raise WebhookEndpointLimitReached(detail, limit=limit)
        endpoint = WebhookEndpoint.objects.create(
            owner=owner, url=url, events=list(events), description=description, secret=encrypt(secret)
        )
        WebhookEndpointHealth.objects.create(endpoint=endpoint)
    return EndpointWithSecret(endpoint, secret)


def get_render_endpoint(*, owner_id: UUID) -> WebhookEndpoint:
    """Return the endpoint for the URLs given with single renders of an account; create it if missing."""
    key = {"owner_id": owner_id, "kind": WebhookEndpointKind.RENDERS}
    found = WebhookEndpoint.objects.select_related("health").filter(**key).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            endpoint = WebhookEndpoint.objects.create(**key, secret=encrypt(new_secret()))
            WebhookEndpointHealth.objects.create(endpoint=endpoint)
            return endpoint
    except IntegrityError:
        return WebhookEndpoint.objects.select_related("health").get(**key)


def update_endpoint(*, endpoint: WebhookEndpoint, changes: Mapping[str, Any]) -> WebhookEndpoint:
    """Change the URL, events or description, or enable or disable the endpoint.

    Raises NotFound if it was deleted meanwhile; InvalidState for the endpoint of renders.
    """
    _refuse_for_renders(endpoint)
    columns = {name: changes[name] for name in ("url", "events", "description") if name in changes}
    with transaction.atomic():
        _change(endpoint, **columns)
        if "is_enabled" in changes:
            _set_enabled(endpoint, is_enabled=changes["is_enabled"], reason=DisabledReason.OWNER)
        endpoint.refresh_from_db()
    return endpoint


def rotate_secret(*, endpoint: WebhookEndpoint) -> EndpointWithSecret:
    """Replace the secret now; deliveries are signed with the previous one as well for 24 hours."""
    secret = new_secret()
    with transaction.atomic():
        current = _not_deleted(endpoint).select_for_update().values_list("secret", flat=True).first()
        if current is None:
            raise NotFound
        _change(
            endpoint,
            secret=encrypt(secret),
            previous_secret=current,
            previous_secret_until=timezone.now() + PREVIOUS_SECRET_TTL,
        )
        endpoint.refresh_from_db()
    return EndpointWithSecret(endpoint, secret)


def delete_endpoint(*, endpoint: WebhookEndpoint) -> None:
    """Mark an endpoint as deleted and stop deliveries. Housekeeping deletes its deliveries, which may be many.

    Raises InvalidState for the endpoint of renders.
    """
    _refuse_for_renders(endpoint)
    with transaction.atomic():
        _change(endpoint, deleted_at=timezone.now(), is_enabled=False, secret="", previous_secret="")
        jobs.clear_key_limit(limit_key=endpoint.limit_key)


def enable_endpoint(*, endpoint: WebhookEndpoint) -> bool:
    """Resume deliveries and reset the health; return False if it was already enabled."""
    with transaction.atomic():
        return _set_enabled(endpoint, is_enabled=True, reason=DisabledReason.OWNER)


def disable_endpoint(*, endpoint: WebhookEndpoint, reason: DisabledReason) -> bool:
    """Stop deliveries; return False if already disabled. The owner is notified, unless `reason` is OWNER."""
    with transaction.atomic():
        return _set_enabled(endpoint, is_enabled=False, reason=reason)


def signing_secrets(endpoint: WebhookEndpoint) -> tuple[bytes, ...]:
    """Return the decrypted secrets to sign with, the current one first.

    Raises DecryptionError.
    """
    encrypted = [endpoint.secret]
    until = endpoint.previous_secret_until
    if endpoint.previous_secret and until is not None and timezone.now() < until:
        encrypted.append(endpoint.previous_secret)
    return tuple(parse_secret(decrypt(text)) for text in encrypted)


def clear_expired_secrets() -> int:
    """Delete expired previous secrets; return their number."""
    expired = WebhookEndpoint.objects.filter(previous_secret_until__lte=timezone.now()).exclude(previous_secret="")
    return expired.update(previous_secret="", previous_secret_until=None)


def _set_enabled(endpoint: WebhookEndpoint, *, is_enabled: bool, reason: DisabledReason) -> bool:
    now = timezone.now()
    if is_enabled:
        columns: dict[str, Any] = {"disabled_at": None, "disabled_reason": ""}
    else:
        columns = {"disabled_at": now, "disabled_reason": reason}
    unchanged = _not_deleted(endpoint).filter(is_enabled=not is_enabled)
    if not unchanged.update(is_enabled=is_enabled, **columns):
        return False
    endpoint.refresh_from_db()
    if is_enabled:
        WebhookEndpointHealth.objects.filter(endpoint=endpoint).update(
            failing_since=None, is_slow=False, limit_running=MAX_IN_FLIGHT, limit_changed_at=now
        )
        jobs.clear_key_limit(limit_key=endpoint.limit_key)
    elif reason != DisabledReason.OWNER:
        _notify_owner(endpoint)
    logger.info("webhook endpoint updated", extra={"endpoint": endpoint.public_id, "is_enabled": is_enabled})
    return True


def _notify_owner(endpoint: WebhookEndpoint) -> None:
    """Notify by inbox, email and the other endpoints of the account."""
    notify(
        user_id=endpoint.owner_id,
        kind=notification_kinds.WEBHOOK_DISABLED.name,
        title="A webhook endpoint was disabled",
        body=f"{_REASONS[DisabledReason(endpoint.disabled_reason)]} {endpoint.url}",
        resource=endpoint.public_id,
    )
    publish_event(
        owner_id=endpoint.owner_id,
        event=event_types.WEBHOOK_DISABLED.name,
        resource=endpoint.public_id,
        describe=lambda: describe_endpoint(endpoint),
    )


def _refuse_for_renders(endpoint: WebhookEndpoint) -> None:
    if endpoint.is_for_renders:
        raise InvalidState("This endpoint represents the URLs of single renders: only its secret can be changed.")


def _not_deleted(endpoint: WebhookEndpoint) -> Any:
    return WebhookEndpoint.objects.not_deleted().filter(pk=endpoint.pk)


def _change(endpoint: WebhookEndpoint, **columns: Any) -> None:
    if columns and not _not_deleted(endpoint).update(**columns):
        raise NotFound


def disable_after() -> timedelta:
    """Return how long an endpoint may fail before it is disabled."""
    return timedelta(seconds=settings.RENDEROWL_WEBHOOK_DISABLE_AFTER_S)
