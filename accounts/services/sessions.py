"""Logins by name and password, and the tokens that they give."""

from __future__ import annotations

import hmac

from django.contrib.auth import authenticate
from django.db import transaction

from accounts.exceptions import AccountSuspended, CodeRefused, CredentialRevoked, Unauthenticated
from accounts.models import RevokedToken, User
from accounts.selectors import find_token_owner
from accounts.services.audit import record_audit
from accounts.services.logins import (
    record_failed_staff_login,
    record_login_attempt,
    record_staff_login,
    reset_login_throttle,
)
from accounts.services.second_factor import has_second_factor, must_enrol, verify_second_factor
from accounts.tokens import (
    TokenClaims,
    TokenPair,
    issue_pair,
    password_stamp,
    read_access_token,
    read_refresh_token,
    session_ends_at,
)


def log_in(*, username: str, password: str, code: str = "", address: str = "", client: str | None = None) -> TokenPair:
    """Return the tokens of a new session.

    code: of the second factor, for accounts that have one. address: what failures are counted by, with the name.
    client: the address that goes on record.
    Raises RateLimited where too many have failed, CodeRefused without a code that is right. Where staff must have a
    second factor, those without get no tokens: these would open what the admin keeps closed.
    Raises Unauthenticated, the same for an unknown name and a wrong password (Django hashes either way), and
    AccountSuspended to whoever knows the password.
    """
    record_login_attempt(username=username, address=address)
    user = authenticate(username=username, password=password)
    if not isinstance(user, User):
        record_failed_staff_login(username=username, address=client)
        raise Unauthenticated("No active account has this name and password.")
    is_proved = has_second_factor(user)
    if is_proved:
        verify_second_factor(user=user, code=code, address=client)
    elif must_enrol(user):
        raise CodeRefused("Staff need a second factor here: set one up in the admin first.")
    reset_login_throttle(username=username, address=address)
    if user.is_suspended:
        raise AccountSuspended
    record_staff_login(user=user, address=client, second_factor=is_proved)
    return issue_pair(user)


def refresh_session(*, refresh: str) -> TokenPair:
    """Exchange a refresh token for a new pair; each works once.

    Raises Unauthenticated and its kinds, or AccountSuspended. A token that comes a second time has been copied:
    its whole session ends, as either of the two holders may be the thief.
    """
    claims = read_refresh_token(refresh)
    user, revoked = find_token_owner(claims)
    if user is None or not user.is_active:
        raise Unauthenticated
    if user.is_suspended:
        raise AccountSuspended
    stale = not hmac.compare_digest(claims.password_stamp, password_stamp(user))
    if revoked or stale or not _consume(claims):
        _end_session(claims, user)
        raise CredentialRevoked
    return issue_pair(user, claims.session_id)


def revoke_session(*, token: str) -> None:
    """End the session that an access or refresh token belongs to, all its tokens with it.

    Raises Unauthenticated for what is no token of ours; an expired one is refused the same way, having no power left.
    """
    try:
        claims = read_refresh_token(token)
    except Unauthenticated:
        claims = read_access_token(token)
    user, _ = find_token_owner(claims)
    if user is not None:
        _end_session(claims, user)


@transaction.atomic
def _consume(claims: TokenClaims) -> bool:
    """Mark a refresh token as used; return whether this call was the first."""
    row = RevokedToken(token_id=claims.token_id, user_id=claims.user_id, expires_at=session_ends_at())
    # The unique constraint decides between two calls at one time.
    RevokedToken.objects.bulk_create([row], ignore_conflicts=True)
    return RevokedToken.objects.filter(pk=row.pk).exists()


@transaction.atomic
def _end_session(claims: TokenClaims, user: User) -> None:
    _, is_new = RevokedToken.objects.get_or_create(
        token_id=claims.session_id, defaults={"user": user, "expires_at": session_ends_at()}
    )
    if is_new:
        record_audit(action="session.revoked", subject=user.public_id, actor=user)
