"""Inboxes, what their owners want in them, and the emails that go out instead or as well."""

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
    """Questions about inboxes."""

    def for_owner(self, user: Any) -> Self:
        """Return the inbox of one user."""
        return self.filter(user=user)

    def unread(self) -> Self:
        """Return what was not read yet, as idx_notifications_unread puts it."""
        return self.filter(read_at__isnull=True)


class Notification(BaseModel):
    """One entry of an inbox. resource: the public id of what it is about, or empty."""

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
            # GET /notifications, newest first; with ?unread=false it is told from the index what was read.
            NamedIndex(fields=["user", "-created_at", "-id", "read_at"], name="idx_notifications_user_read_created"),
            # GET /notifications?kind=.
            NamedIndex(fields=["user", "kind", "-created_at", "-id"], name="idx_notifications_user_type"),
            # GET /notifications/unread-count and ?unread=true; what mark-all-read changes.
            NamedIndex(
                fields=["user", "-created_at", "-id"],
                name="idx_notifications_unread",
                condition=Q(read_at__isnull=True),
            ),
            # The admin's list, newest first; entries past their retention.
            NamedIndex(fields=["created_at"], name="idx_notifications_created"),
        ]

    def __str__(self) -> str:
        return self.title


class NotificationPreference(BaseModel):
    """What a user chose for one kind of notification. None: what the kind has by default, also when that changes."""

    ID_PREFIX: ClassVar[str] = "npr"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notification_preferences", db_index=False
    )
    kind = models.CharField(max_length=60)
    inbox = models.BooleanField(null=True, blank=True)
    email = models.BooleanField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            # The choice to be looked up for each notification; and, its user first, all choices of one.
            models.UniqueConstraint(F("user"), F("kind"), name="idx_notification_preferences_unique"),
        ]

    def __str__(self) -> str:
        return self.kind


class OutgoingEmailStatus(models.TextChoices):
    """How far an email got."""

    PENDING = "pending"
    SENDING = "sending"  # handed to the mail server by an attempt that has not said how it went
    SENT = "sent"
    UNCONFIRMED = "unconfirmed"  # the attempt died while it was sending: perhaps delivered, and never sent again
    FAILED = "failed"  # the mail server refused it for good, or for too long


def outgoing_email_status_choices() -> list[tuple[str, str]]:
    """Return the states of an email."""
    return list(OutgoingEmailStatus.choices)


class OutgoingEmail(BaseModel):
    """A notification that goes out by e-mail. Those of one user that are due together leave as one e-mail.

    claimed_by, claimed_at: the call that sends it, which alone may say how it went. ended_at: None until somebody did.
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
            # What goes into a user's next e-mail; what nobody took, or never ended. Nearly always empty.
            NamedIndex(
                fields=["user", "created_at"], name="idx_outgoing_emails_open", condition=Q(ended_at__isnull=True)
            ),
            # The admin's list, newest first; emails past their retention.
            NamedIndex(fields=["created_at"], name="idx_outgoing_emails_created"),
            # What deleting an account looks for.
            NamedIndex(fields=["user"], name="idx_outgoing_emails_user"),
        ]

    def __str__(self) -> str:
        return self.title


def plan_choices() -> list[tuple[str, str]]:
    """Return the plans; a callable, so that a new plan needs no migration."""
    return list(AccountPlan.choices)


class Broadcast(BaseModel):
    """A notification by staff to many users, and how far it got.

    plan, usernames: who gets it; with neither, everybody whose account works.
    last_user_id: the last user who got it, in the order of ids; the next batch goes on from there.
    """

    ID_PREFIX: ClassVar[str] = "bcs"

    # The form sends this with it: a form sent twice is one broadcast.
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
            # The admin's list, newest first.
            NamedIndex(fields=["-created_at"], name="idx_broadcasts_created"),
        ]

    def __str__(self) -> str:
        return self.title
