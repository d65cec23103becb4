"""Errors of the media engine.

EngineError
├── EditInvalid          the edit is refused; carries issues with JSON pointers
├── MediaUnreadable      a source file is damaged or not allowed; carries a reason code
└── RenderError          a valid edit could not be rendered
    ├── RenderAborted    the caller cancelled the render
    ├── RenderTimeout    the wall-clock or stall limit was reached
    └── RenderCrashed    FFmpeg failed; carries the tail of its log
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.issues import Issue


class EngineError(Exception):
    """Base of all errors that the engine raises on purpose."""

    code = "engine_error"
    retryable = False


class EditInvalid(EngineError):
    """The edit cannot be rendered; `issues` says where and why."""

    code = "edit_invalid"

    def __init__(self, issues: Sequence[Issue], *, truncated: bool = False) -> None:
        """issues: at least one. truncated: more were found than are listed."""
        self.issues = tuple(issues)
        self.truncated = truncated
        first = self.issues[0]
        super().__init__(f"{first.pointer}: {first.detail}")


class MediaUnreadable(EngineError):
    """A file is damaged, hostile, or of a type that is not allowed."""

    code = "media_unreadable"

    def __init__(self, reason: str, detail: str) -> None:
        """reason: stable snake_case code; detail: one sentence for the client."""
        self.reason = reason
        super().__init__(detail)


class RenderError(EngineError):
    """A valid edit could not be rendered."""

    code = "render_failed"


class RenderAborted(RenderError):
    """The caller cancelled the render."""

    code = "cancelled"


class RenderTimeout(RenderError):
    """The render exceeded its wall-clock limit, or made no progress for too long."""

    code = "render_timeout"


class RenderCrashed(RenderError):
    """FFmpeg ended with an error, or its output failed verification."""

    code = "ffmpeg_failed"
    retryable = True

    def __init__(self, detail: str, log: str = "") -> None:
        """log: the last lines of FFmpeg's stderr, for the render's log."""
        self.log = log
        super().__init__(detail)
