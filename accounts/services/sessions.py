"""Logins by username and password, and the sessions of tokens that they start."""

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

    code: of the second factor, for accounts that have one. address: failures are counted by it and the username.
    client: the address for the audit log.
    Raises RateLimited after too many failures; Unauthenticated for an unknown username or a wrong password (Django
    hashes in both cases); CodeRefused for a wrong code, and for staff without a required second factor, which
    tokens would bypass; AccountSuspended only after the right password.
    """
    record_login_attempt(username=username, address=address)
    user = authenticate(username=username, password=password)
    if not isinstance(user, User):
        record_failed_staff_login(username=username, address=client)
        raise Unauthenticated("The username or password is wrong, or the account is not active.")
    is_verified = has_second_factor(user)
    if is_verified:
        verify_second_factor(user=user, code=code, address=client)
    elif must_enrol(user):
        raise CodeRefused("Staff need a second factor. Set one up in the admin first.")
    reset_login_throttle(username=username, address=address)
    if user.is_suspended:
        raise AccountSuspended
    record_staff_login(user=user, address=client, second_factor=is_verified)
    return issue_pair(user)


def refresh_session(*, refresh: str) -> TokenPair:
    """Exchange a refresh token for a new pair; each is valid once.

    Raises Unauthenticated or a subclass, or AccountSuspended. A token used twice has been copied: its session is
    revoked, as either user of it may be the attacker.
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
    """Revoke the session of an access or refresh token, with all its tokens.

    Raises Unauthenticated for an invalid or expired token.
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
    # The unique constraint lets only one of two concurrent calls succeed.
    RevokedToken.objects.bulk_create([row], ignore_conflicts=True)
    return RevokedToken.objects.filter(pk=row.pk).exists()


@transaction.atomic
def _end_session(claims: TokenClaims, user: User) -> None:
    _, is_new = RevokedToken.objects.get_or_create(
        token_id=claims.session_id, defaults={"user": user, "expires_at": session_ends_at()}
    )
    if is_new:
        record_audit(action="session.revoked", subject=user.public_id, actor=user)
