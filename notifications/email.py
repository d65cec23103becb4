"""One e-mail of one or more pending ones, and the errors of the mail server."""

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
    """The mail server surely does not have the email."""


def send_message(user: User, emails: Sequence[OutgoingEmail], *, reference: str) -> None:
    """Hand one e-mail to the mail server. reference: names the e-mail, for servers that drop a second copy.

    Raises MailNotAccepted; or what broke later (SMTPException, OSError), after which nobody knows.
    """
    connection = get_connection()
    try:
        connection.open()
    except OSError as error:  # SMTPException is one
        raise MailNotAccepted(f"The mail server cannot be reached: {type(error).__name__}.") from error
    try:
        build_message(user, emails, reference=reference, connection=connection).send()
    except (SMTPSenderRefused, SMTPRecipientsRefused, SMTPHeloError, SMTPConnectError) as error:
        raise MailNotAccepted(f"The mail server refused: {type(error).__name__}.") from error
    except SMTPResponseException as error:
        # An answer with a code is a refusal, also to the email's text.
        raise MailNotAccepted(f"The mail server answered {error.smtp_code}.") from error
    finally:
        connection.close()


def build_message(
    user: User, emails: Sequence[OutgoingEmail], *, reference: str, connection: BaseEmailBackend | None = None
) -> EmailMessage:
    """Return the e-mail."""
    subject = emails[0].title if len(emails) == 1 else f"{len(emails)} notifications"
    base = settings.PUBLIC_URL or "http://127.0.0.1:8000"
    parts = [f"Hello {user.get_username()},", *(_paragraph(email) for email in emails)]
    parts.append(f"What you get by e-mail is chosen at {base}/api/v2/notifications/preferences.")
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
