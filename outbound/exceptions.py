"""Errors of fetching.

DomainError
├── FetchRefused   422  the address may not be fetched, or its answer cannot be used; the same will not help later
└── FetchFailed    422  the other side or the network failed; the same may help later
Their sentences go to clients: they never hold the addresses that a name resolved to.
"""

from __future__ import annotations

from core.exceptions import DomainError


class FetchError(DomainError):
    """The file could not be fetched."""

    code = "validation_error"
    status = 422
    retryable = False

    def __init__(self, reason: str, detail: str) -> None:
        """reason: stable snake_case code; detail: one sentence for the client."""
        self.reason = reason
        super().__init__(detail)


class FetchRefused(FetchError):
    """The address may not be fetched."""


class FetchFailed(FetchError):
    """The other side did not give the file."""

    retryable = True
