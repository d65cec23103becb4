"""Outgoing emails: one message per window, retries, at most once."""

from __future__ import annotations

import smtplib
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection, transaction
from django.utils import timezone

from accounts.services import suspend_user
from core.notifications import notify
from jobs.models import Job
from jobs.services import enqueue
from notifications.models import Notification, OutgoingEmail
from notifications.services import outgoing_emails
from tests.factories import make_user
from tests.jobs.inline import run_pending

pytestmark = pytest.mark.django_db


def notify_user(user, title="Your key was revoked", **fields) -> None:
    with transaction.atomic():
        notify(user_id=user.pk, kind="service.notice", title=title, **fields)


def end_window() -> None:
    Job.objects.filter(status="scheduled").update(scheduled_at=timezone.now() - timedelta(seconds=1))


def deliver() -> None:
    end_window()
    run_pending()


def states() -> list[str]:
    return list(OutgoingEmail.objects.order_by("created_at").values_list("status", flat=True))


def test_an_email_is_sent_at_the_end_of_the_window(alice) -> None:
    notify_user(alice, body="The nightly one.", resource="key_1")
    run_pending()
    assert mail.outbox == []
    deliver()
    (sent,) = mail.outbox
    assert sent.to == ["alice@owls.example"]
    assert sent.subject == "Renderowl: Your key was revoked"
    assert "Your key was revoked\nThe nightly one.\nkey_1" in sent.body
    email = OutgoingEmail.objects.get()
    assert (email.status, email.ended_at is not None) == ("sent", True)
    assert sent.extra_headers["Message-ID"] == f"<{email.claimed_by}@localhost>"


def test_emails_of_one_window_are_sent_as_one_message(alice) -> None:
    bob = make_user("bob", email="bob@owls.example")
    for number in range(5):
        notify_user(alice, title=f"Notification {number}")
    notify_user(bob, title="For bob")
    assert Job.objects.filter(type="notifications.send_email").count() == 2
    deliver()
    by_address = {sent.to[0]: sent for sent in mail.outbox}
    assert len(mail.outbox) == 2
    assert by_address["alice@owls.example"].subject == "Renderowl: 5 notifications"
    assert all(f"Notification {number}" in by_address["alice@owls.example"].body for number in range(5))
    assert "For bob" not in by_address["alice@owls.example"].body
    assert states() == ["sent"] * 6


def test_many_emails_are_sent_in_several_messages(alice, monkeypatch) -> None:
    monkeypatch.setattr(outgoing_emails, "MAX_PER_EMAIL", 4)
    for number in range(10):
        notify_user(alice, title=f"Notification {number}")
    deliver()
    assert [sent.subject[11:] for sent in mail.outbox] == ["4 notifications", "4 notifications", "2 notifications"]


def test_a_job_that_runs_again_sends_nothing(alice) -> None:
    notify_user(alice)
    end_window()
    job = Job.objects.get(type="notifications.send_email")
    run_pending()
    Job.objects.filter(pk=job.pk).update(status="queued", finished_at=None)
    run_pending()
    assert len(mail.outbox) == 1


def test_an_email_is_claimed_by_one_of_two_concurrent_attempts(alice) -> None:
    notify_user(alice)
    first, claimed = outgoing_emails.claim_emails(user_id=alice.pk)
    second, nothing = outgoing_emails.claim_emails(user_id=alice.pk)
    assert (len(claimed), nothing) == (1, [])
    assert outgoing_emails.finish_emails(claim_id=second, status="failed") == 0
    assert outgoing_emails.release_emails(claim_id=second) == 0
    assert outgoing_emails.finish_emails(claim_id=first, status="sent") == 1
    assert outgoing_emails.finish_emails(claim_id=first, status="failed") == 0


class Refusing(EmailBackend):
    """A mail server that refuses the recipient."""

    def send_messages(self, messages):
        raise smtplib.SMTPRecipientsRefused({})


class Breaking(EmailBackend):
    """A connection that breaks after the message was sent."""

    def send_messages(self, messages):
        super().send_messages(messages)
        raise smtplib.SMTPServerDisconnected("gone")


class Unreachable(EmailBackend):
    """A mail server that cannot be reached."""

    def open(self):
        raise ConnectionRefusedError


class Crashed(BaseException):
    """Simulates a killed process."""


class Killing(EmailBackend):
    """Kills the worker after the message was sent."""

    def send_messages(self, messages):
        super().send_messages(messages)
        raise Crashed


def use(settings, backend) -> None:
    settings.EMAIL_BACKEND = f"{backend.__module__}.{backend.__name__}"


