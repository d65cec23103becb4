"""Second factors of staff: authenticator apps and recovery codes."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import totp
from accounts.exceptions import CodeRefused, SecondFactorExists
from accounts.models import RecoveryCode, SecondFactor, User
from accounts.services.audit import record_audit
from accounts.services.logins import record_login_attempt, reset_login_throttle

RECOVERY_CODES = 10
_RECOVERY_BYTES = 10  # 80 bits: too many to guess, even from the digest
# Wrong codes are counted by account, not by address: an attacker who gets this far has the password.
_ANY_ADDRESS = "second factor"


def needs_second_factor(user: User) -> bool:
    """Return whether the user must enter or set up a second factor to log in."""
    return has_second_factor(user) or must_enrol(user)


def has_second_factor(user: User) -> bool:
    """Return whether the user has an authenticator app."""
    return SecondFactor.objects.filter(user=user).exists()


def second_factor_stamp(user: User) -> str:
    """Return the id of the user's second factor, stored in sessions that verified it; "" if there is none."""
    pk = SecondFactor.objects.filter(user=user).values_list("pk", flat=True).first()
    return "" if pk is None else str(pk)


def must_enrol(user: User) -> bool:
    """Return whether the user must set up a second factor that they do not have yet."""
    return requires_second_factor(user) and not has_second_factor(user)


def requires_second_factor(user: User) -> bool:
    """Return whether the user must have a second factor, set up or not."""
    return user.is_staff and settings.RENDEROWL_STAFF_TOTP == "required"


def enrol_second_factor(*, user: User, salt: str, code: str, address: str | None = None) -> list[str]:
    """Set up a second factor, verified by a code of the app; return the recovery codes, which are not stored.

    salt: of the secret shown to the user.
    Raises CodeRefused, RateLimited, or SecondFactorExists.
    """
    record_login_attempt(username=user.username, address=_ANY_ADDRESS)
    step = totp.matching_step(totp.secret_of(salt), _normalise(code), time.time())
    if step is None:
        raise CodeRefused
    try:
        with transaction.atomic():
            factor = SecondFactor.objects.create(user=user, salt=salt, last_step=step)
            codes = _write_recovery_codes(factor)
            record_audit(action="second_factor.enrolled", subject=user.public_id, actor=user, address=address)
    except IntegrityError:
        raise SecondFactorExists from None
    reset_login_throttle(username=user.username, address=_ANY_ADDRESS)
    return codes


def verify_second_factor(*, user: User, code: str, address: str | None = None) -> None:
    """Verify a code of the app or a recovery code; each is valid once.

    Raises CodeRefused for a wrong or used code, or RateLimited after too many failures.
    """
    record_login_attempt(username=user.username, address=_ANY_ADDRESS)
    text = _normalise(code)
    if not (_consume_app_code(user, text) or _consume_recovery_code(user, text, address)):
        record_audit(action="second_factor.refused", subject=user.public_id, actor=user, address=address)
        raise CodeRefused
    reset_login_throttle(username=user.username, address=_ANY_ADDRESS)


@transaction.atomic
def remove_second_factor(*, user: User, actor: User | None = None, address: str | None = None) -> bool:
    """Delete a user's second factor and recovery codes; return whether there was one. actor: None for commands."""
    deleted, _ = SecondFactor.objects.filter(user=user).delete()
    if deleted:
        action = "second_factor.disabled" if actor == user else "second_factor.reset"
        record_audit(action=action, subject=user.public_id, actor=actor, address=address)
    return bool(deleted)


@transaction.atomic
def renew_recovery_codes(*, user: User, address: str | None = None) -> list[str]:
    """Replace the recovery codes; return the new ones."""
    factor = SecondFactor.objects.select_for_update().get(user=user)
    factor.recovery_codes.all().delete()
    record_audit(action="second_factor.codes_renewed", subject=user.public_id, actor=user, address=address)
    return _write_recovery_codes(factor)


def _consume_app_code(user: User, code: str) -> bool:
    factor = SecondFactor.objects.filter(user=user).first()
    if factor is None or len(code) != totp.DIGITS:
        return False
    step = totp.matching_step(totp.secret_of(factor.salt), code, time.time())
    # Prevents replay of an observed code: its step and all earlier ones are refused from now on.
    return step is not None and bool(
        SecondFactor.objects.filter(pk=factor.pk, last_step__lt=step).update(last_step=step)
    )


@transaction.atomic
def _consume_recovery_code(user: User, code: str, address: str | None) -> bool:
    unused = RecoveryCode.objects.filter(factor__user=user, digest=_digest(code), used_at=None)
    # Read first: Django may split an update across a join into two statements, which is no compare-and-set.
    row = unused.first()
    if row is None or not RecoveryCode.objects.filter(pk=row.pk, used_at=None).update(used_at=timezone.now()):
        return False
    record_audit(action="second_factor.recovery_code_used", subject=user.public_id, actor=user, address=address)
    return True


def _write_recovery_codes(factor: SecondFactor) -> list[str]:
    texts = [base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create([RecoveryCode(factor=factor, digest=_digest(text)) for text in texts])
    return ["-".join(text[start : start + 4] for start in range(0, len(text), 4)) for text in texts]


def _normalise(code: str) -> str:
    return "".join(code.split()).replace("-", "").lower()


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
