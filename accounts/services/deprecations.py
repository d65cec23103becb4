"""Counts of deprecated calls, and notices to the owners of the keys that make them."""

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
from accounts.models import ApiKey, DeprecatedCall, DeprecationNotice, DeprecationNoticeKind, User
from accounts.selectors import owners_of_deprecated_calls
from api.deprecations import Deprecation
from api.lifecycle import SUNSET_PAGE, configured_deprecations, migration_guide
from core import events

logger = logging.getLogger(__name__)
_STAGES = {7: DeprecationNoticeKind.DAYS_7, 30: DeprecationNoticeKind.DAYS_30, 90: DeprecationNoticeKind.DAYS_90}
_EMAIL_LEASE = timedelta(hours=1)
_MAX_EMAILS = 500
NotifiedAt = dict[tuple[UUID, str, str], datetime]


@dataclass(frozen=True, slots=True)
class DeprecatedCallCount:
    """Calls of a key to a deprecated route since the last flush."""

    key_id: UUID
    version: int
    route: str
    calls: int
    first_called_at: datetime
    last_called_at: datetime


@transaction.atomic
def record_deprecated_calls(*, call_counts: Sequence[DeprecatedCallCount]) -> None:
    """Add counts to the rows of their keys and routes. Counts of deleted keys are dropped."""
    wanted = {call_count.key_id for call_count in call_counts}
    # On PostgreSQL the lock keeps a key from being deleted before its count is written.
    keys = set(ApiKey.objects.select_for_update(no_key=True).filter(pk__in=wanted).values_list("pk", flat=True))
    # All processes use the same order, to avoid deadlocks.
    for call_count in sorted(call_counts, key=lambda each: (each.key_id, each.version, each.route)):
        if call_count.key_id in keys and not _add_to_row(call_count):
            _insert_row(call_count)


def _add_to_row(call_count: DeprecatedCallCount) -> int:
    row = DeprecatedCall.objects.filter(key_id=call_count.key_id, version=call_count.version, route=call_count.route)
    return row.update(calls=F("calls") + call_count.calls, last_called_at=call_count.last_called_at)


def _insert_row(call_count: DeprecatedCallCount) -> None:
    try:
        with transaction.atomic():
            DeprecatedCall.objects.create(
                key_id=call_count.key_id,
                version=call_count.version,
                route=call_count.route,
                calls=call_count.calls,
                first_called_at=call_count.first_called_at,
                last_called_at=call_count.last_called_at,
            )
    except IntegrityError:
        # Another process was first.
        _add_to_row(call_count)


def announce_deprecations(*, now: datetime) -> int:
    """Create the notices that are due: at the first call after a deprecation, then 90, 30 and 7 days before the sunset.

    Each is created once, with its event in the same transaction. Stages missed while this did not run are skipped, as
    are those before the user's first notice. Returns the number of notices created.
    """
    created = 0
    for deprecation in configured_deprecations():
        if not deprecation.is_deprecated(now) or deprecation.is_sunset(now):
            continue
        notified = _notified_at(deprecation)
        for user_id, calls in owners_of_deprecated_calls(deprecation):
            kind, due = _kind_due(deprecation, notified, user_id, now)
            if kind is not None:
                created += _announce(deprecation, user_id=user_id, calls=calls, kind=kind, due=due, now=now)
    return created


def _notified_at(deprecation: Deprecation) -> NotifiedAt:
    rows = DeprecationNotice.objects.filter(subject=deprecation.subject)
    return {(user, kind, due): at for user, kind, due, at in rows.values_list("user", "kind", "due", "created_at")}


def _kind_due(
    deprecation: Deprecation, notified: NotifiedAt, user_id: UUID, now: datetime
) -> tuple[DeprecationNoticeKind | None, str]:
    first_notified_at = notified.get((user_id, DeprecationNoticeKind.FIRST_USE, ""))
    if first_notified_at is None:
        return DeprecationNoticeKind.FIRST_USE, ""
    if deprecation.sunset_at is None:
        return None, ""
    due = deprecation.sunset_at.isoformat()
    stage = next((days for days in sorted(_STAGES) if deprecation.sunset_at - now <= timedelta(days=days)), None)
    if stage is None or first_notified_at >= deprecation.sunset_at - timedelta(days=stage):
        return None, due
    kind = _STAGES[stage]
    return (None if (user_id, kind, due) in notified else kind), due


@transaction.atomic
def _announce(
    deprecation: Deprecation, *, user_id: UUID, calls: int, kind: DeprecationNoticeKind, due: str, now: datetime
) -> int:
    user = User.objects.get(pk=user_id)
    _, is_new = DeprecationNotice.objects.get_or_create(
        user=user,
        subject=deprecation.subject,
        kind=kind,
        due=due,
        defaults={"calls": calls, "created_at": now, "email_due_at": now if user.email else None},
    )
    if not is_new:
        return 0
    if kind == DeprecationNoticeKind.FIRST_USE:
        events.publish(DeprecatedCallSeen(user_id, deprecation.subject, calls, deprecation.sunset_at))
    else:
        assert deprecation.sunset_at is not None
        events.publish(
            SunsetApproaching(user_id, deprecation.subject, deprecation.sunset_at, (deprecation.sunset_at - now).days)
        )
    return 1


def send_deprecation_emails(*, now: datetime) -> int:
    """Send the emails of notices that are due; return the number sent.

    An email is leased before it is sent: one that fails is retried after an hour, until the sunset.
    """
    by_subject = {deprecation.subject: deprecation for deprecation in configured_deprecations()}
    sent = 0
    for notice in DeprecationNotice.objects.filter(email_due_at__lte=now).select_related("user")[:_MAX_EMAILS]:
        deprecation = by_subject.get(notice.subject)
        row = DeprecationNotice.objects.filter(pk=notice.pk, email_due_at=notice.email_due_at)
        if deprecation is None or deprecation.is_sunset(now):
            row.update(email_due_at=None)
        elif row.update(email_due_at=now + _EMAIL_LEASE) and _send(notice, deprecation):
            DeprecationNotice.objects.filter(pk=notice.pk).update(email_due_at=None, emailed_at=now)
            sent += 1
    return sent


def _send(notice: DeprecationNotice, deprecation: Deprecation) -> bool:
    what = (
        f"route {deprecation.route} of version {deprecation.version}"
        if deprecation.route
        else f"version {deprecation.version}"
    )
    end = (
        f"It ends on {format_datetime(deprecation.sunset_at, usegmt=True)}."
        if deprecation.sunset_at
        else "Its end is not yet set."
    )
    base = settings.PUBLIC_URL or "http://127.0.0.1:8000"
    lines = [
        f"Hello {notice.user.get_username()},",
        f"your API keys made {notice.calls} calls to {what} of the render API since it was deprecated. {end}",
        f"What to do instead: {base}{migration_guide(deprecation)}\nAll dates: {base}{SUNSET_PAGE}",
        f"Which keys: GET /api/v{deprecation.version}/keys lists yours; the staff of this installation see the counts.",
    ]
    subject = f"Renderowl: {what} is deprecated"
    if notice.kind != DeprecationNoticeKind.FIRST_USE:
        subject = f"Renderowl: {what} ends in less than {notice.get_kind_display()}"
    try:
        send_mail(subject, "\n\n".join(lines), None, [notice.user.email])
    except (SMTPException, OSError):
        logger.warning("notice not delivered", exc_info=True, extra={"notice_id": notice.public_id})
        return False
    return True
