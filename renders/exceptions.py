"""Errors of the renders app.

DomainError
├── UploadCutShort             400  the body is shorter than announced
├── NotFound
├── Unprocessable
│   ├── EditRefused            422  the edit, or an object that it refers to, cannot be rendered
│   ├── BatchTooHeavy          422  the edits of a batch are too large for one request
│   ├── PoolUnknown            422  the worker names a pool without secrets
│   └── OutputRefused          422  a worker's file does not match the edit
└── InvalidState
    ├── BatchNotCancellable    409
    ├── StaleAttempt           409  the worker's attempt has ended
    ├── MessageReused          409  a worker reused a webhook-id for another body
    ├── OutputMissing          409  a worker reported success before it uploaded the output
    ├── RenderNotCancellable   409
    ├── RenderNotRetryable     409
    └── RenderHasNoOutput      409
"""

from __future__ import annotations

from core.exceptions import InvalidRequest, InvalidState, Unprocessable


class EditRefused(Unprocessable):
    """The edit cannot be rendered."""


class BatchTooHeavy(Unprocessable):
    """The edits of all renders together are too large for one batch."""


class BatchNotCancellable(InvalidState):
    """Every render of the batch has already ended."""


class RenderNotCancellable(InvalidState):
    """The render has already ended."""


class RenderNotRetryable(InvalidState):
    """Only a render that failed or was cancelled can be retried."""


class RenderHasNoOutput(InvalidState):
    """The render has no output to delete."""


class UploadCutShort(InvalidRequest):
    """The body is shorter than Content-Length says. Send the file again."""


class PoolUnknown(Unprocessable):
    """No secrets are configured for this pool of workers."""

    def __init__(self) -> None:
        detail = "RENDER_WEBHOOK_SECRETS has no such pool."
        super().__init__([{"pointer": "/pool", "code": "unknown_pool", "detail": detail}], detail)


class OutputRefused(Unprocessable):
    """The file does not match the edit."""

    def __init__(self, code: str, detail: str) -> None:
        """code: of the single entry in `errors`."""
        super().__init__([{"pointer": "", "code": code, "detail": detail}], detail)


class StaleAttempt(InvalidState):
    """The lease token does not belong to the current attempt. Stop working on this render."""

    code = "stale_attempt"


class MessageReused(InvalidState):
    """The webhook-id was already used for another message."""

    code = "message_id_reused"


class OutputMissing(InvalidState):
    """Upload the output before reporting success."""
