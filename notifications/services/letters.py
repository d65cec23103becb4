"""Letters: written with the notice, sent together, never twice.

The letters of one user that come within a window leave as one e-mail, by one job. An attempt takes them under its name
before it speaks to the mail server, and says afterwards how it went. A letter that an attempt took and then died with
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
from notifications.models import Letter
from notifications.models.inbox import LetterStatus
from notifications.names import EMAIL_JOB

MAX_PER_EMAIL = 100
# After this a letter that nobody took is one whose job was lost between two windows.
OVERDUE = timedelta(minutes=5)


def write_letter(*, columns: Mapping[str, Any]) -> None:
    """Write a letter, and have it sent at the end of the current window; none to somebody without an address."""
    if User.objects.filter(pk=columns["user_id"], email="").exists():
        return
    Letter.objects.create(**columns)
    call_postman(user_id=columns["user_id"])


def call_postman(*, user_id: UUID) -> None:
    """Have what is due to a user sent at the end of the current window. Its job begins only after the window."""
    window_s: int = settings.RENDEROWL_NOTIFICATION_EMAIL_WINDOW_S
    number = int(timezone.now().timestamp()) // window_s
    enqueue(
        type=EMAIL_JOB,
        payload={"user": str(user_id)},
        user_id=user_id,
        unique_key=f"letters:{user_id}:{number}",
        run_at=datetime.fromtimestamp((number + 1) * window_s, tz=UTC),
    )


def take_letters(*, user_id: UUID) -> tuple[UUID, list[Letter]]:
    """Return the letters that this call alone may send, under a name that no other call has."""
    taker = uuid7()
    with transaction.atomic():
        due = _open_letters(LetterStatus.DUE).filter(user_id=user_id).order_by("created_at")
        ids = list(due.values_list("pk", flat=True)[:MAX_PER_EMAIL])
        # Of two calls at one time each gets what it was first to mark.
        _open_letters(LetterStatus.DUE).filter(pk__in=ids).update(
            status=LetterStatus.SENDING, taken_by=taker, taken_at=timezone.now()
        )
        taken = Letter.objects.filter(pk__in=ids, taken_by=taker)
        return taker, list(taken.order_by("created_at", "pk"))


def give_back_letters(*, taker: UUID) -> int:
    """Let others send what a call took and the mail server surely has not accepted; return how many letters."""
    mine = _open_letters(LetterStatus.SENDING).filter(taken_by=taker)
    return mine.update(status=LetterStatus.DUE, taken_by=None, taken_at=None)


def end_letters(*, taker: UUID, status: LetterStatus) -> int:
    """Say how it went with what a call took; return how many letters."""
    mine = _open_letters(LetterStatus.SENDING).filter(taken_by=taker)
    return mine.update(status=status, ended_at=timezone.now())


def give_up_letters(*, user_id: UUID) -> int:
    """Fail the letters that are due to a user, after the last attempt at sending them; return how many."""
    due = _open_letters(LetterStatus.DUE).filter(user_id=user_id)
    return due.update(status=LetterStatus.FAILED, ended_at=timezone.now())


def close_doubtful(*, silent_for: timedelta) -> int:
    """Close the letters of calls that have been silent for longer than any call takes; return how many."""
    now = timezone.now()
    stuck = _open_letters(LetterStatus.SENDING).filter(taken_at__lt=now - silent_for)
    return stuck.update(status=LetterStatus.DOUBTFUL, ended_at=now)


def call_postmen_for_overdue() -> int:
    """Have letters sent whose job ran just before they were committed; return to how many users."""
    late = _open_letters(LetterStatus.DUE).filter(created_at__lt=timezone.now() - OVERDUE)
    users = set(late.order_by().values_list("user_id", flat=True).distinct()[:500])
    waiting = Job.objects.active().filter(type=EMAIL_JOB, user_id__in=users)
    users -= set(waiting.values_list("user_id", flat=True))
    for user_id in users:
        call_postman(user_id=user_id)
    return len(users)


def _open_letters(status: LetterStatus) -> QuerySet[Letter]:
    return Letter.objects.filter(ended_at__isnull=True, status=status)
