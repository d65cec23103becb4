"""Failures of drawing."""

from __future__ import annotations

from engine.errors import RenderError


class DrawingFailed(RenderError):
    """A clip could not be drawn: its content was too much for the drawing process, or broke it."""

    code = "drawing_failed"

    def __init__(self, detail: str, pointer: str = "", *, retryable: bool = False) -> None:
        """pointer: JSON Pointer of the clip; empty where it is not known yet. retryable: the clip is not to blame."""
        self.retryable = retryable
        self.pointer = pointer
        self.detail = detail
        super().__init__(f"{pointer}: {detail}" if pointer else detail)
