"""Failures of the media engine.

EngineError
├── EditInvalid          the edit is refused; carries issues with JSON pointers
├── MediaUnreadable      a source file is not what it must be; names the reason
└── RenderError          a valid edit could not be rendered
    ├── RenderAborted  the caller asked for the stop
    ├── RenderTimeout    the wall-clock limit was reached
    └── RenderCrashed    FFmpeg ended in error; carries the tail of its log
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.issues import Issue


class EngineError(Exception):
    """Any failure that the engine raises on purpose."""

    code = "engine_error"
    retryable = False


class EditInvalid(EngineError):
    """The edit cannot be rendered as it stands."""

    code = "edit_invalid"

    def __init__(self, issues: Sequence[Issue], *, truncated: bool = False) -> None:
        """Keep the issues; there is at least one. truncated: there are more than are listed."""
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
    """A valid edit could not be turned into a file."""

    code = "render_failed"


class RenderAborted(RenderError):
    """The caller asked for the render to stop."""

    code = "cancelled"


class RenderTimeout(RenderError):
    """The render took longer than its wall-clock limit."""

    code = "render_timeout"


class RenderCrashed(RenderError):
    """FFmpeg ended with an error or with a file that fails verification."""

    code = "ffmpeg_failed"
    retryable = True

    def __init__(self, detail: str, log: str = "") -> None:
        """log: the last lines that FFmpeg wrote, for the render's log."""
        self.log = log
        super().__init__(detail)
