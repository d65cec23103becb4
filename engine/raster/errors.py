"""Errors of the rasterizer."""

from __future__ import annotations

from engine.errors import RenderError


class DrawingFailed(RenderError):
    """A clip could not be drawn: its content exceeds a limit or crashed the drawing process."""

    code = "drawing_failed"

    def __init__(self, detail: str, pointer: str = "", *, retryable: bool = False) -> None:
        """pointer: JSON Pointer of the clip; empty if not known yet. retryable: the clip is not at fault."""
        self.retryable = retryable
        self.pointer = pointer
        self.detail = detail
        super().__init__(f"{pointer}: {detail}" if pointer else detail)
