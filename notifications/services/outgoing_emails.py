"""Outgoing emails: queued with the notification, sent together, at most once.

The emails of one user within a window are sent as one message by one job. An attempt claims them before it connects to
the mail server and records the result afterwards. If the attempt dies in between, they are not sent again: they may
have been delivered, and the inbox has the notifications as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from core.ids import uuid7
from jobs.models import Job
from jobs.services import enqueue
from notifications.job_types import EMAIL_JOB
from notifications.models import OutgoingEmail
from notifications.models.inbox import OutgoingEmailStatus

MAX_PER_EMAIL = 100
# An unclaimed email older than this has no job: it was committed after the job of its window ran.
OVERDUE = timedelta(minutes=5)


def queue_email(*, columns: Mapping[str, Any]) -> None:
    """Create an email and schedule it for the end of the window; does nothing for a user without an address."""
    if User.objects.filter(pk=columns["user_id"], email="").exists():
        return
    OutgoingEmail.objects.create(**columns)
    schedule_sending(user_id=columns["user_id"])


def schedule_sending(*, user_id: UUID) -> None:
    """Enqueue the job that sends a user's emails after the current window; one job per user and window."""
    window_s: int = settings.RENDEROWL_NOTIFICATION_EMAIL_WINDOW_S
    number = int(timezone.now().timestamp()) // window_s
    enqueue(
        type=EMAIL_JOB,
        payload={"user": str(user_id)},
        user_id=user_id,
        unique_key=f"emails:{user_id}:{number}",
        run_at=datetime.fromtimestamp((number + 1) * window_s, tz=UTC),
    )


def claim_emails(*, user_id: UUID) -> tuple[UUID, list[OutgoingEmail]]:
    """Claim the pending emails of a user; return the claim id and the emails, which only this caller may send."""
    claim_id = uuid7()
    with transaction.atomic():
        due = _unfinished_emails(OutgoingEmailStatus.PENDING).filter(user_id=user_id).order_by("created_at")
        ids = list(due.values_list("pk", flat=True)[:MAX_PER_EMAIL])
        # Compare-and-set: of two concurrent calls, each gets the emails that it updated first.
        _unfinished_emails(OutgoingEmailStatus.PENDING).filter(pk__in=ids).update(
            status=OutgoingEmailStatus.SENDING, claimed_by=claim_id, claimed_at=timezone.now()
        )
        claimed = OutgoingEmail.objects.filter(pk__in=ids, claimed_by=claim_id)
        return claim_id, list(claimed.order_by("created_at", "pk"))


def release_emails(*, claim_id: UUID) -> int:
    """Return claimed emails that the mail server did not accept to pending; return their number."""
    claimed = _unfinished_emails(OutgoingEmailStatus.SENDING).filter(claimed_by=claim_id)
    return claimed.update(status=OutgoingEmailStatus.PENDING, claimed_by=None, claimed_at=None)


def finish_emails(*, claim_id: UUID, status: OutgoingEmailStatus) -> int:
    """Record the result of claimed emails; return their number."""
    claimed = _unfinished_emails(OutgoingEmailStatus.SENDING).filter(claimed_by=claim_id)
    return claimed.update(status=status, ended_at=timezone.now())


def fail_pending_emails(*, user_id: UUID) -> int:
    """Fail the pending emails of a user after the last attempt; return their number."""
    due = _unfinished_emails(OutgoingEmailStatus.PENDING).filter(user_id=user_id)
    return due.update(status=OutgoingEmailStatus.FAILED, ended_at=timezone.now())


def close_stale_claims(*, silent_for: timedelta) -> int:
    """Mark emails whose claim is older than any attempt takes as unconfirmed; return their number."""
    now = timezone.now()
    stale = _unfinished_emails(OutgoingEmailStatus.SENDING).filter(claimed_at__lt=now - silent_for)
    return stale.update(status=OutgoingEmailStatus.UNCONFIRMED, ended_at=now)


def schedule_overdue() -> int:
    """Schedule overdue emails, whose job ran before they were committed; return the number of users."""
    overdue = _unfinished_emails(OutgoingEmailStatus.PENDING).filter(created_at__lt=timezone.now() - OVERDUE)
    users = set(overdue.order_by().values_list("user_id", flat=True).distinct()[:500])
    waiting = Job.objects.active().filter(type=EMAIL_JOB, user_id__in=users)
    users -= set(waiting.values_list("user_id", flat=True))
    for user_id in users:
        schedule_sending(user_id=user_id)
    return len(users)


def _unfinished_emails(status: OutgoingEmailStatus) -> QuerySet[OutgoingEmail]:
    return OutgoingEmail.objects.filter(ended_at__isnull=True, status=status)
