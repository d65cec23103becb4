"""Broadcasts: notifications by staff to many users, sent in batches, once to each."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.services import record_audit
from core.notifications import NotificationRequest
from jobs.services import enqueue
from notifications.job_types import BROADCAST_JOB
from notifications.models import Broadcast
from notifications.notification_kinds import SERVICE
from notifications.selectors import recipients_of
from notifications.services.inbox import deliver_notification

BATCH_SIZE = 200


@transaction.atomic
def send_broadcast(
    *, token: UUID, title: str, body: str = "", plan: str = "", usernames: Sequence[str] = (), actor: User
) -> Broadcast:
    """Create a broadcast and enqueue its job; a repeated token changes nothing. plan, usernames: see Broadcast."""
    broadcast, is_new = Broadcast.objects.get_or_create(
        token=token,
        defaults={"title": title, "body": body, "plan": plan, "usernames": list(usernames), "actor": actor},
    )
    if is_new:
        enqueue(type=BROADCAST_JOB, payload={"broadcast": str(broadcast.pk)}, reference=f"broadcast:{broadcast.pk}")
        details = {"title": title, "plan": plan, "users": len(usernames)}
        record_audit(action="notice.sent", subject=broadcast.public_id, actor=actor, details=details)
    return broadcast


def deliver_batch(*, broadcast_id: UUID) -> bool:
    """Send a broadcast to the next batch of users; return whether there may be more.

    The notifications and the position are written in one transaction, by compare-and-set, so that an attempt that lost
    its lease sends none twice.
    """
    with transaction.atomic():
        broadcast = Broadcast.objects.get(pk=broadcast_id)
        if broadcast.finished_at is not None:
            return False
        users = recipients_of(broadcast)
        if broadcast.last_user_id is not None:
            users = users.filter(pk__gt=broadcast.last_user_id)
        ids: list[UUID] = list(users.values_list("pk", flat=True)[:BATCH_SIZE])
        unchanged = Broadcast.objects.filter(pk=broadcast_id, last_user_id=broadcast.last_user_id, finished_at=None)
        if not ids:
            unchanged.update(finished_at=timezone.now())
            return False
        if not unchanged.update(last_user_id=ids[-1], recipients=broadcast.recipients + len(ids)):
            return True
        for user_id in ids:
            deliver_notification(
                NotificationRequest(user_id=user_id, kind=SERVICE.name, title=broadcast.title, body=broadcast.body)
            )
    return True