@pytest.mark.parametrize("backend", [Refusing, Unreachable])
def test_retries_a_message_that_was_not_accepted(alice, settings, backend) -> None:
    working = settings.EMAIL_BACKEND
    use(settings, backend)
    notify_user(alice)
    deliver()
    assert (mail.outbox, states()) == ([], ["pending"])
    assert Job.objects.get().error["code"] == "mail_not_accepted"
    settings.EMAIL_BACKEND = working
    deliver()
    assert (len(mail.outbox), states()) == (1, ["sent"])


def test_fails_after_the_last_attempt(alice, settings) -> None:
    use(settings, Refusing)
    notify_user(alice)
    for _ in range(5):
        deliver()
    assert Job.objects.get().status == "dead"
    assert states() == ["failed"]
    assert Notification.objects.count() == 1


def test_does_not_retry_a_message_that_may_have_been_accepted(alice, settings) -> None:
    working = settings.EMAIL_BACKEND
    use(settings, Breaking)
    notify_user(alice)
    deliver()
    assert (len(mail.outbox), states()) == (1, ["unconfirmed"])
    settings.EMAIL_BACKEND = working
    deliver()
    assert len(mail.outbox) == 1


def test_a_worker_killed_while_sending_causes_no_second_email(alice, settings) -> None:
    working = settings.EMAIL_BACKEND
    use(settings, Killing)
    notify_user(alice)
    end_window()
    with pytest.raises(Crashed):
        run_pending()
    assert (len(mail.outbox), states()) == (1, ["sending"])
    settings.EMAIL_BACKEND = working
    Job.objects.update(status="queued", worker="", lease_expires_at=None)
    run_pending()
    assert (len(mail.outbox), states()) == (1, ["sending"])
    assert outgoing_emails.close_stale_claims(silent_for=timedelta(minutes=4)) == 0
    OutgoingEmail.objects.update(claimed_at=timezone.now() - timedelta(minutes=5))
    assert outgoing_emails.close_stale_claims(silent_for=timedelta(minutes=4)) == 1
    assert states() == ["unconfirmed"]


def test_sends_no_emails_to_suspended_accounts(alice) -> None:
    notify_user(alice)
    suspend_user(user=alice)
    deliver()
    assert (mail.outbox, states()) == ([], ["failed"])


def test_housekeeping_schedules_overdue_emails_and_retention_deletes_old_rows(alice) -> None:
    notify_user(alice)
    Job.objects.all().delete()
    assert outgoing_emails.schedule_overdue() == 0
    OutgoingEmail.objects.update(created_at=timezone.now() - timedelta(minutes=6))
    assert outgoing_emails.schedule_overdue() == 1
    assert outgoing_emails.schedule_overdue() == 0
    deliver()
    assert len(mail.outbox) == 1
    old = timezone.now() - timedelta(days=91)
    notify_user(alice, title="kept")
    OutgoingEmail.objects.exclude(title="kept").update(created_at=old)
    Notification.objects.exclude(title="kept").update(created_at=old, read_at=None)
    with transaction.atomic():
        housekeeping, purge = enqueue(type="notifications.housekeeping"), enqueue(type="core.delete_old_rows")
    run_pending()
    run_pending(queues=["maintenance"])
    housekeeping.refresh_from_db()
    purge.refresh_from_db()
    assert housekeeping.result == {"deleted": 0, "unconfirmed": 0, "overdue": 0}
    assert (purge.result["outgoing emails"], purge.result["notifications"]) == (1, 1)
    assert [row.title for row in (*OutgoingEmail.objects.all(), *Notification.objects.all())] == ["kept", "kept"]


def test_indexes_serve_their_queries(alice) -> None:
    ended = timezone.now()
    users = [alice, *(make_user() for _ in range(9))]
    rows = [
        OutgoingEmail(
            user=users[n % 10],
            kind="k",
            title="t",
            status="sent" if n % 50 else "pending",
            ended_at=ended if n % 50 else None,
        )
        for n in range(2000)
    ]
    OutgoingEmail.objects.bulk_create(rows, batch_size=1000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE notifications_outgoingemail")
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
    unfinished = OutgoingEmail.objects.filter(ended_at__isnull=True, status="pending")
    plans = {
        "idx_outgoing_emails_open": unfinished.filter(user_id=alice.pk).order_by("created_at").values_list("pk")[:100],
        "idx_outgoing_emails_created": OutgoingEmail.objects.filter(created_at__lt=ended).order_by("created_at")[:500],
        "idx_outgoing_emails_user": OutgoingEmail.objects.filter(user_id=alice.pk).values("pk"),
    }
    for name, query in plans.items():
        plan = query.explain()
        assert name in plan, f"{name} is not used:\n{plan}"
