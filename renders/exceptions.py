"""Errors of the renders app.

DomainError
├── UploadCutShort             400  fewer bytes came than were announced
├── NotFound
├── Unprocessable
│   ├── EditRefused            422  the edit, or what it refers to, cannot be rendered
│   ├── BatchTooHeavy          422  the edits of a batch are too much for one request
│   ├── PoolUnknown            422  no secrets are known of that pool of workers
│   └── OutputRefused          422  a worker's file is not what the edit asks for
└── InvalidState
    ├── BatchNotCancellable    409
    ├── StaleAttempt           409  the attempt of a worker is over
    ├── MessageReused          409  a worker sent something else under an id that it has used
    ├── OutputMissing          409  a worker reports success without an output
    ├── RenderNotCancellable   409
    ├── RenderNotRetryable     409
    └── RenderHasNoOutput      409
"""

from __future__ import annotations

from core.exceptions import InvalidRequest, InvalidState, Unprocessable


class EditRefused(Unprocessable):
    """The edit cannot be rendered as it stands."""


class BatchTooHeavy(Unprocessable):
    """The edits of all renders together are too much for one batch."""


class BatchNotCancellable(InvalidState):
    """Every render of the batch has already ended."""


class RenderNotCancellable(InvalidState):
    """The render has already ended."""


class RenderNotRetryable(InvalidState):
    """Only a render that failed or was cancelled can be retried."""


class RenderHasNoOutput(InvalidState):
    """The render has no output to delete."""


class UploadCutShort(InvalidRequest):
    """Fewer bytes came than Content-Length announced. Send the file again."""


class PoolUnknown(Unprocessable):
    """A worker names a pool that this installation has no secrets of."""

    def __init__(self) -> None:
        """Point at the pool."""
        detail = "RENDER_WEBHOOK_SECRETS has no such pool."
        super().__init__([{"pointer": "/pool", "code": "unknown_pool", "detail": detail}], detail)


class OutputRefused(Unprocessable):
    """A worker's file is not what the edit asks for."""

    def __init__(self, code: str, detail: str) -> None:
        """code: of the error in the list."""
        super().__init__([{"pointer": "", "code": code, "detail": detail}], detail)


class StaleAttempt(InvalidState):
    """The lease token is not that of the attempt that has the render now. Stop working on it."""

    code = "stale_attempt"


class MessageReused(InvalidState):
    """Another message had this webhook-id."""

    code = "message_id_reused"


class OutputMissing(InvalidState):
    """Upload the output before reporting success."""
