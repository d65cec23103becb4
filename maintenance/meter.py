"""Progress of a command: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

from typing import TextIO

_WIDTH = 40
_LINE_EVERY_PERCENT = 20


class Meter:
    """Shows how far something is."""

    def __init__(self, out: TextIO, what: str) -> None:
        """out: where to; what: the unit, such as `rows`."""
        self._out = out
        self._what = what
        self._is_terminal = out.isatty()
        self._shown = -1

    def show(self, done: int, total: int) -> None:
        """Show what is done of the total."""
        percent = 100.0 * done / total if total else 100.0
        if self._is_terminal:
            filled = round(_WIDTH * percent / 100)
            self._out.write(f"\r[{'#' * filled}{'.' * (_WIDTH - filled)}] {percent:5.1f} %\x1b[K")
            self._out.flush()
            self._shown = 0
            return
        step = int(percent // _LINE_EVERY_PERCENT)
        if step > self._shown:
            self._shown = step
            self._out.write(f"{done} of {total} {self._what}\n")

    def close(self) -> None:
        """Leave a terminal on a line of its own."""
        if self._is_terminal and self._shown >= 0:
            self._out.write("\n")
