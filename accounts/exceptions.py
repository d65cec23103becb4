"""Refusals of this app.

DomainError
├── Unauthenticated        401
│   ├── CredentialExpired
│   ├── CredentialRevoked
│   └── CodeRefused
├── AccountSuspended       403
├── ScopeNotGrantable      403  the maker may not give this scope away
└── InvalidState           409
    ├── KeyLimitReached
    ├── KeyNotActive
    └── SecondFactorExists
"""

from __future__ import annotations

from core.exceptions import DomainError, InvalidState


class Unauthenticated(DomainError):
    """Send an API key or an access token that is valid."""

    code = "unauthenticated"
    status = 401


class CredentialExpired(Unauthenticated):
    """The key or token has expired."""

    code = "token_expired"


class CredentialRevoked(Unauthenticated):
    """The key or token was revoked."""

    code = "token_revoked"


class CodeRefused(Unauthenticated):
    """The code of the second factor is missing, is not right, or was used before."""


class AccountSuspended(DomainError):
    """The account is suspended."""

    code = "account_suspended"
    status = 403


class ScopeNotGrantable(DomainError):
    """A key can hold only scopes that its maker has and that the API may give."""

    code = "missing_scope"
    status = 403


class KeyLimitReached(InvalidState):
    """The plan allows no more active keys: revoke one first."""


class KeyNotActive(InvalidState):
    """The key is revoked or has expired; make a new one."""


class SecondFactorExists(InvalidState):
    """The account has a second factor already."""
