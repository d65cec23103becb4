"""Who still calls what will end, and whether they have been told."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from smtplib import SMTPException
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.events import DeprecatedCallSeen, SunsetApproaching
from accounts.models import ApiKey, DeprecatedCall, DeprecationNotice, NoticeKind, User
from accounts.selectors import owners_calling
from api.lifecycle import SUNSET_PAGE, guide_of, marks
from api.marks import Mark
from core import events

logger = logging.getLogger(__name__)
_STAGES = {7: NoticeKind.DAYS_7, 30: NoticeKind.DAYS_30, 90: NoticeKind.DAYS_90}
_MAIL_LEASE = timedelta(hours=1)
_MAX_LETTERS = 500
Told = dict[tuple[UUID, str, str], datetime]


@dataclass(frozen=True, slots=True)
class CallTally:
    """How often a key called a deprecated route since the last time this was written down."""

    key_id: UUID
    version: int
    route: str
    calls: int
    first_called_at: datetime
    last_called_at: datetime


@transaction.atomic
def record_deprecated_calls(*, tallies: Sequence[CallTally]) -> None:
    """Add counts to the rows of their keys and routes. Counts of keys that are gone are dropped."""
    wanted = {tally.key_id for tally in tallies}
    # The lock (on PostgreSQL) keeps a key from going before its count is in.
    keys = set(ApiKey.objects.select_for_update(no_key=True).filter(pk__in=wanted).values_list("pk", flat=True))
    # One order for all processes, so that two never wait for each other.
    for tally in sorted(tallies, key=lambda each: (each.key_id, each.version, each.route)):
        if tally.key_id in keys and not _add_to_row(tally):
            _insert_row(tally)


def _add_to_row(tally: CallTally) -> int:
    row = DeprecatedCall.objects.filter(key_id=tally.key_id, version=tally.version, route=tally.route)
    return row.update(calls=F("calls") + tally.calls, last_called_at=tally.last_called_at)


def _insert_row(tally: CallTally) -> None:
    try:
        with transaction.atomic():
            DeprecatedCall.objects.create(
                key_id=tally.key_id,
                version=tally.version,
                route=tally.route,
                calls=tally.calls,
                first_called_at=tally.first_called_at,
                last_called_at=tally.last_called_at,
            )
    except IntegrityError:
        # Another process was first.
        _add_to_row(tally)


def announce_deprecations(*, now: datetime) -> int:
    """Make the notices that are due: at the first call after a mark, then 90, 30 and 7 days before the sunset.

    Each is made once, with its event in the same transaction. After a pause only the latest stage is announced, and
    none to somebody whose first notice fell into it. Returns how many were made.
    """
    made = 0
    for mark in marks():
        if not mark.is_deprecated(now) or mark.is_over(now):
            continue
        told = _told(mark)
        for user_id, calls in owners_calling(mark):
            kind, due = _kind_due(mark, told, user_id, now)
            if kind is not None:
                made += _announce(mark, user_id=user_id, calls=calls, kind=kind, due=due, now=now)
    return made


def _told(mark: Mark) -> Told:
    rows = DeprecationNotice.objects.filter(subject=mark.subject)
    return {(user, kind, due): at for user, kind, due, at in rows.values_list("user", "kind", "due", "created_at")}


def _kind_due(mark: Mark, told: Told, user_id: UUID, now: datetime) -> tuple[NoticeKind | None, str]:
    first_told_at = told.get((user_id, NoticeKind.FIRST_USE, ""))
    if first_told_at is None:
        return NoticeKind.FIRST_USE, ""
    if mark.sunset_at is None:
        return None, ""
    due = mark.sunset_at.isoformat()
    stage = next((days for days in sorted(_STAGES) if mark.sunset_at - now <= timedelta(days=days)), None)
    if stage is None or first_told_at >= mark.sunset_at - timedelta(days=stage):
        return None, due
    kind = _STAGES[stage]
    return (None if (user_id, kind, due) in told else kind), due


@transaction.atomic
def _announce(mark: Mark, *, user_id: UUID, calls: int, kind: NoticeKind, due: str, now: datetime) -> int:
    user = User.objects.get(pk=user_id)
    _, is_new = DeprecationNotice.objects.get_or_create(
        user=user,
        subject=mark.subject,
        kind=kind,
        due=due,
        defaults={"calls": calls, "created_at": now, "mail_due_at": now if user.email else None},
    )
    if not is_new:
        return 0
    if kind == NoticeKind.FIRST_USE:
        events.publish(DeprecatedCallSeen(user_id, mark.subject, calls, mark.sunset_at))
    else:
        assert mark.sunset_at is not None
        events.publish(SunsetApproaching(user_id, mark.subject, mark.sunset_at, (mark.sunset_at - now).days))
    return 1


def send_due_notices(*, now: datetime) -> int:
    """Send the letters of notices to owners that have an address; return how many went out.

    A letter is leased before it is sent: one that could not be delivered is tried again after an hour, until what it
    tells of is over.
    """
    by_subject = {mark.subject: mark for mark in marks()}
    sent = 0
    for notice in DeprecationNotice.objects.filter(mail_due_at__lte=now).select_related("user")[:_MAX_LETTERS]:
        mark = by_subject.get(notice.subject)
        row = DeprecationNotice.objects.filter(pk=notice.pk, mail_due_at=notice.mail_due_at)
        if mark is None or mark.is_over(now):
            row.update(mail_due_at=None)
        elif row.update(mail_due_at=now + _MAIL_LEASE) and _send(notice, mark):
            DeprecationNotice.objects.filter(pk=notice.pk).update(mail_due_at=None, mailed_at=now)
            sent += 1
    return sent


def _send(notice: DeprecationNotice, mark: Mark) -> bool:
    what = f"route {mark.route} of version {mark.version}" if mark.route else f"version {mark.version}"
    end = f"It ends on {format_datetime(mark.sunset_at, usegmt=True)}." if mark.sunset_at else "Its end is not yet set."
    base = settings.PUBLIC_URL or "http://127.0.0.1:8000"
    lines = [
        f"Hello {notice.user.get_username()},",
        f"your API keys made {notice.calls} calls to {what} of the render API since it was deprecated. {end}",
        f"What to do instead: {base}{guide_of(mark)}\nAll dates: {base}{SUNSET_PAGE}",
        f"Which keys: GET /api/v{mark.version}/keys lists yours; the staff of this installation see the counts.",
    ]
    subject = f"Renderowl: {what} is deprecated"
    if notice.kind != NoticeKind.FIRST_USE:
        subject = f"Renderowl: {what} ends in less than {notice.get_kind_display()}"
    try:
        send_mail(subject, "\n\n".join(lines), None, [notice.user.email])
    except (SMTPException, OSError):
        logger.warning("notice not delivered", exc_info=True, extra={"notice_id": notice.public_id})
        return False
    return True
