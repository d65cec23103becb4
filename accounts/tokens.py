"""Access and refresh tokens: signed, bound to this installation, one session each.

Claims beyond those of simplejwt: `sid` names the session that one login began and all its refreshes continue;
`pwd` fingerprints the password, so that changing it ends every session.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID, uuid4

from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, Token

from accounts.exceptions import CredentialExpired, Unauthenticated
from accounts.models import User


class RefreshToken(Token):
    """A refresh token. Not simplejwt's, which keeps a copy of every token, signature and all, in the database."""

    token_type = "refresh"  # noqa: S105 - the kind of token
    lifetime = cast(timedelta, api_settings.REFRESH_TOKEN_LIFETIME)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a login gives."""

    access: str
    refresh: str


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a verified token says. token_id: its `jti`; session_id: its `sid`."""

    user_id: UUID
    token_id: str
    session_id: str
    password_stamp: str
    expires_at: datetime


def issue_pair(user: User, session_id: str = "") -> TokenPair:
    """Return a new access and refresh token of a session, by default a new one."""
    session_id = session_id or uuid4().hex
    pair = []
    for kind in (AccessToken, RefreshToken):
        token = kind.for_user(user)
        token["sid"] = session_id
        token["pwd"] = password_stamp(user)
        pair.append(str(token))
    return TokenPair(access=pair[0], refresh=pair[1])


def read_access_token(text: str) -> TokenClaims:
    """Return the claims of an access token.

    Raises CredentialExpired, or Unauthenticated if it is not ours, was altered, or is of another kind.
    """
    return _read(AccessToken, text)


def read_refresh_token(text: str) -> TokenClaims:
    """Return the claims of a refresh token; raise as `read_access_token` does."""
    return _read(RefreshToken, text)


def password_stamp(user: User) -> str:
    """Return what changes with the password and tells nothing of it."""
    return user.get_session_auth_hash()[:16]


def session_ends_at() -> datetime:
    """Return the time after which no token issued by now can be valid."""
    return datetime.now(UTC) + RefreshToken.lifetime + timedelta(seconds=float(api_settings.LEEWAY))


def _read(kind: type[Token], text: str) -> TokenClaims:
    try:
        token = kind(text)  # type: ignore[arg-type]
        texts = [token.payload.get(name) for name in ("sub", "jti", "sid", "pwd")]
        if not all(isinstance(value, str) and 0 < len(value) <= 64 for value in texts):
            raise Unauthenticated
        subject, token_id, session_id, stamp = cast("list[str]", texts)
        expires_at = datetime.fromtimestamp(token.payload["exp"], UTC)
        return TokenClaims(UUID(subject), token_id, session_id, stamp, expires_at)
    except ExpiredTokenError as error:
        raise CredentialExpired from error
    except (TokenError, ValueError, OverflowError) as error:
        raise Unauthenticated from error
