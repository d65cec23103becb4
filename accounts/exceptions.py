"""Errors of accounts.

DomainError
├── Unauthenticated        401
│   ├── CredentialExpired
│   ├── CredentialRevoked
│   └── CodeRefused
├── AccountSuspended       403
├── ScopeNotGrantable      403  the caller may not grant this scope
└── InvalidState           409
    ├── KeyLimitReached
    ├── KeyNotActive
    └── SecondFactorExists
"""

from __future__ import annotations

from core.exceptions import DomainError, InvalidState


class Unauthenticated(DomainError):
    """Send a valid API key or access token."""

    code = "unauthenticated"
    status = 401


class CredentialExpired(Unauthenticated):
    """The key or token has expired."""

    code = "token_expired"


class CredentialRevoked(Unauthenticated):
    """The key or token was revoked."""

    code = "token_revoked"


class CodeRefused(Unauthenticated):
    """The code of the second factor is missing, wrong or already used."""


class AccountSuspended(DomainError):
    """The account is suspended."""

    code = "account_suspended"
    status = 403


class ScopeNotGrantable(DomainError):
    """A key can have only scopes that its creator has and that the API may grant."""

    code = "missing_scope"
    status = 403


class KeyLimitReached(InvalidState):
    """The plan allows no more active keys: revoke one first."""


class KeyNotActive(InvalidState):
    """The key is revoked or has expired; create a new one."""


class SecondFactorExists(InvalidState):
    """The account already has a second factor."""
