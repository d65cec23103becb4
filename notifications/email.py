"""Email delivery: builds one message from pending emails and classifies the errors of the mail server."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parseaddr
from smtplib import SMTPConnectError, SMTPHeloError, SMTPRecipientsRefused, SMTPResponseException, SMTPSenderRefused

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from accounts.models import User
from notifications.models import OutgoingEmail


class MailNotAccepted(Exception):
    """The mail server did not accept the message, so sending it again is safe."""


def send_message(user: User, emails: Sequence[OutgoingEmail], *, reference: str) -> None:
    """Send one message. reference: becomes the Message-ID, by which servers can drop a second copy.

    Raises MailNotAccepted; SMTPException or OSError if it is unknown whether the server accepted the message.
    """
    connection = get_connection()
    try:
        connection.open()
    except OSError as error:  # SMTPException is one
        raise MailNotAccepted(f"The mail server cannot be reached: {type(error).__name__}.") from error
    try:
        build_message(user, emails, reference=reference, connection=connection).send()
    except (SMTPSenderRefused, SMTPRecipientsRefused, SMTPHeloError, SMTPConnectError) as error:
        raise MailNotAccepted(f"The mail server rejected the message: {type(error).__name__}.") from error
    except SMTPResponseException as error:
        # A reply with a code rejects the message, even after its data was sent.
        raise MailNotAccepted(f"The mail server replied with {error.smtp_code}.") from error
    finally:
        connection.close()


def build_message(
    user: User, emails: Sequence[OutgoingEmail], *, reference: str, connection: BaseEmailBackend | None = None
) -> EmailMessage:
    """Return a plain-text message with one paragraph per pending email."""
    subject = emails[0].title if len(emails) == 1 else f"{len(emails)} notifications"
    base = settings.PUBLIC_URL or "http://127.0.0.1:8000"
    parts = [f"Hello {user.get_username()},", *(_paragraph(email) for email in emails)]
    parts.append(f"Change your email preferences at {base}/api/v2/notifications/preferences.")
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return EmailMessage(
        subject=f"Renderowl: {subject}",
        body="\n\n".join(parts),
        to=[user.email],
        connection=connection,
        headers={"Message-ID": f"<{reference}@{domain}>", "Auto-Submitted": "auto-generated"},
    )


def _paragraph(email: OutgoingEmail) -> str:
    lines = [email.title, email.body, email.resource]
    return "\n".join(line for line in lines if line)
