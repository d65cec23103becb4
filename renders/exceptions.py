"""Errors of the renders app.

DomainError
├── NotFound
├── Unacceptable
│   └── EditRefused            422  the edit, or what it refers to, cannot be rendered
└── InvalidState
    ├── RenderNotCancellable   409
    ├── RenderNotRetryable     409
    └── RenderHasNoOutput      409
"""

from __future__ import annotations

from core.exceptions import InvalidState, Unacceptable


class EditRefused(Unacceptable):
    """The edit cannot be rendered as it stands."""


class RenderNotCancellable(InvalidState):
    """The render has already ended."""


class RenderNotRetryable(InvalidState):
    """Only a render that failed or was cancelled can be retried."""


class RenderHasNoOutput(InvalidState):
    """The render has no output to delete."""
