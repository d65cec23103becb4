"""Progress of a `manage.py` command: a bar on a terminal, a few lines elsewhere."""

from __future__ import annotations

from typing import TextIO

_WIDTH = 40
_LINE_EVERY_PERCENT = 20


class ProgressBar:
    """Shows the progress of a command on a stream, usually standard error."""

    def __init__(self, out: TextIO, unit: str) -> None:
        """unit: plural, such as `rows`."""
        self._out = out
        self._unit = unit
        self._is_terminal = out.isatty()
        self._shown = -1

    def show(self, done: int, total: int, note: str = "") -> None:
        """Show that `done` of `total` units are done. note: follows the percentage on a terminal."""
        percent = 100.0 * done / total if total else 100.0
        if self._is_terminal:
            filled = round(_WIDTH * percent / 100)
            self._out.write(f"\r[{'#' * filled}{'.' * (_WIDTH - filled)}] {percent:5.1f} %{note}\x1b[K")
            self._out.flush()
            self._shown = 0
            return
        step = int(percent // _LINE_EVERY_PERCENT)
        if step > self._shown:
            self._shown = step
            self._out.write(f"{done} of {total} {self._unit}\n")

    def close(self) -> None:
        """Leave a terminal on a line of its own."""
        if self._is_terminal and self._shown >= 0:
            self._out.write("\n")
