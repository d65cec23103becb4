"""Models of inboxes, preferences, outgoing emails and broadcasts."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.plans import AccountPlan
from core.indexes import NamedIndex
from core.models import BaseModel

TITLE_LENGTH = 200
BODY_LENGTH = 2000


class NotificationQuerySet(models.QuerySet["Notification"]):
    """QuerySet of notifications."""

    def for_owner(self, user: Any) -> Self:
        """Return the inbox of one user."""
        return self.filter(user=user)

    def unread(self) -> Self:
        """Return the unread notifications; matches the condition of idx_notifications_unread."""
        return self.filter(read_at__isnull=True)


class Notification(BaseModel):
    """One entry of an inbox. resource: the public id of the object it is about, or empty."""

    ID_PREFIX: ClassVar[str] = "ntf"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications", db_index=False
    )
    kind = models.CharField(max_length=60)
    title = models.CharField(max_length=TITLE_LENGTH)
    body = models.TextField(max_length=BODY_LENGTH, blank=True, default="")
    resource = models.CharField(max_length=60, blank=True, default="")
    read_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            # GET /notifications, newest first; read_at lets ?unread=false filter on the index.
            NamedIndex(fields=["user", "-created_at", "-id", "read_at"], name="idx_notifications_user_read_created"),
            # GET /notifications?kind=.
            NamedIndex(fields=["user", "kind", "-created_at", "-id"], name="idx_notifications_user_type"),
            # GET /notifications/unread-count, ?unread=true, and POST /notifications/mark-all-read.
            NamedIndex(
                fields=["user", "-created_at", "-id"],
                name="idx_notifications_unread",
                condition=Q(read_at__isnull=True),
            ),
            # The admin list, newest first; the retention.
            NamedIndex(fields=["created_at"], name="idx_notifications_created"),
        ]

    def __str__(self) -> str:
        return self.title


class NotificationPreference(BaseModel):
    """The channels a user chose for one kind of notification. None: the current default of the kind."""

    ID_PREFIX: ClassVar[str] = "npr"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notification_preferences", db_index=False
    )
    kind = models.CharField(max_length=60)
    inbox = models.BooleanField(null=True, blank=True)
    email = models.BooleanField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            # The lookup for each notification; all preferences of a user.
            models.UniqueConstraint(F("user"), F("kind"), name="idx_notification_preferences_unique"),
        ]

    def __str__(self) -> str:
        return self.kind


class OutgoingEmailStatus(models.TextChoices):
    """States of an outgoing email."""

    PENDING = "pending"
    SENDING = "sending"  # claimed by an attempt that has not reported its result
    SENT = "sent"
    UNCONFIRMED = "unconfirmed"  # the attempt died while sending: perhaps delivered, never sent again
    FAILED = "failed"  # not accepted by the mail server within all attempts, or the account is closed


def outgoing_email_status_choices() -> list[tuple[str, str]]:
    """Return the choices; a callable, so that a new state needs no migration."""
    return list(OutgoingEmailStatus.choices)


class OutgoingEmail(BaseModel):
    """A notification to be sent by email. Those of one user in the same window are sent as one message.

    claimed_by, claimed_at: the claim of the attempt that sends it; only it may set `ended_at` and the result.
    """

    ID_PREFIX: ClassVar[str] = "eml"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=60)
    title = models.CharField(max_length=TITLE_LENGTH)
    body = models.TextField(max_length=BODY_LENGTH, blank=True, default="")
    resource = models.CharField(max_length=60, blank=True, default="")
    status = models.CharField(max_length=12, choices=outgoing_email_status_choices, default=OutgoingEmailStatus.PENDING)
    claimed_by = models.UUIDField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            # The next message of a user; overdue emails and stale claims. Nearly always empty.
            NamedIndex(
                fields=["user", "created_at"], name="idx_outgoing_emails_open", condition=Q(ended_at__isnull=True)
            ),
            # The admin list, newest first; the retention.
            NamedIndex(fields=["created_at"], name="idx_outgoing_emails_created"),
            # The cascade when an account is deleted.
            NamedIndex(fields=["user"], name="idx_outgoing_emails_user"),
        ]

    def __str__(self) -> str:
        return self.title


def plan_choices() -> list[tuple[str, str]]:
    """Return the plans; a callable, so that a new plan needs no migration."""
    return list(AccountPlan.choices)


class Broadcast(BaseModel):
    """A notification by staff to many users, and its progress.

    plan, usernames: restrict the recipients; with neither, all active accounts.
    last_user_id: the last recipient in the order of ids; the next batch continues after it.
    """

    ID_PREFIX: ClassVar[str] = "bcs"

    # Sent by the form, so that a double submit creates one broadcast.
    token = models.UUIDField(unique=True, editable=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    title = models.CharField(max_length=TITLE_LENGTH)
    body = models.TextField(max_length=BODY_LENGTH, blank=True, default="")
    plan = models.CharField(max_length=20, choices=plan_choices, blank=True, default="")
    usernames = models.JSONField(default=list, blank=True)
    last_user_id = models.UUIDField(null=True, blank=True, editable=False)
    recipients = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions: ClassVar = [("send_broadcast", "Can send notifications to many users")]
        indexes: ClassVar = [
            # The admin list, newest first.
            NamedIndex(fields=["-created_at"], name="idx_broadcasts_created"),
        ]

    def __str__(self) -> str:
        return self.title
