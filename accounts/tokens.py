"""Access and refresh tokens (JWT).

Claims in addition to those of simplejwt: `sid`, the session started by a login and continued by its refreshes; `pwd`, a
fingerprint of the password, so that changing it ends every session.
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
    """A refresh token. Simplejwt's own class would store every whole token in the database."""

    token_type = "refresh"  # noqa: S105 - not a password
    lifetime = cast(timedelta, api_settings.REFRESH_TOKEN_LIFETIME)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """Encoded tokens of a session."""

    access: str
    refresh: str


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """Claims of a verified token. token_id: `jti`; session_id: `sid`."""

    user_id: UUID
    token_id: str
    session_id: str
    password_stamp: str
    expires_at: datetime


def issue_pair(user: User, session_id: str = "") -> TokenPair:
    """Return new tokens of a session; by default of a new session."""
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

    Raises CredentialExpired, or Unauthenticated if the signature or a claim is invalid or the type is another.
    """
    return _read(AccessToken, text)


def read_refresh_token(text: str) -> TokenClaims:
    """Return the claims of a refresh token; raise as `read_access_token` does."""
    return _read(RefreshToken, text)


def password_stamp(user: User) -> str:
    """Return a fingerprint of the password hash, keyed with SECRET_KEY."""
    return user.get_session_auth_hash()[:16]


def session_ends_at() -> datetime:
    """Return the time by which all tokens issued so far have expired."""
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
