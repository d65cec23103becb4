"""Logins: failures counted by account name and address, whether there is such an account or not; staff on record."""

from __future__ import annotations

import hashlib
import unicodedata

from accounts import login_throttle
from accounts.models import User
from accounts.services.audit import record_audit
from api.ratelimit.exceptions import RateLimited
from api.ratelimit.limiter import limiter


def record_login_attempt(*, username: str, address: str) -> None:
    """Count an attempt before its password is looked at.

    address: of the caller, or the block of addresses that counts as one.
    Raises RateLimited where too many have failed.
    """
    limits = limiter()
    wait_us = limits.record_failure(_subject(username, address), login_throttle.record_failure) if limits else 0
    if wait_us:
        raise RateLimited(login_throttle.refusal(wait_us))


def reset_login_throttle(*, username: str, address: str) -> None:
    """Forget the failures, as the password was right."""
    if (limits := limiter()) is not None:
        limits.reset(_subject(username, address))


def record_staff_login(*, user: User, address: str | None, second_factor: bool) -> None:
    """Put a login of staff on record; other users' do not concern the installation."""
    if user.is_staff:
        details = {"second_factor": second_factor}
        record_audit(action="login.succeeded", subject=user.public_id, actor=user, details=details, address=address)


def record_failed_staff_login(*, username: str, address: str | None) -> None:
    """Put a wrong password for an account of staff on record. Names that do not exist leave no rows."""
    user = User.objects.filter(username=username, is_staff=True).first()
    if user is not None:
        record_audit(action="login.failed", subject=user.public_id, address=address)


def _subject(username: str, address: str) -> str:
    """Return the name of the pair; the store learns neither of the two."""
    name = unicodedata.normalize("NFKC", username).casefold().strip()
    digest = hashlib.sha256(f"{name}\x00{address}".encode()).hexdigest()
    return f"login:{digest[:40]}"
