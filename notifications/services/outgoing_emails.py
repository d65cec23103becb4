"""Emails: written with the notification, sent together, never twice.

The emails of one user that come within a window leave as one e-mail, by one job. An attempt takes them under its name
before it speaks to the mail server, and says afterwards how it went. An email that an attempt took and then died with
is not sent again: whether it was delivered nobody knows, and what it says is in the inbox as well.
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
# After this an email that nobody took is one whose job was lost between two windows.
OVERDUE = timedelta(minutes=5)


def queue_email(*, columns: Mapping[str, Any]) -> None:
    """Write an email, and have it sent at the end of the current window; none to somebody without an address."""
    if User.objects.filter(pk=columns["user_id"], email="").exists():
        return
    OutgoingEmail.objects.create(**columns)
    schedule_sending(user_id=columns["user_id"])


def schedule_sending(*, user_id: UUID) -> None:
    """Have what is due to a user sent at the end of the current window. Its job begins only after the window."""
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
    """Return the emails that this call alone may send, under a name that no other call has."""
    claim_id = uuid7()
    with transaction.atomic():
        due = _unfinished_emails(OutgoingEmailStatus.PENDING).filter(user_id=user_id).order_by("created_at")
        ids = list(due.values_list("pk", flat=True)[:MAX_PER_EMAIL])
        # Of two calls at one time each gets what it was first to mark.
        _unfinished_emails(OutgoingEmailStatus.PENDING).filter(pk__in=ids).update(
            status=OutgoingEmailStatus.SENDING, claimed_by=claim_id, claimed_at=timezone.now()
        )
        claimed = OutgoingEmail.objects.filter(pk__in=ids, claimed_by=claim_id)
        return claim_id, list(claimed.order_by("created_at", "pk"))


def release_emails(*, claim_id: UUID) -> int:
    """Let others send what a call took and the mail server surely has not accepted; return how many emails."""
    mine = _unfinished_emails(OutgoingEmailStatus.SENDING).filter(claimed_by=claim_id)
    return mine.update(status=OutgoingEmailStatus.PENDING, claimed_by=None, claimed_at=None)


def finish_emails(*, claim_id: UUID, status: OutgoingEmailStatus) -> int:
    """Say how it went with what a call took; return how many emails."""
    mine = _unfinished_emails(OutgoingEmailStatus.SENDING).filter(claimed_by=claim_id)
    return mine.update(status=status, ended_at=timezone.now())


def fail_pending_emails(*, user_id: UUID) -> int:
    """Fail the emails that are due to a user, after the last attempt at sending them; return how many."""
    due = _unfinished_emails(OutgoingEmailStatus.PENDING).filter(user_id=user_id)
    return due.update(status=OutgoingEmailStatus.FAILED, ended_at=timezone.now())


def close_stale_claims(*, silent_for: timedelta) -> int:
    """Close the emails of calls that have been silent for longer than any call takes; return how many."""
    now = timezone.now()
    stuck = _unfinished_emails(OutgoingEmailStatus.SENDING).filter(claimed_at__lt=now - silent_for)
    return stuck.update(status=OutgoingEmailStatus.UNCONFIRMED, ended_at=now)


def schedule_overdue() -> int:
    """Have emails sent whose job ran just before they were committed; return to how many users."""
    late = _unfinished_emails(OutgoingEmailStatus.PENDING).filter(created_at__lt=timezone.now() - OVERDUE)
    users = set(late.order_by().values_list("user_id", flat=True).distinct()[:500])
    waiting = Job.objects.active().filter(type=EMAIL_JOB, user_id__in=users)
    users -= set(waiting.values_list("user_id", flat=True))
    for user_id in users:
        schedule_sending(user_id=user_id)
    return len(users)


def _unfinished_emails(status: OutgoingEmailStatus) -> QuerySet[OutgoingEmail]:
    return OutgoingEmail.objects.filter(ended_at__isnull=True, status=status)
