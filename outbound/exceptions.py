"""Errors of outbound requests.

DomainError
├── FetchRefused   422  the address is not allowed, or its response is unusable; a retry will fail too
└── FetchFailed    422  the server or the network failed; a retry may succeed
Their messages go to clients: they never contain the addresses that a name resolved to.
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
    """The server or the network failed."""

    retryable = True
