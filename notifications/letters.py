"""One e-mail of one or more letters, and what can go wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parseaddr
from smtplib import SMTPConnectError, SMTPHeloError, SMTPRecipientsRefused, SMTPResponseException, SMTPSenderRefused

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from accounts.models import User
from notifications.models import Letter


class MailNotAccepted(Exception):
    """The mail server surely does not have the letter."""


def post(user: User, letters: Sequence[Letter], *, reference: str) -> None:
    """Hand one e-mail to the mail server. reference: names the e-mail, for servers that drop a second copy.

    Raises MailNotAccepted; or what broke later (SMTPException, OSError), after which nobody knows.
    """
    connection = get_connection()
    try:
        connection.open()
    except OSError as error:  # SMTPException is one
        raise MailNotAccepted(f"The mail server cannot be reached: {type(error).__name__}.") from error
    try:
        compose(user, letters, reference=reference, connection=connection).send()
    except (SMTPSenderRefused, SMTPRecipientsRefused, SMTPHeloError, SMTPConnectError) as error:
        raise MailNotAccepted(f"The mail server refused: {type(error).__name__}.") from error
    except SMTPResponseException as error:
        # An answer with a code is a refusal, also to the letter's text.
        raise MailNotAccepted(f"The mail server answered {error.smtp_code}.") from error
    finally:
        connection.close()


def compose(
    user: User, letters: Sequence[Letter], *, reference: str, connection: BaseEmailBackend | None = None
) -> EmailMessage:
    """Return the e-mail."""
    subject = letters[0].title if len(letters) == 1 else f"{len(letters)} notices"
    base = settings.PUBLIC_URL or "http://127.0.0.1:8000"
    parts = [f"Hello {user.get_username()},", *(_paragraph(letter) for letter in letters)]
    parts.append(f"What you get by e-mail is chosen at {base}/api/v2/notifications/preferences.")
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return EmailMessage(
        subject=f"Renderowl: {subject}",
        body="\n\n".join(parts),
        to=[user.email],
        connection=connection,
        headers={"Message-ID": f"<{reference}@{domain}>", "Auto-Submitted": "auto-generated"},
    )


def _paragraph(letter: Letter) -> str:
    lines = [letter.title, letter.body, letter.resource]
    return "\n".join(line for line in lines if line)
