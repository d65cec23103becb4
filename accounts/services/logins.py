"""Throttling of failed logins, and the audit of staff logins."""

from __future__ import annotations

import hashlib
import unicodedata

from accounts import login_throttle
from accounts.models import User
from accounts.services.audit import record_audit
from api.ratelimit.exceptions import RateLimited
from api.ratelimit.limiter import limiter


def record_login_attempt(*, username: str, address: str) -> None:
    """Count an attempt before its password is checked; the account need not exist.

    address: the client's address block, see `limits.address_block`.
    Raises RateLimited after too many failures.
    """
    limits = limiter()
    wait_us = limits.record_failure(_subject(username, address), login_throttle.record_failure) if limits else 0
    if wait_us:
        raise RateLimited(login_throttle.refusal(wait_us))


def reset_login_throttle(*, username: str, address: str) -> None:
    """Reset the failures after a successful login."""
    if (limits := limiter()) is not None:
        limits.reset(_subject(username, address))


def record_staff_login(*, user: User, address: str | None, second_factor: bool) -> None:
    """Record a login of staff in the audit log; logins of other users are not recorded."""
    if user.is_staff:
        details = {"second_factor": second_factor}
        record_audit(action="login.succeeded", subject=user.public_id, actor=user, details=details, address=address)


def record_failed_staff_login(*, username: str, address: str | None) -> None:
    """Record a wrong password for a staff account in the audit log; other usernames leave no rows."""
    user = User.objects.filter(username=username, is_staff=True).first()
    if user is not None:
        record_audit(action="login.failed", subject=user.public_id, address=address)


def _subject(username: str, address: str) -> str:
    """Return a hash of username and address, so that the store holds neither in plain text."""
    name = unicodedata.normalize("NFKC", username).casefold().strip()
    digest = hashlib.sha256(f"{name}\x00{address}".encode()).hexdigest()
    return f"login:{digest[:40]}"
